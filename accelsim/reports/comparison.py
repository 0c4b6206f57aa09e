"""Pictures of a comparison: energy by component, the ratio from device to chip, accuracy over age,
levels after programming and a year later. Points as CSV beside each."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.analog.scheme import placed_levels
from accelsim.devices import device_named
from accelsim.energy.bands import Ratio, ratio, weighed
from accelsim.energy.components import component_of
from accelsim.energy.joules import Charge
from accelsim.escaping import CsvWriter, file_stem
from accelsim.noise import Stream
from accelsim.reports.style import COMPONENTS, STACK, below, figure, stacked
from accelsim.results.comparison import Comparison, Side

Floats = NDArray[np.float64]
DIGITAL, PCM = "#0072B2", "#E69F00"
YEAR = 365 * 86400.0
MOST_BARS = 5  # whose names fit in letters of the usual size
CELLS = 20_000  # a level, in the histogram


def draw(found: Comparison, folder: Path) -> None:
    """Write every picture that the comparison has data for: energies and ratios of the chips made
    alike where there are some, values of the chips as they are."""
    energy(found, folder)
    shown = found.headline.sides
    for side, stem in zip(shown[1:], stems([side.chip.name for side in shown])[1:], strict=True):
        waterfall(found, side, folder, f"ratio_{stem}")
    if any(side.aged for side in found.sides):
        values(found, folder)
    for side, stem in zip(found.sides, stems([one.chip.name for one in found.sides]), strict=True):
        if side.analog:
            levels(side, folder, f"levels_{stem}")


def stems(names: Sequence[str]) -> list[str]:
    """A file's stem for each chip's name, numbered from the second of its kind on."""
    found: list[str] = []
    for name in names:
        stem, taken = file_stem(name), 1
        while (stem if taken == 1 else f"{stem}_{taken}").casefold() in map(str.casefold, found):
            taken += 1
        found.append(stem if taken == 1 else f"{stem}_{taken}")
    return found


def by_component(side: Side, batch: int) -> dict[str, float]:
    """Microjoules an inference by component of the pictures."""
    sums = dict.fromkeys(STACK, 0.0)
    for charge in side.main.energy.charges:
        sums[_component(side, charge)] += sum(charge.joules) * 1e6 / batch
    return sums


def _component(side: Side, charge: Charge) -> str:
    memory = side.chip.memories.get(charge.unit)
    return component_of(getattr(memory, "kind", ""), charge.action)


def shown(whole: Comparison) -> list[tuple[list[str], Side]]:
    """The bars of energy: each chip as it is, where some were made alike after each rule that changed it, and by which
    rules it was."""
    found: list[tuple[list[str], Side]] = []
    for number, given in enumerate(whole.sides):
        stages = [(m.by[-1], m.comparison.sides[number]) for m in whole.matched]
        mine: list[tuple[list[str], Side]] = []
        for at, (_, side) in enumerate(stages):
            rules = [rule for rule, one in stages[: at + 1] if one.changed]
            if at == 0 or side.changed:
                mine.append((rules, side))
        found += mine or [([], given)]
    return found


def energy(whole: Comparison, folder: Path) -> None:
    """Stacked energy of every chip, made alike by rule after rule."""
    bars = shown(whole)
    sides = [side for _, side in bars]
    points = [by_component(side, whole.batch) for side in sides]
    _csv(
        folder / "energy_points.csv",
        ["chip", "alike in", *STACK],
        (
            [side.chip.name, " ".join(rules), *point.values()]
            for (rules, side), point in zip(bars, points, strict=True)
        ),
    )
    made, axes = figure(3.4)
    totals = [sum(point.values()) for point in points]
    factor, unit = (1e3, "nJ") if max(totals) < 1.0 else (1.0, "uJ")
    heights = {key: np.array([point[key] for point in points]) * factor for key in STACK}
    tops = stacked(axes, heights, COMPONENTS, 0.6)
    for i, (side, total) in enumerate(zip(sides, totals, strict=True)):
        kind = "PCM" if side.analog else "digital"
        seconds = _with_unit(side.main.seconds / whole.batch, "s")
        axes.annotate(
            f"{kind}\n{_with_unit(total * 1e-6, 'J')}\n{seconds}\n{side.area * 1e6:,.3g} mm2",
            (i, tops[i]),
            (0, 3),
            ha="center",
            textcoords="offset points",
        )
    size = None if len(bars) <= MOST_BARS else 8.5 * MOST_BARS / len(bars)
    axes.set_xticks(range(len(bars)), [_label(*bar) for bar in bars], fontsize=size)
    axes.set_xlim(-0.6, len(bars) - 0.4)
    axes.set_ylim(0, float(tops.max()) * 1.55)
    axes.set_ylabel(f"energy an inference ({unit})")
    axes.legend(ncols=4, loc="lower left", bbox_to_anchor=(0, 1.01))
    boundary = "Boundary: chip, off-chip memory and leakage included; areas are lower bounds"
    _save(made, folder, "energy", whole, boundary)


def _label(rules: Sequence[str], side: Side) -> str:
    """A chip's name, and what it was made alike in."""
    return "\n".join([side.chip.name, *(f"equal {rule}" for rule in rules)])


