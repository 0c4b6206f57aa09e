"""Devices by the name that a chip file gives."""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache

from accelsim.devices.base import Device
from accelsim.devices.files import device_of, read_content
from accelsim.devices.ideal import Ideal
from accelsim.devices.physical import TABLE as PHYSICAL
from accelsim.devices.physical import physical
from accelsim.devices.statistical import TABLE as STATISTICAL
from accelsim.devices.statistical import statistical
from accelsim.errors import InputError, Problem

MARK = 12  # hexadecimal digits of a file's digest
MARKED = re.compile(rf"(.*\.json)#([0-9a-f]{{{MARK}}})", re.DOTALL)
_FILES: dict[
    str, Device
] = {}  # by mark: of every device file that a chip of this process was read with


@lru_cache(maxsize=1)
def device_names() -> tuple[str, ...]:
    """Names that device_named knows."""
    tables = [json.loads(path.read_text("utf-8"))["models"] for path in (STATISTICAL, PHYSICAL)]
    return ("ideal", *tables[0], *tables[1])


def device_named(name: str) -> Device:
    """The device of that name, or of a device file, as ``device fit`` writes it: "path.json", what stands there
    now, or "path.json#mark" of kept(), what stood there when a chip was read.

    KeyError with the known names for any other; InputError for a file that is none, or is another by now.
    """
    path, mark = _file_of(name)
    if not path:
        return _shipped(name)
    if mark in _FILES:
        return _FILES[mark]
    content = read_content(path)
    if mark and _mark(content) != mark:
        raise InputError(
            Problem(
                "device.changed",
                "holds another device than when the chip was read",
                "run again with the file as it is",
                file=path,
            )
        )
    return _of_content(content, path)


def kept(name: str) -> str:
    """The name of a device file with a mark of its content, by which this process finds the device whatever
    becomes of the file; other names, and files that hold no device, as they are."""
    path, mark = _file_of(name)
    if not path or mark:
        return name
    try:
        content = read_content(path)
        _FILES[_mark(content)] = _of_content(content, path)
    except InputError:
        return name
    return f"{path}#{_mark(content)}"


def _file_of(name: str) -> tuple[str, str]:
    """(path, mark) of a device file's name; empty for other names, and a mark that there is none of."""
    found = MARKED.fullmatch(name)
    if found is not None:
        return found[1], found[2]
    return (name, "") if name.endswith(".json") else ("", "")


def _mark(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:MARK]


@lru_cache(maxsize=64)
def _of_content(content: bytes, path: str) -> Device:
    return device_of(content, path)


@lru_cache(maxsize=64)
def _shipped(name: str) -> Device:
    if name == "ideal":
        return Ideal()
    for find in (statistical, physical):
        try:
            return find(name)
        except KeyError:
            continue
    raise KeyError(f"no device {name!r}; there are {', '.join(device_names())}")
