"""Vector unit: requantisation, element-wise work, pooling, adding partial sums."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from accelsim.constants.price import CORE, Price, row_value
from accelsim.constants.technology import Technology
from accelsim.formats import FORMATS, Integer, get
from accelsim.program.opcodes import Opcode
from accelsim.program.table import Shapes
from accelsim.units.base import Around, Bounds, Cost, Counts, Prices, Rule, Unit
from accelsim.workload import Operator, VectorOperator


@dataclass(frozen=True, slots=True)
class VectorUnit(Unit):
    """``lanes`` element operations a cycle, pipelined ``latency`` cycles deep.

    format: of the values that vector operators give, and of tensors between them; None where the chip does not
    say (mapping/vector_formats.py). Times and joules of an operation do not depend on it, bytes do.

    Shape extents: (elements written, element operations).
    """

    kind: ClassVar[str] = "vector_unit"
    part: ClassVar[str] = "vector_unit"
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

    def runs(self, operator: Operator | VectorOperator) -> bool:
        return isinstance(operator, VectorOperator)

    def rules(self, around: Around, written: Mapping[str, Any]) -> Iterator[Rule]:
        precision = around.precision
        if self.format is None or precision is None or precision.input not in FORMATS:
            return
        whole = isinstance(get(self.format), Integer)
        if whole and not isinstance(get(precision.input), Integer):
            yield (
                "format",
                "chip.vector_format",
                f"{self.format} has no scale among {precision.input}",
                "write fp16, bf16, fp32 or fp16_169",
            )

    def prices(self, technology: Technology) -> Prices:
        add, band = row_value(technology, f"{technology.family}/int32/add")
        element = Price(add, band, CORE, f"{technology.family}/int32/add")
        return {
            (self.name, "requantize"): rescale_price(technology),
            (self.name, "element_operation"): element,
        }

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


def rescale_price(technology: Technology) -> Price:
    """One requantisation: a 32-bit multiply and add."""
    family = technology.family
    multiply, band_m = row_value(technology, f"{family}/int32/multiply")
    add, band_a = row_value(technology, f"{family}/int32/add")
    source = f"{family}/int32/multiply + {family}/int32/add"
    return Price(multiply + add, max(band_m, band_a), CORE, source)
