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
from accelsim.energy.components import component_of
from accelsim.escaping import CsvWriter, file_stem
from accelsim.noise import Stream
from accelsim.report.style import COMPONENTS, below, figure
from accelsim.results.compare import Comparison, Side

Floats = NDArray[np.float64]
DIGITAL, PCM = "#0072B2", "#E69F00"
YEAR = 365 * 86400.0
CELLS = 20_000  # a level, in the histogram
ORDER = ("mac", "cells", "converters", "drivers", "register", "sram", "vector", "leakage", "bus", "dram",
         "writing")  # fmt: skip


def draw(found: Comparison, folder: Path) -> None:
    """Write every picture that the comparison has data for."""
    energy(found, folder)
    for side in found.sides[1:]:
        waterfall(found, side, folder, f"ratio_{file_stem(side.chip.name)}")
    if any(side.aged for side in found.sides):
        values(found, folder)
    for side in found.sides:
        if side.analog:
            levels(side, folder, f"levels_{file_stem(side.chip.name)}")


def by_component(side: Side, batch: int) -> dict[str, float]:
    """Microjoules an inference by component of the pictures."""
    sums = dict.fromkeys(ORDER, 0.0)
    for row in side.main.energy.rows:
        memory = side.chip.memories.get(row.unit)
        sums[component_of(getattr(memory, "kind", ""), row.action)] += row.joules * 1e6 / batch
    return sums


def energy(found: Comparison, folder: Path) -> None:
    """Stacked energy of every chip."""
    names = [side.chip.name for side in found.sides]
    points = [by_component(side, found.batch) for side in found.sides]
    _csv(folder / "energy_points.csv", ["chip", *ORDER],
         ([name, *point.values()] for name, point in zip(names, points, strict=True)))  # fmt: skip
    made, axes, _ = figure(3.4)
    place, base = np.arange(len(names)), np.zeros(len(names))
    factor, unit = (1e3, "nJ") if max(sum(point.values()) for point in points) < 1.0 else (1.0, "uJ")
    for key in ORDER:
        heights = np.array([point[key] for point in points])
        if heights.any():
            title, colour, hatch = COMPONENTS[key]
            axes.bar(place, heights * factor, 0.6, base * factor, label=title, color=colour, hatch=hatch,
                     edgecolor="black", linewidth=0.4)  # fmt: skip
            base += heights
    for i, side in enumerate(found.sides):
        kind = "PCM" if side.analog else "digital"
        seconds = _with_unit(side.main.seconds / found.batch, "s")
        axes.annotate(f"{kind}, {_with_unit(base[i] * 1e-6, 'J')}\n{seconds}", (i, base[i] * factor), (0, 3),
                      ha="center", textcoords="offset points")  # fmt: skip
    axes.set_xticks(place, names)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_ylim(0, float(base.max()) * factor * 1.16)
    axes.set_ylabel(f"energy an inference ({unit})")
    axes.legend(ncols=4, loc="lower left", bbox_to_anchor=(0, 1.01))
    _save(made, folder, "energy", found, "Boundary: chip, off-chip memory and leakage included")


