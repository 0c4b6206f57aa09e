"""Programming as a process: pulses that move a conductance, reads that verify it.

It yields conductances and what they cost. The statistical models draw what such a process leaves
instead; the two are never added. Every random number belongs to (cell, pulse), so that neither order
nor batching changes one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.devices.base import Cells, Device, Floats
from accelsim.devices.exponential import Exponential
from accelsim.devices.wear import Wear
from accelsim.noise import Stream

Ints = NDArray[np.int64]
TABLE = Path(__file__).parent / "tables" / "pulses.json"


@dataclass(frozen=True, slots=True)
class Pulses:
    """A record of tables/pulses.json in SI units. move: (siemens, 1) deviation of a pulse's result a +
    b G. slope: relative deviation over cells of how far a pulse moves. reset: (mean, deviation)
    siemens. staircase: (siemens, 1) mean step a + b G of identical SET pulses, None where each
    pulse's amplitude is chosen for the step that is wanted. exponential: steps that shrink, in its place; move
    is then not looked at. margin: siemens, half of verify's
    window. iterations: most pulses a cell. Seconds and joules of a pulse, a RESET, a read."""

    name: str
    move: tuple[float, float]
    slope: float
    reset: tuple[float, float]
    staircase: tuple[float, float] | None
    margin: float
    iterations: int
    pulse_s: float
    pulse_j: float
    reset_s: float
    reset_j: float
    read_s: float
    source: str
    exponential: Exponential | None = None

    @property
    def resets_above(self) -> bool:
        """Whether a cell above its window has to start anew, there being no pulses downwards."""
        return self.staircase is not None or (
            self.exponential is not None and self.exponential.down is None
        )


@dataclass(frozen=True, slots=True)
class Written:
    """cells: as programmed, in the state that drift starts from. pulses, resets, reads: of every cell.
    failed: cells outside the window when the pulses ran out. seconds: of cell after cell. joules: of
    pulses and RESETs; reads are charged by what reads them."""

    cells: Cells
    pulses: Ints
    resets: Ints
    reads: Ints
    failed: NDArray[np.bool_]
    seconds: float
    joules: float


def staircase(model: Pulses, count: int, cells: int, stream: Stream) -> Floats:
    """(count + 1, cells) conductances (siemens) along identical SET pulses from RESET."""
    found = np.empty((count + 1, cells))
    found[0] = _reset(model, cells, np.arange(cells), stream, 0)
    slope = 1.0 + model.slope * stream.of("slope").normal(cells)
    for number in range(count):
        noise = stream.of("pulse", number + 1).normal(cells)
        found[number + 1] = _stepped(model, found[number], np.zeros(cells), slope, noise)
    return found


def program_and_verify(
    model: Pulses,
    device: Device,
    target: Floats,
    stream: Stream,
    read_step: float = 0.0,
    read_noise: bool = True,
    wear: Wear | None = None,
    cycles: float = 0.0,
) -> Written:
    """Cells brought into the window around their targets (siemens), or as near as the pulses allow.

    Each starts from RESET; a verify read has the device's own noise, and a converter of ``read_step``
    siemens a code (0: ideal). A cell above its window is RESET where only SET pulses are to be had. wear:
    cells that have failed after ``cycles`` programmings do not move, take all pulses and count as failed.
    """
    goal = np.asarray(target, np.float64)
    wanted, count = goal.ravel(), goal.size
    every = np.arange(count)
    g = np.clip(_reset(model, count, every, stream, 0), 0.0, device.g_max * 1.5)
    slope = np.maximum(1.0 + model.slope * stream.of("slope").normal(count), 0.1)
    held = np.full(count, np.nan)
    if wear is not None:
        held = wear.stuck(held, device.g_min, device.g_max, cycles, stream.of("wear"))
    worn = np.isfinite(held)
    g[worn] = held[worn]
    pulses, resets, reads = (np.full(count, start, np.int64) for start in (0, 1, 0))
    open_ = every
    for number in range(1, model.iterations + 2):
        noise = stream.of("verify", number)
        seen = _verified(device, g[open_], noise, count, open_, read_step, read_noise)
        reads[open_] += 1
        off = np.abs(seen - wanted[open_]) > model.margin
        open_, seen = open_[off], seen[off]
        if not len(open_) or number > model.iterations:
            break
        moved = _stepped(
            model,
            g[open_],
            wanted[open_] - seen,
            slope[open_],
            stream.of("pulse", number).normal_at(count, open_),
        )
        over = np.zeros(len(open_), bool)
        if model.resets_above:
            over = seen > wanted[open_] + model.margin
            moved[over] = _reset(model, count, open_[over], stream, number)
        resets[open_] += over
        pulses[open_] += ~over
        g[open_] = np.where(worn[open_], g[open_], np.clip(moved, 0.0, device.g_max * 1.5))
    failed = np.zeros(count, bool)
    failed[open_] = True
    total, again = int(pulses.sum()), int(resets.sum())
    seconds = total * model.pulse_s + again * model.reset_s + int(reads.sum()) * model.read_s
    joules = total * model.pulse_j + again * model.reset_j
    shape = goal.shape
    return Written(
        device.written(goal, g.reshape(shape), stream.of("cells")),
        pulses.reshape(shape),
        resets.reshape(shape),
        reads.reshape(shape),
        failed.reshape(shape),
        seconds,
        joules,
    )


def _reset(model: Pulses, count: int, index: Ints, stream: Stream, number: int) -> Floats:
    """Conductances of cells ``index`` after a RESET."""
    mean, deviation = model.reset
    return np.maximum(mean + deviation * stream.of("reset", number).normal_at(count, index), 0.0)


def _stepped(model: Pulses, g: Floats, wanted: Floats, slope: Floats, noise: Floats) -> Floats:
    """Conductances after one pulse: the staircase's own step, or the step that was wanted."""
    if model.exponential is not None:
        return _exponentially(model.exponential, g, wanted, slope, noise)
    if model.staircase is not None:
        step = model.staircase[0] + model.staircase[1] * g
        step = np.where(step > 0, step * slope, step)
        landing = g
    else:
        step, landing = wanted * slope, np.maximum(g + wanted, 0.0)
    deviation = model.move[0] + model.move[1] * landing
    return np.maximum(g + step + deviation * noise, 0.0)


