"""Chips side by side on one workload: equal useful multiply-accumulates, equal batch, like with
like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip
from accelsim.devices import device_named
from accelsim.energy.bands import Ratio, Weighed, inverse, product, ratio, within
from accelsim.energy.joules import BOUNDARIES
from accelsim.errors import InputError, Problem
from accelsim.results.result import Result, Values
from accelsim.units.crossbar import Crossbar

Runs = Callable[..., Result]
Reads = Callable[[Result, Chip], Values]
WEIGHTS = ("cold", "resident")


@dataclass(frozen=True, slots=True)
class Aged:
    """Values at one age and temperature: top-1 (None without labels) and signal-to-noise of the
    last output, dB, of every programming."""

    age: float
    temperature: float
    top1: list[float | None]
    decibels: list[float]


@dataclass(slots=True)
class Side:
    """One chip. main: as its file says. cold, resident: with weights fetched or written in the run,
    and in place before it; None where the weights do not fit, with ``why``. writing: joules and
    seconds of writing all cells once, or of fetching all weights into their buffer. aged: values by
    age. changed: what was made of the chip so that it is like another, key by key; reached: what
    came of it."""

    chip: Chip
    main: Result
    cold: Result | None = None
    resident: Result | None = None
    why: str = ""
    writing: tuple[float, float] = (0.0, 0.0)
    aged: list[Aged] = field(default_factory=list)
    changed: list[tuple[str, str, str]] = field(default_factory=list)
    reached: list[str] = field(default_factory=list)

    @property
    def analog(self) -> bool:
        """Whether it computes in memory."""
        return self.chip.crossbar is not None

    @property
    def area(self) -> float:
        """Square metres of the parts with a sourced constant."""
        return sum(row.area for row in self.main.area)

    def run(self, weights: str) -> Result | None:
        """Its run with weights cold or resident."""
        return self.cold if weights == "cold" else self.resident


@dataclass(slots=True)
class Matching:
    """A comparison of chips made alike. by: rules of accelsim.matching, one on top of the other. model: the chip that
    memories and area are of, by its place. text: what the last rule does. Each side has changed what that rule did."""

    by: tuple[str, ...]
    model: int
    text: str
    comparison: Comparison


@dataclass(slots=True)
class Comparison:
    """All sides; the first is what the others are measured by. batch: images or rows of a run.
    matched: the same chips made alike, after each rule that was asked for."""

    sides: list[Side]
    batch: int
    matched: list[Matching] = field(default_factory=list)

    def ratio(self, side: Side, boundary: str, weights: str | None = None) -> Ratio | None:
        """Joules of the first side over those of ``side``, with its band (energy/bands.py).
        weights: of both runs; None for each as its file says. None where either has no such run."""
        first, own = self._runs(side, weights)
        if first is None or own is None:
            return None
        return ratio(within(first.energy, boundary), within(own.energy, boundary))

    def rate_ratio(self, side: Side) -> float:
        """Inferences a second of ``side`` over those of the first."""
        return self.sides[0].main.seconds / side.main.seconds if side.main.seconds else float("inf")

    def area_ratio(self, side: Side) -> Ratio:
        """Area known of ``side`` over that of the first, with its band."""
        return ratio(area_of(side), area_of(self.sides[0]))

    def rate_by_area(self, side: Side) -> Ratio:
        """Inferences a second and square metre of ``side`` over those of the first."""
        rate = self.rate_ratio(side)
        return product(Ratio(rate, rate, rate), inverse(self.area_ratio(side)))

    def energy_by_area(self, side: Side) -> Ratio:
        """Joules a square metre of the first over those of ``side``; constants of energy and of
        area have nothing in common."""
        found = self.ratio(side, "chip")
        assert found is not None
        return product(found, self.area_ratio(side))

    def pays_back(self, side: Side, weights: str | None = None) -> float | None:
        """Inferences after which the first side has spent more, writing included; infinite if
        never. weights: "resident" for both with weights in place, where the first has fetched its
        own once too; None for each as its file says. None where either has no such run."""
        first, own = self._runs(side, weights)
        if first is None or own is None:
            return None
        gain = (first.joules - own.joules) / self.batch
        spent = side.writing[0] - (self.sides[0].writing[0] if weights == "resident" else 0.0)
        return max(0.0, spent / gain) if gain > 0 else float("inf")

    def _runs(self, side: Side, weights: str | None) -> tuple[Result | None, Result | None]:
        if weights is None:
            return self.sides[0].main, side.main
        return self.sides[0].run(weights), side.run(weights)

    @property
    def alike(self) -> bool:
        """Whether every side has its weights as the first has them, or all were matched."""
        return len({side.chip.weights_said for side in self.sides}) == 1

    @property
    def headline(self) -> Comparison:
        """What ratios in pictures are of: the chips made alike by all rules, as they are without."""
        return self.matched[-1].comparison if self.matched else self


def area_of(side: Side) -> Weighed:
    """Square metres, and what each area constant may move them by."""
    moves: dict[str, float] = {}
    for row in side.main.area:
        moves[row.source] = moves.get(row.source, 0.0) + row.area * row.band
    return Weighed(side.area, moves)


def compare(
    chips: Sequence[Chip],
    run: Runs,
    values: Reads,
    inputs: Mapping[str, NDArray[Any]] | None,
    batch: int,
    ages: Sequence[float] = (),
    temperatures: Sequence[float] = (298.15,),
    programmings: int = 1,
) -> Comparison:
    """Run every chip on the same workload.

    run(chip, inputs=..., weights=...) gives a Result; InputError for weights that do not fit where
    they should stay. values(result, chip): those of the same Program on the chip at another age.
    ages (s), temperatures (K): of the values on crossbars. programmings: seeds.
    """
    sides = []
    for chip in chips:
        side = side_of(chip, run, inputs)
        if inputs is not None:
            side.aged = values_over_age(chip, values, ages, temperatures, programmings, side.main)
        sides.append(side)
    return Comparison(sides, batch)


def side_of(chip: Chip, run: Runs, inputs: Mapping[str, NDArray[Any]] | None) -> Side:
    """A chip's runs: as its file says, with weights cold and with weights in place."""
    side = Side(chip, run(chip, inputs=inputs))
    for weights in WEIGHTS:
        if chip.weights_said == weights and inputs is None:
            setattr(side, weights, side.main)
            continue
        try:
            setattr(side, weights, run(chip, inputs=None, weights=weights))
        except InputError as error:
            side.why = error.problems[0].message
    side.writing = _writing(side)
    return side


