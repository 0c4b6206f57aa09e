"""Output stationary (docs/timing.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from accelsim.program.table import Shapes
from accelsim.units.base import Counts
from accelsim.units.dataflows.base import (
    Chosen,
    Dataflow,
    Times,
    Used,
    Work,
    extents,
    operand_bits,
)

if TYPE_CHECKING:
    from accelsim.units.mac_array import MacArray, Rate


class OutputStationary(Dataflow):
    """Rows hold m, columns hold n, k streams; a sum never leaves its element inside a pass."""

    name, number = "output_stationary", 0
    stays, rows, columns, streams = "none", "m", "n", "k"
    twin = "output_stationary"

    def limits(
        self, array: MacArray, rate: Rate, work: Work | None = None, chosen: Chosen | None = None
    ) -> tuple[int, int, int]:
        """As many outputs as there are elements."""
        return array.rows, array.columns * array.wide(rate), 0

    def used(self, array: MacArray, shapes: Shapes) -> Used:
        """Steps: as many products as an element adds a cycle."""
        m, n, k = extents(shapes)
        along_k, along_n = array.lanes(shapes)
        return m, -(-n // along_n), -(-k // along_k)

    def times(self, array: MacArray, shapes: Shapes) -> Times:
        """Sums form in the elements, then shift down their column to the exit."""
        rows, columns, steps = self.used(array, shapes)
        leaves = array.exit_rows(shapes)
        systolic = array.structure == "systolic"
        skew = array.hop_registers if systolic else 0
        issue = (steps - 1) * array.mac_latency + 1  # cycles in which an element issues products
        if array.stationary_depth > 1:
            # A shorter pass would load its output registers while the previous pass's results
            # still wait in them.
            issue = np.maximum(issue, skew * (leaves - 1) + 1 if systolic else leaves)
            interval = issue
        else:
            interval = issue + (skew * (rows - 1) if systolic else leaves - 1)
        done = issue + array.mac_latency - 1 + skew * (rows - 1)  # the last used row, column 0
        last = done + leaves + (columns - 1 if systolic else 0)
        return interval, done + 1 + leaves - rows, last

    def pass_bits(self, array: MacArray, shapes: Shapes) -> Counts:
        """Systolic: a streamed value crosses every used column, a weight every used row through
        hop_registers registers. Broadcast: both are registered once at the edge. A sum moves from its
        row to the exit."""
        m, n, k = (one.astype(np.float64) for one in extents(shapes))
        a, b = operand_bits(array, shapes)
        rows, columns, _ = self.used(array, shapes)
        leaves, wide = array.exit_rows(shapes), array.accumulator.bits
        drain = n * (rows * leaves - rows * (rows - 1) / 2) * wide
        across, down = m * k * a, k * n * b
        if array.structure == "systolic":
            across, down = across * columns, down * rows * array.hop_registers
        return np.asarray(across + down + drain, np.float64)

    def accumulations(self, array: MacArray, shapes: Shapes) -> Counts:
        """The first product of a sum is written, each later one is read, added and written."""
        m, n, _ = (one.astype(np.float64) for one in extents(shapes))
        return np.asarray((2 * self.used(array, shapes)[2] - 1) * m * n, np.float64)
