"""What weight and input stationary share: k lies along the rows, sums move down the columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from accelsim.program.table import Shapes
from accelsim.units.base import Counts
from accelsim.units.dataflows.base import Dataflow, Ints, Times, extents, operand_bits
from accelsim.units.mac_arithmetic import ordered_sums

if TYPE_CHECKING:
    from accelsim.units.mac_array import MacArray, Rate


class HeldOperand(Dataflow):
    """Rows hold k; partial sums move down the columns, or through an adder tree under each."""

    rows = "k"
    twin = "stationary"

    def times(self, array: MacArray, shapes: Shapes) -> Times:
        """A step a cycle; results leave skewed by a cycle a column."""
        _, columns, steps = self.used(array, shapes)
        if array.structure == "broadcast":
            first = np.full_like(steps, array.mac_latency + array.tree_levels)
            return steps, first, first + steps - 1
        first = array.row_latency * array.exit_rows(shapes)
        return steps, first, first + steps - 1 + columns - 1

    def slot_lag(self, array: MacArray, rows: int) -> int:
        """New values move down one row a cycle, the pass's wave row_latency a row: row i is still in use
        (row_latency - 1) i cycles longer."""
        return 0 if array.structure == "broadcast" else (array.row_latency - 1) * (rows - 1)

    def pass_bits(self, array: MacArray, shapes: Shapes) -> Counts:
        """Systolic: a streamed value crosses every used column, a partial sum takes row_latency
        registers in each row down to the exit. Broadcast: an operand is registered once at the edge;
        products and every tree level (one bit wider each) are registered."""
        m, n, _ = extents(shapes)
        rows, columns, _ = self.used(array, shapes)
        wide, stream = array.accumulator.bits, self.streamed_bits(array, shapes)
        if array.structure == "broadcast":
            leaf = rows * float(array.dot)
            width = sum(operand_bits(array, shapes))
            tree = leaf * width
            for _ in range(array.tree_levels):
                leaf, width = np.ceil(leaf / 2), np.minimum(width + 1, wide)
                tree = tree + leaf * width
            return np.asarray(stream + m * n * tree, np.float64)
        down = m.astype(np.float64) * n * array.exit_rows(shapes) * array.row_latency * wide
        return np.asarray(stream * columns + down, np.float64)

    def streamed_bits(self, array: MacArray, shapes: Shapes) -> Counts:
        """Bits of the operand that streams: of MATMULs."""
        m, n, k = extents(shapes)
        a, b = operand_bits(array, shapes)
        return np.asarray(k * (m * a if self.stays == "weight" else n * b), np.float64)

    def preload_bits(self, array: MacArray, shapes: Shapes) -> Counts:
        """The value for row i (from 0) passes i + 1 slots on its way down; on a broadcast array it is
        written straight into its row."""
        m, n, k = extents(shapes)
        a, b = operand_bits(array, shapes)
        bits = n * b if self.stays == "weight" else m * a
        if array.structure == "broadcast":
            return np.asarray(k * bits, np.float64)
        along_k, _ = array.lanes(shapes)
        full = np.floor((k - 1) / along_k)  # full rows above the last used one
        passed = along_k * full * (full + 1) / 2 + (k - along_k * full) * (full + 1)
        return np.asarray(passed * bits, np.float64)

    def sums(self, array: MacArray, a: Ints, b: Ints, rate: Rate, code: int = 0) -> Ints:
        """As in the base class; the tree of a broadcast array adds a whole pass exactly."""
        if array.structure != "broadcast":
            return super().sums(array, a, b, rate, code)
        held = array.accumulator
        return ordered_sums(a, b, max(1, a.shape[1]), held.bits, held.overflow)