def _with_unit(value: float, unit: str) -> str:
    """A quantity with the prefix that leaves one to three digits before the point."""
    sizes = {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
    prefix = next((name for name, size in sizes.items() if value >= size), "n")
    return f"{value / sizes[prefix]:,.4g} {prefix}{unit}"


def waterfall(found: Comparison, side: Side, folder: Path, stem: str) -> None:
    """The ratio of energies as component after component comes in, from device to chip."""
    first, own = (by_component(s, found.batch) for s in (found.sides[0], side))
    steps = [("device: multiply or cell",
              _over(first["mac"] + first["cells"], own["mac"] + own["cells"]))]  # fmt: skip
    top, below = first["mac"] + first["cells"], own["mac"] + own["cells"]
    for key in ORDER[2:]:
        if not first[key] and not own[key]:
            continue
        top, below = top + first[key], below + own[key]
        steps.append((COMPONENTS[key][0], _over(top, below)))
    _csv(folder / f"{stem}_points.csv", ["up to", "ratio"], steps)
    made, axes, _ = figure(3.0)
    before = 0.0
    for i, (_, ratio) in enumerate(steps):
        if not np.isfinite(ratio):
            continue
        low, high = min(before, ratio), max(before, ratio)
        colour = "#009E73" if ratio >= before else "#D55E00"
        axes.bar(i, high - low, 0.7, low, color=colour, edgecolor="black", linewidth=0.4,
                 hatch="" if ratio >= before else "//")  # fmt: skip
        axes.annotate(f"{ratio:.2f}", (i, high), (0, 2), textcoords="offset points", ha="center")
        before = ratio
    axes.axhline(1.0, color="black", linewidth=0.8, linestyle="--")
    axes.set_xticks(range(len(steps)), ["\n".join(textwrap.wrap(name, 10, break_long_words=False))
                                        for name, _ in steps])  # fmt: skip
    axes.set_ylabel(f"energy of {found.sides[0].chip.name}\nover {side.chip.name}")
    axes.margins(y=0.15)
    _save(made, folder, stem, found, "Each bar adds one component to both chips; the last is the chip boundary")


def _over(top: float, below: float) -> float:
    return top / below if below else float("nan")


def values(found: Comparison, folder: Path) -> None:
    """Top-1, or signal to noise without labels, over age."""
    labelled = any(x is not None for side in found.sides for aged in side.aged for x in aged.top1)
    rows = []
    made, axes, _ = figure(3.0)
    for number, side in enumerate(found.sides):
        marks = "os^Dv"[number % 5]
        for kelvin in sorted({aged.temperature for aged in side.aged}):
            mine = [aged for aged in side.aged if aged.temperature == kelvin]
            series = [[100 * x for x in aged.top1 if x is not None] if labelled else aged.decibels
                      for aged in mine]  # fmt: skip
            mean = [float(np.mean(x)) for x in series]
            spread = [float(np.std(x, ddof=1)) if len(x) > 1 else 0.0 for x in series]
            rows += [[side.chip.name, aged.age, kelvin, m, s] for aged, m, s in
                     zip(mine, mean, spread, strict=True)]  # fmt: skip
            if not side.analog:
                axes.axhline(mean[0], color=DIGITAL, linestyle=("--", ":", "-.")[number % 3],
                             label=f"{side.chip.name} (digital)")  # fmt: skip
                continue
            label = f"{side.chip.name} (PCM, {kelvin:g} K)"
            axes.errorbar([max(1.0, aged.age) for aged in mine], mean, spread, marker=marks, capsize=2,
                          color=PCM if number % 2 else "#882255", markerfacecolor="white",
                          label=label)  # fmt: skip
    _csv(folder / "values_points.csv", ["chip", "age_s", "temperature_K", "mean", "deviation"], rows)
    axes.set_xscale("log")
    axes.set_xlabel("age of the programmed cells (s)")
    axes.set_ylabel("top-1 (%)" if labelled else "signal to noise of the output (dB)")
    axes.legend()
    _save(made, folder, "values", found, "Bars: one standard deviation over programmings")


def level_points(side: Side) -> tuple[Floats, list[tuple[str, Floats]]]:
    """(levels, [(when, conductances (levels, cells))]) of a chip's device; eight where it has none."""
    crossbar = side.chip.crossbar
    assert crossbar is not None
    device, scheme = device_named(crossbar.device), crossbar.cells
    chosen = placed_levels(device, scheme)
    if chosen is None:
        chosen = np.linspace(device.g_min, device.g_max, 8)
    stream = Stream(crossbar.seed, ("level histogram",))
    cells = device.program(np.repeat(chosen[:, None], CELLS, axis=1), stream)
    whens = (("just programmed", 0.0), ("after a year", YEAR))
    seen = [(name, device.read(cells, age, stream.of("read", number)))
            for number, (name, age) in enumerate(whens)]  # fmt: skip
    return chosen, seen


def levels(side: Side, folder: Path, stem: str) -> None:
    """Histogram of the conductance levels after programming and after a year."""
    chosen, seen = level_points(side)
    assert side.chip.crossbar is not None
    made, axes, _ = figure(2.6)
    high = float(chosen[-1]) * 1.25e6
    edges = np.linspace(0.0, high, 251)
    rows = []
    for (name, g), colour, style in zip(seen, (DIGITAL, "#D55E00"), ("-", "--"), strict=True):
        for number, level in enumerate(g):
            count, _ = np.histogram(level * 1e6, edges)
            axes.stairs(count / CELLS * 100, edges, color=colour, linestyle=style, linewidth=0.9,
                        label=name if number == 0 else None)  # fmt: skip
            rows.append([name, float(chosen[number] * 1e6), float(level.mean() * 1e6),
                         float(level.std() * 1e6)])  # fmt: skip
    for level in chosen * 1e6:
        axes.axvline(level, color="#999999", linewidth=0.5, zorder=0)
    _csv(folder / f"{stem}_points.csv", ["when", "target_uS", "mean_uS", "deviation_uS"], rows)
    tall = max(float(np.histogram(level * 1e6, edges)[0].max()) for _, g in seen for level in g[1:])
    axes.set_ylim(0, 130 * tall / CELLS)
    axes.set_xlabel("conductance (uS); grey: targets")
    axes.set_ylabel("cells (% a bin)")
    axes.legend()
    text = (f"{len(chosen)} levels of {side.chip.crossbar.device}, {CELLS:,} cells each, one read; "
            "the lowest may leave the scale")  # fmt: skip
    below(made, text)
    made.savefig(folder / f"{stem}.png", dpi=200, metadata={"Software": None})


def _save(made: Any, folder: Path, stem: str, found: Comparison, more: str) -> None:
    work = found.sides[0].main.workload
    chips = "; ".join(f"{side.chip.name}: {side.chip.technology.node * 1e9:g} nm "
                      f"{side.chip.technology.voltage:g} V, weights {side.chip.weights}"
                      for side in found.sides)  # fmt: skip
    text = (f"{work.name}, batch {found.batch}, {work.macs / found.batch:,.4g} MAC an inference. {more}. "
            f"{chips}.")  # fmt: skip
    below(made, text)
    made.savefig(folder / f"{stem}.png", dpi=200, metadata={"Software": None})


def _csv(path: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = CsvWriter(file)
        writer.writerow(head)
        writer.writerows(rows)
