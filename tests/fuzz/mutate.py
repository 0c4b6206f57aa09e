"""Edits of good inputs: of bytes, of parsed values, of tables' cells and of arrays."""

from __future__ import annotations

import copy
import random
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
WORDS = [
    "0",
    "-1",
    "1e999",
    ".nan",
    ".inf",
    "99999999999999999999",
    "null",
    "true",
    "[]",
    "{}",
    "[[[[[[[[",
    "&a",
    "*a",
    "<<: *a",
    "!!python/object:os.system",
    "|",
    ">",
    "'",
    '"',
    ":",
    "- ",
    "? ",
    "\t",
    "\x00",
    "\ufeff",
    "\u2028",
    "64 KiB",
    "1 GHz",
    "-5 nm",
    "int8",
    "cold",
    "x",
    "name",
    "kind",
    "3.5",
    "0x10",
    "1_000",
    "08",
    "1:30",
    "2026-11-24",
    "~",
]
#: values that stand where others are expected
ODD: list[Any] = [
    0,
    1,
    -1,
    2,
    3,
    7,
    0.5,
    -0.5,
    1e300,
    -1e-300,
    1e-300,
    2**31,
    2**53,
    2**63,
    10**40,
    10**400,
    True,
    False,
    None,
    "",
    "x",
    "int8",
    "fp8_152",
    "cold",
    "64 KiB",
    "1 GHz",
    "1 B/s",
    "-5 nm",
    "1e400 Hz",
    "0",
    "../x",
    "a.b",
    "\x1b[1m",
    "$a$",
    "=1+1",
    "a\nb",
    "\u202e",
    "\udcff",
    "é",
    "x" * 300,
    " " * 800,
    [],
    {},
    [[]],
    [1],
    [1, 1],
    [0],
    [None],
    [{}],
    {"x": 1},
    {"": 0},
    {"kind": "sram"},
    {"from": 1, "to": 4, "step": 1},
    [[1, 2], [3, 4]],
    [1] * 40,
]


def damaged(data: bytes, rng: random.Random, text: bool) -> bytes:
    """One to four random edits of bytes, and of lines where it is text."""
    for _ in range(rng.randrange(1, 5)):
        kind = rng.randrange(7 if text else 3)
        at = rng.randrange(len(data) + 1)
        if kind == 0:
            data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
        elif kind == 1:
            data = (
                data[:at] if rng.random() < 0.3 else data[:at] + data[at + rng.randrange(1, 40) :]
            )
        elif kind == 2:
            data = (
                data[:at] + data[at : at + rng.randrange(1, 60)] * rng.randrange(1, 4) + data[at:]
            )
        else:
            data = _lines(data, rng, kind)
    return data


def _lines(data: bytes, rng: random.Random, kind: int) -> bytes:
    lines = data.split(b"\n")
    row = rng.randrange(len(lines))
    word = rng.choice(WORDS).encode("utf-8", "surrogatepass")
    if kind == 3:
        other = rng.randrange(len(lines))
        lines[row], lines[other] = lines[other], lines[row]
    elif kind == 4:
        head, sign, _ = lines[row].partition(b":")
        lines[row] = head + sign + b" " + word
    elif kind == 5:
        parts = lines[row].split(b" ")
        parts[rng.randrange(len(parts))] = word
        lines[row] = b" ".join(parts)
    else:
        lines[row] = b" " * rng.randrange(9) + lines[row].strip()
    return b"\n".join(lines)


