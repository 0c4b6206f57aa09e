"""The `recorded` block of a layer trace: where values are, and what their codes mean."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from accelsim.config.reader import Reader
from accelsim.config.workload_file import read_trace
from accelsim.config.yaml_source import Node, load_yaml
from accelsim.errors import InputError, Problem
from accelsim.formats import get
from accelsim.numerics.quantize import Rounding
from accelsim.workload import VectorOperator, Workload

VERSION = 1
KEYS = ("version", "file", "rounding", "formats", "chip", "workload", "made_by", "model")
TRACE_FILE = "trace.yaml"
ARRAYS_FILE = "values.npz"


@dataclass(frozen=True, slots=True)
class Recorded:
    """file: the .npz. formats: number format by tensor, where its type does not say it. rounding: how sums
    became codes. chip: name and digest of the chip that made it. workload: digest of the operators.
    model: operators whose values only the model file gives."""

    file: Path
    formats: dict[str, str] = field(default_factory=dict)
    rounding: str = "single"
    chip: dict[str, str] = field(default_factory=dict)
    workload: str = ""
    model: tuple[str, ...] = ()


def workload_digest(workload: Workload) -> str:
    """SHA-256 of what is computed: operators and tensor shapes, not names of files or of the network."""
    operators = [
        asdict(replace(op, node="") if isinstance(op, VectorOperator) else op)
        for op in workload.operators
    ]
    tensors = sorted((spec.name, spec.shape, spec.role) for spec in workload.tensors.values())
    whole = json.dumps([operators, tensors], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()


def read_recorded(path: Path) -> tuple[Workload, Recorded]:
    """Workload and recorded block of a trace's YAML file; InputError names everything wrong."""
    root = load_yaml(path)
    reader = _RecordedReader(path)
    block = root.value.get("recorded") if root.is_map else None
    if block is None:
        raise InputError(
            Problem(
                "record.none",
                "is a layer trace without recorded values",
                "write recorded: {version: 1, file: values.npz}",
                file=str(path),
            )
        )
    found = reader.read(block[1])
    try:
        workload = read_trace(root, str(path), {})
    except InputError as error:
        raise InputError([*reader.problems, *error.problems]) from None
    if found is not None:
        reader.names(block[1], found, workload)
    if reader.problems or found is None:
        raise InputError(reader.problems)
    return workload, found


class _RecordedReader(Reader):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def read(self, node: Node) -> Recorded | None:
        """The block, or None (noted)."""
        items = self.mapping(node, "recorded")
        if items is None:
            return None
        version = items["version"][1].value if "version" in items else VERSION
        if type(version) is not int or version != VERSION:
            self.wrong(
                "record.version",
                items["version"][0],
                "recorded.version",
                f"is {version!r}, this program reads version {VERSION}",
                "record it again, or use the program that made it",
            )
            return None  # other keys may mean something else there
        self.keys(items, KEYS, "recorded", ("version",), node.place)
        before = len(self.problems)
        text = {
            key: self.text(items[key][1], f"recorded.{key}")
            for key in ("workload", "made_by")
            if key in items
        }
        rounding = "single"
        if "rounding" in items:
            rounding = (
                self.choice(items["rounding"][1], get_args(Rounding), "recorded.rounding") or ""
            )
        found = Recorded(
            self.inside(items["file"][1] if "file" in items else Node(ARRAYS_FILE, node.place)),
            self.formats(items["formats"][1]) if "formats" in items else {},
            rounding,
            self.chip(items["chip"][1]) if "chip" in items else {},
            text.get("workload") or "",
            self.listed(items["model"][1]) if "model" in items else (),
        )
        return found if len(self.problems) == before else None

    def inside(self, node: Node) -> Path:
        """The .npz file, which must be in the trace's folder."""
        name = self.text(node, "recorded.file") or ARRAYS_FILE
        folder = self.path.resolve().parent
        target = (folder / name).resolve() if "\0" not in name else folder.parent
        if not target.is_relative_to(folder) or target == folder:
            self.wrong(
                "record.outside",
                node.place,
                "recorded.file",
                f"{name!r} is not in the trace's folder",
                "keep the values beside the trace",
            )
        return target

    def formats(self, node: Node) -> dict[str, str]:
        """Format names by tensor."""
        found = {}
        for name, (_, value) in (self.mapping(node, "recorded.formats") or {}).items():
            path = f"recorded.formats.{name}"
            text = self.text(value, path)
            try:
                if text is not None:
                    found[name] = get(text).name
            except InputError as error:
                self.wrong(
                    "record.format",
                    value.place,
                    path,
                    error.problems[0].message,
                    error.problems[0].fix,
                )
        return found

    def chip(self, node: Node) -> dict[str, str]:
        """Name and digest of a chip."""
        items = self.mapping(node, "recorded.chip") or {}
        self.keys(items, ("name", "digest"), "recorded.chip", (), node.place)
        return {
            key: self.text(value, f"recorded.chip.{key}") or "" for key, (_, value) in items.items()
        }

    def listed(self, node: Node) -> tuple[str, ...]:
        """A list of operators."""
        if not node.is_list:
            self.wrong(
                "record.model",
                node.place,
                "recorded.model",
                "must be a list of operators",
                "write model: [softmax]",
            )
            return ()
        return tuple(
            self.text(item, f"recorded.model[{i}]") or "" for i, item in enumerate(node.value)
        )

    def names(self, node: Node, found: Recorded, workload: Workload) -> None:
        """Note names that the trace does not have, and a digest of another workload."""
        items: dict[str, Any] = node.value
        for name in found.formats:
            if name.split("/")[0] not in workload.tensors and name not in workload.tensors:
                place = items["formats"][1].value[name][0]
                self.wrong(
                    "record.tensor",
                    place,
                    f"recorded.formats.{name}",
                    "is no tensor of the trace",
                    "write the name of a tensor",
                )
        operators = {op.name for op in workload.operators}
        for name in found.model:
            if name not in operators:
                self.wrong(
                    "record.tensor",
                    items["model"][0],
                    "recorded.model",
                    f"{name!r} is no operator of the trace",
                    "leave it out",
                )
        digest = workload_digest(workload)
        if found.workload and found.workload != digest:
            self.wrong(
                "record.workload",
                items["workload"][0],
                "recorded.workload",
                f"is not the digest of these operators, {digest[:12]}...",
                "record the values again; leave the key out if they do belong here",
            )
