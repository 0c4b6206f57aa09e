"""Training in 16-bit fixed point, as Gupta et al. did it: rounded to nearest or by chance."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from accelsim.claims.claim import Claim, Table
from accelsim.claims.perceptron import Arithmetic, Schedule, train
from accelsim.units.accumulation import Accumulation

WORD, ADDER = 16, 48  # bits of a value, and of the accumulator of a DSP slice
FRACTIONS = (8, 10, 12)
ROUNDINGS = ("nearest_even", "stochastic")
#: rate / batch is 2^-9, so that an update is a shift; first weights N(0, 0.01) as in the paper
SCHEDULE = Schedule(hidden=100, rate=0.125, batch=64, passes=40, deviation=0.01)
PUBLISHED = {"float": 0.968, "8 nearest_even": 0.078, "8 stochastic": 0.969}


def fixed(fraction: int, rounding: str) -> Arithmetic:
    """16-bit fixed point with FL fraction bits for every value; sums are exact in 48 bits and rounded once."""
    name = f"fixed_{WORD - fraction}_{fraction}"
    exact = Accumulation(f"fixed_{ADDER - 2 * fraction}_{2 * fraction}", overflow="wrap")
    return Arithmetic(name, exact, rounding, name, rounding)


def compute(
    seed: int, runs: int = 5, schedule: Schedule = SCHEDULE, fractions: tuple[int, ...] = FRACTIONS
) -> Claim:
    """The claim's figures. runs: networks, each with its own first weights and order of images."""
    ways = {"float": Arithmetic()}
    ways |= {
        f"{fraction} {how}": fixed(fraction, how) for how in ROUNDINGS for fraction in fractions
    }
    lines = {
        name: [train(how, schedule, seed + run).accuracy for run in range(runs)]
        for name, how in ways.items()
    }
    figures: dict[str, float] = {}
    rows = []
    for name, found in lines.items():
        last = np.array([one[-1] for one in found])
        spread = float(last.std(ddof=1)) if runs > 1 else 0.0
        figures |= {name: float(last.mean()), f"{name} deviation": spread}
        split = ["FP32", "nearest"]
        if name != "float":
            bits, rounding = name.split()
            split = [f"<{WORD - int(bits)}, {bits}>", rounding]
        known = f"{100 * PUBLISHED[name]:.1f}" if name in PUBLISHED else "-"
        rows.append(
            [
                *split,
                f"{100 * last.mean():.1f}",
                f"{100 * spread:.1f}",
                f"{100 * last.min():.1f}",
                f"{100 * last.max():.1f}",
                f"{100 * (last.mean() - figures['float']):+.1f}",
                known,
            ]
        )
    gaps = [figures[f"{fraction} stochastic"] - figures["float"] for fraction in fractions]
    figures["worst stochastic gap"] = float(min(gaps))
    verdict = (
        f"16-bit fixed point, FL {fractions[0]}: nearest "
        f"{100 * figures[f'{fractions[0]} nearest_even']:.1f} %, "
        f"stochastic {100 * figures[f'{fractions[0]} stochastic']:.1f} %, float {100 * figures['float']:.1f} % "
        f"(measured before by others: 7.8, 96.9, 96.8 %); stochastic is "
        + ", ".join(f"{100 * gap:+.2f}" for gap in gaps)
        + f" points from float with FL {', '.join(map(str, fractions))}"
    )
    return Claim(
        "limited_precision",
        "16-bit fixed point with stochastic rounding trains as well as 32-bit floating "
        "point; "
        "rounding to nearest does not (Gupta et al., ICML 2015)",
        verdict,
        figures,
        [
            Table(
                f"{runs} networks 64-{schedule.hidden}-10, {schedule.passes} passes",
                [
                    "<IL, FL>",
                    "rounding",
                    "mean %",
                    "deviation",
                    "least",
                    "most",
                    "from float",
                    "known %",
                ],
                rows,
            )
        ],
        [
            f"weights, biases, activations and errors are <IL, FL>, saturating; products are exact in "
            f"{ADDER}-bit sums, "
            "rounded once; an update is the sum shifted, added and rounded once",
            f"plain SGD, rate {schedule.rate:g}, {schedule.batch} images a step, first weights N(0, "
            f"{schedule.deviation:g}) as in the paper; softmax in float64, its error rounded; a score that "
            f"saturates "
            "gets no error that pushes it further",
            f"seeds {seed} to {seed + runs - 1}",
        ],
        "stochastic within 0.5 points of float, nearest at FL 8 below 20 %; one image is 0.2 points",
        [
            "MNIST and CIFAR-10, which the paper used, nor its convolutional networks",
            "that nearest at FL 8 fails from any start: with larger first weights (deviation 0.13) it learns",
            "FL 12 without the guard on saturated scores: it learns for 45 passes, then falls below 30 %",
        ],
        lambda folder: _draw(folder, lines, schedule, fractions),
    )


def _draw(
    folder: Path,
    lines: dict[str, list[list[float]]],
    schedule: Schedule,
    fractions: tuple[int, ...],
) -> None:
    from accelsim.reports.style import below, figure, save

    made, axes, _ = figure(2.8)
    made.clear()
    panels = made.subplots(1, len(ROUNDINGS), sharey=True, squeeze=False)[0]
    passes = [min(schedule.look * (k + 1), schedule.passes) for k in range(len(lines["float"][0]))]
    looks = (("#0072B2", "-", "s"), ("#E69F00", "-.", "^"), ("#009E73", ":", "D"))
    for axes, how in zip(panels, ROUNDINGS, strict=True):
        drawn = [("float", "FP32", ("black", "--", "o"))]
        drawn += [
            (f"{fraction} {how}", f"<{WORD - fraction}, {fraction}>", look)
            for fraction, look in zip(fractions, looks, strict=False)
        ]
        for name, label, (colour, line, mark) in drawn:
            values = 100 * np.array(lines[name])
            axes.fill_between(
                passes,
                values.min(axis=0),
                values.max(axis=0),
                color=colour,
                alpha=0.12,
                linewidth=0,
            )
            axes.plot(
                passes,
                values.mean(axis=0),
                line,
                color=colour,
                marker=mark,
                markersize=3.5,
                markerfacecolor="white",
                label=label,
            )
        axes.set_title(
            {"nearest_even": "rounded to nearest", "stochastic": "rounded stochastically"}[how],
            loc="left",
        )
        axes.set_xlabel("passes over the training images")
        axes.set_ylim(0, 100)
    panels[0].set_ylabel("top-1 of the test images (%)")
    panels[-1].legend(loc="lower right")
    below(
        made,
        f"mean of {len(lines['float'])} networks 64-{schedule.hidden}-10; bands: least and most",
    )
    save(made, folder, "limited_precision")
