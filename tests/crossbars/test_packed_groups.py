"""Groups of a convolution on one crossbar's diagonal: exact values, counts, cost, current, noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from accelsim import load_chip, run
from accelsim.analog.tile import Block
from accelsim.chip import Chip
from accelsim.devices.ideal import Ideal
from accelsim.energy import account
from accelsim.errors import ProgramError
from accelsim.formats import get
from accelsim.mapping import compile_program, geometry_of, plan
from accelsim.mapping.crossbars import CrossbarMapping, crossbars_of, pack_of
from accelsim.mapping.tensors import tensor_formats
from accelsim.noise import Stream
from accelsim.numerics.crossbars import diagonal
from accelsim.numerics.execute import execute
from accelsim.numerics.execution import Execution
from accelsim.numerics.lowering import weight_matrix
from accelsim.numerics.network import Network
from accelsim.numerics.quantize import Quantization, Requantizer
from accelsim.program.coverage import check_coverage
from accelsim.program.opcodes import Opcode
from accelsim.program.table import Program, Shapes
from accelsim.program.validate import Findings, validate
from accelsim.timing import simulate
from accelsim.workload import Conv2d, Workload
from tests.mapping.random_cases import reference_sums, single

SMALL = ["units.tiles.rows=48", "units.tiles.columns=66"]  # 48 rows x 22 outputs
EXACT = [
    *SMALL,
    "units.tiles.device=ideal",
    "units.tiles.adc.bits=0",
    "units.tiles.johnson=false",
    "units.tiles.output_noise=0",
]
COLD, COPIES = ["weights=cold"], ["units.tiles.count=64"]
AGAIN = ["units.tiles.count=1", "units.tiles.unmapped=reprogram"]


def uncovered(program: Program, workload: Workload) -> bool:
    """Whether some product is computed twice or not at all."""
    found = Findings(program)
    check_coverage(found, workload)
    return bool(found.problems)


def grouped(
    groups: int, channels: int = 1, filters: int = 1, size: int = 7, kernel: int = 3
) -> Conv2d:
    """A convolution of so many groups, channels and filters in each."""
    return Conv2d(
        "conv",
        "x",
        "w",
        "y",
        2,
        groups * channels,
        size,
        size + 2,
        groups * filters,
        (kernel, kernel),
        padding=(1, 1, 1, 1),
        groups=groups,
    )


CASES = [
    (grouped(13), []),
    (grouped(13), COLD),
    (grouped(11, 2, 3, 5), []),
    (grouped(7, 1, 2), COPIES),
    (grouped(5, 1, 2), AGAIN),
    (grouped(9, 3, 7, 6, 2), COLD),
    (grouped(6, 7), []),
]


def executed(op: Conv2d, chip: Chip, seed: int = 0) -> tuple[Execution, np.ndarray]:
    """What comes out of random codes, and what an integer array makes of them."""
    work, rng = single(op), np.random.default_rng(seed)
    x, w = (rng.integers(-3, 4, shape) for shape in (op.input_shape, op.weight_shape))
    formats = tensor_formats(work, chip)
    record = get(formats["y"])
    shifts = [
        Requantizer(
            np.full(op.n, g),
            np.full(op.n, 1 << 30),
            np.full(op.n, 30),
            0,
            record.minimum,
            record.maximum,
        )
        for g in range(op.groups)
    ]
    network = Network(
        {name: Quantization(form, np.float64(1.0)) for name, form in formats.items()},
        {"conv": weight_matrix(op, w)},
        {"conv": tuple(shifts)},
        weight_formats={"conv": "int8"},
    )
    program = compile_program(chip, work)
    number = np.repeat(np.arange(op.groups), op.filters // op.groups)[None, :, None, None]
    return (
        execute(program, work, chip, {"x": x}, network),
        np.clip(reference_sums(op, x, w) + number, record.minimum, record.maximum),
    )


@pytest.mark.parametrize("op, changes", CASES)
def test_ideal_cells_give_the_digital_integers(op: Conv2d, changes: list[str]) -> None:
    """Odd sizes, a last pack that is smaller, copies, cold weights, cells written anew; a bias of its own
    for every group."""
    chip = load_chip("pcm_8level", [*EXACT, *changes])
    found, expected = executed(op, chip)
    assert (found.tensors["y"] == expected).all() and found.macs == op.macs


@pytest.mark.parametrize("op, changes", CASES)
def test_valid_conserved_and_timed_alike(op: Conv2d, changes: list[str]) -> None:
    chip, work = load_chip("pcm_8level", [*SMALL, *changes]), single(op)
    program = compile_program(chip, work)
    validate(program, work)
    assert not uncovered(program, work)
    timelines = [simulate(program, chip, engine) for engine in ("plain", "compiled", "simpy")]
    for other in timelines[1:]:
        assert (other.issue == timelines[0].issue).all() and (other.end == timelines[0].end).all()
    account(program, chip, timelines[0]).check(work.macs)


def test_random_grouped_shapes() -> None:
    rng, packed = np.random.default_rng(5), 0
    chip = load_chip("pcm_8level", EXACT)
    for seed in range(30):
        op = grouped(
            int(rng.integers(2, 16)),
            int(rng.integers(1, 4)),
            int(rng.integers(1, 12)),
            int(rng.integers(3, 7)),
            int(rng.integers(1, 4)),
        )
        validate(compile_program(chip, single(op)), single(op))
        found, expected = executed(op, chip, seed)
        assert (found.tensors["y"] == expected).all() and found.macs == op.macs
        assert chip.crossbar is not None
        packed += pack_of(chip.crossbar, geometry_of(op)) > 1
    assert packed > 10


def test_counts_by_hand() -> None:
    """48 rows hold five groups of 9 x 1 weights; three crossbars hold 13. Off, each has its own."""
    op = grouped(13)
    once = [*SMALL, "units.tiles.replicate=false"]
    chip = load_chip("pcm_8level", once)
    off = load_chip("pcm_8level", [*once, "units.tiles.pack_groups=false"])
    assert chip.crossbar is not None and off.crossbar is not None
    assert crossbars_of(chip.crossbar, geometry_of(op)) == 3
    assert crossbars_of(off.crossbar, geometry_of(op)) == 13
    mapping = plan(chip, single(op)).mappings["conv"]
    assert isinstance(mapping, CrossbarMapping) and mapping.pack == 5
    program = compile_program(chip, single(op))
    shape = program.shapes.extents[program.commands.shape[program.rows(Opcode.MVM)]]
    assert sorted(set(shape[:, 3].tolist())) == [3, 5]
    assert int(np.prod(shape[:, :4], axis=1).sum()) == op.macs
    alone = compile_program(off, single(op))
    assert not alone.shapes.extents[alone.commands.shape[alone.rows(Opcode.MVM)], 3].any()
    assert run(chip, single(op)).seconds < run(off, single(op)).seconds


def test_wider_groups_and_matrix_products_stand_alone() -> None:
    chip = load_chip("pcm_8level", SMALL)
    assert chip.crossbar is not None
    for op in (grouped(4, 6), grouped(4, 1, 12), grouped(1)):
        assert pack_of(chip.crossbar, geometry_of(op)) == 1


class Leaky(Ideal):
    """A device whose smallest conductance is no zero."""

    @property
    def g_min(self) -> float:
        return 5e-6


def test_cost_and_current_in_closed_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """Off the diagonal p (p - 1) n k pairs stand at G_min; all rows are driven, all outputs converted and
    all cells written."""
    crossbar = load_chip("pcm_8level").crossbar
    assert crossbar is not None
    device = Leaky()
    monkeypatch.setattr("accelsim.units.crossbar.device_named", lambda name: device)
    m, n, k, p = 10, 2, 9, 4
    none = np.zeros(4, np.int64)
    extents = np.zeros((4, 8), np.int64)
    extents[:, :4] = [(m, n, k, p), (m, n, k, 0), (0, n, k, p), (0, n * p, k * p, 0)]
    codes = np.array([Opcode.MVM, Opcode.MVM, Opcode.PROGRAM, Opcode.PROGRAM])
    shapes = Shapes(none, codes, none, none, none, none, extents)
    found, cost = crossbar.actions(shapes), crossbar.cost(shapes)
    for name in ("mac_cells", "driven_seconds", "conversions"):
        assert found[name][0] == pytest.approx(p * found[name][1], rel=1e-9, abs=0.0)
    assert found["vectors"][0] == found["vectors"][1]
    off = m * p * (p - 1) * n * k * crossbar.cells.cells * device.g_min
    charge = off * crossbar.drive.voltage * crossbar.drive.pulse * crossbar.drive.mean
    assert (
        found["cell_charge"][0]
        == pytest.approx(p * found["cell_charge"][1] + charge, rel=1e-9, abs=0.0)
        and charge > 0
    )
    assert cost.interval[0] == cost.interval[1] and cost.interval[2] == cost.interval[3]
    assert found["pulses"][2] == found["pulses"][3] > 0
    single_cells = replace(crossbar, cells=replace(crossbar.cells, sign="offset", levels=0))
    assert single_cells.zero_conductance == pytest.approx(
        (device.g_min + device.g_max) / 2, rel=1e-9, abs=0.0
    )
    assert crossbar.zero_conductance == pytest.approx(device.g_min, rel=1e-9, abs=0.0)


def test_noise_of_a_packed_block() -> None:
    """Zeros off the diagonal add their cells' errors: the sum's error follows the rows of the whole pack."""
    quiet = [
        "units.tiles.adc.bits=0",
        "units.tiles.compensation=none",
        "units.tiles.johnson=false",
        "units.tiles.output_noise=0",
        "units.tiles.cells.scaling=format",
        "units.tiles.age=0 s",
    ]
    crossbar = load_chip("pcm_8level", quiet).crossbar
    assert crossbar is not None
    rng, p, k = np.random.default_rng(1), 24, 9
    weights, x = rng.integers(-127, 128, (p, k, 1)), rng.integers(0, 128, (60, p * k))
    codes = diagonal(weights)
    assert codes.shape == (p * k, p) and (codes.sum(axis=0) == weights.sum(axis=(1, 2))).all()
    tile, whole, beside, own = crossbar.tile(), [], [], []

    def error(codes: np.ndarray, x: np.ndarray, *place: int) -> float:
        found = Block(tile, codes, 127, 127, True, Stream(3, place)).multiply(x) - x @ codes
        return float(np.mean(found.astype(np.float64) ** 2))

    for turn in range(12):
        whole.append(error(codes, x, turn, 0))
        beside.append(error(0 * codes, x, turn, 1) * (p - 1) / p)
        own += [error(weights[g], x[:, g * k : g * k + k], turn, 2, g) for g in range(p)]
    assert np.mean(beside) > 0.2 * np.mean(own)
    assert np.mean(whole) == pytest.approx(np.mean(own) + np.mean(beside), rel=0.15, abs=0.0)


def test_a_group_more_is_refused() -> None:
    op = grouped(13)
    program = compile_program(load_chip("pcm_8level", SMALL), single(op))
    program.shapes.extents[program.commands.shape[program.rows(Opcode.MVM)[0]], 3] += 1
    assert uncovered(program, single(op))
    with pytest.raises(ProgramError, match="extents"):
        validate(program, single(op))
