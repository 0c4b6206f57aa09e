"""What a sweep may measure: names, units, groups. sweep/measures.py computes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measure:
    """unit: SI, "" for a plain number. group: the short name of several. larger: whether more is better.
    text: for a person. random: differs between seeds of an analog chip that computes values."""

    name: str
    unit: str
    group: str
    larger: bool
    text: str
    random: bool = False


MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        Measure("cycles", "", "latency", False, "cycles of the array's clock"),
        Measure("latency_seconds", "s", "latency", False, "time of one run"),
        Measure(
            "throughput_per_second", "1/s", "latency", True, "inferences a second, runs one by one"
        ),
        Measure(
            "tokens_per_second",
            "1/s",
            "latency",
            True,
            "tokens a second, where the workload states any",
        ),
        Measure("energy_device_joules", "J", "energy", False, "energy of a run, device boundary"),
        Measure("energy_core_joules", "J", "energy", False, "energy of a run, core boundary"),
        Measure("energy_chip_joules", "J", "energy", False, "energy of a run, chip boundary"),
        Measure(
            "energy_per_inference_joules",
            "J",
            "energy",
            False,
            "energy of one inference, chip boundary",
        ),
        Measure(
            "energy_band_joules", "J", "energy", False, "half width of the constants' uncertainty"
        ),
        Measure("watts", "W", "energy", False, "mean power at the chip boundary"),
        Measure(
            "area_square_metres", "m2", "area", False, "area of the parts with a sourced constant"
        ),
        Measure("utilisation", "", "latency", True, "useful multiply-accumulates over the peak"),
        Measure("macs", "", "latency", True, "multiply-accumulates of the workload"),
        Measure("writing_joules", "J", "writing", False, "energy of writing all weights once"),
        Measure("writing_seconds", "s", "writing", False, "time of writing all weights once"),
        Measure("top1", "", "values", True, "share of inputs classified right", True),
        Measure(
            "signal_to_noise_db", "dB", "values", True, "outputs against the float reference", True
        ),
    )
}
#: short name -> what it stands for where one measure is meant (constraints, objectives)
MAIN = {
    "latency": "latency_seconds",
    "throughput": "throughput_per_second",
    "energy": "energy_chip_joules",
    "area": "area_square_metres",
    "writing": "writing_joules",
    "power": "watts",
    "values": "top1",
}
#: objectives of a sweep that names none, as far as it measures them
USUAL = ("energy_chip_joules", "latency_seconds")
GROUPS = ("latency", "energy", "area", "writing", "values")


def usual_objectives(measured: Sequence[str]) -> tuple[str, ...]:
    """What counts where a sweep names no objective: the usual two, else the first that it measures;
    "-" before one of which more is better."""
    found = [name for name in USUAL if name in measured] or list(measured)[:1]
    return tuple(f"-{name}" if MEASURES[name].larger else name for name in found)


def members(name: str) -> tuple[str, ...]:
    """The measures of a group, or the one of a full or short name; none for an unknown one."""
    if name in GROUPS:
        return tuple(measure.name for measure in MEASURES.values() if measure.group == name)
    found = MAIN.get(name, name)
    return (found,) if found in MEASURES else ()
