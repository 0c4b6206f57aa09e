"""Number formats as records. Arithmetic knows the integers; of the floats only the width is used."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from accelsim.errors import InputError, Problem


@dataclass(frozen=True, slots=True)
class Format:
    """A number format.

    bits: storage width in bits (sub-byte formats take sub-byte space).
    signed: two's complement when true, plain binary when false.
    kind: "integer" or "float".
    """

    name: str
    bits: int
    signed: bool = True
    kind: str = "integer"

    @property
    def minimum(self) -> int:
        """Smallest code of an integer format."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        """Largest code of an integer format."""
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1

    def bytes_for(self, elements: int) -> int:
        """Bytes that hold so many elements, packed, rounded up to whole bytes."""
        return (elements * self.bits + 7) // 8


_RECORDS = (
    [Format(f"int{bits}", bits) for bits in (2, 3, 4, 5, 6, 8, 12, 16, 20, 24, 32, 48, 64)]
    + [Format(f"uint{bits}", bits, signed=False) for bits in (1, 2, 4, 8, 16, 32)]
    + [Format(name, 16, kind="float") for name in ("fp16", "bf16", "fp16_169")]
    + [Format("fp32", 32, kind="float"), Format("fp8_152", 8, kind="float")]
)
FORMATS = MappingProxyType({record.name: record for record in _RECORDS})
#: index of a format in the Program's columns
FORMAT_NAMES: tuple[str, ...] = tuple(FORMATS)
FORMAT_INDEX = MappingProxyType({name: index for index, name in enumerate(FORMAT_NAMES)})


def get(name: str) -> Format:
    """The record of a format; InputError with the choices when there is none of that name."""
    try:
        return FORMATS[name]
    except KeyError:
        raise InputError(
            Problem(
                "format.unknown",
                f"no number format is called {name!r}",
                "write one of " + ", ".join(FORMATS),
            )
        ) from None
