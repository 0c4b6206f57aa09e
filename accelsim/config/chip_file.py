"""Chip files: YAML to a Chip, every problem at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from accelsim.chip import Chip, OperatingPoint, Precision, Technology, Template
from accelsim.chip.chip import WEIGHTS
from accelsim.chip.cores import MOST_CORES, joined, local, scope_of
from accelsim.chip.routes import usual
from accelsim.config.chip_crossing import Crossing
from accelsim.config.chip_links import nodes_of, places_of, wrong_in_graph
from accelsim.config.chip_scopes import Scope
from accelsim.config.chip_use import DEEPEST, with_used
from accelsim.config.overrides import apply_overrides
from accelsim.config.quantities import QuantityError, quantity
from accelsim.config.reader import FieldRule, Reader, rules_of
from accelsim.config.versions import version_of
from accelsim.config.yaml_source import Node, Place, load_yaml
from accelsim.devices import kept
from accelsim.errors import InputError, Problem
from accelsim.units.kinds import link_kinds, memory_kinds, unit_kinds
from accelsim.units.link import Link

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
    "cores",
    "links",
    "units",
)
AHEAD = FieldRule("commands_ahead", int, (), "", 1, 1e9, False, False)
REQUIRED = ("name", "technology", "clocks")
REQUIRED_OF_LINKS = ("nodes",)
SECTIONS = ("memories", "units", "links", "cores")
CORE_KEYS = ("count", "grid", *SECTIONS)
MOST_HZ = 10**11
SIDE = FieldRule("grid", int, (), "", 1, MOST_CORES, False, True)


def load_chip(path: str | Path, overrides: Sequence[str] = ()) -> Chip:
    """The Chip of a YAML file. overrides: "units.array.rows=64", applied before validation.

    Raises InputError with every problem, each with file, line and column.
    """
    return read_chip(load_yaml(path), str(path), overrides)


def read_chip(root: Node, source: str, overrides: Sequence[str] = ()) -> Chip:
    """The Chip of a parsed document."""
    return ChipReader(apply_overrides(with_used(root, source), overrides), source).chip()


class ChipReader(Reader):
    """Reads one document. kept: parts of an earlier reading by id of their Node, taken as they are;
    parts: those of this one. Both hold as long as the documents do."""

    def __init__(self, root: Node, source: str, kept: Mapping[int, Any] | None = None) -> None:
        super().__init__()
        self.root, self.source = with_used(root, source), source
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
        needed = REQUIRED if "cores" in items else (*REQUIRED, "memories", "units")
        self.keys(items, KEYS, "", needed, self.root.place)
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
        if (node := part("commands_ahead")) is not None:
            values["commands_ahead"] = self.value(node, AHEAD, "commands_ahead")
        if (node := part("operating_points")) is not None:
            values["operating_points"] = self.points(node, clocks)
        whole = self.scope(Scope("", "", items, self.root.place))
        values["templates"] = {
            scope.name: scope.template for scope in whole if scope.template is not None
        }
        if (node := part("weights")) is not None:
            values |= self.weights(node, whole)
        Crossing(self, whole, values).check()
        if self.problems:
            return None, self.problems
        precision = values.get("precision", Precision())
        values["units"] = {
            name: unit.at_precision(precision) for name, unit in values["units"].items()
        }
        chip = plainly(Chip(**values))
        for section, name, key, *said in wrong_in_graph(chip):
            self.wrong_at(whole, section, name, key, *said)
        if not self.problems:
            self.priced(chip, whole)
        return (None if self.problems else chip), self.problems

    # -- cores ---------------------------------------------------------------------------------

    def scope(self, scope: Scope) -> Scope:
        """A core with what stands in it, and in the cores in it."""
        items, path = scope.items, scope.path

        def part(key: str) -> Node | None:
            return items[key][1] if key in items else None

        scope.memories = self.kinds(part("memories"), f"{path}memories", memory_kinds())
        scope.units = self.kinds(part("units"), f"{path}units", unit_kinds())
        scope.links = self.kinds(part("links"), f"{path}links", link_kinds())
        node = part("cores")
        astray = any(key not in (KEYS if not scope.name else CORE_KEYS) for key in items)
        scope.unread = {  # of a key that means nothing it is not known which section it was to be
            key
            for key in SECTIONS
            if (astray if (section := part(key)) is None else not section.is_map)
        }
        for name, (where, value) in (
            self.mapping(node, f"{path}cores") or {} if node else {}
        ).items():
            here = f"{path}cores.{name}"
            inner = self.mapping(value, here)
            if inner is None:
                scope.unread.add("cores")
                continue
            self.keys(inner, CORE_KEYS, here, (), where)
            if not name.isidentifier():
                self.named(where, here)
            if not any(key in inner for key in ("memories", "units", "cores")):
                self.wrong("chip.core", where, here, "holds nothing", "give it units and memories")
                scope.unread.add("cores")
                continue
            made = Scope(joined(scope.name, name), f"{here}.", inner, where, scope)
            made.template = self.template(made)
            if value.place.line and len(made.name.split(".")) > DEEPEST:
                self.wrong("chip.core", where, here, "lies too deep", f"nest up to {DEEPEST} cores")
                continue
            scope.inner[name] = self.scope(made)
        return scope

    def template(self, scope: Scope) -> Template:
        """How often a core stands in the one around it."""
        items = scope.items
        if "grid" in items and "count" in items:
            message = "has a count and a grid"
            self.wrong("chip.core", items["grid"][0], f"{scope.path}grid", message, "leave one out")
        if "grid" in items:
            node, path = items["grid"][1], f"{scope.path}grid"
            if not node.is_list or len(node.value) != 2:
                self.wrong("type.list", node.place, path, "must be [rows, columns]", "write [4, 4]")
                return Template(scope.name)
            sides = [
                self.number(item, SIDE, f"{path}[{i}]") or 1 for i, item in enumerate(node.value)
            ]
            return Template(scope.name, int(sides[0] * sides[1]), (int(sides[0]), int(sides[1])))
        if "count" in items:
            count = self.number(items["count"][1], SIDE, f"{scope.path}count")
            return Template(scope.name, int(count or 1))
        return Template(scope.name)

    def weights(self, node: Node, whole: Scope) -> dict[str, Any]:
        """Where weights are at the start: in all cores, or by core."""
        if not node.is_map:
            return {"weights": self.choice(node, WEIGHTS, "weights")}
        found = {}
        for name, (where, value) in node.value.items():
            core = whole.node(name)
            if core is None or core not in (scope.name for scope in whole):
                known = [scope.name for scope in whole if scope.name]
                self.unknown("chip.core", where, f"weights.{name}", name, "core", known)
            else:
                found[core] = self.choice(value, WEIGHTS, f"weights.{name}")
        return {"core_weights": found}

    def priced(self, chip: Chip, whole: Scope) -> None:
        """Technologies and memories without constants are refused here, with their place."""
        from accelsim.energy import prices

        try:
            prices(chip)
        except InputError as error:
            for problem in error.problems:
                section, _, rest = problem.path.partition(".")
                name, _, key = rest.rpartition(".")
                if section in ("memories", "units", "links") and name in getattr(chip, section):
                    said = (problem.code, problem.message, problem.fix)
                    self.wrong_at(whole, section, name, key, *said)
                    continue
                path = problem.path.split(".")
                items = whole.items
                place = self.place_of(items, *path) if path[0] in items else self.root.place
                self.problems.append(
                    replace(problem, file=place.file, line=place.line, column=place.column)
                )

    def wrong_at(
        self, whole: Scope, section: str, name: str, key: str, code: str, message: str, fix: str
    ) -> None:
        """Note what is wrong with a key of a memory, a unit or a link, by its name in the chip."""
        scope = next(scope for scope in whole if scope.name == scope_of(name))
        path = f"{scope.path}{section}.{local(name)}" + (f".{key}" if key else "")
        steps = (*key.split("."),) if key else ()
        if steps:
            place = self.place_of(scope.items, section, local(name), *steps)
        else:
            place = scope.items[section][1].value[local(name)][0]
        self.wrong(code, place, path, message, fix)

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
            found[name] = None
            if items is None:
                continue
            if not name.isidentifier():
                self.named(where, here)
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
        if issubclass(cls, Link):
            return self.link(cls, given, value, path)
        made = self.build(cls, value, path, given, ("kind",))
        return made if made is None else self.with_files(made, value.value)

    def link(self, cls: Any, given: dict[str, Any], value: Node, path: str) -> Any:
        """A link; its nodes and places are names yet."""
        items = value.value
        keys = [key for key in cls.given if key in rules_of(cls)]
        for key in REQUIRED_OF_LINKS:
            if key not in items:
                message = "is missing"
                self.wrong("key.missing", value.place, f"{path}.{key}", message, "write [l1, l2]")
        taken: dict[str, Any] = {
            "nodes": nodes_of(
                self, items["nodes"][1] if "nodes" in items else None, f"{path}.nodes"
            )
        }
        if "places" in keys:
            node = items["places"][1] if "places" in items else None
            taken["places"] = places_of(self, node, f"{path}.places")
        given = {key: value for key, value in given.items() if key not in cls.given} | taken
        made = self.build(cls, value, path, given, ("kind", *keys))
        return made

    def with_files(self, made: Any, items: dict[str, tuple[Place, Node]]) -> Any:
        """A file that a unit names is named from the folder of the file that has the unit, one on the command line
        from here; and is the one that stands there now."""
        for key in made.files:
            named = getattr(made, key)
            if named.endswith(".json"):
                file = items["kind"][0].file
                beside = items[key][1].place.file == file
                path = str(Path(file).parent / named) if beside else named
                made = replace(made, **{key: kept(path)})
        return made

    def named(self, place: Place, path: str) -> None:
        """Note a name that is none."""
        self.wrong("chip.name", place, path, "is not a plain name", "use letters, digits and _")

    def unknown(
        self, code: str, place: Place, path: str, name: object, what: str, known: Any
    ) -> None:
        listed = ", ".join(known) or "none is defined"
        self.wrong(code, place, path, f"there is no {what} {name!r}", f"write one of: {listed}")

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
        if memory.behind and memory.behind == usual(chip, name)
    }
    return replace(chip, memories={**chip.memories, **said}) if said else chip
