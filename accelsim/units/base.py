"""The contract of every unit and memory: its own time, action counts, prices, area and rules.

The engine adds nothing but contention. A new kind of hardware is one file with one subclass.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from accelsim.constants.price import AreaRow, Price
from accelsim.constants.technology import Technology
from accelsim.fields import Bounds, Quantity, binary
from accelsim.program.opcodes import Opcode
from accelsim.program.table import Shapes
from accelsim.workload import Operator, VectorOperator

Counts = NDArray[np.float64]
#: key below the unit, code, what is wrong, what to write
Rule = tuple[str, str, str, str]
Prices = dict[tuple[str, str], Price]


@dataclass(frozen=True, slots=True)
class Cost:
    """Cycles of the unit's own clock, one entry per shape row, int64, measured from the issue.

    interval: earliest next issue on the unit (>= 0). first: first result. last: last result,
    at least interval; last - interval is the drain that overlaps the unit's next command.
    """

    interval: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Precision:
    """Formats a MAC operator runs in when the workload does not say."""

    input: str = "int8"
    weight: str = "int8"


@dataclass(frozen=True, slots=True)
class Instance:
    """A unit of a Program. kind: who its times are asked of, the unit's name or a part of it. memories: its own,
    (name, bytes)."""

    name: str
    kind: str
    opcodes: tuple[Opcode, ...]
    memories: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Around:
    """The chip around a unit, as far as its file was read: what is wrong is None there."""

    units: Mapping[str, Unit | None]
    memories: Mapping[str, Memory | None]
    precision: Precision | None


@lru_cache(maxsize=256)
def instance_names(name: str, count: int) -> tuple[str, ...]:
    """ "array" for one, "array.0", "array.1", ... for several."""
    return (name,) if count == 1 else tuple(f"{name}.{i}" for i in range(count))


class Unit(ABC):
    """One kind of hardware that executes commands, described by a frozen dataclass.

    Subclasses are frozen dataclasses with at least ``name: str`` (key in the chip file),
    ``clock: str`` and ``count: int`` (identical instances). kind: what a chip file writes, of those with
    in_files. part: of a chip that it is, with the kinds that are made from it. given: fields that the
    chip gives it (within()), not its file. files: fields that may name a file (.json) beside the chip's.
    """

    kind: ClassVar[str]
    part: ClassVar[str]
    opcodes: ClassVar[tuple[Opcode, ...]]
    in_files: ClassVar[bool] = True
    given: ClassVar[tuple[str, ...]] = ()
    files: ClassVar[tuple[str, ...]] = ()
    name: str
    clock: str
    count: int

    # -- in a chip -----------------------------------------------------------------------------

    def runs(self, operator: Operator | VectorOperator) -> bool:
        """Whether the unit can do what an operator asks for."""
        del operator
        return False

    def instances(self) -> Iterator[Instance]:
        """The units of a Program that it stands for."""
        for name in instance_names(self.name, self.count):
            yield Instance(name, self.name, self.opcodes)

    def within(self, clocks: Mapping[str, int], memories: Mapping[str, Memory]) -> Self:
        """The unit with what its surroundings give."""
        del clocks, memories
        return self

    def caption(self) -> tuple[str, ...]:
        """What it is, in a few short lines of a picture."""
        return (self.kind.replace("_", " "),)

    def at_precision(self, precision: Precision) -> Self:
        """The unit as it is in a chip of these formats."""
        del precision
        return self

    def rules(self, around: Around, written: Mapping[str, Any]) -> Iterator[Rule]:
        """Everything that is wrong between its keys, and between them and the chip. written: its section of
        the file, plain values."""
        del around, written
        yield from ()

    def enlarged(self, factor: float) -> Self:
        """What multiplies, about that many times as large; anything else as it is."""
        del factor
        return self

    # -- energy and area -----------------------------------------------------------------------

    def prices(self, technology: Technology) -> Prices:
        """(unit or one of its memories, action) -> joules a count; watts of all instances for an action that
        ends in _second."""
        del technology
        return {}

    def areas(self, technology: Technology) -> list[AreaRow]:
        """Of its parts that have a sourced constant, all instances."""
        del technology
        return []

    # -- times and counts ----------------------------------------------------------------------

    @abstractmethod
    def cost(self, shapes: Shapes) -> Cost:
        """Times of each shape row (every row is of this unit), vectorised, no side effects."""

    def timed(self) -> Unit:
        """The unit with every field set to its default that neither its times nor its place in a Program
        depend on: two units with the same one give the same Program and Timeline."""
        return self

    def statistics(self, values: bool) -> Mapping[str, Sequence[tuple[float, str]]]:
        """What the counts of actions rest on beside the Program: (part of the count, confidence) of each
        figure. values: the charge and the reads again came from a run's values."""
        del values
        return {}

    def measured(self) -> Unit:
        """The unit without the statistics that a run's values replace."""
        return self

    @abstractmethod
    def actions(self, shapes: Shapes) -> Mapping[str, Counts]:
        """Action name -> count of that action in one execution of each shape row, float64 >= 0.

        Memory traffic is not counted here: it is in the operands, and the memory charges it.
        """