def _exponentially(
    law: Exponential, g: Floats, wanted: Floats, slope: Floats, noise: Floats
) -> Floats:
    """Conductances after one pulse in the direction that is wanted, upwards where there is no other."""
    step, deviation = law.step(g, True)
    if law.down is not None:
        down = wanted < 0
        fallen, wide = law.step(g, False)
        step, deviation = np.where(down, -fallen, step), np.where(down, wide, deviation)
    return np.clip(g + step * slope + deviation * noise, 0.0, law.full)


def _verified(
    device: Device, g: Floats, stream: Stream, count: int, index: Ints, step: float, noisy: bool
) -> Floats:
    """What a verify read sees of cells ``index``, just after the pulse."""
    seen = g
    if noisy:
        seen = g + device.verify_sigma(g) * stream.normal_at(count, index)
    return np.rint(seen / step) * step if step else seen


def gradient_program(
    model: Pulses,
    device: Device,
    target: Floats,
    stream: Stream,
    turns: int = 40,
    vectors: int = 0,
    rate: float = 0.35,
) -> tuple[Written, list[float]]:
    """A whole block (rows, columns) of cells programmed through its own products.

    Each turn applies random inputs, compares the columns' sums with what they should be, and gives
    every cell a pulse chosen for its part of the gradient; no cell is read alone. vectors: a turn,
    default four times the rows. A weaker pulse deviates as much less as its step is smaller than the
    window. Returns the cells and the relative error of the sums by turn; reads: products, counted
    once for every cell.
    """
    goal = np.asarray(target, np.float64)
    first = program_and_verify(model, device, goal, stream.of("first"))
    g = first.cells.conductance.copy()
    pulses = first.pulses.copy()
    slope = np.maximum(1.0 + model.slope * stream.of("slope").normal(g.shape), 0.1)
    errors = []
    best, best_error = g, np.inf
    floor = 0.2 * model.move[0]
    vectors = vectors or 4 * g.shape[0]
    for turn in range(turns):
        x = stream.of("inputs", turn).uniform((vectors, g.shape[0])) * 2.0 - 1.0
        noise = device.verify_sigma(g) * stream.of("read", turn).normal(g.shape)
        wrong = x @ (goal - g - noise)
        errors.append(float(np.sqrt((wrong * wrong).sum() / ((x @ goal) ** 2).sum())))
        if errors[-1] < best_error:
            best, best_error = g, errors[-1]
        wanted = rate * 3.0 * (x.T @ wrong) / vectors  # the inputs' variance is 1/3
        fire = np.abs(wanted) > floor
        noise = stream.of("pulse", turn).normal(g.shape)
        moved = _stepped(
            model, g, wanted, slope, noise * np.minimum(1.0, np.abs(wanted) / model.margin)
        )
        g = np.where(fire, np.clip(moved, 0.0, device.g_max * 1.5), g)
        pulses += fire
    total, again = int(pulses.sum()), int(first.resets.sum())
    reads = first.reads + turns * vectors
    seconds = (
        first.seconds
        + turns * vectors * model.read_s
        + (total - int(first.pulses.sum())) * model.pulse_s
    )
    made = Written(
        device.written(goal, best, stream.of("cells")),
        pulses,
        first.resets,
        reads,
        first.failed,
        seconds,
        total * model.pulse_j + again * model.reset_j,
    )
    return made, errors


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(TABLE.read_text("utf-8"))
    return found


def pulses_names() -> tuple[str, ...]:
    """Names of the records."""
    return tuple(_table()["models"])


def most_pulses() -> int:
    """Pulses of the longest published program-and-verify."""
    return int(_table()["most"]["value"])


def energy_confidence(name: str) -> str:
    """Of the joules of the named record's pulses."""
    return str(_table()["models"][name]["confidence"]["pulse_j"])


@lru_cache(maxsize=16)
def pulses_named(name: str) -> Pulses:
    """The named record of tables/pulses.json; KeyError with the names for any other."""
    models = _table()["models"]
    if name not in models:
        raise KeyError(f"no pulses {name!r}; there are {', '.join(models)}")
    row = models[name]
    micro = 1e-6  # the table's conductances are microsiemens

    def pair(key: str, second: float) -> tuple[float, float]:
        return row[key][0] * micro, row[key][1] * second

    return Pulses(
        name,
        pair("move", 1.0),
        row["slope"],
        pair("reset", micro),
        pair("staircase", 1.0) if "staircase" in row else None,
        row["margin_us"] * micro,
        row["iterations"],
        row["pulse_s"],
        row["pulse_j"],
        row["reset_s"],
        row["reset_j"],
        row["read_s"],
        row["source"],
        _law(row.get("exponential")),
    )


def _law(row: dict[str, Any] | None) -> Exponential | None:
    """The exponential steps of a record."""
    if row is None:
        return None
    down = row["down"]
    low, high = row["w"]
    sigma, add, slope = row["noise"]
    return Exponential(
        (low, high),
        row["full_us"] * 1e-6,
        row["dw_min"],
        (row["up"][0], row["up"][1]),
        None if down is None else (down[0], down[1]),
        row["a"],
        row["b"],
        (sigma, add, slope),
    )
