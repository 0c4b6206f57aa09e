"""How every picture looks: column width, 8 pt, colours that survive colour blindness and grey."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim.escaping import visible_lines

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COLUMN_INCHES = 7.0
CHARACTERS = 112  # of 8 pt in a column's width
#: what formatters of logarithmic axes write: $10^{-3}$, $\\mathdefault{2\\times10^{-3}}$
POWER = re.compile(r"\$(10\^\{[-+\d.]+\}|\\mathdefault\{-?([\d.]+\\times)?10\^\{[-+\d.]+\}\})\$")
#: Okabe and Ito's colours, each with a hatch so that grey prints stay readable
COMPONENTS: dict[str, tuple[str, str, str]] = {
    "mac": ("multiply-accumulate", "#0072B2", ""),
    "cells": ("PCM cells", "#E69F00", "oo"),
    "converters": ("converters", "#7B3294", "||"),
    "drivers": ("row drivers, shift-add", "#C2E699", "**"),
    "writing": ("PCM programming", "#882255", "OO"),
    "register": ("array registers", "#56B4E9", "///"),
    "sram": ("SRAM access", "#009E73", "..."),
    "leakage": ("SRAM leakage", "#F0E442", "xx"),
    "vector": ("requantise, vector", "#CC79A7", "\\\\\\"),
    "bus": ("on-chip bus", "#999999", "++"),
    "dram": ("off-chip memory", "#D55E00", "--"),
}
#: components from the cell outwards, as bars stack them
STACK = (
    "mac",
    "cells",
    "converters",
    "drivers",
    "register",
    "sram",
    "vector",
    "leakage",
    "bus",
    "dram",
    "writing",
)
CAUSES: dict[str, tuple[str, str, str]] = {
    "busy": ("computing", "#0072B2", ""),
    "data": ("waits for data", "#D55E00", "///"),
    "slot": ("waits for a free slot", "#F0E442", "..."),
    "port": ("waits for bandwidth", "#CC79A7", "xx"),
    "start": ("waits for a start", "#999999", "\\\\\\"),
    "queue": ("waits in its queue", "#E69F00", "--"),
}
REST = ("nothing left to do", "#FFFFFF", "")


def settings() -> None:
    """Set what all pictures share."""
    import matplotlib

    matplotlib.use("Agg", force=False)
    matplotlib.rcParams.update(
        {
            "font.size": 8,
            "axes.titlesize": 9,
            "hatch.linewidth": 0.4,
            "svg.hashsalt": "accelsim",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "legend.frameon": False,
        }
    )


@lru_cache(maxsize=1)
def _picture() -> Any:
    """Figure whose texts show what is said: $ opens no formula unless an axis writes a power of ten, and
    characters that cannot be seen are drawn as their codes."""
    from matplotlib.figure import Figure
    from matplotlib.text import Text
    from matplotlib.ticker import FuncFormatter

    class Picture(Figure):
        def draw(self, renderer: Any) -> None:
            for axes in self.axes:
                for axis in (
                    axes.xaxis,
                    axes.yaxis,
                ):  # labels of ticks are made anew from their names
                    if isinstance(made := axis.get_major_formatter(), FuncFormatter):
                        made.func = _seen(made.func)
            for text in self.findobj(Text):
                said = text.get_text()
                if "$" in said:
                    text.set_parse_math(POWER.fullmatch(said) is not None)
                if (shown := visible_lines(said)) != said:
                    text.set_text(shown)
            super().draw(renderer)

    return Picture


def _seen(label: Callable[[float, int | None], str]) -> Callable[[float, int | None], str]:
    """A formatter's function, its labels escaped."""
    return lambda value, place: visible_lines(label(value, place))


def blank(height: float) -> Any:
    """An empty figure of column width and a height in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    settings()
    made = _picture()(figsize=(COLUMN_INCHES, height), layout="constrained")
    FigureCanvasAgg(made)
    return made


def figure(height: float) -> tuple[Any, Any]:
    """(figure, its axes) of column width and a height in inches."""
    made = blank(height)
    return made, made.add_subplot()


def stacked(
    axes: Any,
    parts: Mapping[str, NDArray[np.float64]],
    looks: Mapping[str, tuple[str, str, str]],
    width: float,
) -> NDArray[np.float64]:
    """Bars at 0, 1, ..., part on part in the order of ``parts``, without those that are nothing; their tops. looks:
    title, colour and hatch of each part."""
    import numpy as np

    base = np.zeros(max((len(heights) for heights in parts.values()), default=0))
    for name, heights in parts.items():
        if heights.any():
            title, colour, hatch = looks.get(name, (name, "#666666", "/"))
            box = {"color": colour, "hatch": hatch, "edgecolor": "black", "linewidth": 0.4}
            axes.bar(np.arange(len(base)), heights, width, base, label=title, **box)
            base += heights
    return base


def below(made: Any, text: str) -> None:
    """A caption under a figure, in lines that fit its width."""
    width = int(CHARACTERS * made.get_figwidth() / COLUMN_INCHES)
    made.supxlabel("\n".join(textwrap.wrap(text, width)), fontsize=8, x=0.01, ha="left")


def save(made: Any, folder: Path, stem: str, formats: Sequence[str] = ("png", "svg")) -> None:
    """Write a figure as png, svg or pdf, the same bytes each time."""
    for name in formats:
        nothing = {
            "png": {"Software": None},
            "svg": {"Date": None},
            "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
        }[name]
        made.savefig(folder / f"{stem}.{name}", dpi=200, metadata=nothing)
