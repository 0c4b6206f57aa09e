"""Sums in 1-6-9 that stop growing: where, with and without chunks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.claims.claim import Claim, Table
from accelsim.formats import get
from accelsim.noise import Stream
from accelsim.numerics import Accumulation, matmul

Floats = NDArray[np.float64]
TOTAL = "fp16_169"
LENGTH = 65_536  # terms of the published picture
CHUNKS = (8, 16, 32, 64)
FOLLOWED = 16  # runs of a chunked sum, for
REACH = 4  # times 2,048 chunks of numbers
FORMATS = ("fp16_169", "dlfloat16", "bf16", "fp16")
POINTS = 64  # of the picture
LOOKS = {
    "nearest": ("#D55E00", "-", "o"),
    "nearest, chunk 64": ("#0072B2", "--", "s"),
    "stochastic": ("#009E73", ":", "^"),
    "stochastic, chunk 64": ("#CC79A7", "-.", "D"),
}


def uniform(terms: int, runs: int, seed: int) -> Floats:
    """(terms, runs) numbers of mean 1 and deviation 1, uniform, each rounded to 1-6-9."""
    drawn = Stream(seed, ("swamping",)).uniform((terms, runs))
    return get(TOTAL).quantize(1.0 + np.sqrt(3.0) * (2.0 * drawn - 1.0))


def running(terms: Floats, how: Accumulation, points: int) -> Floats:
    """Totals (points, runs) after each of so many equal parts of the terms (whole chunks)."""
    part = len(terms) // points
    total, found = None, []
    for first in range(0, part * points, part):
        total = matmul(
            np.ones((1, part)), terms[first : first + part], how, start=total, first=first
        )
        found.append(total[0])
    return np.array(found)


def _totals(lines: dict[str, Floats], exact: Floats, figures: dict[str, float]) -> Table:
    """The totals of every adder and how far they are off; adds them to the figures."""
    rows = []
    for name, line in lines.items():
        ratio = line[-1] / exact
        error = float(ratio.mean() - 1.0)
        deviation = float(ratio.std(ddof=1)) if len(exact) > 1 else 0.0
        figures |= {f"{name} mean error": error, f"{name} deviation": deviation}
        ends = (f"{line[-1].min():,.0f}", f"{line[-1].max():,.0f}")
        rows.append([name, *ends, f"{100 * error:+.3f}", f"{100 * deviation:.3f}"])
    title = f"sums of {LENGTH:,} numbers U(mean 1, deviation 1), {len(exact)} runs"
    head = ["adder (1-6-9)", "least", "most", "mean error %", "deviation %"]
    return Table(title, head, rows)


def compute(seed: int, runs: int = 64, chunks: tuple[int, ...] = CHUNKS) -> Claim:
    """The claim's figures. runs: sums with numbers of their own. chunks: those that are followed until
    they stall."""
    terms = uniform(LENGTH, runs, seed)
    exact = terms.sum(axis=0)  # multiples of 2^-21 below 2^18: no rounding in float64
    hows = {
        "nearest": Accumulation(TOTAL),
        "nearest, chunk 64": Accumulation(TOTAL, chunk=64),
        "stochastic": Accumulation(TOTAL, rounding="stochastic", seed=seed),
        "stochastic, chunk 64": Accumulation(TOTAL, chunk=64, rounding="stochastic", seed=seed),
        "fp32": Accumulation("fp32"),
    }
    lines = {name: running(terms, how, POINTS) for name, how in hows.items()}
    figures: dict[str, float] = {}
    totals = _totals(lines, exact, figures)
    figures |= {
        "stall least": float(lines["nearest"][-1].min()),
        "stall most": float(lines["nearest"][-1].max()),
    }
    tables = [totals, _ones(figures), _chunked(seed, min(runs, FOLLOWED), chunks, figures)]
    figures["ones, chunk 64"] = float(
        matmul(np.ones((1, LENGTH)), np.ones((LENGTH, 1)), hows["nearest, chunk 64"])[0, 0]
    )
    return Claim(
        "swamping",
        "sums in 16-bit floating point lose small terms once the sum is large; chunks of 64 keep "
        "them (Wang et al., NeurIPS 2018)",
        _verdict(figures, runs),
        figures,
        tables,
        [
            "each number is rounded to 1-6-9 and enters the adder exactly; sums by accelsim.numerics.matmul",
            f"seed {seed}, {runs} runs with numbers of their own",
        ],
        "stall points of ones and of U are exact, whatever the seed; 0.1 % with chunks of 64 holds for ones "
        "and for the mean of runs, a single sum of U errs by some 0.3 %",
        [
            "that a network's accuracy falls: on networks as small as those of the digits it does not",
            "sums of numbers of both signs, which stay small and hardly stall",
        ],
        lambda folder: _draw(folder, lines, terms),
    )


def _verdict(figures: dict[str, float], runs: int) -> str:
    least, most = figures["stall least"], figures["stall most"]
    return (
        f"U(mean 1, deviation 1) in 1-6-9, nearest, stalls at {least:,.0f} in "
        f"{'every one' if least == most else 'not every one'} of {runs} runs, "
        f"ones at {figures[f'ones {TOTAL}']:,.0f}; with chunks of 64, {LENGTH:,} ones are exact and {LENGTH:,} "
        f"such numbers are off by {100 * figures['nearest, chunk 64 mean error']:+.2f} % on average, "
        f"{100 * figures['nearest, chunk 64 deviation']:.2f} % from run to run"
    )


def _ones(figures: dict[str, float]) -> Table:
    """Where a sum of ones stops in several formats."""
    rows = []
    for name in FORMATS:
        grid = get(name).grid
        assert grid is not None
        rounding = get(name).roundings[0]
        stall = float(
            matmul(np.ones((1, 8192)), np.ones((8192, 1)), Accumulation(name, rounding=rounding))[
                0, 0
            ]
        )
        figures[f"ones {name}"] = stall
        rows.append([name, rounding, f"{stall:,.0f}", str(grid.precision)])
    head = ["sums in", "ties", "stall at", "significant bits"]
    return Table("ones, no chunks, rounded to nearest", head, rows)


def _chunked(seed: int, runs: int, chunks: tuple[int, ...], figures: dict[str, float]) -> Table:
    """How far chunked sums get."""
    rows = []
    for chunk in chunks:
        near = 2048 * chunk
        terms = uniform(REACH * near, runs, seed)
        half, last = running(terms, Accumulation(TOTAL, chunk=chunk), 2)
        gained = float(((last - half) / terms[len(terms) // 2 :].sum(axis=0)).mean())
        figures |= {
            f"chunk {chunk} over 2048": float((last / near).mean()),
            f"chunk {chunk} gained": gained,
        }
        rows.append(
            [
                str(chunk),
                f"{near:,}",
                f"{last.mean():,.0f}",
                f"{(last / near).mean():.3f}",
                f"{terms.sum(axis=0).mean():,.0f}",
                f"{100 * gained:.2f}",
            ]
        )
    head = ["CL", "2,048 CL", "mean sum", "over 2,048 CL", "true sum", "gained in the last half %"]
    return Table(f"chunks of CL, nearest, {REACH} x 2,048 CL numbers, {FOLLOWED} runs", head, rows)


def _draw(folder: Path, lines: dict[str, Floats], terms: Floats) -> None:
    from accelsim.reports.style import below, blank, save

    made = blank(3.0)
    sums, errors = made.subplots(1, 2)
    step = len(terms) // POINTS
    count = np.arange(1, POINTS + 1) * step
    exact = terms.cumsum(axis=0)[step - 1 :: step]
    sums.plot(count, exact.mean(axis=1), color="black", linewidth=3, alpha=0.25, label="exact")
    for name, (colour, line, mark) in LOOKS.items():
        kind = {
            "color": colour,
            "linestyle": line,
            "marker": mark,
            "markersize": 3.5,
            "markevery": (7, 8),
            "markerfacecolor": "white",
            "label": name,
        }
        if name.startswith("nearest"):
            sums.plot(count, lines[name].mean(axis=1), **kind)
        if name != "nearest":
            off = 100 * (lines[name] / exact - 1)
            mean, spread = off.mean(axis=1), off.std(axis=1)
            band = {"color": colour, "alpha": 0.2, "linewidth": 0}
            errors.fill_between(count, mean - spread, mean + spread, **band)
            errors.plot(count, mean, **kind)
    _sum_axes(sums, float(lines["nearest"][-1].mean()), count[-1])
    errors.axhline(0.0, color="black", linewidth=0.6)
    ticks = range(0, LENGTH + 1, LENGTH // 4)
    errors.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    errors.set_ylim(-5.6, 3.6)
    errors.set_ylabel("off the exact sum (%)")
    for axes in (sums, errors):
        axes.set_xlabel("numbers added")
        axes.legend(loc="upper left" if axes is sums else "lower left")
    below(made, f"U(mean 1, deviation 1); mean of {terms.shape[1]} runs; bands: one deviation")
    save(made, folder, "swamping")


def _sum_axes(sums: Any, stall: float, last: int) -> None:
    """Powers of two both ways, and where the sum of so many numbers stalls."""
    place = {"textcoords": "offset points", "ha": "right"}
    sums.annotate(f"stalls at {stall:,.0f}", (last, stall), (0, 5), **place)
    sums.set_xscale("log", base=2)
    sums.set_yscale("log", base=2)
    ticks = [2**k for k in range(10, 17, 2)]
    for axis in (sums.xaxis, sums.yaxis):
        axis.set_ticks(ticks, [f"{tick:,}" for tick in ticks])
    sums.set_ylabel("sum in 1-6-9")
