"""The estimate of tilings against second opinions: passes that are really made, tiles that are really cut,
one tiling after another, and the default mapping among them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from accelsim.chip import Chip
from accelsim.errors import InputError
from accelsim.mapping import compile_program, geometry_of
from accelsim.mapping.mapping import Mapping
from accelsim.mapping.tensors import operator_formats, tensor_formats
from accelsim.mapping.tiles import BOXES, M_TILE, MOST_M, PLANE, m_tiles
from accelsim.mapping.tilings.candidates import m_cuts
from accelsim.mapping.tilings.default import choose_mapping, legal, own_variant
from accelsim.mapping.tilings.estimate import (
    LEVELS,
    Setting,
    Task,
    Tilings,
    estimate,
    passes_of,
)
from accelsim.mapping.tilings.search import variants
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


def columns(tilings: Tilings) -> list[np.ndarray]:
    t = tilings
    return [t.cycles, t.guess, t.bound, t.moved, t.certain, t.passes, t.near, t.fits]


def cycles_of(
    chip: Chip, program: Program, rows: np.ndarray, opcode: Opcode, deep: np.ndarray | None = None
) -> np.ndarray:
    """The array's own cycles of commands, each as if it were an ``opcode`` of its shape. deep: other extents
    along k."""
    s, at = program.shapes, program.commands.shape[rows]
    extents = s.extents[at].copy()
    if deep is not None:
        extents[:, 2] = deep
    fields = (s.format_a[at], s.format_b[at], s.format_out[at], extents)
    code = np.full(len(at), int(opcode))
    return chip.array.cost(Shapes(s.kind[at], code, s.flags[at], *fields)).interval


def ranked_at(task: Task, program: Program, passes: np.ndarray, mapping: Mapping) -> np.ndarray:
    """Extents along k that passes are ranked at: of the limit where their tile has more than one."""
    array, g = task.chip.array, task.geometry
    limit = array.pass_limits(mapping.dataflow, array.rate(*task.formats[:2]))[2]
    o = program.operands
    k0, own = o.offset[o.start[passes], 2], o.extent[o.start[passes], 2]
    tile = np.minimum(mapping.k, g.k - k0 // mapping.k * mapping.k)
    return np.where((limit > 0) & (tile > limit), limit, own)


@pytest.mark.parametrize("dataflow", NAMES)
@pytest.mark.parametrize("count", [1, 4])
def test_passes_take_what_the_array_says_of_those_that_are_made(dataflow: str, count: int) -> None:
    rng = np.random.default_rng(7)
    short, alone = 0, 0
    for task, op in cases(40 + count, 25, dataflow=dataflow, count=count):
        array, g = task.chip.array, task.geometry
        variant = own_variant(task)
        tilings = Tilings(task, variant, more=True)
        found = passes_of(array, task.formats[:2], variant.dataflow, g, tilings.tables.sizes)
        for number in rng.permutation(np.flatnonzero(tilings.fits))[:4].tolist():
            mapping = tilings.mapping(number)
            if not legal(task, mapping):
                continue
            program = compile_program(task.chip, single(op), {op.name: mapping})
            passes, loads = (np.flatnonzero(program.commands.opcode == int(c)) for c in CODES)
            own = cycles_of(task.chip, program, passes, Opcode.MATMUL)
            deep = ranked_at(task, program, passes, mapping)
            tall = [cycles_of(task.chip, program, passes, code, deep) for code in CODES]
            if dataflow == "output_stationary":
                tall[1] = 0 * tall[1]
            each = np.maximum(*tall) if array.stationary_depth > 1 else sum(tall)
            at = np.unravel_index(number, tilings.shape)[3:]
            assert g.groups * found.cycles[at] == each.sum(), (task, mapping)
            assert tilings.passes[number] * g.groups == len(passes)
            least = g.groups * found.least[at]
            made = cycles_of(task.chip, program, loads, Opcode.PRELOAD).sum()
            assert own.sum() <= least <= own.sum() + made * (array.stationary_depth == 1)
            short += len(set(program.shapes.extents[program.commands.shape[passes], 2])) > 1
            alone += least < each.sum()
    assert dataflow == "output_stationary" or (short >= 8 and alone >= 8)


def test_cuts_of_m_are_those_that_tiles_make() -> None:
    for task, _ in cases(50, 30):
        g = task.geometry
        made = m_cuts(g, 16)
        for shape, column, sizes in zip(made.shapes, made.table.T, made.sizes, strict=True):
            table, found = m_tiles(g, shape, 8)
            size = np.array(table).reshape(-1, M_TILE)[:, 1]
            whole = [len(size), found[MOST_M], found[PLANE], found[BOXES]]
            assert column.tolist() == whole
            assert sizes == dict(zip(*np.unique(size, return_counts=True), strict=True))


def test_one_tiling_after_another_has_the_same_estimates_as_all_at_once() -> None:
    rng = np.random.default_rng(9)
    for task, _ in cases(60, 25):
        task = task._replace(cold=bool(rng.integers(2)), reserve=int(rng.integers(2000)))
        for variant in variants(task.chip)[::3]:
            tilings = Tilings(task, variant)
            setting = Setting(task, variant)
            every = columns(tilings)
            for number in rng.integers(0, len(tilings.fits), 10).tolist():
                order, drop_i, drop_w, *at = map(int, np.unravel_index(number, tilings.shape))
                tile, compute, least = tilings.tables[2:]
                one = tuple(
                    tuple(int(np.broadcast_to(x, tilings.shape[3:])[tuple(at)]) for x in part)
                    for part in tile
                )
                work = (float(compute[tuple(at)]), float(least[tuple(at)]))
                single_one = estimate(setting, one, *work, (order, 1 - drop_i, 1 - drop_w))
                assert [float(x) for x in single_one] == [float(x[number]) for x in every]


def test_the_default_is_the_best_legal_one() -> None:
    for task, _ in cases(70, 25):
        tilings = Tilings(task, own_variant(task))
        best, chosen = None, None
        for number in np.flatnonzero(tilings.fits).tolist():
            mapping = tilings.mapping(number)
            variant, place = divmod(number, len(tilings.fits) // 8)
            key = (
                int((tilings.cycles[number] >= LEVELS).sum()),
                tilings.passes[number],
                tilings.moved[number],
                place,
                variant,
            )
            if (best is None or key < best) and legal(task, mapping):
                best, chosen = key, mapping
        assert choose_mapping(task) == chosen


def test_a_second_chip_of_the_same_numbers_gets_the_same_mapping() -> None:
    for task, _ in cases(80, 10):
        array = replace(task.chip.array)
        again = replace(task.chip, units={**task.chip.units, array.name: array})
        assert choose_mapping(task._replace(chip=again)) == choose_mapping(task)
