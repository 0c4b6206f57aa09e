"""Format files: a user's own number format as one record in YAML.

A float names ``exponent`` and ``fraction`` bits; a fixed-point format ``integer_bits`` and
``fraction_bits``; a codebook its ``values``. docs/adding_a_format.md has an example of each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from accelsim.config.reader import Reader
from accelsim.config.versions import version_of
from accelsim.config.yaml_source import Node, Place, load_yaml
from accelsim.errors import InputError
from accelsim.fields import Bounds
from accelsim.formats import FORMATS, Codebook, Fixed, Format, Minifloat
from accelsim.formats.library import MOST_FIXED_BITS
from accelsim.formats.minifloat import minifloat
from accelsim.formats.rounding import Rounding

Items = Mapping[str, tuple[Place, Node]]
MOST_EXPONENT = 900  # of two: where float64's own range is near


@dataclass(frozen=True)
class _Float:
    """One float format."""

    name: str
    exponent: Annotated[int, Bounds(1, 9)]
    fraction: Annotated[int, Bounds(0, 23)]
    bias: Annotated[int | None, Bounds(-MOST_EXPONENT, MOST_EXPONENT)] = None
    specials: Literal["ieee", "nan", "fnuz", "none"] = "ieee"
    small: Literal["subnormals", "zero", "binade"] = "subnormals"
    rounding: Rounding = "nearest_even"
    overflow: Literal["saturate", "infinity", "nan"] = "saturate"


@dataclass(frozen=True)
class _Fixed:
    """One fixed-point format."""

    name: str
    integer_bits: Annotated[int, Bounds(1, MOST_FIXED_BITS)]
    fraction_bits: Annotated[int, Bounds(-MOST_FIXED_BITS, MOST_FIXED_BITS)]


@dataclass(frozen=True)
class _Codebook:
    """One list of values."""

    name: str
    values: tuple[float, ...]


def load_format(path: str | Path) -> Format:
    """The format of a YAML file; InputError with every problem, each with line and column."""
    return _FormatReader().read(load_yaml(path))


class _FormatReader(Reader):
    def read(self, root: Node) -> Format:
        items = self.mapping(root, "")
        found: Format | None = None
        if items is not None:
            kind: Any = (
                _Codebook
                if "values" in items
                else _Fixed
                if "integer_bits" in items or "fraction_bits" in items
                else _Float
            )
            version_of(self, items)
            record = self.build(kind, root, "", extra=("format",))
            if record is not None:
                self.name(record.name, items)
                make: Any = {_Float: self.float, _Fixed: self.fixed, _Codebook: self.codebook}[kind]
                found = make(record, items)
        if self.problems or found is None:
            raise InputError(self.problems)
        return found

    def refuse(self, items: Items, key: str, message: str, fix: str) -> None:
        place = items[key][1].place if key in items else next(iter(items.values()))[0]
        self.wrong("format.contradiction", place, key, message, fix)

    def name(self, name: str, items: Items) -> None:
        if name in FORMATS:
            self.refuse(items, "name", f"{name} is a format already", "choose another name")
        elif not name.replace("_", "a").isalnum():
            self.refuse(items, "name", "is not a plain name", "use letters, digits and _")

    def float(self, record: _Float, items: Items) -> Minifloat | None:
        """What contradicts itself is refused."""
        bits = 1 + record.exponent + record.fraction
        least = {"ieee": 2, "nan": 1, "fnuz": 1, "none": 1}[record.specials]
        if bits > 32:
            self.refuse(
                items,
                "fraction",
                f"1 + {record.exponent} + {record.fraction} bits are more than 32",
                f"write at most {31 - record.exponent}",
            )
        if record.exponent < least:
            self.refuse(
                items,
                "exponent",
                "the only exponents are those of zero and of infinity",
                "write 2 or more, or specials: none",
            )
        if record.specials == "ieee" and record.fraction == 0:
            self.refuse(
                items,
                "fraction",
                "without a fraction infinity and NaN are one code",
                "write 1 or more, or specials: nan",
            )
        if record.specials == "none" and record.overflow != "saturate":
            self.refuse(
                items,
                "overflow",
                f"the format has no code for {record.overflow}",
                "write saturate, or specials: ieee",
            )
        if record.specials in ("nan", "fnuz") and record.overflow == "infinity":
            self.refuse(
                items, "overflow", "the format has no code for infinity", "write saturate or nan"
            )
        if record.small == "binade" and record.fraction == 0:
            self.refuse(
                items, "small", "without a fraction exponent 0 holds zero alone", "write subnormals"
            )
        bias = (1 << (record.exponent - 1)) - 1 if record.bias is None else record.bias
        if not -MOST_EXPONENT < -bias < (1 << record.exponent) - bias < MOST_EXPONENT:
            self.refuse(
                items,
                "bias",
                f"exponents reach {-bias}..{(1 << record.exponent) - bias}",
                f"write a bias that keeps them within {MOST_EXPONENT}",
            )
        if self.problems:
            return None
        return minifloat(
            record.name,
            record.exponent,
            record.fraction,
            bias,
            record.specials,
            record.small,
            record.rounding,
            record.overflow,
        )

    def fixed(self, record: _Fixed, items: Items) -> Fixed | None:
        total = record.integer_bits + record.fraction_bits
        if not 2 <= total <= MOST_FIXED_BITS:
            self.refuse(
                items,
                "fraction_bits",
                f"the format has {total} bits",
                f"keep integer_bits + fraction_bits in 2..{MOST_FIXED_BITS}",
            )
            return None
        return Fixed(record.name, total, record.fraction_bits)

    def codebook(self, record: _Codebook, items: Items) -> Codebook | None:
        values, count = record.values, len(record.values)
        if count < 2 or count & (count - 1) or count > 1 << 16:
            self.refuse(items, "values", f"holds {count} values", "list 2, 4, 8, ... of them")
        elif any(b <= a for a, b in pairwise(values)):
            self.refuse(items, "values", "is not in ascending order", "sort it, each value once")
        elif any(value != _as_float32(value) for value in values):
            self.refuse(
                items, "values", "holds numbers that are no float32", "round them to float32"
            )
        elif values[-1] <= 0:
            self.refuse(items, "values", "holds nothing above zero", "list a positive value")
        else:
            return Codebook(record.name, count.bit_length() - 1, values)
        return None


def _as_float32(value: float) -> float:
    import numpy as np

    return float(np.float32(value)) if math.isfinite(value) else math.nan
