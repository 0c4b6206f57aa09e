"""Quantities with units: "64 KiB", "1 GHz", "25 uS" to SI numbers."""

from __future__ import annotations

import re
from functools import lru_cache
from math import isfinite

from accelsim.errors import InputError, Problem

_NUMBER = re.compile(r"([-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)(.*)", re.DOTALL)
LONGEST = 400  # characters of a quantity
_PREFIXES = {
    "": 1.0,
    "f": 1e-15,
    "p": 1e-12,
    "n": 1e-9,
    "u": 1e-6,
    "µ": 1e-6,
    "m": 1e-3,
    "k": 1e3,
    "K": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
}
_BINARY = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}
_EXAMPLES = {
    "B": "64 KiB",
    "bit": "64 bit",
    "Hz": "1 GHz",
    "s": "100 ns",
    "J": "1 pJ",
    "W": "10 mW",
    "V": "0.8 V",
    "m": "22 nm",
    "B/s": "16 GB/s",
    "K": "350 K",
    "S": "25 uS",
    "ohm": "1 ohm",
}
#: units whose values are whole numbers
WHOLE = ("B", "bit", "Hz")


class QuantityError(ValueError):
    """Not a quantity of the wanted unit; args: what is wrong, what to write."""


def example(unit: str) -> str:
    """How a quantity of that unit is written."""
    return _EXAMPLES.get(unit, f"1 {unit}")


@lru_cache(maxsize=64)
def _factors(unit: str) -> dict[str, float]:
    stem, _, tail = unit.partition("/")
    after = f"/{tail}" if tail else ""
    table = {f"{prefix}{stem}{after}": factor for prefix, factor in _PREFIXES.items()}
    if unit == "s":
        table |= {
            "min": 60.0,
            "h": 3600.0,
            "day": 86400.0,
            "days": 86400.0,
            "year": 31536000.0,
            "years": 31536000.0,
        }
    if stem == "ohm":
        table |= {"Ohm": 1.0, "Ω": 1.0}
    if stem == "K":  # no prefixes on kelvin: "KK" helps nobody
        table = {"K": 1.0}
    if stem == "B":
        table.update({f"{prefix}B{after}": factor for prefix, factor in _BINARY.items()})
    if stem == "bit":
        table |= {"bits": 1.0, "B": 8.0}
        table.update({f"{prefix}bit": factor for prefix, factor in _BINARY.items()})
    return table


def parts_of(text: str) -> tuple[float, str] | None:
    """The number and the unit's text of a quantity, in time that grows with its length; None for others."""
    match = _NUMBER.fullmatch(text.strip()) if len(text) <= LONGEST else None
    return None if match is None else (float(match[1]), match[2].strip())


def quantity(value: object, unit: str) -> float | int:
    """The SI number of "<number> <unit>"; QuantityError otherwise.

    Bytes, bits and hertz must come out whole and are ints. 0 needs no unit.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and value == 0:
        return 0
    if isinstance(value, bool) or not isinstance(value, str):
        raise QuantityError(f"{value!r} has no unit", f"write it like {example(unit)}")
    parts = parts_of(value)
    if parts is None:
        raise QuantityError(
            f"{value[:60]!r} is not a number with a unit", f"write it like {example(unit)}"
        )
    number, written = parts
    factors = _factors(unit)
    if written not in factors:
        message = (
            f"{value[:60]!r} has no unit"
            if not written
            else (f"{written[:60]!r} is not a unit of {unit}")
        )
        raise QuantityError(message, f"write it like {example(unit)}")
    result = number * factors[written]
    if not isfinite(result):
        raise QuantityError(f"{value!r} is too large", f"write it like {example(unit)}")
    if unit in WHOLE:
        if abs(result - round(result)) > 1e-6 * max(1.0, abs(result)):
            raise QuantityError(
                f"{value!r} is not a whole number of {unit}", f"write it like {example(unit)}"
            )
        return round(result)
    return result


@lru_cache(maxsize=4096)
def any_quantity(text: str) -> tuple[float, str] | None:
    """SI number and unit of a quantity of whatever unit; None for other text."""
    parts = parts_of(text)
    if parts is not None and parts[1]:
        for unit in _EXAMPLES:
            if (factor := _factors(unit).get(parts[1])) is not None:
                return parts[0] * factor, unit
    return None


def spoken(value: float, unit: str) -> str:
    """A quantity as a person writes it, of at most nine digits: "31.6 MHz". Whole units stay whole."""
    if unit in WHOLE:
        sizes = {"B": _BINARY, "bit": {}, "Hz": {"k": 1e3, "M": 1e6, "G": 1e9}}[unit]
        for prefix, size in sorted(sizes.items(), key=lambda item: -item[1]):
            if value and value % size == 0:
                return f"{round(value / size)} {prefix}{unit}"
        return f"{round(value)} {unit}"
    best = ""
    if unit != "K":
        for prefix in ("T", "G", "M", "k", "", "m", "u", "n", "p", "f"):
            best = prefix
            if abs(value) >= _PREFIXES[prefix] * 0.9999999999 and not (
                unit == "s" and _PREFIXES[prefix] > 1
            ):
                break
    return f"{value / _PREFIXES[best]:.9g} {best}{unit}"


def quantities(text: str, unit: str, option: str) -> list[float]:
    """SI numbers of "20 s, 1 h", 0 and more; InputError names the command line's option."""
    found = []
    for part in text.split(","):
        try:
            found.append(float(quantity(part.strip(), unit)))
        except QuantityError as error:
            raise InputError(
                Problem("option.list", error.args[0], error.args[1], file=option)
            ) from None
        if found[-1] < 0:
            raise InputError(
                Problem(
                    "option.list", f"{part.strip()} is negative", "write 0 or more", file=option
                )
            )
    return found
