"""Training in 16-bit fixed point, as Gupta et al. did it: rounded to nearest or by chance."""

from __future__ import annotations

from pathlib import Path

from accelsim.claims.claim import Claim, Table
from accelsim.claims.perceptron import Arithmetic, Schedule, top1, train
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


def _row(name: str, lines: list[list[float]], exact: float) -> list[str]:
    mean, deviation, least, most = top1(lines)
    split = ["FP32", "nearest"]
    if name != "float":
        bits, rounding = name.split()
        split = [f"<{WORD - int(bits)}, {bits}>", rounding]
    return [
        *split,
        *(f"{100 * share:.1f}" for share in (mean, deviation, least, most)),
        f"{100 * (mean - exact):+.1f}",
        f"{100 * PUBLISHED[name]:.1f}" if name in PUBLISHED else "-",
    ]


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
    for name, found in lines.items():
        figures[name], figures[f"{name} deviation"], *_ = top1(found)
    rows = [_row(name, found, figures["float"]) for name, found in lines.items()]
    gaps = [figures[f"{fraction} stochastic"] - figures["float"] for fraction in fractions]
    figures["worst stochastic gap"] = float(min(gaps))
    first = fractions[0]
    verdict = (
        f"16-bit fixed point, FL {first}: nearest {100 * figures[f'{first} nearest_even']:.1f} %, "
        f"stochastic {100 * figures[f'{first} stochastic']:.1f} %, float {100 * figures['float']:.1f} % "
        f"(measured before by others: 7.8, 96.9, 96.8 %); stochastic is "
        + ", ".join(f"{100 * gap:+.2f}" for gap in gaps)
        + f" points from float with FL {', '.join(map(str, fractions))}"
    )
    title = f"{runs} networks 64-{schedule.hidden}-10, {schedule.passes} passes"
    head = ["<IL, FL>", "rounding", "mean %", "deviation", "least", "most", "from float", "known %"]
    return Claim(
        "limited_precision",
        "16-bit fixed point with stochastic rounding trains as well as 32-bit floating point; "
        "rounding to nearest does not (Gupta et al., ICML 2015)",
        verdict,
        figures,
        [Table(title, head, rows)],
        [
            f"weights, biases, activations and errors are <IL, FL>, saturating; products are exact in "
            f"{ADDER}-bit sums, rounded once; an update is the sum shifted, added and rounded once",
            f"plain SGD, rate {schedule.rate:g}, {schedule.batch} images a step, first weights N(0, "
            f"{schedule.deviation:g}) as in the paper; softmax in float64, its error rounded; a score that "
            "saturates gets no error that pushes it further",
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
    from accelsim.claims.pictures import networks_caption
    from accelsim.claims.pictures import top1 as draw_top1
    from accelsim.reports.style import below, blank, save

    made = blank(2.8)
    panels = made.subplots(1, len(ROUNDINGS), sharey=True, squeeze=False)[0]
    look_of = (("#0072B2", "-", "s"), ("#E69F00", "-.", "^"), ("#009E73", ":", "D"))
    titles = ("rounded to nearest", "rounded stochastically")
    for axes, how, title in zip(panels, ROUNDINGS, titles, strict=True):
        looks = {"float": ("black", "--", "o", "FP32")}
        for fraction, look in zip(fractions, look_of, strict=False):
            looks[f"{fraction} {how}"] = (*look, f"<{WORD - fraction}, {fraction}>")
        draw_top1(axes, lines, looks, schedule, 0.12)
        axes.set_title(title, loc="left")
        axes.set_xlabel("passes over the training images")
    panels[0].set_ylabel("top-1 of the test images (%)")
    panels[-1].legend(loc="lower right")
    below(made, networks_caption(lines, schedule))
    save(made, folder, "limited_precision")
