"""What must hold between the keys of a chip file: names, clocks, numbers of parts, what serves nothing, and what
units themselves forbid. Names of memories become those that they have in the chip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from accelsim.chip import Precision
from accelsim.chip.cores import MOST_CORES, joined
from accelsim.chip.machine import tick_rate
from accelsim.config.chip_links import resolved
from accelsim.config.chip_scopes import MEMORY_KEYS, Scope
from accelsim.config.yaml_source import Place
from accelsim.constants.rows import families
from accelsim.errors import InputError
from accelsim.fields import Table
from accelsim.units.base import Around

if TYPE_CHECKING:
    from accelsim.config.chip_file import ChipReader

MULTIPLIERS, NEEDED = ("mac_array", "crossbar"), ("vector_unit", "dma")  # parts of a chip
SECTIONS = ("memories", "units", "links")


class Crossing:
    """The checks of one reading. values: of the Chip, to which memories, units and links are added."""

    def __init__(self, reader: ChipReader, whole: Scope, values: dict[str, Any]) -> None:
        self.reader, self.whole, self.values = reader, whole, values
        self.items, self.clocks = whole.items, values["clocks"]
        self.used: set[str] = set()
        self.lost = False  # whether a name was to mean a memory, and does not

    def check(self) -> None:
        """All of them; where nothing is wrong, the values are whole."""
        self.technology()
        self.clocked()
        self.total()
        for scope in self.whole:
            self.names(scope)
        for section in SECTIONS:
            self.values[section] = {}
        for scope in self.whole:
            self.memories(scope)
        for scope in self.whole:
            self.units(scope)
            self.links(scope)
        if not all(key in self.items for key in ("units", "memories")) and not self.whole.inner:
            return
        parts = [unit for scope in self.whole for unit in scope.units.values()]
        unread = set[str]().union(*(scope.unread for scope in self.whole))
        whole = None not in parts and not unread & {"units", "cores"}
        if whole:
            self.numbers(parts)
        self.cycles()
        whole &= None not in self.values["memories"].values() and "memories" not in unread
        if whole and not self.lost:
            self.idle()
        self.rules()

    def place(self, scope: Scope, section: str, name: str, key: str = "") -> Place:
        """Where a key of a memory, unit or link stands; without one, its name."""
        if key:
            return self.reader.place_of(scope.items, section, name, *key.split("."))
        found: Place = scope.items[section][1].value[name][0]
        return found

    def wrong(self, scope: Scope, section: str, name: str, key: str, code: str, *said: str) -> None:
        """Note what is wrong with a key of a memory, unit or link of a core."""
        path = f"{scope.path}{section}.{name}" + (f".{key}" if key else "")
        self.reader.wrong(code, self.place(scope, section, name, key), path, *said)

    def unknown(
        self, scope: Scope, section: str, name: str, key: str, code: str, target: object, known: Any
    ) -> None:
        """Note a name that stands for nothing."""
        self.lost |= code == "chip.memory"
        path, what = f"{scope.path}{section}.{name}.{key}", code.rpartition(".")[2]
        self.reader.unknown(code, self.place(scope, section, name, key), path, target, what, known)

    # -- the file ------------------------------------------------------------------------------

    def technology(self) -> None:
        technology = self.values.get("technology")
        if technology is not None and technology.family not in families():
            self.reader.unknown(
                "chip.family",
                self.reader.place_of(self.items, "technology", "family"),
                "technology.family",
                technology.family,
                "energy family",
                families(),
            )

    def clocked(self) -> None:
        """Clocks that are there and have a common base."""
        for scope in self.whole:
            for section in SECTIONS:
                for name, item in getattr(scope, section).items():
                    clock = getattr(item, "clock", None)
                    if clock is not None and self.clocks and clock not in self.clocks:
                        self.unknown(
                            scope, section, name, "clock", "chip.clock", clock, self.clocks
                        )
        if self.clocks:
            try:
                tick_rate(self.clocks)
            except InputError as error:
                first = error.problems[0]
                place = self.items["clocks"][0]
                self.reader.wrong(first.code, place, "clocks", first.message, first.fix)

    def total(self) -> None:
        """No more cores than are listed one by one."""
        standing = {"": 1}
        for scope in self.whole:
            if scope.template is not None and scope.outer is not None:
                many = standing[scope.outer.name] * scope.template.count
                standing[scope.name] = min(many, 10 * MOST_CORES)
                if many > MOST_CORES and standing[scope.outer.name] <= MOST_CORES:
                    message = f"stands more than {MOST_CORES:,} times"
                    path = scope.path.rstrip(".")
                    self.reader.wrong(
                        "chip.core", scope.place, path, message, "write a smaller count"
                    )

    def names(self, scope: Scope) -> None:
        """Links and cores share no name with anything beside them."""
        taken = {**dict.fromkeys(scope.memories, "memory"), **dict.fromkeys(scope.units, "unit")}
        for section, what in (("links", "link"), ("cores", "core")):
            listed = scope.links if section == "links" else scope.inner
            for name in listed:
                if name in taken:
                    message = f"is the name of a {taken[name]} too"
                    path, place = f"{scope.path}{section}.{name}", self.place(scope, section, name)
                    self.reader.wrong("chip.name", place, path, message, "give it another name")
                taken[name] = what

    # -- names that mean memories --------------------------------------------------------------

    def memories(self, scope: Scope) -> None:
        """Memories with the names of those behind them."""
        for name, memory in scope.memories.items():
            full = joined(scope.name, name)
            if memory is not None and memory.behind:
                found = scope.memory(memory.behind)
                if found is None:
                    known = [other for other in scope.visible() if other != name]
                    key = (scope, "memories", name, "behind", "chip.memory")
                    self.unknown(*key, memory.behind, known)
                elif found[0] != memory.behind:
                    memory = replace(memory, behind=found[0])
            self.values["memories"][full] = _renamed(memory, full)

    def units(self, scope: Scope) -> None:
        """Units with the names of the memories that they read and write."""
        for name, unit in scope.units.items():
            changed: dict[str, str] = {}
            for key, part in MEMORY_KEYS.items():
                target = getattr(unit, key, None)
                if isinstance(target, str):
                    full = self.memory_use(scope, name, key, target, part)
                    if full != target:
                        changed[key] = full
            full = joined(scope.name, name)
            self.values["units"][full] = _renamed(unit, full, **changed)

    def memory_use(self, scope: Scope, unit: str, key: str, target: str, part: str) -> str:
        """The name in the chip of a memory that a unit names; of the only one that fits where it names none."""
        found = scope.memory(target)
        if found is not None and found[1] is not None and found[1].part == part:
            self.used.add(found[0])
            return found[0]
        visible = scope.visible()
        fitting = [name for name, m in visible.items() if m is not None and m.part == part]
        if not target and len(fitting) == 1:
            return self.memory_use(scope, unit, key, fitting[0], part)
        if not target:
            message = f"is missing, and the chip has {len(fitting)} memories of kind {part}"
            fix = "write one of: " + (", ".join(fitting) or "none is defined")
            self.used.update(scope.memory(name)[0] for name in fitting)  # type: ignore[index]
            if None not in visible.values() and not scope.hidden:
                self.wrong(scope, "units", unit, key, "chip.memory", message, fix)
        elif found is None:
            self.unknown(scope, "units", unit, key, "chip.memory", target, visible)
        elif found[1] is not None:
            message = f"{target} is a {found[1].kind}, a {part} is needed"
            fix = "write one of: " + ", ".join(fitting)
            self.wrong(scope, "units", unit, key, "chip.memory_kind", message, fix)
        if found is not None:
            self.used.add(found[0])
            return found[0]
        return target

    def links(self, scope: Scope) -> None:
        """Links with the names of what they join."""
        for name, link in scope.links.items():
            full = joined(scope.name, name)
            if link is not None:
                for key, code, message, fix in link.rules():
                    self.wrong(scope, "links", name, key, code, message, fix)
                found, missing = resolved(scope, link)
                for key, node in missing:
                    self.unknown(scope, "links", name, key, "chip.node", node, scope.nodes())
                twice = sorted({node for node in link.nodes if link.nodes.count(node) > 1})
                if twice:
                    said = (f"names {twice[0]} twice", "name each node once")
                    self.wrong(scope, "links", name, "nodes", "chip.nodes", *said)
                changed: dict[str, Any] = {
                    "nodes": tuple(found.get(node, node) for node in link.nodes)
                }
                if link.placed:
                    placed = {found.get(node, node): spots for node, spots in link.placed.items()}
                    changed["places"] = Table(placed)
                link = _renamed(link, full, **changed)
            self.values["links"][full] = link

    # -- what must be there, and what must not --------------------------------------------------

    def cycles(self) -> None:
        """No memory is filled from itself."""
        memories = self.values["memories"]
        for scope in self.whole:
            for name, memory in scope.memories.items():
                full = joined(scope.name, name)
                here = memories[full].behind if memory is not None else ""
                way = [full]
                while here and here not in way and memories.get(here) is not None:
                    way.append(here)
                    here = memories[here].behind
                if here == full:
                    said = f"{full} would be filled from itself: " + " from ".join([*way, full])
                    fix = "leave one of these keys behind out; off-chip memory stands behind all others"
                    self.wrong(scope, "memories", name, "behind", "chip.behind", said, fix)

    def numbers(self, units: list[Any]) -> None:
        """Note parts that the chip has none of."""
        place = self.items["units"][0] if "units" in self.items else self.items["cores"][0]
        parts = [unit.part for unit in units]
        wrong = [(part, f"give at least one {part}") for part in NEEDED if part not in parts]
        if not any(part in parts for part in MULTIPLIERS):
            wrong.insert(0, ("mac_array", "give a mac_array, a crossbar, or both"))
        for part, fix in wrong:
            self.reader.wrong("chip.units", place, "units", f"has 0 units of kind {part}", fix)

    def idle(self) -> None:
        """Note memories that no unit uses, nor one that is filled from them, and clocks that drive nothing: what
        serves nothing is a mistake."""
        memories = self.values["memories"]
        used = set(self.used)
        for name in self.used:  # what stands behind a memory in use is in use
            while (name := getattr(memories.get(name), "behind", "")) and name not in used:
                used.add(name)
        for scope in self.whole:
            for name in scope.memories:
                if joined(scope.name, name) not in used:
                    said = f"memory {name} serves nothing"
                    fix = (
                        "name it as input, weight, output or memory of a unit, or behind a memory in use, "
                        "or leave it out"
                    )
                    self.wrong(scope, "memories", name, "", "chip.idle", said, fix)
        things = list(self._everything())
        driven = {getattr(thing, "clock", None) for thing in things}
        clocks = self.items["clocks"][1].value if "clocks" in self.items else {}
        for name in clocks if isinstance(clocks, dict) and None not in things else ():
            if name not in driven:
                self.reader.wrong(
                    "chip.idle",
                    clocks[name][0],
                    f"clocks.{name}",
                    f"clock {name} drives nothing",
                    "name it as clock of a unit, a memory or a link, or leave it out",
                )

    def _everything(self) -> Iterator[Any]:
        for section in SECTIONS:
            yield from self.values[section].values()

    def rules(self) -> None:
        """What the units themselves have to say, each at its key."""
        precision = self.values.get("precision", Precision())
        for scope in self.whole:
            around = Around(scope.units, scope.visible(), precision)
            for name, unit in scope.units.items():
                if unit is None:
                    continue
                written = scope.items["units"][1].value[name][1].plain()
                for key, code, message, fix in unit.rules(around, written):
                    self.wrong(scope, "units", name, key, code, message, fix)
                try:
                    if precision is not None:
                        unit.at_precision(precision)
                except InputError as error:
                    has = "precision" in self.items
                    place = self.items["precision"][0] if has else scope.items["units"][0]
                    for problem in error.problems:
                        said = (problem.message, problem.fix)
                        self.reader.wrong("chip.precision", place, "precision", *said)


def _renamed(item: Any, name: str, **changed: Any) -> Any:
    """The item under its name in the chip; itself where nothing changes."""
    if item is None or (item.name == name and not changed):
        return item
    return replace(item, name=name, **changed)
