"""The estimate of tilings against second opinions: passes that are really made, tiles that are really cut,
one tiling after another, and the default mapping among them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from accelsim.chip import Chip
from accelsim.errors import InputError
from accelsim.mapping import compile_program, geometry_of
from accelsim.mapping.tensors import operator_formats, tensor_formats
from accelsim.mapping.tiles import BOX, BOXES, M_TILE, MOST_M, PIECES, PLANE, m_tiles, tiles_of
from accelsim.mapping.tilings.candidates import MLimits, m_cuts
from accelsim.mapping.tilings.default import choose_mapping, legal, own_variants
from accelsim.mapping.tilings.estimate import Choice, estimate
from accelsim.mapping.tilings.passes import passes_of
from accelsim.mapping.tilings.search import variants
from accelsim.mapping.tilings.setting import Stream, Streams, Task, Variant, setting_of
from accelsim.mapping.tilings.tables import CLOSE, Tilings
from accelsim.program.opcodes import Opcode
from accelsim.program.table import Program, Shapes
from accelsim.workload import Conv2d, Gemm
from tests.arrays.runs import NAMES
from tests.mapping.random_cases import random_chip, random_operator, single


def cases(seed: int, wanted: int, **fixed: object) -> Iterator[tuple[Task, Gemm | Conv2d]]:
    """Random operators on random chips, on each of which some tiling fits."""
    rng = np.random.default_rng(seed)
    while wanted:
        chip, op = random_chip(rng, **fixed), random_operator(rng)
        formats = (*operator_formats(op, chip), tensor_formats(single(op), chip)[op.output])
        task = Task(chip, geometry_of(op), formats, op.name)
        try:
            choose_mapping(task)
        except InputError:
            continue
        wanted -= 1
        yield task, op


CODES = (Opcode.MATMUL, Opcode.PRELOAD)


def own_variant(task: Task) -> Variant:
    """All arrays, dealt as the chip says."""
    array = task.chip.array
    return next(v for v in own_variants(task) if not v.split and v.arrays in (0, array.count))


def without_ports(streams: Streams) -> Streams:
    nowhere = Stream(-1, 1, 0.0, 0.0)
    return Streams(*(nowhere,) * 8, ports=0, finished=streams.finished)


def cycles_of(chip: Chip, program: Program, rows: np.ndarray, opcode: Opcode) -> np.ndarray:
    """The array's own cycles of commands, each as if it were an ``opcode`` of its shape."""
    s, at = program.shapes, program.commands.shape[rows]
    fields = (s.format_a[at], s.format_b[at], s.format_out[at], s.extents[at])
    code = np.full(len(at), int(opcode))
    return chip.array.cost(Shapes(s.kind[at], code, s.flags[at], *fields)).interval


