"""Pictures of the claims."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.claims.perceptron import Schedule
from accelsim.devices.base import Cells, Device
from accelsim.noise import Stream
from accelsim.reports.style import below, figure

Floats = NDArray[np.float64]
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
LINES, MARKS = ("-", "--", ":", "-."), "os^D"
YEAR = 365 * 86400.0


def _save(made: Any, folder: Path, stem: str, text: str) -> None:
    below(made, text)
    made.savefig(folder / f"{stem}.png", dpi=200, metadata={"Software": None})


def levels(
    folder: Path, device: Device, goals: Floats, cells: Cells, stream: Stream, stairs: Floats
) -> None:
    """Histograms after programming and after a year; the SET staircase."""
    made, axes = figure(2.8)
    edges = np.linspace(0.0, float(goals[-1]) * 1.2e6, 201)
    for (name, age), colour, line in zip(
        (("after programming", 0.0), ("after a year", YEAR)), COLOURS, LINES, strict=False
    ):
        g = device.read(cells, age, stream.of("picture", name)) * 1e6
        for number, level in enumerate(g):
            count, _ = np.histogram(level, edges)
            axes.stairs(
                100 * count / level.size,
                edges,
                color=colour,
                linestyle=line,
                label=name if number == 0 else None,
            )
    for goal in goals * 1e6:
        axes.axvline(goal, color="#999999", linewidth=0.5, zorder=0)
    axes.set_ylim(0, 12)
    axes.set_xlabel("conductance (uS); grey: targets")
    axes.set_ylabel("cells (% a bin)")
    axes.legend()
    _save(
        made,
        folder,
        "levels",
        f"{device.name}, {cells.target.shape[1]:,} cells a level, one read each; "
        "the lowest level leaves the scale",
    )
    made, axes = figure(2.4)
    pulses = np.arange(len(stairs))
    mean, spread = stairs.mean(axis=1) * 1e6, stairs.std(axis=1) * 1e6
    axes.fill_between(
        pulses,
        mean - spread,
        mean + spread,
        color="#56B4E9",
        alpha=0.4,
        linewidth=0,
        label="one deviation",
    )
    axes.step(
        pulses, stairs[:, 0] * 1e6, where="mid", color="#999999", linewidth=0.8, label="one cell"
    )
    axes.plot(pulses, mean, color=COLOURS[0], label="mean")
    axes.set_xlabel("identical SET pulses (90 uA, 50 ns)")
    axes.set_ylabel("conductance (uS)")
    axes.legend()
    _save(made, folder, "staircase", f"{stairs.shape[1]} cells from RESET")


def multiplication(folder: Path, figures: Mapping[str, float]) -> None:
    """Bits over age at room temperature, raw, scalar and affine."""
    made, axes = figure(2.8)
    ages = {"20 s": 20.0, "1 h": 3600.0, "1 day": 86400.0, "1 year": YEAR}
    for device, colour, mark in zip(
        ("projected", "plain", "pcm_like"), COLOURS, MARKS, strict=False
    ):
        for how, line in zip(("raw", "scalar", "affine"), (":", "--", "-"), strict=True):
            points = [figures[f"{device} {label} 298.15 K {how}"] for label in ages]
            axes.plot(
                list(ages.values()),
                points,
                line,
                color=colour,
                marker=mark,
                markersize=4,
                markerfacecolor="white",
                label=f"{device}, {how}",
            )
    axes.axhline(8.0, color="black", linewidth=0.8, linestyle="--")
    axes.annotate("an ideal 8-bit multiplier", (25, 8.0), (0, 3), textcoords="offset points")
    axes.set_xscale("log")
    axes.set_ylim(0, 9)
    axes.set_xlabel("age of the programmed cells (s)")
    axes.set_ylabel("bits of a product")
    axes.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1.01))
    _save(
        made,
        folder,
        "multiplication",
        "one million products of 20,000 cells, 25 deg C, 8-bit inputs, "
        "Johnson "
        "noise of 30 ns at 0.2 V; projected and plain: parameters of low confidence",
    )


def energy33(
    folder: Path, digital: Callable[[float, float], tuple[float, float]], voltage: float
) -> None:
    """Where 33x holds: conductance over pulse length for several nodes."""
    made, axes = figure(2.8)
    seconds = np.geomspace(1e-9, 3e-7, 100)
    for (node, volts), colour, line in zip(
        ((45.0, 0.9), (22.0, 0.8), (7.0, 0.7)), COLOURS, LINES, strict=False
    ):
        joules = digital(node, volts)[1]
        for ratio, width in ((33.0, 1.6), (1.0, 0.8)):
            axes.plot(
                seconds * 1e9,
                joules / ratio / (voltage**2 * seconds * 0.25) * 1e6,
                line,
                color=colour,
                linewidth=width,
                label=f"{node:g} nm multiply and add, {ratio:g}x",
            )
    axes.plot([30], [25], "k*", markersize=8, label="25 uS, 30 ns")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(0.5, 500)
    axes.set_xlabel("longest pulse (ns)")
    axes.set_ylabel("g_max (uS)")
    axes.legend(ncols=2, loc="lower left", bbox_to_anchor=(0, 1.01))
    _save(
        made,
        folder,
        "energy33",
        f"device boundary, {voltage:g} V, uniform operands (a quarter of full "
        f"scale); below "
        "a line the ratio is larger",
    )


def digits_three(
    folder: Path, figures: Mapping[str, float], devices: list[str], ages: list[str]
) -> None:
    """Accuracy by device and age."""
    made, axes = figure(2.4)
    place = np.arange(len(ages))
    for number, (device, hatch) in enumerate(zip(devices, ("", "//", ".."), strict=False)):
        axes.bar(
            place + 0.27 * (number - 1),
            [100 * figures[f"{device} {age}"] for age in ages],
            0.25,
            color=COLOURS[number],
            hatch=hatch,
            edgecolor="black",
            linewidth=0.4,
            label=device,
        )
    axes.axhline(
        100 * figures["float"], color="black", linestyle="--", linewidth=0.8, label="float"
    )
    axes.axhline(100 / 3, color="#999999", linestyle=":", linewidth=0.8, label="chance")
    axes.set_xticks(place, ages)
    axes.set_ylim(0, 105)
    axes.set_ylabel("digits told apart (%)")
    axes.legend(ncols=5, loc="lower left", bbox_to_anchor=(0, 1.01))
    _save(made, folder, "digits_three", "digits 0, 1, 4; thirty devices; mean of 100 programmings")


def top1(
    axes: Any,
    lines: Mapping[str, Sequence[Sequence[float]]],
    looks: Mapping[str, tuple[str, str, str, str]],
    schedule: Schedule,
    alpha: float,
) -> None:
    """Mean accuracy of several networks over the passes, in a band from least to most. lines: name ->
    network -> accuracy at every look; looks: name -> (colour, line, mark, label); alpha: of the bands."""
    for name, (colour, line, mark, label) in looks.items():
        values = 100 * np.array(lines[name])
        passes = [min(schedule.look * (k + 1), schedule.passes) for k in range(values.shape[1])]
        least, most = values.min(axis=0), values.max(axis=0)
        axes.fill_between(passes, least, most, color=colour, alpha=alpha, linewidth=0)
        kind = {"color": colour, "marker": mark, "markersize": 3.5, "markerfacecolor": "white"}
        axes.plot(passes, values.mean(axis=0), line, label=label, **kind)
    axes.set_ylim(0, 100)


def networks_caption(lines: Mapping[str, Sequence[object]], schedule: Schedule) -> str:
    """What top1 draws, under the figure."""
    networks = len(lines["float"])
    return f"mean of {networks} networks 64-{schedule.hidden}-10; bands: least and most"
