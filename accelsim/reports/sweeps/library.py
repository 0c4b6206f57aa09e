"""Plots by name: files of plots/ and classes that installed packages offer as entry points."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import EntryPoint

from accelsim.errors import InputError, Problem
from accelsim.offered import modules_of, offered
from accelsim.reports.sweeps import plots as here
from accelsim.reports.sweeps.base import Plot

GROUP = "accelsim.plots"
#: the order on the page; others follow by name
ORDER = (
    "table",
    "pareto",
    "crossover",
    "energy",
    "accuracy",
    "sensitivity",
    "heatmap",
    "parallel",
    "roofline",
    "utilisation",
    "timeline",
)


@dataclass(frozen=True, slots=True)
class Library:
    """plots: by name, in the page's order. own: names of accelsim's. broken: entry points that give no plot,
    with the reason."""

    plots: dict[str, Plot]
    own: tuple[str, ...]
    broken: dict[str, str] = field(default_factory=dict)


@lru_cache(maxsize=1)
def own_plots() -> dict[str, Plot]:
    """One Plot for each file of plots/."""
    found: dict[str, Plot] = {}
    for loaded in modules_of(here):
        for item in vars(loaded).values():
            if (
                isinstance(item, type)
                and issubclass(item, Plot)
                and item.__module__ == loaded.__name__
            ):
                made = item()
                assert made.name not in found, made.name
                found[made.name] = made
    return found


def library(points: list[EntryPoint] | None = None) -> Library:
    """All plots. points: entry points, default those of installed packages."""
    own = own_plots()
    found, broken = dict(own), {}
    for point in offered(GROUP) if points is None else points:
        try:
            made = point.load()()
        except Exception as error:  # a package of somebody else: said, and the others are drawn
            broken[point.name] = f"{point.value} cannot be loaded: {type(error).__name__}: {error}"[
                :200
            ]
            continue
        reason = _wrong(made, found)
        if reason:
            broken[point.name] = f"{point.value} {reason}"
        else:
            found[made.name] = made
    order = sorted(
        found, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name)
    )
    return Library({name: found[name] for name in order}, tuple(own), broken)


def _wrong(made: object, found: dict[str, Plot]) -> str:
    if not isinstance(made, Plot):
        return "is no accelsim.reports.sweeps.Plot"
    texts = [getattr(made, name, None) for name in ("name", "title", "question")]
    if not all(isinstance(text, str) and text for text in texts):
        return "has no name, title and question"
    if not made.name.replace("_", "").isalnum() or made.name in found:
        return f"has the name {made.name!r}, which is taken or has other letters than a-z and _"
    return ""


def chosen(words: tuple[str, ...], known: Library) -> list[tuple[Plot, tuple[str, ...]]]:
    """(plot, options) of each --plot, all of them without any. InputError for an unknown name or options where
    none may be."""
    if not words:
        return [(plot, ()) for plot in known.plots.values()]
    found, problems = [], []
    for word in words:
        name, _, rest = word.partition(":")
        options = tuple(part.strip() for part in rest.split(",")) if rest else ()
        plot = known.plots.get(name)
        if plot is None:
            more = f" ({known.broken[name]})" if name in known.broken else ""
            problems.append(
                Problem(
                    "plot.name",
                    f"no plot {name!r}{more}",
                    "choose from " + ", ".join(known.plots),
                    file="--plot",
                )
            )
        elif options and not plot.options:
            problems.append(
                Problem(
                    "plot.options",
                    f"{name} takes nothing after its name",
                    f"write --plot {name}",
                    file="--plot",
                )
            )
        else:
            found.append((plot, options))
    if problems:
        raise InputError(problems)
    return found
