"""Weights of few bits, updated by steps smaller than their spacing: rounded to nearest or by chance."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from accelsim.claims.claim import Claim, Table
from accelsim.claims.perceptron import Arithmetic, Schedule, top1, train
from accelsim.formats.minifloat import minifloat

#: sign, 6 exponent bits, 5 mantissa bits
STORED = minifloat("weight_165", 6, 5)
SCHEDULE = Schedule(hidden=100, rate=0.01, batch=64, passes=80)
PRODUCTS = "fp16_169"
WAYS = {
    "float": Arithmetic(PRODUCTS),
    "nearest": Arithmetic(PRODUCTS, weight=STORED),
    "stochastic": Arithmetic(PRODUCTS, weight=STORED, weight_rounding="stochastic"),
}
PUBLISHED = {"nearest": 0.489, "stochastic": 0.924, "float": 0.923}


def compute(seed: int, runs: int = 5, schedule: Schedule = SCHEDULE) -> Claim:
    """The claim's figures. runs: networks, each with its own first weights and order of images."""
    trained = {
        name: [train(how, schedule, seed + run) for run in range(runs)]
        for name, how in WAYS.items()
    }
    figures: dict[str, float] = {}
    rows = []
    for name, found in trained.items():
        mean, deviation, least, most = top1([one.accuracy for one in found])
        moved = float(np.mean([one.moved for one in found]))
        figures |= {name: mean, f"{name} deviation": deviation, f"{name} moved": moved}
        shares = (mean, deviation, least, most, moved, PUBLISHED[name])
        rows.append([name, *(f"{100 * share:.1f}" for share in shares)])
    verdict = (
        f"top-1 after {schedule.passes} passes, weights of 5 mantissa bits: nearest "
        f"{100 * figures['nearest']:.1f} %, stochastic {100 * figures['stochastic']:.1f} %, FP32 weights "
        f"{100 * figures['float']:.1f} % (measured before by others with settings not kept: 48.9, 92.4 and "
        "92.3 %)"
    )
    head = ["update", "mean %", "deviation", "least", "most", "weights moved a step %", "known %"]
    return Claim(
        "stochastic_update",
        "stochastic rounding of the weight update keeps training in few bits going, rounding to nearest does "
        "not (Gupta et al., ICML 2015; Wang et al., NeurIPS 2018)",
        verdict,
        figures,
        [Table(f"{runs} networks 64-{schedule.hidden}-10, {schedule.passes} passes", head, rows)],
        [
            f"plain SGD, rate {schedule.rate:g}, {schedule.batch} images a step; weights stored as 1-6-5, "
            "rounded once an update, 16 random bits",
            "only the update differs: in all three, operands of products are 1-6-9 and sums FP32",
            f"seeds {seed} to {seed + runs - 1}: first weights, order of images, random bits",
        ],
        "stochastic against FP32 weights: one point; nearest: some points from seed to seed, its level is "
        "set by rate, images a step and first weights",
        [
            "that nearest fails at any setting: larger steps (smaller batches, higher rates) lose less",
            "momentum, whose steps are larger; large networks",
        ],
        lambda folder: _draw(
            folder,
            {name: [one.accuracy for one in found] for name, found in trained.items()},
            schedule,
        ),
    )


def _draw(folder: Path, lines: dict[str, list[list[float]]], schedule: Schedule) -> None:
    from accelsim.claims.pictures import networks_caption
    from accelsim.claims.pictures import top1 as draw_top1
    from accelsim.reports.style import below, figure, save

    made, axes = figure(2.8)
    looks = {
        "float": ("black", "-", "o", "FP32 weights"),
        "stochastic": ("#0072B2", "--", "s", "1-6-5, stochastic"),
        "nearest": ("#D55E00", ":", "^", "1-6-5, nearest"),
    }
    draw_top1(axes, lines, looks, schedule, 0.15)
    axes.axhline(10.0, color="#999999", linewidth=0.8, linestyle=":")
    place = {"textcoords": "offset points", "ha": "right", "color": "#666666"}
    axes.annotate("chance", (schedule.passes, 10.0), (0, 2), **place)
    axes.set_xlabel(
        f"passes over the training images (rate {schedule.rate:g}, {schedule.batch} images a step)"
    )
    axes.set_ylabel("top-1 of the test images (%)")
    axes.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1.0))
    below(made, networks_caption(lines, schedule))
    save(made, folder, "stochastic_update")
