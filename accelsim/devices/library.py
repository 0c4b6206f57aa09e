"""Devices by the name that a chip file gives."""

from __future__ import annotations

import json
from functools import lru_cache

from accelsim.devices.base import Device
from accelsim.devices.ideal import Ideal
from accelsim.devices.physical import TABLE as PHYSICAL
from accelsim.devices.physical import physical
from accelsim.devices.statistical import TABLE as STATISTICAL
from accelsim.devices.statistical import statistical


@lru_cache(maxsize=1)
def device_names() -> tuple[str, ...]:
    """Names that device_named knows."""
    tables = [json.loads(path.read_text("utf-8"))["models"] for path in (STATISTICAL, PHYSICAL)]
    return ("ideal", *tables[0], *tables[1])


@lru_cache(maxsize=64)
def device_named(name: str) -> Device:
    """The device of that name, or of a device file ("path.json", as ``device fit`` writes it).

    KeyError with the known names for any other; ValueError for a file that is none.
    """
    if name == "ideal":
        return Ideal()
    if name.endswith(".json"):
        from accelsim.devices.files import load_device

        return load_device(name)
    for find in (statistical, physical):
        try:
            return find(name)
        except KeyError:
            continue
    raise KeyError(f"no device {name!r}; there are {', '.join(device_names())}")