def _writing(side: Side) -> tuple[float, float]:
    """Joules and seconds of bringing all weights to their place once."""
    cold, resident = side.cold, side.resident
    if cold is None or (resident is None and not side.analog):
        return 0.0, 0.0
    seconds = max(0.0, cold.seconds - (resident.seconds if resident is not None else 0.0))
    if side.analog:
        actions = ("pulses", "verify_reads")
        return sum(row.joules for row in cold.energy.rows if row.action in actions), seconds
    assert resident is not None
    return max(0.0, cold.joules - resident.joules), seconds


def values_over_age(
    chip: Chip,
    values: Reads,
    ages: Sequence[float],
    temperatures: Sequence[float],
    programmings: int,
    main: Result,
) -> list[Aged]:
    """Values of ``main``, a run with inputs, at every age and temperature; once on a digital
    chip."""
    crossbar = chip.crossbar
    if crossbar is not None:
        low, high = device_named(crossbar.device).temperatures
        for kelvin in temperatures:
            if not low <= kelvin <= high:
                raise InputError(
                    Problem(
                        "compare.temperature",
                        f"{kelvin:g} K is outside what {crossbar.device} of {chip.name} holds for",
                        f"write {low:g} K to {high:g} K",
                        file="--temperatures",
                    )
                )
    if crossbar is None:
        return [Aged(0.0, 0.0, [_top1(main.values)], [_decibels(main.values)])]
    found = []
    for temperature in temperatures:
        for age in ages or (crossbar.age,):
            runs = [
                values(
                    main,
                    with_crossbar(chip, age=age, temperature=temperature, seed=crossbar.seed + i),
                )
                for i in range(programmings)
            ]
            found.append(
                Aged(age, temperature, [_top1(r) for r in runs], [_decibels(r) for r in runs])
            )
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
    first = comparison.sides[0].main
    whole = {
        "workload": first.workload.name,
        "batch": comparison.batch,
        "macs": first.workload.macs,
        "sides": [_side(comparison, side) for side in comparison.sides],
    }
    if comparison.matched:
        whole["matched"] = [
            {
                "by": list(matched.by),
                "to": matched.comparison.sides[matched.model].chip.name,
                "rule": matched.text,
                "sides": [_side(matched.comparison, side) for side in matched.comparison.sides],
            }
            for matched in comparison.matched
        ]
    return whole


