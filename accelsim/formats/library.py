"""The named formats. One record a format; ``get`` also makes those with numbers in their names."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import MappingProxyType

from accelsim.errors import InputError, Problem
from accelsim.formats.base import Format
from accelsim.formats.block import Block
from accelsim.formats.codebook import Codebook
from accelsim.formats.fixed import Fixed
from accelsim.formats.integer import Integer
from accelsim.formats.minifloat import Minifloat, minifloat

MOST_FIXED_BITS = 48
#: Dettmers et al., QLoRA (NeurIPS 2023), appendix E: the 16 levels of NormalFloat4, as float32
NF4 = (
    -1.0,
    -0.6961928009986877,
    -0.5250730514526367,
    -0.39491748809814453,
    -0.28444138169288635,
    -0.18477343022823334,
    -0.09105003625154495,
    0.0,
    0.07958029955625534,
    0.16093020141124725,
    0.24611230194568634,
    0.33791524171829224,
    0.44070982933044434,
    0.5626170039176941,
    0.7229568362236023,
    1.0,
)


def fixed(integer_bits: int, fraction_bits: int) -> Fixed:
    """<IL, FL>; InputError where that is no format."""
    total = integer_bits + fraction_bits
    if not 2 <= total <= MOST_FIXED_BITS or integer_bits < 1:
        raise InputError(
            Problem(
                "format.fixed",
                f"<{integer_bits}, {fraction_bits}> is no fixed-point format",
                f"write fixed_IL_FL, IL >= 1, IL + FL in 2..{MOST_FIXED_BITS}",
            )
        )
    return Fixed(f"fixed_{integer_bits}_{fraction_bits}", total, fraction_bits)


def hfp8_143(bias: int = 11) -> Minifloat:
    """1-4-3 of hybrid FP8 (Sun et al., NeurIPS 2019), every code a number. bias 11: largest 30."""
    if not -32 <= bias <= 64:
        raise InputError(
            Problem(
                "format.bias",
                f"the bias {bias} is outside -32..64",
                "write hfp8_143_biasN, N in 0..64",
            )
        )
    name = "hfp8_143" if bias == 11 else f"hfp8_143_bias{bias}"
    return minifloat(name, 4, 3, bias, "none")


def _minifloats() -> list[Minifloat]:
    """The named floats but the five whose places in Program columns are the oldest."""
    return [
        hfp8_143(),
        # Agrawal et al., ARITH 2019
        minifloat("dlfloat16", 6, 9, 31, "nan", "binade", "nearest_away", "nan"),
        minifloat("tf32", 8, 10, overflow="infinity"),
        # OCP 8-bit floating point 1.0 and Microscaling 1.0
        minifloat("fp8_e5m2", 5, 2, overflow="infinity"),
        minifloat("fp8_e4m3fn", 4, 3, 7, "nan"),
        minifloat("fp6_e2m3", 2, 3, 1, "none"),
        minifloat("fp6_e3m2", 3, 2, 3, "none"),
        minifloat("fp4_e2m1", 2, 1, 1, "none"),
        # IEEE P3109-like members of ml_dtypes
        minifloat("fp8_e4m3", 4, 3, overflow="infinity"),
        minifloat("fp8_e3m4", 3, 4, overflow="infinity"),
        # sign and a 3-bit exponent, 2^-6 .. 1 (Miyashita et al., arXiv 1603.01025)
        minifloat("log2", 3, 0, 7, "none"),
    ]


def _records() -> list[Format]:
    old = [
        minifloat("fp16", 5, 10, overflow="infinity"),
        minifloat("bf16", 8, 7, overflow="infinity"),
        # Wang et al., NeurIPS 2018
        minifloat("fp16_169", 6, 9, overflow="infinity"),
        minifloat("fp32", 8, 23, overflow="infinity"),
        minifloat("fp8_152", 5, 2),
    ]
    integers = [
        Integer(f"int{bits}", bits) for bits in (2, 3, 4, 5, 6, 8, 12, 16, 20, 24, 32, 48, 64)
    ]
    integers += [Integer(f"uint{bits}", bits, False) for bits in (1, 2, 4, 8, 16, 32)]
    floats = {record.name: record for record in _minifloats()}
    blocks = [
        Block(name, element.bits, element)
        for name, element in (
            ("mxfp8_e5m2", floats["fp8_e5m2"]),
            ("mxfp8_e4m3", floats["fp8_e4m3fn"]),
            ("mxfp6_e2m3", floats["fp6_e2m3"]),
            ("mxfp6_e3m2", floats["fp6_e3m2"]),
            ("mxfp4", floats["fp4_e2m1"]),
            ("mxint8", fixed(2, 6)),
        )
    ]
    points = [fixed(8, 8), fixed(6, 10), fixed(4, 12), fixed(2, 14), fixed(4, 4), fixed(16, 16)]
    # new ones last: saved Programs name formats by number
    late: list[Format] = [
        Integer("int7", 7),
        *(Integer(f"uint{bits}", bits, False) for bits in (3, 5, 6, 7)),
    ]
    # one zero, NaN in its place: FP8 of Graphcore, AMD and Qualcomm (Noune et al., arXiv 2206.02915)
    late += [
        minifloat("fp8_e4m3fnuz", 4, 3, 8, "fnuz"),
        minifloat("fp8_e5m2fnuz", 5, 2, 16, "fnuz"),
        minifloat("fp8_e4m3b11fnuz", 4, 3, 11, "fnuz"),
    ]
    # sums of exact products of the fixed-point operands above (Gupta et al.: 48 bits)
    late += [fixed(32, 16), fixed(24, 24), fixed(20, 28)]
    return [*integers, *old, *floats.values(), *points, Codebook("nf4", 4, NF4), *blocks, *late]


FORMATS: MappingProxyType[str, Format] = MappingProxyType(
    {record.name: record for record in _records()}
)
#: index of a format in the Program's columns
FORMAT_NAMES: tuple[str, ...] = tuple(FORMATS)
FORMAT_INDEX = MappingProxyType({name: index for index, name in enumerate(FORMAT_NAMES)})

_FAMILIES: tuple[tuple[re.Pattern[str], Callable[..., Format]], ...] = (
    (re.compile(r"fixed_(\d{1,3})_(\d{1,3})"), fixed),
    (re.compile(r"hfp8_143_bias(\d{1,3})"), hfp8_143),
)


def get(name: str) -> Format:
    """The record of a format: a named one, fixed_IL_FL or hfp8_143_biasN.

    InputError with the choices when there is none of that name.
    """
    if name in FORMATS:
        return FORMATS[name]
    for pattern, make in _FAMILIES:
        if found := pattern.fullmatch(name):
            return make(*(int(part) for part in found.groups()))
    raise InputError(
        Problem(
            "format.unknown",
            f"no number format is called {name!r}",
            "write one of " + ", ".join(FORMATS) + ", fixed_IL_FL, hfp8_143_biasN",
        )
    ) from None


def integer(name: str) -> Integer:
    """The record of an integer format; InputError for any other."""
    record = get(name)
    if not isinstance(record, Integer):
        raise InputError(
            Problem(
                "format.integer",
                f"{name} is no integer format",
                "write one of "
                + ", ".join(n for n, f in FORMATS.items() if isinstance(f, Integer)),
            )
        )
    return record
