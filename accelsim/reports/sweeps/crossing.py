"""Where PCM takes less energy than a digital chip: ratios of best designs, by boundary and by writes.

A PCM design's joules an inference are resident + writing x writes an inference: what a run takes with
weights in place, and writing them all so often. Writing belongs to the chip boundary. A digital base is
compared at the same workload and at the same value of every key that varies in both; its other keys, and
keys of PCM that no axis shows, take the best.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from accelsim.reports.sweeps.base import View
from accelsim.reports.sweeps.table import Bools, Floats, Ints, Words

BOUNDARIES = ("device", "core", "chip")


@dataclass(frozen=True, slots=True)
class Side:
    """Joules an inference of designs: resident by boundary; writing all weights once, NaN where unknown."""

    rows: Ints
    resident: dict[str, Floats]
    writing: Floats


def side(view: View, rows: Bools) -> Side:
    """The designs of rows that have energies. Of weights that are written in every run, what writing took is
    taken away."""
    d = view.designs
    chip = d.measure("energy_chip_joules")
    with np.errstate(invalid="ignore", divide="ignore"):
        batch = chip / d.measure("energy_per_inference_joules")
    batch = np.where(np.isfinite(batch), batch, 1.0)
    chosen = np.flatnonzero(rows & np.isfinite(chip))
    paid = d.parts.get("writing", np.zeros(len(d)))
    resident = {}
    for name in BOUNDARIES:
        value = d.measure(f"energy_{name}_joules")
        resident[name] = ((value - (paid if name == "chip" else 0.0)) / batch)[chosen]
    writing = d.measure("writing_joules")
    return Side(chosen, resident, writing[chosen])


@dataclass(frozen=True, slots=True)
class Crossing:
    """ratio: digital over PCM, above 1 where PCM takes less. Of every boundary: (y, x) by the keys' values. Of
    writes: (y, writes), the best PCM design of each y at that number of writes. break_even: (y,) writes an
    inference at which the ratio is 1; 0 where digital wins without any, infinite where PCM wins at all,
    NaN where writing is not known."""

    ratio: dict[str, Floats]
    writes: Floats
    over_writes: Floats
    break_even: Floats


def crossing(view: View, digital: Side, pcm: Side, x: Words, y: Words, writes: Floats) -> Crossing:
    """The ratios of one digital base and one workload. digital, pcm: comparable designs, digital not
    empty."""
    shape = (len(y.values), len(x.values))
    ratio = {}
    for name in BOUNDARIES:
        least = np.full(shape, np.inf)
        np.minimum.at(
            least,
            (y.codes[pcm.rows], x.codes[pcm.rows]),
            np.nan_to_num(pcm.resident[name], nan=np.inf),
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            found = _least(digital.resident[name]) / least
        ratio[name] = np.where(np.isfinite(least), found, np.nan)
    other = _least(digital.resident["chip"])
    over = np.full((shape[0], len(writes)), np.nan)
    even = np.zeros(shape[0])
    for step in range(shape[0]):
        mine = y.codes[pcm.rows] == step
        stay, write = pcm.resident["chip"][mine], pcm.writing[mine]
        if len(stay) == 0 or not np.isfinite(write).all():
            even[step] = np.nan
            continue
        over[step] = other / (stay[:, None] + write[:, None] * writes).min(axis=0)
        with np.errstate(divide="ignore"):
            margin = np.where(
                stay < other, np.where(write > 0, (other - stay) / write, np.inf), 0.0
            )
        even[step] = float(margin.max())
    return Crossing(ratio, writes, over, even)


def _least(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.min()) if len(known) else float("nan")