def _side(comparison: Comparison, side: Side) -> dict[str, Any]:
    """One side of a comparison."""
    main, area = side.main, side.area
    ratios = {name: comparison.ratio(side, name) for name in BOUNDARIES}
    technology = side.chip.technology
    return {
        "chip": side.chip.name,
        "digest": side.chip.digest,
        "analog": side.analog,
        "node_m": technology.node,
        "voltage_V": technology.voltage,
        "cycles": main.cycles,
        "latency_s": main.seconds,
        "throughput_per_s": comparison.batch / main.seconds,
        "joules": {name: main.energy.boundary(name) for name in BOUNDARIES},
        "band_joules": {name: main.energy.band_of(name) for name in BOUNDARIES},
        "ratio": {name: _value(found) for name, found in ratios.items()},
        "ratio_band": {name: _band(found) for name, found in ratios.items()},
        "watts": main.joules / main.seconds,
        "area_m2": area,
        "throughput_per_s_and_m2": comparison.batch / main.seconds / area if area else None,
        "joules_per_m2": main.joules / comparison.batch / area if area else None,
        "throughput_per_area_ratio": _value(comparison.rate_by_area(side)),
        "throughput_per_area_ratio_band": _band(comparison.rate_by_area(side)),
        "energy_per_area_ratio": _value(comparison.energy_by_area(side)),
        "energy_per_area_ratio_band": _band(comparison.energy_by_area(side)),
        "weights": side.chip.weights_said,
        **{weights: _short(comparison, side, weights) for weights in WEIGHTS},
        "why": side.why,
        "writing_joules": side.writing[0],
        "writing_s": side.writing[1],
        "pays_back_after": _finite(comparison.pays_back(side)) if side.analog else None,
        "changed": [
            {"key": key, "from": before, "to": after} for key, before, after in side.changed
        ],
        "reached": side.reached,
        "values": [
            {
                "age_s": a.age,
                "temperature_K": a.temperature,
                "top1": a.top1,
                "signal_to_noise_db": [_finite(x) for x in a.decibels],
            }
            for a in side.aged
        ],
        "assumptions": main.assumptions,
    }


def _short(comparison: Comparison, side: Side, weights: str) -> dict[str, Any] | None:
    """A run with weights cold or resident, and how the first side's compares."""
    found = side.run(weights)
    if found is None:
        return None
    ratios = {name: comparison.ratio(side, name, weights) for name in BOUNDARIES}
    pays = comparison.pays_back(side, weights) if side.analog and weights == "resident" else None
    return {
        "latency_s": found.seconds,
        "joules": found.joules,
        "ratio": {name: _value(one) for name, one in ratios.items()},
        "ratio_band": {name: _band(one) for name, one in ratios.items()},
        "pays_back_after": _finite(pays),
    }


def _value(found: Ratio | None) -> float | None:
    return None if found is None else _finite(found.value)


def _band(found: Ratio | None) -> list[float | None] | None:
    return None if found is None else [_finite(found.low), _finite(found.high)]


def _finite(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)
