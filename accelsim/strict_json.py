"""JSON that people and programs hand in, read with suspicion: finite numbers, each key once, bounded depth."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from accelsim.errors import InputError, Problem

LARGEST_FILE = 256 << 20  # bytes
DEEPEST = 64
LONGEST_NUMBER = 40  # digits


def parsed(text: str | bytes) -> Any:
    """The value of a JSON text; ValueError says what is wrong with it."""
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_constant,
        )
    except RecursionError:
        raise ValueError(f"nested deeper than {DEEPEST} levels") from None
    if _depth(value) > DEEPEST:
        raise ValueError(f"nested deeper than {DEEPEST} levels")
    return value


def read(path: Path, code: str, fix: str) -> dict[str, Any]:
    """The object of a JSON file. code, fix: of the InputError where there is none."""
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= LARGEST_FILE else b""
    except OSError as error:
        why = (
            "there is no such file"
            if isinstance(error, FileNotFoundError)
            else (f"cannot be read: {error.strerror or error}")
        )
        raise InputError(Problem(code, why, fix, file=str(path))) from None
    if size > LARGEST_FILE:
        raise InputError(
            Problem(code, f"has more than {LARGEST_FILE >> 20} MiB", fix, file=str(path))
        )
    return object_of(content, str(path), code, fix)


def object_of(content: bytes, where: str, code: str, fix: str) -> dict[str, Any]:
    """The object of a JSON file's content; InputError as read()."""
    try:
        whole = parsed(content)
        if not isinstance(whole, dict):
            raise ValueError("it holds no keys")
    except ValueError as error:
        line, column = getattr(error, "lineno", 0), getattr(error, "colno", 0)
        said = f"is not a JSON file: {getattr(error, 'msg', _plain(error))}"
        raise InputError(Problem(code, said, fix, file=where, line=line, column=column)) from None
    return whole


def _plain(error: ValueError) -> str:
    return "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:60]!r} stands twice")
    return found


def _integer(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if len(text) > 10 * LONGEST_NUMBER or not math.isfinite(value):
        raise ValueError(f"the number {text[:40]} is too large")
    return value


def _constant(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _depth(value: Any) -> int:
    """Levels of nesting, counted without recursion."""
    deepest, level = 0, [value]
    while level:
        deepest += 1
        level = [
            inner
            for item in level
            if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
    return deepest
