"""The version of a file's form: the key format of chip, workload, sweep, device and format files.

A file without one is of version 1. An older one is read; a newer one than this program knows is refused in one
line.
"""

from __future__ import annotations

from accelsim.config.reader import Reader
from accelsim.config.yaml_source import Node, Place
from accelsim.fields import FORMAT, wrong_version

RULE = {
    "type": "integer",
    "minimum": 1,
    "maximum": FORMAT,
    "description": "version of the file's form",
}


def version_of(reader: Reader, items: dict[str, tuple[Place, Node]]) -> None:
    """Note a problem unless the file's form is one that this program reads."""
    if "format" in items:
        node = items["format"][1]
        if (wrong := wrong_version(node.value)) is not None:
            reader.wrong("format.version", node.place, "format", *wrong)
