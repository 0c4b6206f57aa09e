"""YAML with the place of every key and value, and without YAML's traps.

Events are streamed first: depth, size, aliases and duplicate keys are refused before anything is
built (the C parser crashes on very deep nesting, aliases can expand without end, and PyYAML alone
keeps the last of two equal keys). Scalars follow YAML 1.2: 1e9 is a number, off and 12:30 text.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from accelsim.errors import InputError, Problem

LARGEST_FILE = 16 << 20
DEEPEST = 64
MOST_NODES = 1_000_000
#: what ends a line, somewhere
BREAK = re.compile("[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_INT = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass(frozen=True, slots=True)
class Place:
    """Line and column, counted from 1, in a file (or "--set")."""

    file: str
    line: int = 0
    column: int = 0


@dataclass(slots=True)
class Node:
    """A value with its place: a scalar, a list of Nodes, or a dict of key -> (key place, Node)."""

    value: Any
    place: Place

    @property
    def is_map(self) -> bool:
        return isinstance(self.value, dict)

    @property
    def is_list(self) -> bool:
        return isinstance(self.value, list)

    def plain(self) -> Any:
        """The value without places."""
        if self.is_map:
            return {key: item.plain() for key, (_, item) in self.value.items()}
        if self.is_list:
            return [item.plain() for item in self.value]
        return self.value


def scalar(text: str, quoted: bool) -> Any:
    """A plain scalar by the YAML 1.2 core schema; quoted ones stay text."""
    if quoted:
        return text
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if _INT.fullmatch(text):
        return int(text) if len(text) <= 40 else float(text[:400])
    if _BASED.fullmatch(text):
        return int(text, 0) if len(text) <= 40 else text
    if _FLOAT.fullmatch(text):
        return float(text)
    if _SPECIAL.fullmatch(text):
        return math.nan if text.lower() == ".nan" else float(text.replace(".", "", 1))
    return text


def read_text(path: str | Path) -> str:
    """A file's text; InputError when it cannot be read as UTF-8 text of at most 16 MiB."""
    where = str(path)
    try:
        file = Path(path)
        if os.path.isdir(file):
            raise InputError(Problem("file.folder", "is a folder", "give a file", file=where))
        with file.open("rb") as stream:
            data = stream.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise InputError(
            Problem("file.missing", "there is no such file", "check the path", file=where)
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            Problem("file.unreadable", f"cannot be read: {reason}", file=where)
        ) from None
    if len(data) > LARGEST_FILE:
        raise InputError(Problem("file.size", "is larger than 16 MiB", file=where))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(
            Problem(
                "file.encoding",
                "is not UTF-8 text",
                "save it as UTF-8",
                file=where,
                line=line,
                column=1,
            )
        ) from None


class _Builder:
    """Builds Nodes from the parser's events."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.events = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self.nodes = 0

    def place(self, event: Any) -> Place:
        mark = event.start_mark
        return Place(self.file, mark.line + 1, mark.column + 1)

    def refuse(self, code: str, place: Place, message: str, fix: str) -> InputError:
        return InputError(
            [*self.problems, Problem(code, message, fix, "", place.file, place.line, place.column)]
        )

    def document(self) -> Node:
        root: Node | None = None
        for event in self.events:
            if isinstance(
                event,
                yaml.StreamStartEvent
                | yaml.DocumentStartEvent
                | yaml.DocumentEndEvent
                | yaml.StreamEndEvent,
            ):
                continue
            if root is not None:
                raise self.refuse(
                    "yaml.documents",
                    self.place(event),
                    "a second document starts here",
                    "keep one document a file",
                )
            root = self.node(event, 1)
        if self.problems:
            raise InputError(self.problems)
        return root or Node(None, Place(self.file, 1, 1))

    def node(self, event: Any, depth: int) -> Node:
        place = self.place(event)
        self.nodes += 1
        if depth > DEEPEST:
            raise self.refuse(
                "yaml.depth", place, f"is nested deeper than {DEEPEST} levels", "flatten it"
            )
        if self.nodes > MOST_NODES:
            raise self.refuse(
                "yaml.nodes", place, f"has more than {MOST_NODES} values", "make it smaller"
            )
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise self.refuse(
                "yaml.alias", place, "anchors and aliases are not supported", "write the value out"
            )
        if getattr(event, "tag", None) not in (None, "!"):
            raise self.refuse(
                "yaml.tag", place, f"the tag {event.tag} is not supported", "leave it out"
            )
        if isinstance(event, yaml.ScalarEvent):
            return Node(scalar(event.value, event.style in ("'", '"', "|", ">")), place)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Node] = []
            for inner in self.events:
                if isinstance(inner, yaml.SequenceEndEvent):
                    return Node(items, place)
                items.append(self.node(inner, depth + 1))
        return self.mapping(place, depth)

    def mapping(self, place: Place, depth: int) -> Node:
        found: dict[str, tuple[Place, Node]] = {}
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            where = self.place(event)
            if not isinstance(event, yaml.ScalarEvent) or event.anchor:
                raise self.refuse("yaml.key", where, "a key must be plain text", "name the key")
            key = event.value
            if BREAK.search(key):
                raise self.refuse("yaml.key", where, "a key must stand in one line", "name the key")
            value = self.node(next(self.events), depth + 1)
            if key in found:
                first = found[key][0].line
                self.problems.append(
                    Problem(
                        "yaml.duplicate",
                        f"the key stands already in line {first}",
                        "keep one of them",
                        key,
                        where.file,
                        where.line,
                        where.column,
                    )
                )
                continue
            found[key] = (where, value)
        return Node(found, place)


def parse_yaml(text: str, file: str) -> Node:
    """The document as Nodes; InputError with line and column for anything refused."""
    bad = _CONTROL.search(text)
    if bad is not None:
        line = text.count("\n", 0, bad.start()) + 1
        code = ord(bad[0])
        what = "bytes that are no UTF-8" if code >= 0xD800 else f"the control character {code:#04x}"
        raise InputError(
            Problem(
                "yaml.character",
                f"holds {what}",
                "save it as plain text",
                file=file,
                line=line,
                column=1,
            )
        )
    try:
        return _Builder(text, file).document()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputError(
            Problem(
                "yaml.syntax",
                f"is not YAML here: {reason}",
                "mend the line",
                file=file,
                line=line,
                column=column,
            )
        ) from None


def load_yaml(path: str | Path) -> Node:
    """Read and parse a YAML file."""
    return parse_yaml(read_text(path), str(path))