def _with_unit(value: float, unit: str) -> str:
    """A quantity with the prefix that leaves one to three digits before the point."""
    sizes = {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
    prefix = next((name for name, size in sizes.items() if value >= size), "n")
    return f"{value / sizes[prefix]:,.4g} {prefix}{unit}"


def ratio_steps(found: Comparison, side: Side) -> list[tuple[str, Ratio]]:
    """The ratio of energies, with its band, as component after component comes in, from device to
    chip."""
    first = found.sides[0]
    device = ("mac", "cells")
    steps = []
    for number, key in enumerate(STACK[1:], 1):
        inside = set(device) | set(STACK[2 : number + 1])
        parts = [
            [charge for charge in one.main.energy.charges if _component(one, charge) in inside]
            for one in (first, side)
        ]
        if key not in device and not any(
            _component(one, charge) == key and sum(charge.joules)
            for one in (first, side)
            for charge in one.main.energy.charges
        ):
            continue
        name = "device: multiply or cell" if key in device else COMPONENTS[key][0]
        steps.append((name, ratio(*(weighed(part) for part in parts))))
    return steps


def waterfall(whole: Comparison, side: Side, folder: Path, stem: str) -> None:
    """The ratio of energies as component after component comes in, from device to chip."""
    found = whole.headline
    steps = ratio_steps(found, side)
    _csv(
        folder / f"{stem}_points.csv",
        ["up to", "ratio", "smallest", "largest"],
        (
            [name, *(x if np.isfinite(x) else "" for x in (one.value, one.low, one.high))]
            for name, one in steps
        ),
    )
    made, axes = figure(3.0)
    axes.set_yscale("log")
    shown = [(i, one) for i, (_, one) in enumerate(steps) if np.isfinite(one.value)]
    ends = [x for _, one in shown for x in (one.value, one.low, one.high)]
    bottom = min([1.0, *(x for x in ends if x > 0)]) / 1.5
    top = max([1.0, *(x for x in ends if np.isfinite(x))]) * 1.5
    before = 1.0
    for i, one in shown:
        _ratio_step(axes, i, before, one, (bottom, top))
        before = one.value
    axes.axhline(1.0, color="black", linewidth=0.8, linestyle="--")
    axes.set_ylim(bottom, top)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlim(-0.5, len(steps) - 0.25)
    axes.set_xticks(
        range(len(steps)),
        ["\n".join(textwrap.wrap(name, 10, break_long_words=False)) for name, _ in steps],
    )
    names = [one.chip.name for one in (found.sides[0], side)]
    axes.set_ylabel("energy of {}\nover {}".format(*names) + ", matched" * bool(whole.matched))
    more = (
        "Each step adds one component to both chips, from the multiplication to the chip boundary; "
        "lines: the constants' bands, those that both sides share moving together"
        + ("; an arrow: no upper end" if any(not np.isfinite(one.high) for _, one in shown) else "")
    )
    _save(made, folder, stem, whole, more)


def _ratio_step(axes: Any, at: int, before: float, one: Ratio, ends: tuple[float, float]) -> None:
    """From the ratio before a component to the one with it, its figure, and its band inside the axis' ends."""
    bottom, top = ends
    rises, open_up = one.value >= before, not np.isfinite(one.high)
    axes.bar(
        at,
        abs(one.value - before),
        0.34,
        min(before, one.value),
        color="#009E73" if rises else "#D55E00",
        edgecolor="black",
        linewidth=0.4,
        hatch="" if rises else "//",
    )
    axes.errorbar(
        [at],
        [one.value],
        [[one.value - max(one.low, bottom)], [(top if open_up else one.high) - one.value]],
        color="black",
        capsize=0 if open_up else 2,
        elinewidth=0.8,
        marker="o",
        markersize=3,
    )
    if open_up:
        axes.plot([at], [top], "^", color="black", markersize=4, clip_on=False)
    axes.annotate(
        f"{one.value:.2f}",
        (at, one.value),
        (11, 0),
        textcoords="offset points",
        va="center",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
    )


def values(found: Comparison, folder: Path) -> None:
    """Top-1, or signal to noise without labels, over age."""
    labelled = any(x is not None for side in found.sides for aged in side.aged for x in aged.top1)
    rows = []
    made, axes = figure(3.0)
    for number, side in enumerate(found.sides):
        marks = "os^Dv"[number % 5]
        for kelvin in sorted({aged.temperature for aged in side.aged}):
            mine = [aged for aged in side.aged if aged.temperature == kelvin]
            series = [
                [100 * x for x in aged.top1 if x is not None] if labelled else aged.decibels
                for aged in mine
            ]
            mean = [float(np.mean(x)) for x in series]
            spread = [float(np.std(x, ddof=1)) if len(x) > 1 else 0.0 for x in series]
            rows += [
                [side.chip.name, aged.age, kelvin, m, s]
                for aged, m, s in zip(mine, mean, spread, strict=True)
            ]
            if not side.analog:
                axes.axhline(
                    mean[0],
                    color=DIGITAL,
                    linestyle=("--", ":", "-.")[number % 3],
                    label=f"{side.chip.name} (digital)",
                )
                continue
            label = f"{side.chip.name} (PCM, {kelvin:g} K)"
            axes.errorbar(
                [max(1.0, aged.age) for aged in mine],
                mean,
                spread,
                marker=marks,
                capsize=2,
                color=PCM if number % 2 else "#882255",
                markerfacecolor="white",
                label=label,
            )
    _csv(
        folder / "values_points.csv", ["chip", "age_s", "temperature_K", "mean", "deviation"], rows
    )
    axes.set_xscale("log")
    axes.set_xlabel("age of the programmed cells (s)")
    axes.set_ylabel("top-1 (%)" if labelled else "signal to noise of the output (dB)")
    axes.legend()
    _save(made, folder, "values", found, "Bars: one standard deviation over programmings", False)


def level_points(side: Side) -> tuple[Floats, list[tuple[str, Floats]]]:
    """(levels, [(when, conductances (levels, cells))]) of a chip's device; eight where it has
    none."""
    crossbar = side.chip.crossbar
    assert crossbar is not None
    device, scheme = device_named(crossbar.device), crossbar.cells
    chosen = placed_levels(device, scheme)
    if chosen is None:
        chosen = np.linspace(device.g_min, device.g_max, 8)
    stream = Stream(crossbar.seed, ("level histogram",))
    cells = device.program(np.repeat(chosen[:, None], CELLS, axis=1), stream)
    whens = (("just programmed", 0.0), ("after a year", YEAR))
    seen = [
        (name, device.read(cells, age, stream.of("read", number)))
        for number, (name, age) in enumerate(whens)
    ]
    return chosen, seen


def levels(side: Side, folder: Path, stem: str) -> None:
    """Histogram of the conductance levels after programming and after a year."""
    chosen, seen = level_points(side)
    assert side.chip.crossbar is not None
    made, axes = figure(2.6)
    high = float(chosen[-1]) * 1.25e6
    edges = np.linspace(0.0, high, 251)
    rows = []
    for (name, g), colour, style in zip(seen, (DIGITAL, "#D55E00"), ("-", "--"), strict=True):
        for number, level in enumerate(g):
            count, _ = np.histogram(level * 1e6, edges)
            axes.stairs(
                count / CELLS * 100,
                edges,
                color=colour,
                linestyle=style,
                linewidth=0.9,
                label=name if number == 0 else None,
            )
            rows.append(
                [
                    name,
                    float(chosen[number] * 1e6),
                    float(level.mean() * 1e6),
                    float(level.std() * 1e6),
                ]
            )
    for level in chosen * 1e6:
        axes.axvline(level, color="#999999", linewidth=0.5, zorder=0)
    _csv(folder / f"{stem}_points.csv", ["when", "target_uS", "mean_uS", "deviation_uS"], rows)
    tall = max(float(np.histogram(level * 1e6, edges)[0].max()) for _, g in seen for level in g[1:])
    axes.set_ylim(0, 130 * tall / CELLS)
    axes.set_xlabel("conductance (uS); grey: targets")
    axes.set_ylabel("cells (% a bin)")
    axes.legend()
    text = (
        f"{len(chosen)} levels of {side.chip.crossbar.device}, {CELLS:,} cells each, one read; "
        "the lowest may leave the scale"
    )
    below(made, text)
    made.savefig(folder / f"{stem}.png", dpi=200, metadata={"Software": None})


def _alike(found: Comparison) -> str:
    """What was made alike, in a sentence."""
    if not found.matched:
        return (
            ""
            if found.alike
            else " Chips as their files say: memories, area and weights' place differ."
        )
    matched = found.matched[-1]
    model = matched.comparison.sides[matched.model].chip.name
    return (
        f" Matched: {', '.join(matched.by)}, one on top of the other; memory and area are those of {model}, "
        "the latency the slowest's; comparison.json says which keys were changed."
    )


def _save(
    made: Any, folder: Path, stem: str, found: Comparison, more: str, as_shown: bool = True
) -> None:
    work = found.sides[0].main.workload
    shown = found.headline if as_shown else found
    chips = "; ".join(
        f"{side.chip.name}: {side.chip.technology.node * 1e9:g} nm "
        f"{side.chip.technology.voltage:g} V, weights {side.chip.weights_said}"
        for side in shown.sides
    )
    text = (
        f"{work.name}, batch {found.batch}, {work.macs / found.batch:,.4g} MAC an inference. {more}. "
        f"{chips}.{_alike(found) if as_shown else ''}"
    )
    below(made, text)
    made.savefig(folder / f"{stem}.png", dpi=200, metadata={"Software": None})


def _csv(path: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = CsvWriter(file)
        writer.writerow(head)
        writer.writerows(rows)
