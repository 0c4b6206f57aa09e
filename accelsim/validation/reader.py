"""Reads a folder of published figures: its expected.yaml and its chip, every problem with its place."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from accelsim.api import load_chip
from accelsim.config.quantities import any_quantity, parts_of
from accelsim.config.reader import Reader
from accelsim.config.versions import version_of
from accelsim.config.yaml_source import Node, Place, load_yaml
from accelsim.energy import area
from accelsim.errors import InputError, Problem
from accelsim.job import Job
from accelsim.job.reader import JobReader
from accelsim.shipped import find, folder
from accelsim.validation.measures import MEASURES
from accelsim.validation.record import Case, Figure, Mark

CHIP, EXPECTED = "chip.yaml", "expected.yaml"
MAPPING = "mapping"  # what a figure entered that is no key of the chip file
#: of a chip file, said by its author
FREE = ("format", "name", "description")
KEYS = ("format", "chip", "from", "sources", "values", "figures")
ALIKE = 1e-9  # relative, of two numbers that are one
#: unit of a figure's measure -> that of a quantity
BASE = {"s": "s", "J": "J", "W": "W", "B": "B"}


def load_case(where: str | Path) -> Case:
    """A published chip. InputError with all that is wrong with its two files."""
    path = Path(where)
    if not (path / EXPECTED).is_file():
        message, fix = f"has no {EXPECTED}", f"give a folder with a {CHIP} and an {EXPECTED}"
        raise InputError(Problem("validation.folder", message, fix, file=str(where)))
    root = load_yaml(path / EXPECTED)
    named = root.value.get("chip") if root.is_map else None
    name = named[1].value if named and isinstance(named[1].value, str) else CHIP
    reader = _CaseReader(path, find("chip", name, path))
    case = reader.case(root)
    if reader.problems or case is None:
        raise InputError(reader.problems)
    return case


def load_cases(names: Sequence[str]) -> list[Case]:
    """Those of folders or shipped names, or all shipped ones. InputError with all that is wrong."""
    cases, problems = list[Case](), list[Problem]()
    for path in [case_folder(name) for name in names] or shipped_cases():
        try:
            cases.append(load_case(path))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return cases


def shipped_cases() -> list[Path]:
    """Folders of the published chips that come with the program."""
    return sorted(path.parent for path in folder("validation").glob(f"*/{EXPECTED}"))


def case_folder(name: str) -> Path:
    """The folder of a path or of a shipped name; InputError with the choices otherwise."""
    if os.path.isdir(name):
        return Path(name)
    if os.path.isfile(folder("validation") / name / EXPECTED):
        return folder("validation") / name
    listed = [path.name for path in shipped_cases()]
    near = get_close_matches(name, listed, 1)
    fix = f"did you mean {near[0]}?" if near else "give a folder or one of " + ", ".join(listed)
    message = "is neither a folder nor a published chip"
    raise InputError(Problem("validation.name", message, fix, file=name))


class _CaseReader(Reader):
    def __init__(self, folder: Path, file: Path) -> None:
        super().__init__()
        self.folder, self.file, self.chip = folder, file, load_chip(file)
        self.leaves = dict(leaves(load_yaml(file)))
        self.sources: dict[str, str] = {}

    def case(self, root: Node) -> Case | None:
        items = self.mapping(root, "")
        if items is None:
            return None
        self.keys(items, KEYS, "", ("sources", "values", "figures"), root.place)
        version_of(self, dict(items))
        if self.problems:
            return None
        for name, (_, node) in (self.mapping(items["sources"][1], "sources") or {}).items():
            self.sources[name] = self.text(node, f"sources.{name}.source") or ""
        marks = [
            self.mark(node, f"values[{at}]")
            for at, node in self.listed(items["values"][1], "values")
        ]
        given = tuple(mark for mark in marks if mark is not None)
        marked = self.marked(given, items["values"][0])
        figures = [
            self.figure(node, f"figures[{at}]", marked)
            for at, node in self.listed(items["figures"][1], "figures")
        ]
        known = tuple(figure for figure in figures if figure is not None)
        self.twice(known, items["figures"][1])
        rows = self.text(items["from"][1], "from") if "from" in items else self.chip.name
        assumed = {key: text for key, text in self.leaves.items() if marked.get(key) == "assumed"}
        numbers = {key: text for key, (text, _) in assumed.items() if number_of(text)}
        return Case(
            *(self.folder.name, self.folder, self.file, self.sources),
            *(given, known, numbers, rows or ""),
        )

    def listed(self, node: Node, path: str) -> Iterator[tuple[int, Node]]:
        if not node.is_list or not node.value:
            self.wrong("type.list", node.place, path, "must be a list", "write - items")
            return
        yield from enumerate(node.value)

    def mark(self, node: Node, path: str) -> Mark | None:
        found: Mark | None = self.build(Mark, node, path)
        if found is None or None in found.of:
            return None
        where = node.value["of"][1]
        for at, key in enumerate(found.of):
            if not any(below(leaf, key) for leaf in self.leaves):
                self.wrong(
                    "validation.key",
                    where.value[at].place,
                    f"{path}.of[{at}]",
                    f"{self.file.name} has no value at or below {key!r}",
                    "write a key of it, like units.array.rows",
                )
        if found.mark != "assumed":
            self.source(found.source, node.value["source"][1], f"{path}.source")
        return found

    def source(self, name: str, node: Node, path: str) -> None:
        if name not in self.sources:
            listed = ", ".join(self.sources) or "sources: holds none"
            self.wrong(
                "validation.source",
                node.place,
                path,
                f"{name[:60]!r} is none of the sources",
                f"add it under sources:, or write one of {listed}",
            )

    def marked(self, marks: tuple[Mark, ...], place: Place) -> dict[str, str]:
        """Of every value of the chip file its mark: that of the longest key at or above it."""
        by_key = {key: mark.mark for mark in marks for key in mark.of}
        found: dict[str, str] = {}
        for leaf, (_, where) in self.leaves.items():
            above = [key for key in by_key if below(leaf, key)]
            if above:
                found[leaf] = by_key[max(above, key=len)]
            else:
                self.wrong(
                    "validation.mark",
                    where,
                    leaf,
                    "has no mark: spec, component or assumed",
                    f"name it under values: of {EXPECTED}",
                )
        return found

    def figure(self, node: Node, path: str, marked: dict[str, str]) -> Figure | None:
        items = self.mapping(node, path)
        if items is None:
            return None
        job = self.job(items["run"][1], f"{path}.run") if "run" in items else Job()
        found: Figure | None = self.build(Figure, node, path, {"run": job}, ("run",))
        if "run" not in items:
            self.wrong(
                "key.missing", node.place, f"{path}.run", "is missing", "add run: {workload: ...}"
            )
        if found is None or job is None:
            return None
        self.source(found.source, items["source"][1], f"{path}.source")
        self.measured(found, items, path)
        for at, key in enumerate(found.uses):
            if not any(below(leaf, key) for leaf in marked) and not (
                key == MAPPING and job.mapping
            ):
                self.wrong(
                    "validation.uses",
                    items["uses"][1].value[at].place,
                    f"{path}.uses[{at}]",
                    f"{self.file.name} has no value at or below {key!r}",
                    "write the key that the figure entered",
                )
        if not found.uses and (key := self.entered(found)):
            place = items["run"][1].place if key in found.run.set else self.leaves[key][1]
            self.wrong(
                "validation.entered",
                place,
                key,
                f"is the figure {found.name!r} of {EXPECTED}",
                f"add uses: [{key}] to it: what entered the chip file proves nothing",
            )
        return found

    def job(self, node: Node, path: str) -> Job | None:
        items = self.mapping(node, path)
        if items is None:
            return None
        reader = JobReader(self.folder)
        if "chip" in items:
            self.wrong(
                "validation.run",
                items["chip"][0],
                f"{path}.chip",
                f"is {self.file.name}",
                "leave it out",
            )
            return None
        made = reader.job(items)
        self.problems += [replace(each, path=f"{path}.{each.path}") for each in reader.problems]
        if made is None:
            return None
        return replace(made, chip=(str(self.file),))

    def measured(self, figure: Figure, items: Any, path: str) -> None:
        """The unit is one of the measure's, and nothing is said that it does not read."""
        measure = MEASURES[figure.compute]
        if figure.unit not in measure.units:
            self.wrong(
                "validation.unit",
                items["unit"][1].place,
                f"{path}.unit",
                f"{figure.unit!r} is no unit of {figure.compute}",
                "write one of " + ", ".join(measure.units),
            )
        for name in ("operators", "memory", "by", "units", "parts", "boundary"):
            if name in items and name not in measure.takes:
                self.wrong(
                    "validation.takes",
                    items[name][0],
                    f"{path}.{name}",
                    f"is not of the measure {figure.compute}",
                    "leave it out",
                )
        known = {"memory": self.chip.memories, "units": {**self.chip.units, **self.chip.memories}}
        if "memory" in measure.takes and figure.memory not in known["memory"]:
            place = items["memory"][1].place if "memory" in items else items["compute"][1].place
            self.wrong(
                "validation.memory",
                place,
                f"{path}.memory",
                f"{self.file.name} has no memory {figure.memory!r}",
                "write one of " + ", ".join(known["memory"]),
            )
        for at, unit in enumerate(figure.units):
            if unit not in known["units"]:
                self.wrong(
                    "validation.unit_of",
                    items["units"][1].value[at].place,
                    f"{path}.units[{at}]",
                    f"{self.file.name} has no unit or memory {unit!r}",
                    "write one of " + ", ".join(known["units"]),
                )
        parts = {row.part for row in area(self.chip)} if figure.parts else set()
        for at, part in enumerate(figure.parts):
            if part not in parts:
                self.wrong(
                    "validation.part",
                    items["parts"][1].value[at].place,
                    f"{path}.parts[{at}]",
                    f"nothing of {self.file.name} with an area is called {part!r}",
                    "write one of " + ", ".join(sorted(parts)),
                )

    def entered(self, figure: Figure) -> str:
        """A key of the chip file, or of what the run sets in it, whose number is the figure's; "" for none."""
        unit = next((name for name in BASE if MEASURES[figure.compute].units.get(name) == 1.0), "")
        if figure.unit not in MEASURES[figure.compute].units or not unit:
            return ""
        texts = {key: text for key, (text, _) in self.leaves.items()} | dict(figure.run.set)
        for key, text in texts.items():
            found = any_quantity(text) if isinstance(text, str) else None
            if found and found[1] == unit and abs(found[0] - figure.published) <= ALIKE * found[0]:
                return key
        return ""

    def twice(self, figures: tuple[Figure, ...], node: Node) -> None:
        names = [figure.name for figure in figures]
        for at, name in enumerate(names):
            if name in names[:at]:
                self.wrong(
                    "validation.twice",
                    node.value[at].place,
                    f"figures[{at}].name",
                    f"two figures are called {name!r}",
                    "give each a name of its own",
                )


def leaves(node: Node, path: str = "") -> Iterator[tuple[str, tuple[Any, Place]]]:
    """Every value of a chip file by its key; a list is one value."""
    if node.is_map:
        for key, (_, inner) in node.value.items():
            if path or key not in FREE:
                yield from leaves(inner, f"{path}.{key}" if path else key)
    else:
        yield path, (node.plain(), node.place)


def below(leaf: str, key: str) -> bool:
    """Whether a value's key is a key, or below it."""
    return leaf == key or leaf.startswith(f"{key}.")


def number_of(value: Any) -> tuple[float, str] | None:
    """Number and unit, as written, of a value that is a number or a quantity; None for others."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value), ""
    if isinstance(value, str) and any_quantity(value) is not None:
        return parts_of(value)
    return None
