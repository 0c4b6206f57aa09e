"""How bases look in every picture of a sweep, and how panels are laid out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from accelsim.reports.style import blank
from accelsim.reports.sweeps.base import View
from accelsim.reports.sweeps.scale import SHARES, age_text
from accelsim.reports.sweeps.table import Bools

#: colours dark against light between technologies, round or square against pointed markers, so that a grey
#: print and a colour-blind reader tell them apart
DIGITAL = (
    ("#0072B2", "o", "-", ""),
    ("#56B4E9", "s", "--", "//"),
    ("#00334D", "h", ":", ".."),
    ("#4C72B0", "8", "-.", "--"),
)
PCM = (
    ("#E69F00", "D", "-", "oo"),
    ("#D55E00", "^", "--", "xx"),
    ("#F6C75E", "v", ":", "||"),
    ("#8C4A00", "*", "-.", "++"),
)
MOST_PANELS = 4


@dataclass(frozen=True, slots=True)
class Look:
    """Of a base: its label says the technology too."""

    colour: str
    marker: str
    line: str
    hatch: str
    label: str


def bases_of(view: View) -> list[str]:
    """Names of the bases in the sweep's order."""
    seen = [str(name) for name in view.designs.base.values]
    return [name for name in view.context.bases if name in seen] + [
        name for name in seen if name not in view.context.bases
    ]


def works_of(view: View, rows: Bools | None = None) -> list[str]:
    """Names of the workloads that have rows, in the sweep's order."""
    seen = [
        str(name)
        for name in view.designs.work.values
        if rows is None or (rows & view.designs.work.where(name)).any()
    ]
    return [name for name in view.context.works if name in seen] + [
        name for name in seen if name not in view.context.works
    ]


def looks_of(view: View) -> dict[str, Look]:
    """A look for every base."""
    found, counts = {}, {False: 0, True: 0}
    for name in bases_of(view):
        rows = view.designs.base.where(name)
        analog = bool(view.designs.analog[rows].any())
        table = PCM if analog else DIGITAL
        found[name] = Look(
            *table[counts[analog] % len(table)], f"{name} ({'PCM' if analog else 'digital'})"
        )
        counts[analog] += 1
    return found


def panels(count: int, height: float, across: int = 2, **more: Any) -> tuple[Any, list[Any]]:
    """(figure, axes of each panel) of column width; at most ``across`` beside each other."""
    wide = min(count, across)
    deep = -(-count // wide)
    made = blank(height * deep + 0.5)
    axes = list(made.subplots(deep, wide, squeeze=False, **more).ravel())
    for spare in axes[count:]:
        spare.remove()
    return made, axes[:count]


def legend_above(figure: Any, axes: Sequence[Any], columns: int = 4) -> None:
    """One legend for all panels, each label once, above them."""
    found: dict[str, Any] = {}
    for one in axes:
        for handle, label in zip(*one.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    names = sorted(found, key=lambda label: (label.endswith("(PCM)"), 0))  # digital first
    if found:
        figure.legend(
            [found[name] for name in names],
            names,
            loc="outside upper left",
            ncols=min(columns, len(found)),
        )


def left_out(kind: str, names: Sequence[str]) -> list[str]:
    """The note about panels that had no room."""
    return [f"{kind.capitalize()} left out for room: {', '.join(names)}"] if names else []


def log_axis(axes: Any, axis: str) -> None:
    """A logarithmic axis with plain numbers, or powers of ten beyond 100,000 or below 0.001; labels
    also between decades where it spans few of them."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    getattr(axes, f"set_{axis}scale")("log")
    own = getattr(axes, f"{axis}axis")
    low, high = getattr(axes, f"get_{axis}lim")()
    decades = math.log10(high / low) if low > 0 else 1.0
    steps = (1.0, 2.0, 5.0) if decades < 1.5 else (1.0, 3.0) if decades < 2.4 else (1.0,)
    own.set_major_locator(LogLocator(subs=steps))
    plain = low >= 1e-3 and high < 1e5
    own.set_major_formatter(
        FuncFormatter(
            lambda value, _: f"{value:,.6g}" if plain else f"$10^{{{math.log10(value):.3g}}}$"
        )
    )
    own.set_minor_formatter(NullFormatter())


def share_axis(axes: Any, axis: str, measure: str) -> None:
    """Keep the axis of a share within 0 and 100 %, with room for marks that stand there."""
    if measure in SHARES:
        low, high = getattr(axes, f"get_{axis}lim")()
        low = max(low, 0.0)
        getattr(axes, f"set_{axis}lim")(low, min(high, 100.0 + 0.03 * (100.0 - low)))


def age_axis(axes: Any, ages: Sequence[float]) -> None:
    """A logarithmic axis of ages in s, with the ages' names where they have room."""
    from matplotlib.ticker import NullLocator

    axes.set_xscale("log")
    kept: list[float] = []
    for age in sorted({max(1.0, age) for age in ages}):
        if not kept or math.log10(age / kept[-1]) > 0.9:
            kept.append(age)
    axes.set_xticks(kept, [age_text(age) for age in kept])
    axes.xaxis.set_minor_locator(NullLocator())
