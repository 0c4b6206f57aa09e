"""Chip files: YAML to a Chip, every problem at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from accelsim.chip import Chip, OperatingPoint, Precision, Technology
from accelsim.chip.machine import tick_rate
from accelsim.config.overrides import apply_overrides
from accelsim.config.quantities import QuantityError, quantity
from accelsim.config.reader import FieldRule, Reader
from accelsim.config.versions import version_of
from accelsim.config.yaml_source import Node, Place, load_yaml
from accelsim.constants.rows import families
from accelsim.devices import kept
from accelsim.errors import InputError, Problem
from accelsim.units.base import Around
from accelsim.units.kinds import memory_kinds, unit_kinds

KEYS = (
    "format",
    "name",
    "description",
    "technology",
    "clocks",
    "operating_points",
    "precision",
    "weights",
    "commands_ahead",
    "memories",
    "units",
)
AHEAD = FieldRule("commands_ahead", int, (), "", 1, 1e9, False, False)
REQUIRED = ("name", "technology", "clocks", "memories", "units")
MULTIPLIERS, SINGLE = ("mac_array", "crossbar"), ("vector_unit", "dma")  # parts of a chip
MOST_HZ = 10**11


def load_chip(path: str | Path, overrides: Sequence[str] = ()) -> Chip:
    """The Chip of a YAML file. overrides: "units.array.rows=64", applied before validation.

    Raises InputError with every problem, each with file, line and column.
    """
    return read_chip(load_yaml(path), str(path), overrides)


def read_chip(root: Node, source: str, overrides: Sequence[str] = ()) -> Chip:
    """The Chip of a parsed document."""
    return ChipReader(apply_overrides(root, overrides), source).chip()


class ChipReader(Reader):
    """Reads one document. kept: parts of an earlier reading by id of their Node, taken as they are;
    parts: those of this one. Both hold as long as the documents do."""

    def __init__(self, root: Node, source: str, kept: Mapping[int, Any] | None = None) -> None:
        super().__init__()
        self.root, self.source = root, source
        self.kept = kept or {}
        self.parts: dict[int, Any] = {}

    def chip(self) -> Chip:
        """The Chip; InputError with every problem."""
        chip, problems = self.read()
        if problems or chip is None:
            raise InputError(problems)
        return chip

    def once(self, node: Node | None, made: Callable[[Node], Any], nothing: Any = None) -> Any:
        """What a section gives, read anew only where its Node is another one."""
        if node is None:
            return nothing
        if id(node) in self.kept:
            return self.kept[id(node)]
        found = self.parts[id(node)] = made(node)
        return found

    def build(
        self,
        cls: Any,
        node: Node,
        path: str,
        given: Mapping[str, Any] | None = None,
        extra: Iterable[str] = (),
    ) -> Any:
        """As the Reader's, read anew only where the Node is another one."""
        return self.once(
            node, lambda node: super(ChipReader, self).build(cls, node, path, given, extra)
        )

    def read(self) -> tuple[Chip | None, list[Problem]]:
        items = self.mapping(self.root, "")
        if items is None:
            return None, self.problems
        self.keys(items, KEYS, "", REQUIRED, self.root.place)
        version_of(self, items)

        def part(key: str) -> Node | None:
            return items[key][1] if key in items else None

        values: dict[str, Any] = {"source": self.source}
        for key in ("name", "description"):
            node = part(key)
            if node is not None:
                values[key] = self.text(node, key)
        clocks = values["clocks"] = self.once(part("clocks"), self.clocks, {})
        node = part("technology")
        values["technology"] = None if node is None else self.build(Technology, node, "technology")
        if (node := part("precision")) is not None:
            values["precision"] = self.build(Precision, node, "precision")
        if (node := part("weights")) is not None:
            values["weights"] = self.choice(node, ("cold", "resident"), "weights")
        if (node := part("commands_ahead")) is not None:
            values["commands_ahead"] = self.value(node, AHEAD, "commands_ahead")
        if (node := part("operating_points")) is not None:
            values["operating_points"] = self.points(node, clocks)
        values["memories"] = self.kinds(part("memories"), "memories", memory_kinds())
        values["units"] = self.kinds(part("units"), "units", unit_kinds())
        self.cross(values, items)
        if self.problems:
            return None, self.problems
        precision = values.get("precision", Precision())
        values["units"] = {
            name: unit.at_precision(precision) for name, unit in values["units"].items()
        }
        chip = plainly(Chip(**values))
        self.priced(chip, items)
        return (None if self.problems else chip), self.problems

    def priced(self, chip: Chip, items: dict[str, tuple[Place, Node]]) -> None:
        """Technologies and memories without constants are refused here, with their place."""
        from accelsim.energy import prices

        try:
            prices(chip)
        except InputError as error:
            for problem in error.problems:
                path = problem.path.split(".")
                place = self.place_of(items, *path) if path[0] in items else self.root.place
                self.problems.append(
                    replace(problem, file=place.file, line=place.line, column=place.column)
                )

    def clocks(self, node: Node) -> dict[str, int]:
        items = self.mapping(node, "clocks")
        clocks: dict[str, int] = {}
        for name, (_, value) in (items or {}).items():
            clocks[name] = (
                self.hertz(value, f"clocks.{name}") or 1
            )  # a wrong rate is named once, here
        if items == {}:
            self.wrong("chip.clocks", node.place, "clocks", "names no clock", "write core: 1 GHz")
        return clocks

    def hertz(self, node: Node, path: str) -> int | None:
        try:
            hz = int(quantity(node.value, "Hz"))
        except QuantityError as error:
            self.wrong("value.quantity", node.place, path, error.args[0], error.args[1])
            return None
        if not 1 <= hz <= MOST_HZ:
            self.wrong(
                "value.range",
                node.place,
                path,
                f"{hz:g} Hz is outside 1 Hz..{MOST_HZ / 1e9:g} GHz",
                "write a value like 1 GHz",
            )
            return None
        return hz

    def points(self, node: Node, clocks: dict[str, int]) -> tuple[OperatingPoint, ...]:
        found = []
        for name, (where, value) in (self.mapping(node, "operating_points") or {}).items():
            path = f"operating_points.{name}"
            items = self.mapping(value, path)
            if items is None:
                continue
            self.keys(items, ("voltage", "clocks"), path, ("voltage",), where)
            changed: dict[str, int] = {}
            if "clocks" in items:
                for clock, (place, hz) in (self.mapping(items["clocks"][1], path) or {}).items():
                    if clock not in clocks:
                        self.unknown(
                            "chip.clock", place, f"{path}.clocks.{clock}", clock, "clock", clocks
                        )
                    rate = self.hertz(hz, f"{path}.clocks.{clock}")
                    changed[clock] = rate or 1
            try:
                volts = float(quantity(items["voltage"][1].value, "V")) if "voltage" in items else 0
            except QuantityError as error:
                self.wrong(
                    "value.quantity",
                    items["voltage"][1].place,
                    f"{path}.voltage",
                    error.args[0],
                    error.args[1],
                )
                continue
            if "voltage" in items and not 0.1 <= volts <= 5.0:
                self.wrong(
                    "value.range",
                    items["voltage"][1].place,
                    f"{path}.voltage",
                    f"{volts:g} V is outside 0.1..5 V",
                    "write a value like 0.8 V",
                )
            found.append(OperatingPoint(name, volts, changed))
        return tuple(found)

    def kinds(self, node: Node | None, path: str, kinds: Mapping[str, Any]) -> dict[str, Any]:
        """Named things with a ``kind`` key each."""
        found: dict[str, Any] = {}
        for name, (where, value) in (self.mapping(node, path) or {} if node else {}).items():
            here = f"{path}.{name}"
            if id(value) in self.kept:
                found[name] = self.kept[id(value)]
                continue
            items = self.mapping(value, here)
            if items is None:
                continue
            if not name.isidentifier():
                self.wrong(
                    "chip.name", where, here, "is not a plain name", "use letters, digits and _"
                )
            if "kind" not in items:
                self.wrong(
                    "key.missing",
                    where,
                    f"{here}.kind",
                    "is missing",
                    "write kind: " + " | ".join(kinds),
                )
                continue
            kind = self.choice(items["kind"][1], kinds, f"{here}.kind")
            if kind is not None:
                found[name] = self.parts[id(value)] = self.one(kinds[kind], name, value, here)
        return found

    def one(self, cls: Any, name: str, value: Node, path: str) -> Any:
        """A unit or a memory."""
        given: dict[str, Any] = {"name": name, **dict.fromkeys(cls.given, 0)}
        made = self.build(cls, value, path, given, ("kind",))
        return made if made is None else self.with_files(made, value.value)

    def with_files(self, made: Any, items: dict[str, tuple[Place, Node]]) -> Any:
        """A file that a unit names is named from the chip file's folder, one on the command line from here; and
        is the one that stands there now."""
        for key in made.files:
            named = getattr(made, key)
            if named.endswith(".json"):
                beside = items[key][1].place.file == self.source
                path = str(Path(self.source).parent / named) if beside else named
                made = replace(made, **{key: kept(path)})
        return made

    def unknown(
        self, code: str, place: Place, path: str, name: object, what: str, known: Any
    ) -> None:
        listed = ", ".join(known) or "none is defined"
        self.wrong(code, place, path, f"there is no {what} {name!r}", f"write one of: {listed}")

    # -- rules that need several keys ----------------------------------------------------------

    def cross(self, values: dict[str, Any], items: dict[str, tuple[Place, Node]]) -> None:
        technology = values.get("technology")
        if technology is not None and technology.family not in families():
            self.unknown(
                "chip.family",
                self.place_of(items, "technology", "family"),
                "technology.family",
                technology.family,
                "energy family",
                families(),
            )
        clocks, memories, units = values["clocks"], values["memories"], values["units"]
        for section in ("memories", "units"):
            for name, item in values[section].items():
                clock = getattr(item, "clock", None)
                if clock is not None and clocks and clock not in clocks:
                    path = f"{section}.{name}.clock"
                    self.unknown(
                        "chip.clock",
                        self.place_of(items, section, name, "clock"),
                        path,
                        clock,
                        "clock",
                        clocks,
                    )
        if clocks:
            try:
                tick_rate(clocks)
            except InputError as error:
                first = error.problems[0]
                self.wrong(first.code, items["clocks"][0], "clocks", first.message, first.fix)
        if "units" not in items or "memories" not in items:
            return
        if not any(unit is None for unit in units.values()):
            self.numbers(units, items["units"][0])
        used: set[str] = set()
        for name, unit in units.items():
            for key in ("input", "weight", "output", "memory"):
                target = getattr(unit, key, None)
                if isinstance(target, str):
                    used.add(target)
                    self.memory_use(items, memories, name, key, target)
        self.stacked(items, memories)
        if not any(part is None for part in units.values()):
            self.idle(items, memories, used, units)
        self.rules(values, items)

    def stacked(self, items: dict[str, tuple[Place, Node]], memories: Mapping[str, Any]) -> None:
        """Note memories that are filled from one that is not there, or from themselves."""
        for name, memory in memories.items():
            behind = "" if memory is None else memory.behind
            if not behind:
                continue
            path = f"memories.{name}.behind"
            place = self.place_of(items, "memories", name, "behind")
            if behind not in memories:
                self.unknown("chip.memory", place, path, behind, "memory", memories)
                continue
            way, here = [name], behind
            while here not in way and memories.get(here) is not None:
                way.append(here)
                here = memories[here].behind
            if here == name:
                self.wrong(
                    "chip.behind",
                    place,
                    path,
                    f"{name} would be filled from itself: " + " from ".join([*way, name]),
                    "leave one of these keys behind out; off-chip memory stands behind all others",
                )

    def numbers(self, units: dict[str, Any], place: Place) -> None:
        """Note parts of which the chip has too many or too few."""
        parts = [unit.part for unit in units.values()]
        most = max(MULTIPLIERS, key=parts.count)
        wrong = [(part, f"give exactly one {part}") for part in SINGLE if parts.count(part) != 1]
        if parts.count(most) != 1:
            wrong.insert(0, (most, "give one mac_array, one crossbar, or one of each"))
        for part, fix in wrong:
            message = f"has {parts.count(part)} units of kind {part}"
            self.wrong("chip.units", place, "units", message, fix)

    def idle(
        self,
        items: dict[str, tuple[Place, Node]],
        memories: dict[str, Any],
        used: set[str],
        units: dict[str, Any],
    ) -> None:
        """Note memories that no unit uses, nor one that is filled from them, and clocks that drive nothing: what
        serves nothing is a mistake."""
        for name in used.copy():  # what stands behind a memory in use is in use
            while (name := getattr(memories.get(name), "behind", "")) and name not in used:
                used.add(name)
        for name in memories:
            if name not in used:
                self.wrong(
                    "chip.idle",
                    items["memories"][1].value[name][0],
                    f"memories.{name}",
                    f"memory {name} serves nothing",
                    "name it as input, weight, output or memory of a unit, or behind a memory in use, or leave it out",
                )
        driven = {getattr(part, "clock", None) for part in (*units.values(), *memories.values())}
        clocks = items["clocks"][1].value if "clocks" in items else {}
        for name in clocks if isinstance(clocks, dict) and None not in memories.values() else ():
            if name not in driven:
                self.wrong(
                    "chip.idle",
                    clocks[name][0],
                    f"clocks.{name}",
                    f"clock {name} drives nothing",
                    "name it as clock of a unit or a memory, or leave it out",
                )

    def memory_use(
        self,
        items: dict[str, tuple[Place, Node]],
        memories: dict[str, Any],
        unit: str,
        key: str,
        target: str,
    ) -> None:
        path, place = f"units.{unit}.{key}", self.place_of(items, "units", unit, key)
        wanted = "dram" if key == "memory" else "sram"
        if target not in memories:
            self.unknown("chip.memory", place, path, target, "memory", memories)
        elif memories[target] is not None and memories[target].part != wanted:
            fitting = [n for n, m in memories.items() if m is not None and m.part == wanted]
            self.wrong(
                "chip.memory_kind",
                place,
                path,
                f"{target} is a {memories[target].kind}, a {wanted} is needed",
                "write one of: " + ", ".join(fitting),
            )

    def rules(self, values: dict[str, Any], items: dict[str, tuple[Place, Node]]) -> None:
        """What the units themselves have to say, each at its key."""
        precision = values.get("precision", Precision())
        around = Around(values["units"], values["memories"], precision)
        for name, unit in values["units"].items():
            if unit is None:
                continue
            written = items["units"][1].value[name][1].plain()
            for key, code, message, fix in unit.rules(around, written):
                place = self.place_of(items, "units", name, *key.split("."))
                self.wrong(code, place, f"units.{name}.{key}", message, fix)
            try:
                if precision is not None:
                    unit.at_precision(precision)
            except InputError as error:
                place = items["precision"][0] if "precision" in items else items["units"][0]
                for problem in error.problems:
                    self.wrong("chip.precision", place, "precision", problem.message, problem.fix)

    @staticmethod
    def place_of(items: dict[str, tuple[Place, Node]], *path: str) -> Place:
        """Where a value stands, or its nearest parent."""
        place, node = items[path[0]]
        for part in path[1:]:
            key, _, index = part.partition("[")
            if not node.is_map or key not in node.value:
                break
            node = node.value[key][1]
            if index and node.is_list:
                node = node.value[int(index.rstrip("]"))]
            place = node.place
        return place


def plainly(chip: Chip) -> Chip:
    """The chip with nothing said that holds anyway: equal hardware has one form."""
    said = {
        name: replace(memory, behind="")  # type: ignore[type-var]
        for name, memory in chip.memories.items()
        if memory.behind and memory.behind == chip.dma.memory
    }
    return replace(chip, memories={**chip.memories, **said}) if said else chip
