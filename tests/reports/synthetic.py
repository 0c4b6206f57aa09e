"""Sweeps made up by formulas: what plots are given in tests."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from accelsim import api
from accelsim.reports.sweeps.base import View
from accelsim.reports.sweeps.context import BaseNote, Context
from accelsim.reports.sweeps.table import table_of
from accelsim.results.result import Result
from accelsim.store import Failure, Point, Record

WORKS = {"resnet18": 1.8e9, "speech_dnn": 21e6}
AGES = (20.0, 3600.0, 86400.0, 31536000.0)
ANALOG = {"int8": False, "int4": False, "pcm": True}
SOURCES = (("mac_8", "Horowitz, ISSCC 2014"), ("adc", "Murmann ADC survey 2024"))
BASES = {
    "int8": BaseNote(
        "int8",
        False,
        "int8_edge.yaml",
        "d8",
        "22 nm, 0.8 V",
        "resident",
        assumptions=("no energy for the clock tree", "SRAM: CACTI 7"),
        sources=SOURCES[:1],
    ),
    "int4": BaseNote(
        "int4",
        False,
        "int8_edge.yaml",
        "d4",
        "22 nm, 0.8 V",
        "resident",
        assumptions=("no energy for the clock tree",),
        sources=SOURCES[:1],
    ),
    "pcm": BaseNote(
        "pcm",
        True,
        "pcm_8level.yaml",
        "dp",
        "22 nm, 0.8 V",
        "resident",
        assumptions=("mean conductance 0.1 of the span",),
        sources=SOURCES,
    ),
}


def context(**more: object) -> Context:
    whole: dict[str, object] = {
        "name": "made_up",
        "question": "From which converter on does PCM take less energy?",
        "objectives": ("energy_chip_joules", "latency_seconds", "-top1"),
        "bases": BASES,
        "works": {"resnet18": "batch 1", "speech_dnn": "batch 1"},
        "axes": (
            ("units.tiles.adc.bits",),
            ("units.tiles.rows", "units.tiles.columns"),
            ("units.array.rows", "units.array.columns"),
            ("units.array.rate",),
        ),
        "constraints": (("area_square_metres", "<=", 40e-6), ("fits", "", 0.0)),
        "model": "0.1.0+abc",
    }
    return Context(**{**whole, **more})  # type: ignore[arg-type]


def digital(base: str, work: str, rows: int, clock: str) -> Record:
    macs, bits = WORKS[work], 8 if base == "int8" else 4
    hertz = float(clock.split()[0]) * 1e6
    point = Point(
        base,
        work,
        (("units.array.columns", rows), ("units.array.rate", clock), ("units.array.rows", rows)),
    )
    used = 0.9 / (1 + (rows / 64) ** 2 * (0.2 if work == "resnet18" else 2.0))
    seconds = macs / (rows * rows * hertz * used)
    swing = 0.4 + 0.6 * (hertz / 8e8) ** 2
    parts = {
        "mac": swing * macs * bits * bits * 2.6e-15,
        "register": swing * macs * bits * 6e-15,
        "sram": macs * bits * 6e-13 / rows,
        "dram": macs**0.75 * bits * 2e-11 / 8,
        "leakage": seconds * 4e-3 * hertz / 8e8,
    }
    return record(
        point,
        parts,
        seconds,
        used,
        macs,
        0.5e-6 + rows * rows * bits * bits * 1e-11,
        0.0,
        [(None, None, 0.965 - 0.02 * (bits == 4))],
    )


def pcm(work: str, bits: int, rows: int, seed: int) -> Record:
    macs = WORKS[work]
    point = Point(
        "pcm",
        work,
        (("units.tiles.adc.bits", bits), ("units.tiles.columns", rows), ("units.tiles.rows", rows)),
        None,
        seed,
    )
    if rows == 512 and bits == 10:
        return Record(
            f"{hash(point):x}",
            "m",
            point,
            failure=Failure("mapping.crossbars", f"needs {rows} crossbars, has 12", False),
        )
    if rows == 128 and bits == 4 and work == "speech_dnn" and seed == 1:
        return Record(
            f"{hash(point):x}", "m", point, failure=Failure("internal", "ValueError: made up")
        )
    rng = np.random.default_rng([bits, rows, seed])
    seconds = macs / (rows * rows * 2.4e7) * (1 + bits / 16) * (rows / 128) ** 1.2
    parts = {
        "cells": macs * 1.4e-14,
        "converters": macs / rows * 4.0**bits * 1.6e-15,
        "drivers": macs / rows * 3e-12,
        "sram": macs * 9e-12 / rows,
        "dram": macs**0.75 * 8e-11 / 8,
        "leakage": seconds * 8e-3,
    }
    aged = [
        (
            age,
            298.15,
            float(
                np.clip(
                    0.96
                    - 0.3 * 2.0 ** (2 - bits)
                    - 0.012 * np.log10(age / 20)
                    + 0.006 * rng.standard_normal(),
                    0,
                    1,
                )
            ),
        )
        for age in AGES
    ]
    return record(
        point,
        parts,
        seconds,
        0.3,
        macs,
        6e-6 + 200 * rows * 2.0**bits * 2e-12,
        3 * macs**0.8 * 8e-10,
        aged,
    )


def record(
    point: Point,
    parts: dict[str, float],
    seconds: float,
    used: float,
    macs: float,
    area: float,
    writing: float,
    aged: list[tuple[float | None, float | None, float]],
) -> Record:
    total = sum(parts.values())
    device = parts.get("mac", 0.0) + parts.get("cells", 0.0)
    core = device + sum(
        parts.get(name, 0.0) for name in ("register", "converters", "drivers", "sram")
    )
    measures = {
        "cycles": round(seconds * 8e8),
        "latency_seconds": seconds,
        "throughput_per_second": 1 / seconds,
        "energy_device_joules": device,
        "energy_core_joules": core,
        "energy_chip_joules": total,
        "energy_per_inference_joules": total,
        "watts": total / seconds,
        "area_square_metres": area,
        "utilisation": used,
        "macs": macs,
        "writing_joules": writing,
        "energy_band_joules": total / 4,
        "top1": min(top1 for _, _, top1 in aged),
    }
    rows = [
        {"age_s": age, "temperature_K": kelvin, "top1": top1, "signal_to_noise_db": 40 * top1}
        for age, kelvin, top1 in aged
    ]
    return Record(f"{hash(point):x}", "m", point, measures, parts, rows)


def records() -> Iterator[Record]:
    for work in WORKS:
        for base in ("int8", "int4"):
            for rows in (16, 32, 64, 128):
                for clock in ("200 MHz", "400 MHz", "800 MHz"):
                    yield digital(base, work, rows, clock)
        for bits in (4, 5, 6, 7, 8, 10):
            for rows in (128, 256, 512):
                for seed in range(3):
                    yield pcm(work, bits, rows, seed)


def view(**more: object) -> View:
    return View(table_of(records(), ANALOG), context(**more))


@lru_cache(maxsize=2)
def result(analog: bool) -> Result:
    chip = "pcm_8level" if analog else "int8_edge"
    overrides = ["units.tiles.count=16"] if analog else []
    return api.run(api.load_chip(chip, overrides), api.load_workload("digits_mlp"))


def runnable() -> View:
    """A view whose designs can be run again: each as a small network on a shipped chip."""
    return View(table_of(records(), ANALOG), context(), lambda point: result(ANALOG[point.base]))
