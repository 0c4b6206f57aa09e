"""Chips side by side on one workload: equal useful multiply-accumulates, equal batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip
from accelsim.devices import device_named
from accelsim.energy.report import BOUNDARIES
from accelsim.errors import InputError, Problem
from accelsim.results.result import Result, Values
from accelsim.units.crossbar import Crossbar

Runs = Callable[..., Result]
Reads = Callable[[Result, Chip], Values]


@dataclass(frozen=True, slots=True)
class Aged:
    """Values at one age and temperature: top-1 (None without labels) and signal-to-noise of the last
    output, dB, of every programming."""

    age: float
    temperature: float
    top1: list[float | None]
    decibels: list[float]


@dataclass(slots=True)
class Side:
    """One chip. main: as its file says. cold, resident: with weights fetched or written in the run,
    and in place before it; None where the weights do not fit, with ``why``. writing: joules and
    seconds of writing all weights once. aged: values by age."""

    chip: Chip
    main: Result
    cold: Result | None = None
    resident: Result | None = None
    why: str = ""
    writing: tuple[float, float] = (0.0, 0.0)
    aged: list[Aged] = field(default_factory=list)

    @property
    def analog(self) -> bool:
        """Whether it computes in memory."""
        return self.chip.crossbar is not None

    @property
    def area(self) -> float:
        """Square metres of the parts with a sourced constant."""
        return sum(row.area for row in self.main.area)


@dataclass(slots=True)
class Comparison:
    """All sides; the first is what the others are measured by. batch: images or rows of a run."""

    sides: list[Side]
    batch: int

    def ratio(self, side: Side, boundary: str) -> float:
        """Joules of the first side over those of ``side``."""
        own = side.main.energy.boundary(boundary)
        return self.sides[0].main.energy.boundary(boundary) / own if own else float("inf")

    def pays_back(self, side: Side) -> float:
        """Inferences after which the first side has spent more, writing included; infinite if never."""
        gain = (self.sides[0].main.joules - side.main.joules) / self.batch
        return side.writing[0] / gain if gain > 0 else float("inf")


def compare(chips: Sequence[Chip], run: Runs, values: Reads, inputs: Mapping[str, NDArray[Any]] | None,
            batch: int, ages: Sequence[float] = (), temperatures: Sequence[float] = (298.15,),
            programmings: int = 1) -> Comparison:  # fmt: skip
    """Run every chip on the same workload.

    run(chip, inputs=..., weights=...) gives a Result; InputError for weights that do not fit where
    they should stay. values(result, chip): those of the same Program on the chip at another age.
    ages (s), temperatures (K): of the values on crossbars. programmings: seeds.
    """
    return Comparison([_side(chip, run, values, inputs, ages, temperatures, programmings)
                       for chip in chips], batch)  # fmt: skip


def _side(chip: Chip, run: Runs, values: Reads, inputs: Mapping[str, NDArray[Any]] | None,
          ages: Sequence[float], temperatures: Sequence[float], programmings: int) -> Side:  # fmt: skip
    side = Side(chip, run(chip, inputs=inputs))
    for weights in ("cold", "resident"):
        if chip.weights == weights and inputs is None:
            setattr(side, weights, side.main)
            continue
        try:
            setattr(side, weights, run(chip, inputs=None, weights=weights))
        except InputError as error:
            side.why = error.problems[0].message
    if side.analog and side.cold is not None:
        actions = ("pulses", "verify_reads")
        joules = sum(row.joules for row in side.cold.energy.rows if row.action in actions)
        plain = side.resident.seconds if side.resident is not None else 0.0
        side.writing = (joules, max(0.0, side.cold.seconds - plain))
    if inputs is not None:
        side.aged = values_over_age(chip, values, ages, temperatures, programmings, side.main)
    return side


def values_over_age(chip: Chip, values: Reads, ages: Sequence[float], temperatures: Sequence[float],
                    programmings: int, main: Result) -> list[Aged]:  # fmt: skip
    """Values of ``main``, a run with inputs, at every age and temperature; once on a digital chip."""
    crossbar = chip.crossbar
    if crossbar is not None:
        low, high = device_named(crossbar.device).temperatures
        for kelvin in temperatures:
            if not low <= kelvin <= high:
                raise InputError(
                    Problem("compare.temperature", f"{kelvin:g} K is outside what {crossbar.device} of "
                            f"{chip.name} holds for", f"write {low:g} K to {high:g} K", file="--temperatures")
                )  # fmt: skip
    if crossbar is None:
        return [Aged(0.0, 0.0, [_top1(main.values)], [_decibels(main.values)])]
    found = []
    for temperature in temperatures:
        for age in ages or (crossbar.age,):
            runs = [values(main, with_crossbar(chip, age=age, temperature=temperature,
                                               seed=crossbar.seed + i))
                    for i in range(programmings)]  # fmt: skip
            found.append(Aged(age, temperature, [_top1(r) for r in runs], [_decibels(r) for r in runs]))
    return found


def with_crossbar(chip: Chip, **changes: Any) -> Chip:
    """The chip with other values of its crossbars' fields."""
    crossbar = chip.crossbar
    assert isinstance(crossbar, Crossbar)
    made = replace(crossbar, clock_hz=0, **changes)
    return replace(chip, units={**chip.units, crossbar.name: made})


def _top1(values: Values | None) -> float | None:
    return values.scores.get("top1") if values is not None else None


def _decibels(values: Values | None) -> float:
    assert values is not None
    return values.signal_to_noise_db[list(values.outputs)[-1]]


def to_dict(comparison: Comparison) -> dict[str, Any]:
    """Everything that is shown, with the unit in every name."""
    sides = []
    for side in comparison.sides:
        main = side.main
        sides.append({
            "chip": side.chip.name, "digest": side.chip.digest, "analog": side.analog,
            "cycles": main.cycles, "latency_s": main.seconds,
            "throughput_per_s": comparison.batch / main.seconds,
            "joules": {name: main.energy.boundary(name) for name in BOUNDARIES},
            "ratio": {name: comparison.ratio(side, name) for name in BOUNDARIES},
            "watts": main.joules / main.seconds, "area_m2": side.area, "weights": side.chip.weights,
            "cold": _short(side.cold), "resident": _short(side.resident), "why": side.why,
            "writing_joules": side.writing[0], "writing_s": side.writing[1],
            "pays_back_after": _finite(comparison.pays_back(side)) if side.analog else None,
            "values": [{"age_s": a.age, "temperature_K": a.temperature, "top1": a.top1,
                        "signal_to_noise_db": [_finite(x) for x in a.decibels]} for a in side.aged],
            "assumptions": main.assumptions,
        })  # fmt: skip
    return {"workload": comparison.sides[0].main.workload.name, "batch": comparison.batch,
            "macs": comparison.sides[0].main.workload.macs, "sides": sides}  # fmt: skip


def _short(result: Result | None) -> dict[str, float] | None:
    return None if result is None else {"latency_s": result.seconds, "joules": result.joules}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
