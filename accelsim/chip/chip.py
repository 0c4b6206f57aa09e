"""The Chip: named units, memories, clocks and technology; immutable, with a digest."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from accelsim.chip.cores import Core, Template, cores, instances, prefixes, scope_of, template_of
from accelsim.chip.routes import Route, behind, route
from accelsim.chip.seen import Seen, seen_from
from accelsim.chip.sides import sides
from accelsim.constants.technology import Technology
from accelsim.errors import InputError, Problem, one_of
from accelsim.fields import LATER, unsaid
from accelsim.units.base import Bounds, Memory, Precision, Quantity, Unit
from accelsim.units.crossbar import Crossbar
from accelsim.units.dma import Dma
from accelsim.units.dram import Dram
from accelsim.units.link import Link
from accelsim.units.mac_array import MacArray
from accelsim.units.vector_unit import VectorUnit

WEIGHTS = ("cold", "resident")
COMMANDS_AHEAD = (
    1 << 17
)  # entries of a command memory that holds no shipped run back (docs/decisions/0008)


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Voltage and clocks (Hz) that replace the chip's own when it is chosen."""

    name: str
    voltage: Annotated[float, Quantity("V"), Bounds(0.1, 5.0)]
    clocks: Mapping[str, int]


@dataclass(frozen=True, slots=True, repr=False)
class Chip:
    """What computes. clocks: name -> Hz (int). memories, units, links: by name, each standing once in every
    instance of the core that its name begins with (chip/cores.py). templates: those cores, by name, outer before
    inner ones; a chip without any is one core. weights: "cold" (every run fetches them) or "resident";
    core_weights: the same of cores that say otherwise. commands_ahead: entries of the command memory
    (Program.commands_ahead). InputError for other words, and for fewer than no entries.

    ``array``, ``crossbar``, ``vector_unit``, ``dma``, ``dram`` are short for the only unit or memory of their
    part in the file, those of all equal cores taken as one of their ``count``, and raise InputError where there are
    several.
    """

    name: str
    clocks: Mapping[str, int]
    technology: Technology
    memories: Mapping[str, Memory]
    units: Mapping[str, Unit]
    precision: Precision = field(default_factory=Precision)
    weights: Literal["cold", "resident"] = "cold"
    commands_ahead: int = field(default=COMMANDS_AHEAD, metadata=LATER)
    description: str = ""
    operating_points: tuple[OperatingPoint, ...] = ()
    source: str = ""
    notes: Mapping[str, Any] = field(default_factory=dict)
    templates: Mapping[str, Template] = field(default_factory=dict, metadata=LATER)
    links: Mapping[str, Link] = field(default_factory=dict, metadata=LATER)
    core_weights: Mapping[str, str] = field(default_factory=dict, metadata=LATER)
    _memo: dict[Any, Any] = field(default_factory=dict, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        for said in (self.weights, *self.core_weights.values()):
            one_of("weights", said, WEIGHTS)
        if self.commands_ahead < 0:
            message = f"{self.commands_ahead} entries are no command memory"
            fix = "write a number from 1 on, or 0 for no bound"
            raise InputError(
                Problem("chip.commands_ahead", message, fix, "commands_ahead", self.source)
            )

    def __repr__(self) -> str:
        """In one line: what it is made of."""
        units = ", ".join(f"{name} ({unit.kind})" for name, unit in list(self.units.items())[:4])
        more = f" and {len(self.units) - 4} more" if len(self.units) > 4 else ""
        return (
            f"<Chip {self.name!r:.80}: {units:.160}{more}; {len(self.memories)} memories; "
            f"{self.technology.node * 1e9:g} nm, {self.technology.voltage:g} V>"
        )

    def parts(self, part: str) -> tuple[Unit, ...]:
        """The units that are such a part, in the order of the file."""
        key = ("parts", part)
        if key not in self._memo:
            self._memo[key] = tuple(unit for unit in self.units.values() if unit.part == part)
        found: tuple[Unit, ...] = self._memo[key]
        return found

    def _part(self, part: str) -> Any:
        """The only unit that is such a part, counted in every instance of its core; None without one, InputError
        where there are several."""
        key = ("part", part)
        if key in self._memo:
            return self._memo[key]
        found = self.parts(part)
        if len(found) > 1:
            names = ", ".join(unit.name for unit in found)
            raise InputError(
                Problem(
                    "chip.several",
                    f"has several units of part {part} ({names:.60}), and one is needed here",
                    f"give the chip one {part}, or one core that has one, with count",
                    path="units",
                    file=self.source,
                )
            )
        unit: Any = found[0] if found else None
        standing = 1 if unit is None else self.standing(unit.name)
        one = unit if standing == 1 else dataclasses.replace(unit, count=standing * unit.count)
        self._memo[key] = one
        return one

    @property
    def mac_array(self) -> MacArray | None:
        """The MAC array, if the chip has one."""
        found: MacArray | None = self._part("mac_array")
        return found

    @property
    def array(self) -> MacArray:
        """The MAC array of a chip that has one."""
        found = self.mac_array
        if found is None:
            raise LookupError(f"{self.name} has no MAC array")
        return found

    @property
    def crossbar(self) -> Crossbar | None:
        """The crossbars, if the chip has some; with their clock."""
        if "crossbar" not in self._memo:
            unit = self._part("crossbar")
            self._memo["crossbar"] = None if unit is None else self.unit_of_kind(unit.name)
        found: Crossbar | None = self._memo["crossbar"]
        return found

    @property
    def core(self) -> MacArray | Crossbar:
        """What multiplies: the crossbars where there are some, else the MAC array. Results speak in
        cycles of its clock."""
        return self.crossbar or self.array

    @property
    def vector_unit(self) -> VectorUnit:
        found: VectorUnit = self._part("vector_unit")
        return found

    @property
    def vector_format(self) -> str | None:
        """The format that the vector units state; all state one (mapping/chips.py)."""
        unit: Any = self.parts("vector_unit")[0]
        found: str | None = unit.format
        return found

    @property
    def dma(self) -> Dma:
        found: Dma = self._part("dma")
        return found

    @property
    def far(self) -> str:
        """Name of the memory off the chip that the first DMA engine serves."""
        engine: Any = self.parts("dma")[0]
        return str(engine.memory)

    @property
    def dram(self) -> Dram:
        """The off-chip memory that the DMA engines serve."""
        found: Any = self.memories[self.far]
        return found  # type: ignore[no-any-return]

    @property
    def sides(self) -> Mapping[str, Chip]:
        """The chip as operators on each of its units that multiply see it, by the unit's name (chip/sides.py)."""
        if "sides" not in self._memo:
            self._memo["sides"] = sides(self)
        found: Mapping[str, Chip] = self._memo["sides"]
        return found

    # -- the graph -----------------------------------------------------------------------------

    def instances(self, name: str) -> tuple[str, ...]:
        """Names of all that a unit, memory or link of the chip stands for, one in each instance of its core;
        those of a ``count`` within one core count as one."""
        return instances(self, name)

    def standing(self, name: str) -> int:
        """In how many instances of its core a unit, a memory or a link stands."""
        return len(prefixes(self, scope_of(name))) if self.templates else 1

    @property
    def cores(self) -> Mapping[str, Core]:
        """Every instance of a core by its name, with its units and memories by the names that its file gives
        them; "" first: what stands in no core."""
        if "cores" not in self._memo:
            self._memo["cores"] = cores(self)
        found: Mapping[str, Core] = self._memo["cores"]
        return found

    def behind(self, memory: str) -> str | None:
        """The memory that a memory of the chip, or one instance of it, is filled from and spilled to; None for one off
        the chip."""
        return behind(self, memory)

    def route(self, start: str, end: str) -> Route:
        """The way from an instance of a memory to another; InputError where none leads there."""
        return route(self, start, end)

    def weights_of(self, core: str) -> str:
        """Whether weights are "cold" or "resident" in an instance of a core: as its own says, or the nearest around
        it, or the chip."""
        template = template_of(core)
        while template and template not in self.core_weights:
            template = scope_of(template)
        return self.core_weights.get(template, self.weights)

    @property
    def weights_said(self) -> str:
        """Where weights are at the start: "cold", "resident", or both where cores differ."""
        return ", ".join(dict.fromkeys(side.weights for side in self.sides.values()))

    def at_weights(self, weights: Literal["cold", "resident"]) -> Chip:
        """This chip with the weights of all its cores so at the start."""
        return dataclasses.replace(self, weights=weights, core_weights={})

    def seen_from(self, core: str) -> Seen:
        """The chip as one instance of a core sees it (chip/seen.py)."""
        return seen_from(self, core)

    def unit_of_kind(self, kind: str) -> Unit:
        """The unit behind a row of Program.unit_kinds, with what it takes from its surroundings:
        "array" and "array.preload" are one."""
        while kind not in self.units and "." in kind:
            kind = kind.rpartition(".")[0]
        return self.units[kind].within(self.clocks, self.memories)

    def clock_of_kind(self, kind: str) -> int:
        """Hz of the clock of a row of Program.unit_kinds."""
        return self.clocks[self.unit_of_kind(kind).clock]

    def at(self, point: str) -> Chip:
        """This chip at one of its operating points; InputError where it has none of that name."""
        one_of("point", point, (item.name for item in self.operating_points))
        chosen = next(item for item in self.operating_points if item.name == point)
        return dataclasses.replace(
            self,
            name=f"{self.name}@{point}",
            clocks={**self.clocks, **chosen.clocks},
            technology=dataclasses.replace(self.technology, voltage=chosen.voltage),
        )

    def canonical(self) -> dict[str, Any]:
        """The chip as plain values in one fixed form, without name, description, source, notes."""
        left_out = ("name", "description", "source", "notes", "_memo")
        return {
            item.name: _plain(getattr(self, item.name))
            for item in dataclasses.fields(self)
            if item.name not in left_out and not unsaid(item, getattr(self, item.name))
        }

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical form: equal exactly when the hardware is equal."""
        if "digest" not in self._memo:
            self._memo["digest"] = _digest(self.canonical())
        return str(self._memo["digest"])

    @property
    def timing_form(self) -> tuple[Any, ...]:
        """What Programs and Timelines depend on, hashable: chips that differ in energy constants,
        technology, converters' bits, cells or ages share it, and every run's cycles with it."""
        if "timing_form" not in self._memo:
            self._memo["timing_form"] = (
                tuple(unit.timed() for _, unit in sorted(self.units.items())),
                tuple(memory.timed() for _, memory in sorted(self.memories.items())),
                tuple(sorted(self.clocks.items())),
                self.precision,
                self.weights,
                *self._timed_later(),
            )
        found: tuple[Any, ...] = self._memo["timing_form"]
        return found

    def _timed_later(self) -> tuple[Any, ...]:
        """What of keys that came later the times depend on; nothing for a chip that says nothing of them."""
        graph = (self.templates, self.links, self.core_weights)
        if not any(graph) and self.commands_ahead == COMMANDS_AHEAD:
            return ()
        return (
            tuple(self.templates.values()),
            tuple(link.timed() for _, link in sorted(self.links.items())),
            tuple(sorted(self.core_weights.items())),
            self.commands_ahead,
        )

    @property
    def timing_digest(self) -> str:
        """SHA-256 of the timing form."""
        if "timing_digest" not in self._memo:
            self._memo["timing_digest"] = _digest(_plain(self.timing_form))
        return str(self._memo["timing_digest"])

    @property
    def memo(self) -> dict[Any, Any]:
        """What was worked out from this Chip and holds for it alone; a changed copy starts empty."""
        return self._memo


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        items = {
            item.name: _plain(getattr(value, item.name))
            for item in dataclasses.fields(value)
            if not unsaid(item, getattr(value, item.name))
        }
        kind = getattr(type(value), "kind", None)
        return {"kind": kind, **items} if isinstance(kind, str) else items
    if isinstance(value, Mapping):
        return {str(key): _plain(value[key]) for key in sorted(value)}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
