"""Rows of SCALE-Sim's folds: every way to write them, and what they cover and fetch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from accelsim.chip import Chip, machine
from accelsim.config.scalesim_cfg import ScaleSimConfig, chip_of
from accelsim.mapping.mapping import Geometry, geometry_of
from accelsim.mapping.rows.folds import LOWERED, OUTPUT, SUMS, WEIGHT, fold_counts, folds_nest
from accelsim.mapping.rows.record import HOME, Nest, Segment, written
from accelsim.program.opcodes import Access, Flag
from accelsim.units.dataflows import dataflow_named
from tests.mapping.random_cases import random_operator
from tests.mapping.rows.ways import every_way

BOX = slice(7, 13)
Layer = tuple[Chip, Geometry, int]


def layers(count: int, seed: int) -> list[Layer]:
    """Random layers on small arrays, all dataflows."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        rows, columns = (int(rng.choice([1, 2, 3, 5, 8])) for _ in range(2))
        inputs, weights = (int(rng.choice([1, 2])) for _ in range(2))
        flow = ("os", "ws", "is")[number % 3]
        chip = chip_of(ScaleSimConfig("layers", rows, columns, inputs, weights, 1, flow), True)
        geometry = geometry_of(random_operator(rng))
        found.append((chip, geometry, dataflow_named(chip.array.dataflow).number))
    return found


def nest_of(layer: Layer) -> Nest:
    chip, geometry, flow = layer
    return folds_nest(chip, machine(chip), geometry, flow)


def rows_of(layer: Layer) -> Segment:
    return written(nest_of(layer), fast=True)


def operands(segment: Segment) -> tuple[Any, Any]:
    """Operands on chip, and those at home."""
    far = segment.operands[:, 1] == HOME
    return segment.operands[~far], segment.operands[far]


def test_one_source_in_every_way(monkeypatch: pytest.MonkeyPatch) -> None:
    for layer in layers(45, 1):
        segment = every_way(lambda layer=layer: nest_of(layer), monkeypatch)  # type: ignore[misc]
        chip, geometry, flow = layer
        folds = fold_counts(flow, geometry, chip.array.rows, chip.array.columns)
        assert len(segment) == geometry.groups * folds[0] * folds[1]


def test_folds_cover_the_product_once() -> None:
    for layer in layers(60, 2):
        _, g, _ = layer
        segment = rows_of(layer)
        products = np.zeros((g.groups, g.m, g.k, g.n), np.int64)
        begun, ended = (np.zeros((g.groups, g.m, g.n), np.int64) for _ in range(2))
        near, _ = operands(segment)
        for command, (a, b, c) in zip(
            segment.commands, near.reshape(len(segment), 3, -1)[..., BOX], strict=True
        ):
            group, _, m0, m, k0, k = a
            n0, n = b[4:6]
            assert (b[:4] == (group, 1, k0, k)).all() and (c == (group, 1, m0, m, n0, n)).all()
            assert (command[3:6] == (m, n, k)).all()
            products[group, m0 : m0 + m, k0 : k0 + k, n0 : n0 + n] += 1
            here = group, slice(m0, m0 + m), slice(n0, n0 + n)
            begun[here] += bool(command[2] & Flag.FIRST_K)
            ended[here] += bool(command[2] & Flag.LAST_K)
        outputs = near[2::3, BOX]
        unfinished = np.flatnonzero(~segment.commands[:, 2] & Flag.LAST_K)
        assert (outputs[unfinished + 1] == outputs[unfinished]).all()  # row folds follow each other
        assert (products == 1).all() and (begun == 1).all() and (ended == 1).all()


def test_what_fits_half_its_buffer_is_fetched_once() -> None:
    once = np.zeros(2, int)
    for layer in layers(90, 3):
        chip, g, flow = layer
        near, far = operands(rows_of(layer))
        writes = far[far[:, 5] == Access.WRITE]
        assert (writes == np.where(np.arange(15) == 1, writes[0, 1], near[2::3])).all()
        assert np.isin(writes[:, 0], (OUTPUT, SUMS)).all()
        words = [int(far[far[:, 0] == tensor, 4].sum()) for tensor in (LOWERED, WEIGHT)]
        weights = g.groups * g.k * g.n
        assert words[1] >= weights
        if flow == 2 and g.k * g.n <= chip.memories[chip.array.weight].size // 2:
            assert words[1] == weights
            once[1] += 1
        if not g.convolution and g.m * g.k <= chip.memories[chip.array.input].size // 2:
            assert words[0] == g.groups * g.m * g.k
            once[0] += 1
    assert once.min() > 10
