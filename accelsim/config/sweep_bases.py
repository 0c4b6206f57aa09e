"""The ``bases`` part of a sweep file: chips to start from, some resting on others."""

from __future__ import annotations

from pathlib import Path

from accelsim import shipped
from accelsim.chip import Chip
from accelsim.config.chip_variants import Variants
from accelsim.config.reader import Reader
from accelsim.config.sweep_axes import OWN, Rules
from accelsim.config.yaml_source import Node, Place, read_text
from accelsim.errors import InputError, Problem
from accelsim.store.spec import Base, Plain

MOST_BASES = 1000
DEEPEST = 32  # bases that one rests on, one on the other


class BaseReader(Reader):
    """Reads the bases. folder: of the sweep file. problems: collected by the caller."""

    def __init__(self, folder: Path, problems: list[Problem]) -> None:
        super().__init__()
        self.folder, self.problems = folder, problems
        self.chips: dict[str, Chip] = {}
        self.bases: dict[str, Base] = {}
        self.sets: dict[str, list[tuple[str, Node]]] = {}
        self.broken: set[str] = set()  # rest on what is no chip
        self.files: dict[str, tuple[str, str]] = {}

    @property
    def rules(self) -> Rules:
        """What the bases accept."""
        return Rules(self.chips, tuple(name for name in self.sets if name not in self.chips))

    def all_bases(self, node: Node) -> None:
        """Chips to start from, in the file's order; nested ones after what they rest on."""
        items = self.mapping(node, "bases")
        if not items or len(items) > MOST_BASES:
            if items is not None:
                self.wrong(
                    "sweep.bases",
                    node.place,
                    "bases",
                    f"names {len(items)} bases",
                    f"write 1 to {MOST_BASES}, like int8: {{chip: int8_edge}}",
                )
            return
        entries: dict[str, dict[str, tuple[Place, Node]]] = {}
        for name, (place, entry) in items.items():
            self.sets[name] = []
            inner = (
                {"chip": (entry.place, entry)}
                if isinstance(entry.value, str)
                else self.mapping(entry, f"bases.{name}")
            )
            if inner is None:
                continue
            path = f"bases.{name}"
            self.keys(inner, ("chip", "base", "set"), path, (), place)
            if ("chip" in inner) == ("base" in inner):
                self.wrong(
                    "sweep.base",
                    place,
                    path,
                    "must have one of chip and base",
                    "write chip: int8_edge",
                )
            elif "base" in inner and inner["base"][1].value not in list(items):
                self.choice(inner["base"][1], list(items), f"{path}.base")
            else:
                entries[name] = inner
        for name in entries:
            self.chain(name, entries)
        self.bases = {name: self.bases[name] for name in items if name in self.bases}
        self.chips = {name: self.chips[name] for name in self.bases}

    def chain(self, name: str, entries: dict[str, dict[str, tuple[Place, Node]]]) -> None:
        """A base after all that it rests on."""
        above = [name]
        while "base" in entries[above[-1]]:
            _, under = entries[above[-1]]["base"]
            path = f"bases.{above[-1]}.base"
            if under.value in above:
                said = " -> ".join([*above[above.index(under.value) :], under.value])
                self.wrong(
                    "sweep.cycle",
                    under.place,
                    path,
                    f"{under.value} rests on itself: {said[:100]}",
                    "name a chip",
                )
            elif len(above) > DEEPEST:
                self.wrong(
                    "sweep.cycle",
                    under.place,
                    path,
                    f"rests on more than {DEEPEST} others",
                    "name a chip",
                )
            elif under.value in entries and under.value not in self.broken:
                above.append(under.value)
                continue
            self.broken.update(above)
            return
        for number, one in enumerate(reversed(above)):
            if one not in self.files and not self.base(
                one, entries[one], above[len(above) - number :][:1]
            ):
                return
            if one not in self.bases:
                return

    def base(self, name: str, inner: dict[str, tuple[Place, Node]], under: list[str]) -> bool:
        """One base, what it rests on is there; False (noted) when it cannot be made."""
        path = f"bases.{name}"
        file = self.files[under[0]] if under else self.chip_file(inner["chip"][1], f"{path}.chip")
        if file is None:
            return False
        self.files[name] = file
        merged = list(self.sets[under[0]]) if under else []
        given = self.mapping(inner["set"][1], f"{path}.set") if "set" in inner else None
        for key, (_, node) in (given or {}).items():
            if key in OWN or key == "name":
                self.wrong(
                    "sweep.set",
                    node.place,
                    f"{path}.set.{key}",
                    "is no key of a chip",
                    "write it beside bases",
                )
                continue
            merged = [
                pair for pair in merged if not (pair[0] == key or pair[0].startswith(f"{key}."))
            ]
            merged.append((key, self.beside(key, node)))
        self.sets[name] = merged
        return self.built(name)

    def built(self, name: str) -> bool:
        """Build the base's chip."""
        source, text = self.files[name]
        try:
            chip = Variants(text, source, self.sets[name]).base
        except InputError as error:
            self.problems += [problem for problem in error.problems if problem not in self.problems]
            return False
        sets: tuple[tuple[str, Plain], ...] = tuple(
            (key, node.plain()) for key, node in self.sets[name]
        )
        self.chips[name] = chip
        self.bases[name] = Base(name, source, text, sets, chip.crossbar is not None, chip.digest)
        return True

    def beside(self, key: str, node: Node) -> Node:
        """A device file of the sweep is named from the sweep's folder."""
        if key.endswith(".device") and isinstance(node.value, str) and node.value.endswith(".json"):
            return Node(str(self.folder / node.value), node.place)
        return node

    def chip_file(self, node: Node, path: str) -> tuple[str, str] | None:
        """(path, content) of a chip file, from the sweep's folder or a shipped name."""
        name = self.text(node, path)
        if name is None:
            return None
        if name.endswith(".cfg"):
            self.wrong(
                "sweep.chip",
                node.place,
                path,
                "is a SCALE-Sim file",
                f"accelsim convert {name} first",
            )
            return None
        try:
            found = shipped.find("chip", name, self.folder)
            return str(found), read_text(found)
        except InputError as error:
            moved(self, error, node.place, path, name)
            return None


def moved(reader: Reader, error: InputError, place: Place, path: str, name: str) -> None:
    """Note a file's problems where the sweep names the file."""
    for problem in error.problems:
        reader.wrong(problem.code, place, path, f"{name}: {problem.message}", problem.fix)
