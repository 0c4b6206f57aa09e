"""SCALE-Sim's array: whole folds, one after another, for comparison with its published figures.

It is not how hardware behaves (docs/scalesim.md says where it differs); MacArray is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from accelsim.program.opcodes import Opcode
from accelsim.program.table import Shapes
from accelsim.units.base import Cost, Counts
from accelsim.units.dataflows.output_stationary import OutputStationary
from accelsim.units.dataflows.weight_stationary import WeightStationary
from accelsim.units.mac_array import MacArray


@dataclass(frozen=True, slots=True)
class FoldArray(MacArray):
    """A MacArray timed by fold lines: an edge fold costs a full fold, preload and drain included,
    and folds never overlap. Shape extents: MATMUL (m, n, k, dataflow, 0) of the fold."""

    kind: ClassVar[str] = "fold_array"
    in_files: ClassVar[bool] = False
    opcodes: ClassVar[tuple[Opcode, ...]] = (Opcode.MATMUL,)

    def cost(self, shapes: Shapes) -> Cost:
        """Lines of a fold: the streamed length, R + C - 2 of skew, and R of preload where one
        operand is held. first is the line of the first result."""
        m, n, k = (shapes.extents[:, axis] for axis in range(3))
        flow = shapes.extents[:, 3]
        output = flow == OutputStationary.number
        steps = np.where(output, k, np.where(flow == WeightStationary.number, m, n))
        lines = steps + self.rows + self.columns - 2 + np.where(output, 0, self.rows)
        first = np.where(output, k + self.rows - m, 2 * self.rows)
        return Cost(lines, np.minimum(first, lines), lines)

    def actions(self, shapes: Shapes) -> Mapping[str, Counts]:
        """MacArray's, and ``phantom_writes``: R + C further output words that SCALE-Sim counts in
        every output-stationary fold."""
        output = shapes.extents[:, 3] == OutputStationary.number
        extra = np.where(output, float(self.rows + self.columns), 0.0)
        return {**MacArray.actions(self, shapes), "phantom_writes": extra}
