"""What a run was made from, as plain values and back: inputs.json of a result folder.

A chip stands there as its file would, and is read by the rules of chip files; operators, tensors and mappings
are read field by field, then held against the rules of workloads and of explicit mappings.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping as Dict
from math import inf, isfinite
from typing import Any

from accelsim.chip import Chip
from accelsim.chip.machine import memory_of
from accelsim.config.chip_file import ChipReader
from accelsim.config.overrides import node_of
from accelsim.config.reader import FieldRule, Reader, said
from accelsim.config.writer import chip_values
from accelsim.config.yaml_source import Node, Place
from accelsim.errors import InputError, Problem
from accelsim.formats import FORMATS
from accelsim.mapping import Mapping, Plan, plan
from accelsim.mapping.crossbars import CrossbarMapping
from accelsim.mapping.homes import OFF_CHIP, Homes, Stand
from accelsim.mapping.rooms import Kept, Room
from accelsim.mapping.units import WORDS as WHYS
from accelsim.mapping.units import Choice, sides_that_run
from accelsim.units.dataflows import dataflows
from accelsim.workload import Conv2d, Gemm, TensorSpec, VectorOperator, Workload
from accelsim.workload.images import group_sizes
from accelsim.workload.validity import wrong_in

OPERATORS: dict[str, Any] = {"gemm": Gemm, "conv2d": Conv2d, "vector": VectorOperator}
VERSION = 2
MOST_SLOTS = 64
WORDS = ("name", "description", "values", "source")
COUNTS = ("batch", "tokens")
#: notes that say how a model was read, of any plain form
MODEL = ("dims", "batch", "fixed", "shapes", "absorbed", "parameters")


def plain(value: Any) -> Any:
    """Dataclasses as objects, tuples as lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init}
    if isinstance(value, Dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def dump(chip: Chip, workload: Workload, chosen: Plan) -> dict[str, Any]:
    """Chip, workload, mappings, homes (where not all are off chip, of the whole batch) and units (where there are
    several that multiply) as plain values."""
    operators = [
        {"type": "vector" if isinstance(op, VectorOperator) else op.kind, **plain(op)}
        for op in workload.operators
    ]
    whole = plain(dataclasses.replace(workload, operators=()))
    return {
        "version": VERSION,
        "chip": {"source": chip.source, "notes": plain(chip.notes), "file": chip_values(chip)},
        "workload": {**whole, "operators": operators},
        "mappings": plain(chosen.mappings),
        **({"homes": _homes(chosen.homes)} if chosen.homes != OFF_CHIP else {}),
        **({"on": _units(chosen.on)} if chosen.on else {}),
    }


def _units(on: Dict[str, Choice]) -> dict[str, Any]:
    """Units of operators as plain values; joules that are none as nothing."""
    return {
        name: {
            key: value if not isinstance(value, float) or isfinite(value) else None
            for key, value in choice._asdict().items()
        }
        for name, choice in on.items()
    }


def _homes(homes: Homes) -> dict[str, Any]:
    """Homes as plain values, keys as the records name them."""
    return {
        "at": {name: stand._asdict() for name, stand in homes.at.items()},
        "rooms": {name: plain(room._asdict()) for name, room in homes.rooms.items()},
        "images": homes.images,
    }


def load(whole: Dict[str, Any], file: str) -> tuple[Chip, Workload, Plan]:
    """The inverse of dump(), with the mappings checked. file: where it stands, for messages. InputError
    names everything wrong."""
    if whole.get("version") != VERSION:
        raise InputError(
            Problem(
                "run.version",
                f"is of version {whole.get('version')!r} of run folders, this "
                f"program reads version {VERSION}",
                "run it again",
                file=file,
            )
        )
    root = node_of(dict(whole), Place(file))
    reader = _InputsReader(file)
    chip, workload, given, homes, on = reader.read(root)
    if reader.problems or chip is None or workload is None:
        raise InputError(reader.problems)
    own = {name: mapping for name, mapping in given.items() if isinstance(mapping, Mapping)}
    try:
        chosen = plan(chip, workload, own, homes, on)  # crossbars are assigned anew
    except InputError as error:
        raise InputError(
            [
                dataclasses.replace(problem, path=f"mappings.{problem.path}", file=file)
                for problem in error.problems
            ]
        ) from None
    if chosen.mappings != given:
        names = [
            name
            for name in {**chosen.mappings, **given}
            if chosen.mappings.get(name) != given.get(name)
        ]
        raise InputError(
            [
                Problem(
                    "run.mapping",
                    "is not the one that the chip and the workload give",
                    "run it again",
                    f"mappings.{name}",
                    file,
                )
                for name in names
            ]
        )
    return chip, workload, chosen


class _InputsReader(Reader):
    """Reads what dump() wrote; numbers are SI and have no units."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self.file = file

    def value(self, node: Node, rule: FieldRule, path: str) -> Any:
        """As the Reader's, with empty lists and empty texts."""
        if (isinstance(rule.kind, tuple) and node.value == []) or (
            rule.kind is str and node.value == ""
        ):
            return () if isinstance(rule.kind, tuple) else ""
        return super().value(node, rule, path)

    def read(
        self, root: Node
    ) -> tuple[
        Chip | None,
        Workload | None,
        dict[str, Mapping | CrossbarMapping],
        Homes,
        dict[str, Choice],
    ]:
        """Chip, workload, mappings, homes and units, None where something is wrong."""
        items = root.value
        self.keys(
            items,
            ("version", "chip", "workload", "mappings", "homes", "on"),
            "",
            ("chip", "workload", "mappings"),
            root.place,
        )
        if self.problems:
            return None, None, {}, OFF_CHIP, {}
        chip, workload = self.chip(items["chip"][1]), self.workload(items["workload"][1])
        mappings, homes = self.mappings(items["mappings"][1]), OFF_CHIP
        if "homes" in items and chip is not None and workload is not None:
            homes = self.homes(items["homes"][1], chip, workload)
        on: dict[str, Choice] = {}
        if "on" in items and chip is not None and workload is not None:
            on = self.units(items["on"][1], chip, workload)
        return chip, workload, mappings, homes, on

    def units(self, node: Node, chip: Chip, workload: Workload) -> dict[str, Choice]:
        """Units of operators that run them, each with why and what it would have cost."""
        found: dict[str, Choice] = {}
        operators = {op.name: op for op in workload.operators}
        try:
            for name, one in node.plain().items():
                digital, analog = (
                    inf if one[key] is None else float(one[key]) for key in ("digital", "analog")
                )
                choice = Choice(one["unit"], one["why"], digital, analog, one["crossbars"])
                sound = choice.why in WHYS and type(choice.crossbars) is int
                if sound and choice.unit in sides_that_run(chip, workload, operators[name]):
                    found[name] = choice
        except (KeyError, TypeError, ValueError, AttributeError):
            found.clear()
        if found.keys() != operators.keys():
            message = "are not units of this chip and workload"
            self.wrong("run.on", node.place, "on", message, "run it again")
            return {}
        return found

    def homes(self, node: Node, chip: Chip, workload: Workload) -> Homes:
        """Where tensors stand, inside memories of the chip, and rooms of its operators."""
        items = self.mapping(node, "homes") or {}
        self.keys(items, ("at", "rooms", "images"), "homes", ("at", "rooms"), node.place)
        operators = {op.name for op in workload.operators}
        whole = node.plain()
        try:
            at = {name: Stand(**stand) for name, stand in whole["at"].items()}
            rooms = {
                name: Room(
                    tuple((str(m), int(b), int(s)) for m, b, s in room["parts"]),
                    tuple(map(int, room["here"])),
                    tuple(map(int, room["on_chip"])),
                    bool(room["once"]),
                    None if room.get("kept") is None else Kept(*room["kept"]),
                )
                for name, room in whole["rooms"].items()
            }
            parts = [
                *(stand._replace(memory=memory_of(chip, stand.memory)) for stand in at.values()),
                *(part for room in rooms.values() for part in room.parts),
            ]
            parts += [room.kept[:3] for room in rooms.values() if room.kept is not None]
            images = whole.get("images", 0)  # older runs have no groups
            sound = at.keys() <= workload.tensors.keys() and rooms.keys() <= operators
            sound = sound and type(images) is int and images in (0, *group_sizes(workload))
            sound = sound and all(
                memory in chip.memories
                and 0 <= base <= base + size <= chip.memories[memory].size
                and {type(base), type(size)} == {int}
                for memory, base, size in parts
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            sound = False
        if not sound:
            self.wrong(
                "run.homes",
                node.place,
                "homes",
                "are not homes of this chip and workload",
                "run it again",
            )
            return OFF_CHIP
        return Homes(at, rooms, images)

    def chip(self, node: Node) -> Chip | None:
        """The chip, by the rules of chip files."""
        items = self.mapping(node, "chip") or {}
        self.keys(
            items, ("source", "notes", "file"), "chip", ("source", "notes", "file"), node.place
        )
        if self.problems:
            return None
        source, notes = items["source"][1].value, self.notes(items["notes"][1], "chip.notes")
        try:
            made = ChipReader(items["file"][1], self.file).chip()
        except InputError as error:
            self.problems += [
                dataclasses.replace(problem, path=f"chip.file.{problem.path}")
                for problem in error.problems
            ]
            return None
        return dataclasses.replace(made, source=str(source), notes=notes)

    def notes(self, node: Node, path: str) -> dict[str, Any]:
        """Notes of an importer: lists of text, and the format's name."""
        found: dict[str, Any] = {}
        for key, (_, value) in (self.mapping(node, path) or {}).items():
            plain_value = value.plain()
            if key in MODEL:
                found[key] = plain_value
                continue
            texts = plain_value if isinstance(plain_value, list) else [plain_value]
            if not all(isinstance(text, str) for text in texts):
                self.wrong(
                    "type.text", value.place, f"{path}.{key}", f"must be text, not {said(value)}"
                )
            found[key] = plain_value
        return found

    def workload(self, node: Node) -> Workload | None:
        """The workload, held against the rules of workloads."""
        items = self.mapping(node, "workload") or {}
        names = [item.name for item in dataclasses.fields(Workload)]
        self.keys(items, names, "workload", names, node.place)
        if self.problems:
            return None
        words = {key: items[key][1].value for key in WORDS}
        for key, word in words.items():
            if not isinstance(word, str) and not (key == "values" and word is None):
                self.wrong("type.text", items[key][1].place, f"workload.{key}", "must be text")
        counts = {key: items[key][1].value for key in COUNTS}
        for key, count in counts.items():
            if type(count) is not int or count < 0:
                self.wrong(
                    "type.whole", items[key][1].place, f"workload.{key}", "must be a whole number"
                )
        tensors = {
            name: self.build(TensorSpec, value, f"workload.tensors.{name}")
            for name, (_, value) in (
                self.mapping(items["tensors"][1], "workload.tensors") or {}
            ).items()
        }
        listed = items["operators"][1]
        if not listed.is_list:
            self.wrong(
                "type.list",
                listed.place,
                "workload.operators",
                f"must be a list, not {said(listed)}",
            )
            return None
        operators = tuple(
            self.operator(item, f"workload.operators[{number}]")
            for number, item in enumerate(listed.value)
        )
        notes = self.notes(items["notes"][1], "workload.notes")
        if self.problems:
            return None
        made = Workload(operators=operators, tensors=tensors, notes=notes, **words, **counts)
        for path, message in [*wrong_in(made), *_formats(made)]:
            self.wrong("run.workload", node.place, f"workload.{path}", message, "run it again")
        return made

    def operator(self, node: Node, path: str) -> Any:
        """One operator of the kind that its type says."""
        items = self.mapping(node, path) or {}
        if "type" not in items:
            self.wrong("key.missing", node.place, f"{path}.type", "is missing")
            return None
        kind = self.choice(items["type"][1], OPERATORS, f"{path}.type")
        return None if kind is None else self.build(OPERATORS[kind], node, path, extra=("type",))

    def mappings(self, node: Node) -> dict[str, Mapping | CrossbarMapping]:
        """Mappings by operator; their sizes are checked by plan()."""
        found: dict[str, Mapping | CrossbarMapping] = {}
        for name, (_, value) in (self.mapping(node, "mappings") or {}).items():
            path = f"mappings.{name}"
            items = self.mapping(value, path) or {}
            made = self.build(CrossbarMapping if "replicas" in items else Mapping, value, path)
            if isinstance(made, Mapping):
                slots = (made.input_slots, made.weight_slots, made.output_slots)
                known = {flow.number for flow in dataflows().values()}
                if made.dataflow not in known or not all(1 <= n <= MOST_SLOTS for n in slots):
                    self.wrong(
                        "run.mapping", value.place, path, "has a dataflow or slots out of range"
                    )
            if made is not None:
                found[name] = made
        return found


def _formats(workload: Workload) -> list[tuple[str, str]]:
    """Formats that nobody knows."""
    named = [(f"tensors.{name}.format", spec.format) for name, spec in workload.tensors.items()]
    for number, op in enumerate(workload.operators):
        if not isinstance(op, VectorOperator):
            named += [
                (f"operators[{number}].{key}", getattr(op, key))
                for key in ("input_format", "weight_format")
            ]
    return [
        (path, f"there is no format {name!r}")
        for path, name in named
        if name is not None and name not in FORMATS
    ]
