"""Vector unit: requantisation, element-wise work, pooling, adding partial sums."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from accelsim.constants.price import CORE, Price, row_value
from accelsim.constants.technology import Technology
from accelsim.fields import LATER, Names, Table
from accelsim.formats import FORMATS, Integer, get
from accelsim.program.opcodes import Opcode
from accelsim.program.table import Shapes
from accelsim.units.base import Around, Bounds, Cost, Counts, Prices, Rule, Unit
from accelsim.workload import Operator, VectorOperator
from accelsim.workload.vector_kinds import VECTOR_KINDS

Rate = Annotated[float, Bounds(1e-6, 1e6)]


def _kinds() -> list[str]:
    return list(VECTOR_KINDS)


@dataclass(frozen=True, slots=True)
class VectorUnit(Unit):
    """``lanes`` element operations a cycle, pipelined ``latency`` cycles deep.

    format: of the values that vector operators give, and of tensors between them; None where the chip does not
    say (mapping/vector_formats.py). Times and joules of an operation do not depend on it, bytes do.

    rates: operations a lane and cycle of operators of some kinds, 1 for others. does: the only kinds that it can
    do; () for all. It always requantises and adds partial sums.

    Shape extents: (elements written, element operations, pace: 0, or which of the rates counted from 1).
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
    rates: Annotated[Table[Rate], Names(_kinds)] = field(default=Table(), metadata=LATER)
    does: tuple[Annotated[str, Names(_kinds)], ...] = field(default=(), metadata=LATER)

    def runs(self, operator: Operator | VectorOperator) -> bool:
        able = isinstance(operator, VectorOperator)
        return able and (not self.does or operator.kind in self.does)

    def caption(self) -> tuple[str, ...]:
        return (f"{self.lanes} vector lanes", *(("some operators",) if self.does else ()))

    def pace(self, kind: str) -> int:
        """The extent that says how fast operators of a kind are."""
        return 1 + sorted(self.rates).index(kind) if kind in self.rates else 0

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
        if self.rates:
            own = (self.rates[kind] for kind in sorted(self.rates))
            rates = np.array([1.0, *own])[shapes.extents[:, 2]]
            # 1e-12: a rate like 0.1 is no binary fraction and takes no cycle more for that
            slowed = np.ceil(shapes.extents[:, 1] / (self.lanes * rates) * (1 - 1e-12))
            interval = np.where(rates == 1.0, interval, slowed.astype(np.int64))
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
