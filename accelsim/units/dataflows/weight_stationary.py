"""Weight stationary (docs/timing.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accelsim.program.table import Shapes
from accelsim.units.dataflows.base import Chosen, Used, Work, extents
from accelsim.units.dataflows.held_operand import HeldOperand

if TYPE_CHECKING:
    from accelsim.units.mac_array import MacArray, Rate


class WeightStationary(HeldOperand):
    """Rows hold k, columns hold n, m streams; partial sums move down the columns."""

    name, number = "weight_stationary", 1
    stays, columns, streams = "weight", "n", "m"

    def limits(
        self, array: MacArray, rate: Rate, work: Work | None = None, chosen: Chosen | None = None
    ) -> tuple[int, int, int]:
        """As many weights as there are elements."""
        return 0, array.columns * array.wide(rate), array.rows * array.group(rate)

    def used(self, array: MacArray, shapes: Shapes) -> Used:
        """Steps: one of m."""
        m, n, k = extents(shapes)
        along_k, along_n = array.lanes(shapes)
        return -(-k // along_k), -(-n // along_n), m