def places(node: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of plain values."""
    found: list[tuple[Any, Any]] = []
    items: list[tuple[Any, Any]] = (
        list(node.items())
        if isinstance(node, dict)
        else (list(enumerate(node)) if isinstance(node, list) else [])
    )
    for key, inner in items:
        found += [(node, key), *places(inner)]
    return found


def edited(whole: Any, rng: random.Random) -> Any:
    """A copy of plain values with one to three of them replaced, scaled, moved or taken away."""
    whole = copy.deepcopy(whole)
    for _ in range(rng.choice([1, 1, 1, 1, 2, 3])):
        inside = places(whole)
        if not inside:
            return copy.deepcopy(rng.choice(ODD))
        node, key = rng.choice(inside)
        _edit(node, key, inside, rng)
    return whole


def _edit(node: Any, key: Any, inside: list[tuple[Any, Any]], rng: random.Random) -> None:
    value = node[key]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    kind = 4 if number and rng.random() < 0.5 else rng.randrange(8)  # most other values are refused
    if kind < 2:
        node[key] = copy.deepcopy(rng.choice(ODD))
    elif kind == 2:
        del node[key]
    elif kind == 3:  # a reference to something else of the same file
        other, name = rng.choice(inside)
        if name in (other if isinstance(other, dict) else range(len(other))):
            node[key] = copy.deepcopy(other[name])
    elif kind == 4 and number:
        node[key] = rng.choice(
            [
                value + 1,
                value - 1,
                -value,
                value * 2,
                value // 2,
                value * 1000,
                float(value) if abs(value) < 1e300 else value,
                str(value),
            ]
        )
    elif kind == 5 and isinstance(node, dict):
        node[str(rng.choice(ODD))[:40]] = node.pop(key)
    elif kind == 6 and isinstance(node, list):
        node.append(copy.deepcopy(value))
    else:
        node[key] = rng.choice([[value], {"x": value}, str(value), None])


def edited_table(rows: list[list[str]], rng: random.Random) -> list[list[str]]:
    """A table with one to three cells, rows or columns replaced, moved or taken away."""
    rows = [list(row) for row in rows]
    for _ in range(rng.randrange(1, 4)):
        kind, row = rng.randrange(6), rng.randrange(len(rows))
        if kind < 3 and rows[row]:
            rows[row][rng.randrange(len(rows[row]))] = rng.choice(
                [*WORDS, *(str(value) for value in ODD)]
            )
        elif kind == 3:
            rows.insert(rng.randrange(len(rows)), list(rows[row]))
        elif kind == 4 and len(rows) > 1:
            del rows[row]
        elif rows[row]:
            del rows[row][rng.randrange(len(rows[row]))]
    return rows


def edited_arrays(arrays: Arrays, rng: random.Random) -> Arrays:
    """Arrays with one to three of other shapes, types, names or values."""
    found = dict(arrays)
    for _ in range(rng.randrange(1, 4)):
        if not found:
            return found
        name = rng.choice(sorted(found))
        array = found[name]
        kind = rng.randrange(11)
        if kind == 0:
            del found[name]
        elif kind == 1:
            other = rng.choice(
                [f"{name}x", "x", "labels", f"{name}.range", f"{name}.scale", "", "a/b", "é"]
            )
            found[other] = array
        elif kind == 2:
            found[name] = np.asarray(array.ravel()[0] if array.size else 0)
        elif kind == 3:
            found[name] = array[:0] if array.ndim else np.zeros((0, 4), array.dtype)
        elif kind == 4:
            found[name] = array[None]
        elif kind == 5:
            found[name] = array.ravel()
        elif kind == 6:
            form = rng.choice(
                [
                    "int8",
                    "uint8",
                    "int64",
                    "uint64",
                    "float16",
                    "float32",
                    "float64",
                    "bool",
                    "complex64",
                ]
            )
            if array.dtype.kind in "biufc":
                with np.errstate(all="ignore"):
                    found[name] = array.astype(form)
        elif kind == 7:
            value = rng.choice(
                [np.nan, np.inf, -np.inf, 1e308, -1e308, 1e-320, 2.0**63, 0.0, -1.0, 256.0]
            )
            changed = array.astype(np.float64) if array.dtype.kind in "biuf" else np.zeros(3)
            changed.reshape(-1)[: rng.choice([1, max(1, array.size)])] = value
            found[name] = changed
        elif kind == 8:
            found[name] = np.array(["text"]) if rng.random() < 0.5 else np.zeros(3, [("a", "i4")])
        elif kind == 9:
            other = rng.choice(sorted(found))
            found[name], found[other] = found[other], array
        else:
            twice = array.ndim and array.size < 1 << 20
            found[name] = np.concatenate([array, array]) if twice else array[..., None]
    return found
