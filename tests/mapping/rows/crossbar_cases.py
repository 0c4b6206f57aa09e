"""Random operators on small crossbars."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

import accelsim
from accelsim.chip import Chip, Machine, machine
from accelsim.mapping.crossbars import CrossbarMapping, crossbars_of, pack_of
from accelsim.mapping.mapping import Geometry, geometry_of
from accelsim.mapping.tiles import runs_of
from tests.mapping.random_cases import random_operator

SIZES = ((4, 4), (7, 5), (16, 12), (64, 64))  # rows, outputs


class Case(NamedTuple):
    """Arguments of crossbar_nest."""

    chip: Chip
    machine: Machine
    geometry: Geometry
    mapping: CrossbarMapping
    formats: tuple[str, str, str]
    parity: int
    cold: bool


def small_chip(rows: int, columns: int, count: int, packs: bool) -> Chip:
    """pcm_projected with other crossbars."""
    chip = accelsim.load_chip("pcm_projected")
    unit = chip.crossbar
    assert unit is not None
    unit = replace(unit, clock_hz=0, rows=rows, columns=columns, count=count, pack_groups=packs)
    return replace(chip, units={**chip.units, unit.name: unit})


def random_case(rng: np.random.Generator) -> Case:
    """An operator, how long its runs are, and how many copies of its weights there are."""
    size, packs = SIZES[int(rng.integers(len(SIZES)))], bool(rng.random() < 0.7)
    geometry = geometry_of(random_operator(rng))
    unit = small_chip(*size, 1, packs).crossbar
    assert unit is not None
    batch = int(rng.integers(1, geometry.batch + 1))
    height = geometry.out_height if batch > 1 else int(rng.integers(1, geometry.out_height + 1))
    whole = batch > 1 or height > 1
    width = geometry.out_width if whole else int(rng.integers(1, geometry.out_width + 1))
    runs = runs_of(geometry, (batch, height, width))
    replicas, need = int(rng.integers(1, min(3, runs) + 1)), crossbars_of(unit, geometry)
    mapping = CrossbarMapping(
        batch,
        height,
        width,
        int(rng.integers(0, 3)),
        replicas,
        bool(rng.random() < 0.3),
        int(rng.integers(1, 4)),
        need,
        pack_of(unit, geometry),
    )
    chip = small_chip(*size, mapping.last + int(rng.integers(0, 2)), packs)
    formats: Any = tuple(str(rng.choice(["int8", "int4"])) for _ in range(3))
    parity, cold = int(rng.integers(2)), bool(rng.random() < 0.4)
    return Case(chip, machine(chip), geometry, mapping, formats, parity, cold)
