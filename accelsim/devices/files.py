"""Device files: a statistical model of the user's own, as `accelsim device fit` writes it.

JSON with the keys of a record in tables/statistical.json; a curve may also be {"points": [[x...],
[y...]]}, interpolated. pulses, confidence: optional.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from accelsim import strict_json
from accelsim.devices.pulses import pulses_names
from accelsim.devices.statistical import Statistical, from_record
from accelsim.errors import InputError, Problem
from accelsim.fields import wrong_version

CURVES = ("programming", "drift_mean", "drift_sd", "read")
CONFIDENCES = (
    "exact",
    "run",
    "src",
    "pub",
    "der",
    "mem",
)  # docs/energy.md says what each stands for
NUMBERS = {"g_max_us": (1e-3, 1e4), "read_s": (1e-12, 1.0), "reference_s": (1e-9, 1e7)}


def load_device(path: str | Path) -> Statistical:
    """The model of a device file; InputError names everything that is wrong in it."""
    return device_of(read_content(path), str(path))


def read_content(path: str | Path) -> bytes:
    """What stands in a device file; InputError where it cannot be read."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise _refused(path, "device.missing", "there is no such file", "check the path") from None
    except (OSError, ValueError):
        raise _refused(path, "device.file", "cannot be read", "name a device file") from None


def device_of(content: bytes, where: str) -> Statistical:
    """The model that the content of a device file gives; InputError as load_device."""
    row = strict_json.object_of(
        content, where, "device.file", "write it with `accelsim device fit`"
    )
    problems = list(_problems(row))
    if problems:
        raise InputError(
            [
                Problem("device.key", message, "see devices/tables/statistical.json", key, where)
                for key, message in problems
            ]
        )
    return from_record(str(row.get("name", Path(where).stem)), {"source": where, **row})


def _refused(path: str | Path, code: str, message: str, fix: str) -> InputError:
    return InputError(Problem(code, message, fix, file=str(path)))


def _problems(row: dict[str, Any]) -> list[tuple[str, str]]:
    found = []
    if (wrong := wrong_version(row.get("format"))) is not None:
        found.append(("format", "; ".join(wrong)))
    for key, (low, high) in NUMBERS.items():
        value = row.get(key)
        if (
            not isinstance(value, int | float)
            or isinstance(value, bool)
            or not low <= value <= high
        ):
            found.append((key, f"must be a number in {low:g}..{high:g}"))
    for key, names in (("pulses", ("", *pulses_names())), ("confidence", CONFIDENCES)):
        if row.get(key, names[0]) not in names:
            found.append((key, f"must be one of: {', '.join(filter(None, names))}"))
    for key in CURVES:
        try:
            values = from_record("test", {**_PLAIN, key: row[key]}).__getattribute__(_FIELD[key])(
                np.linspace(0.0, 1.0, 65)
            )
            if values.shape != (65,) or not np.isfinite(values).all() or (values < 0).any():
                found.append((key, "is negative or not finite somewhere in 0..1"))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError):
            found.append((key, "is no curve: write poly, clamp_log, power, below or points"))
    return found


_FLAT = {"poly": [0.0]}
_PLAIN: dict[str, Any] = {
    "g_max_us": 1.0,
    "read_s": 1e-6,
    "reference_s": 1.0,
    "source": "",
    **dict.fromkeys(CURVES, _FLAT),
}
_FIELD = {
    "programming": "programming",
    "drift_mean": "drift_mean",
    "drift_sd": "drift_sd",
    "read": "read_noise",
}