class Memory(ABC):
    """One kind of memory, described by a frozen dataclass. part: what it is to units, "sram" for what they
    read and write, "dram" for what lies off the chip. scope: "shared" is one instance, "private" one for each
    instance of what multiplies. behind: the memory that it is filled from and spilled to, "" for the one of the
    DMA engine, which itself stands behind all and has none."""

    kind: ClassVar[str]
    part: ClassVar[str]
    in_files: ClassVar[bool] = True
    given: ClassVar[tuple[str, ...]] = ()
    files: ClassVar[tuple[str, ...]] = ()
    name: str
    size: int
    arbiter: str
    quantum: int
    scope: str
    behind: str = ""

    def caption(self) -> tuple[str, ...]:
        """What it is, in a few short lines of a picture."""
        return (f"{self.kind} {binary(self.size)}",)

    @property
    @abstractmethod
    def sides(self) -> tuple[str, ...]:
        """Its ports: ("read", "write"), or ("port",) for both."""

    @abstractmethod
    def beat(self, ticks: int, clocks: Mapping[str, int]) -> tuple[int, int]:
        """Bytes that a port moves at once, and ticks that it takes. ticks: a second."""

    @abstractmethod
    def timed(self) -> Memory:
        """The memory with every field set to its default that times do not depend on."""

    @abstractmethod
    def prices(self, technology: Technology, copies: int) -> Prices:
        """(memory, "read_bit" | "write_bit" | an action that ends in _second) -> joules a bit, watts of
        all ``copies``."""

    def areas(self, technology: Technology, copies: int) -> list[AreaRow]:
        """Of its parts that have a sourced constant."""
        del technology, copies
        return []

    def enlarged(self, factor: float) -> Self:
        """That many times as large, as near as whole parts allow; what cannot be scaled as it is."""
        del factor
        return self


class Sums(Protocol):
    """An accumulator: bits wide."""

    @property
    def bits(self) -> int: ...


def stored_format(accumulator: Sums) -> str:
    """Name of the format that partial sums are stored in: the accumulator's own, or the narrowest
    integer that holds it."""
    named: str = getattr(accumulator, "format", "")
    if named:
        return named
    bits = next(b for b in (4, 5, 6, 8, 12, 16, 20, 24, 32, 48, 64) if b >= accumulator.bits)
    return f"int{bits}"


__all__ = [
    "Around",
    "Bounds",
    "Cost",
    "Counts",
    "Instance",
    "Memory",
    "Precision",
    "Prices",
    "Quantity",
    "Rule",
    "Sums",
    "Unit",
    "instance_names",
    "stored_format",
]
