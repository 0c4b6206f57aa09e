"""A format in words and as a picture: where its values lie, and how far apart."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.formats import Block, Codebook, Fixed, Format, Integer, Minifloat
from accelsim.reports.style import blank

MOST_TICKS = 300  # values drawn one by one
SMALL = {
    "subnormals": "subnormals",
    "zero": "zero, whatever the fraction",
    "binade": "an ordinary binade; only fraction 0 is zero",
}


def facts(record: Format) -> list[tuple[str, str]]:
    """(what, how much) of a format, as lines to print."""
    base: Any = record.element if isinstance(record, Block) else record
    found = [("name", record.name), ("kind", record.kind), ("bits", str(record.bits))]
    found.append(("layout", _layout(record)))
    found.append(("largest", f"{record.largest:.10g}"))
    found.append(("lowest", f"{record.lowest:.10g}"))
    found.append(("smallest above 0", f"{record.smallest:.6g}"))
    grid = base.grid
    if grid is not None:
        if isinstance(base, Minifloat):
            found.append(
                ("precision", f"{grid.precision} bits, spacing 2^-{grid.precision - 1} at 1")
            )
            found.append(("dynamic range", f"{20 * np.log10(base.largest / base.smallest):.0f} dB"))
        else:
            found.append(("spacing", f"{grid.quantum:.6g}"))
    found.append(("special values", _specials(record)))
    if isinstance(base, Minifloat):
        found.append(("exponent 0", SMALL[base.small]))
    found.append(("rounding", ", ".join(record.roundings) + " (the first by default)"))
    found.append(("overflow", ", ".join(record.overflows) + " (the first by default)"))
    found.append(("NaN", "stays NaN" if record.has_nan else "is refused"))
    return found


def _layout(record: Format) -> str:
    if isinstance(record, Minifloat):
        return (
            f"1-{record.exponent}-{record.fraction} (sign, exponent, fraction), bias {record.bias}"
        )
    if isinstance(record, Fixed):
        return f"<{record.bits - record.fraction}, {record.fraction}> (integer bits with sign, fraction bits)"
    if isinstance(record, Integer):
        return "two's complement" if record.signed else "plain binary"
    if isinstance(record, Block):
        return (
            f"{record.size} elements {record.element.name} along k and a scale 2^s of 8 bits (E8M0)"
        )
    assert isinstance(record, Codebook)
    return f"a list of {len(record.entries)} values"


def _specials(record: Format) -> str:
    if isinstance(record, Block):
        return "a block with scale 0xFF is NaN"
    if not isinstance(record, Minifloat):
        return "none"
    return {
        "ieee": "infinity and NaN in the largest exponent, -0",
        "nan": "NaN in the code of all ones, -0",
        "fnuz": "NaN in the code of -0, one zero",
        "none": "-0",
    }[record.specials]


def _values(record: Format) -> NDArray[np.float64]:
    """Values to draw: all of a small format, else one a step of its codes; of a block, its elements."""
    base: Format = record.element if isinstance(record, Block) else record
    if base.bits <= 16:
        values = base.values()
    else:
        high = np.geomspace(base.smallest, base.largest, 2000)
        values = base.quantize(
            np.concatenate([-high, high] if base.signed else [high]), overflow="saturate"
        )
    return np.unique(values[np.isfinite(values)])


def draw(record: Format) -> bytes:
    """PNG: values on a line, linear and logarithmic, and the spacing at each size."""
    made = blank(3.8)
    line, spacing = made.subplots(2, 1, height_ratios=(1, 2.4))
    values = _values(record)
    positive = values[values > 0]
    ticks = values if len(values) <= MOST_TICKS else values[:: -(-len(values) // MOST_TICKS)]
    line.vlines(ticks, 0, 1, color="#0072B2", linewidth=0.6)
    line.axhline(0, color="black", linewidth=0.8)
    line.set_yticks([])
    line.spines["left"].set_visible(False)
    line.spines["bottom"].set_visible(False)
    unit = f" (elements of {record.name})" if isinstance(record, Block) else ""
    every = (
        "every value"
        if len(ticks) == len(values)
        else f"one of {-(-len(values) // len(ticks))} values"
    )
    line.set_xlabel(f"{every}{unit}")
    line.set_title(f"{record.name}: {_layout(record)}", loc="left")
    if len(positive) > 1:
        gaps = np.diff(np.concatenate([[0.0], positive]))
        spacing.loglog(
            positive,
            gaps,
            color="#0072B2",
            drawstyle="steps-pre",
            label="distance to the next smaller value",
        )
        spacing.loglog(
            positive,
            gaps / positive,
            color="#D55E00",
            linestyle="--",
            drawstyle="steps-pre",
            label="the same, relative to the value",
        )
        spacing.legend(loc="best")
    spacing.set_xlabel("value")
    spacing.set_ylabel("spacing")
    buffer = io.BytesIO()
    made.savefig(buffer, format="png", dpi=200, metadata={"Software": None})
    return buffer.getvalue()
