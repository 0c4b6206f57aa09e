"""Input stationary (docs/timing.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accelsim.program.table import Shapes
from accelsim.units.dataflows.base import Chosen, Used, Work, extents
from accelsim.units.dataflows.held_operand import HeldOperand

if TYPE_CHECKING:
    from accelsim.units.mac_array import MacArray, Rate


class InputStationary(HeldOperand):
    """Rows hold k, columns hold m, n streams; partial sums move down the columns."""

    name, number = "input_stationary", 2
    stays, columns, streams = "input", "m", "n"

    def limits(
        self, array: MacArray, rate: Rate, work: Work | None = None, chosen: Chosen | None = None
    ) -> tuple[int, int, int]:
        """As many inputs as there are elements."""
        return array.columns, 0, array.rows * array.group(rate)

    def used(self, array: MacArray, shapes: Shapes) -> Used:
        """Steps: as many of n as an element holds side by side."""
        m, n, k = extents(shapes)
        along_k, along_n = array.lanes(shapes)
        return -(-k // along_k), m, -(-n // along_n)
