"""Vector unit: requantisation, element-wise work, pooling, adding partial sums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np

from accelsim.program.opcodes import Opcode
from accelsim.program.table import Shapes
from accelsim.units.base import Bounds, Cost, Counts, Unit


@dataclass(frozen=True, slots=True)
class VectorUnit(Unit):
    """``lanes`` element operations a cycle, pipelined ``latency`` cycles deep.

    format: of the values that vector operators give, and of tensors between them; None where the chip does not
    say (mapping/vector_formats.py). Times and joules of an operation do not depend on it, bytes do.

    Shape extents: (elements written, element operations).
    """

    kind: ClassVar[str] = "vector_unit"
    opcodes: ClassVar[tuple[Opcode, ...]] = (
        Opcode.VECTOR,
        Opcode.REQUANTIZE,
        Opcode.ACCUMULATE,
    )
    name: str
    clock: str
    input: str
    output: str
    lanes: Annotated[int, Bounds(1, 1 << 20)] = 16
    latency: Annotated[int, Bounds(1, 1 << 20)] = 4
    count: Annotated[int, Bounds(1, 1)] = 1
    format: Literal["int8", "int16", "fp16", "bf16", "fp32", "fp16_169"] | None = None

    def cost(self, shapes: Shapes) -> Cost:
        interval = -(-shapes.extents[:, 1] // self.lanes)
        return Cost(interval, np.full_like(interval, self.latency), interval + self.latency - 1)

    def actions(self, shapes: Shapes) -> Mapping[str, Counts]:
        work = shapes.extents[:, 1].astype(np.float64)
        requantize = shapes.opcode == Opcode.REQUANTIZE
        kept = shapes.format_a == shapes.format_out  # sums are stored as they are
        return {
            "element_operation": np.where(requantize, 0.0, work),
            "requantize": np.where(requantize & ~kept, work, 0.0),
        }