def held(chip: Chip, program: Program, rows: np.ndarray) -> np.ndarray:
    """Cycles for which ports hold commands, alone."""
    d, found = program.demands, np.zeros(len(rows))
    period = program.tick_hz / chip.clocks[chip.array.clock]
    for number, row in enumerate(rows.tolist()):
        for at in range(d.start[row], d.start[row + 1]):
            port = program.ports[d.port[at]]
            found[number] = max(found[number], -(-d.bytes[at] // port.width) * port.beat / period)
    return found


@pytest.mark.parametrize("dataflow", NAMES)
@pytest.mark.parametrize("count", [1, 4])
def test_passes_take_what_the_array_says_of_those_that_are_made(dataflow: str, count: int) -> None:
    rng = np.random.default_rng(7)
    short, alone = 0, 0
    for task, op in cases(40 + count, 25, dataflow=dataflow, count=count):
        array, g = task.chip.array, task.geometry
        variant = own_variant(task)
        tilings = Tilings(task, variant, more=True)
        made = (array, task.formats, variant.dataflow, g, tilings.tables.sizes)
        found = passes_of(*made, without_ports(tilings.setting.streams))
        ported = passes_of(*made, tilings.setting.streams)
        for number in rng.permutation(np.flatnonzero(tilings.columns.fits))[:4].tolist():
            mapping = tilings.mapping(number)
            if not legal(task, mapping):
                continue
            program = compile_program(task.chip, single(op), {op.name: mapping})
            passes, loads = (np.flatnonzero(program.commands.opcode == int(c)) for c in CODES)
            own, load = (cycles_of(task.chip, program, passes, code) for code in CODES)
            if dataflow == "output_stationary":
                load = 0 * load
            each = np.maximum(own, load) if array.stationary_depth > 1 else own + load
            at = np.unravel_index(number, tilings.shape)[3:]
            assert g.groups * found.cycles[at] == each.sum(), (task, mapping)
            assert g.groups * found.settled[at] == own.sum()
            slow = np.maximum(own, held(task.chip, program, passes)).sum()
            assert g.groups * ported.settled[at] == pytest.approx(slow, rel=0.25)
            assert ported.cycles[at] >= found.cycles[at] and ported.carried[at] >= 0
            assert tilings.columns.passes[number] * g.groups == len(passes)
            least = g.groups * found.least[at]
            made_loads = cycles_of(task.chip, program, loads, Opcode.PRELOAD).sum()
            assert own.sum() <= least <= own.sum() + made_loads * (array.stationary_depth == 1)
            short += len(set(program.shapes.extents[program.commands.shape[passes], 2])) > 1
            alone += least < each.sum()
    assert dataflow == "output_stationary" or (short >= 8 and alone >= 8)


def test_cuts_of_m_are_those_that_tiles_make() -> None:
    for task, _ in cases(50, 30):
        g = task.geometry
        made = m_cuts(g, MLimits(16, 3, 2))
        for shape, column, sizes in zip(made.shapes, made.table.T, made.sizes, strict=True):
            table, found = m_tiles(g, shape, 8)
            rows = np.array(table).reshape(-1, M_TILE)
            size, high, wide = rows[:, 1], rows[:, BOX + 3], rows[:, BOX + 5]
            one = (*shape, g.n, g.kernel)
            new = tiles_of(replace(g, channels=1), one, (8, 8), True, True).found[PIECES]
            assert column.tolist() == [
                len(size),
                found[MOST_M],
                found[PLANE],
                found[BOXES],
                (rows[:, BOX + 1] * high).sum() * g.in_width,
                new,
                high.max(),
                wide.max(),
            ]
            assert sizes == dict(zip(*np.unique(size, return_counts=True), strict=True))


def test_one_tiling_after_another_has_the_same_estimates_as_all_at_once() -> None:
    rng = np.random.default_rng(9)
    for task, _ in cases(60, 25):
        task = task._replace(
            cold=bool(rng.integers(2)),
            reserve=int(rng.integers(2000)),
            stored=bool(rng.integers(2)),
            alone=bool(rng.integers(2)),
        )
        for variant in variants(task.chip)[::3]:
            tilings = Tilings(task, variant)
            setting = setting_of(task, variant)
            every = tilings.columns
            for number in rng.integers(0, len(every.fits), 10).tolist():
                order, drop_i, drop_w, *at = map(int, np.unravel_index(number, tilings.shape))
                one = picked(tilings.tables.tile, tilings.shape[3:], tuple(at))
                found = estimate(setting, one, Choice(order, 1 - drop_i, 1 - drop_w))
                assert [float(x) for x in found] == [float(x[number]) for x in every]


def picked(tile: Any, shape: tuple[int, ...], at: tuple[int, ...]) -> Any:
    """One tiling of a Tile of arrays."""
    if isinstance(tile, tuple):
        return type(tile)(*(picked(part, shape, at) for part in tile))
    return np.broadcast_to(tile, shape)[at].item()


def test_the_default_is_on_the_fewest_arrays_and_moves_the_fewest_bytes_of_the_quick_ones() -> None:
    for task, _ in cases(70, 25):
        found = []
        for variant in own_variants(task):
            tilings = Tilings(task, variant)
            c = tilings.columns
            for number in np.flatnonzero(c.fits).tolist():
                one = (float(c.cycles[number]), float(c.moved[number]), float(c.passes[number]))
                found.append((variant.arrays or task.chip.array.count, *one, tilings, number))
        quick = min(one[1] for one in found) * (1 + CLOSE)
        arrays = min(one[0] for one in found if one[1] <= quick)
        own = [one for one in found if one[0] == arrays]
        best = min(one[1] for one in own) * (1 + CLOSE)
        ordered = sorted(own, key=lambda one: (one[1] > best, one[2], one[3], one[1]))
        first = next(one for one in ordered if legal(task, one[4].mapping(one[5])))
        chosen = choose_mapping(task)
        if first[1] > best:  # some fit by estimate only
            continue
        same = [one for one in own if one[1:4] == first[1:4]]
        assert chosen in [one[4].mapping(one[5]) for one in same]


def test_a_second_chip_of_the_same_numbers_gets_the_same_mapping() -> None:
    for task, _ in cases(80, 10):
        array = replace(task.chip.array)
        again = replace(task.chip, units={**task.chip.units, array.name: array})
        assert choose_mapping(task._replace(chip=again)) == choose_mapping(task)
