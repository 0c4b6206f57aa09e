"""PCM chips read the same kind of Program: validated, timed alike by both engines, conserved."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from accelsim import load_chip, load_workload, run
from accelsim.api import load_values
from accelsim.mapping import compile_program, geometry_of, plan
from accelsim.mapping.crossbars import crossbars_of
from accelsim.program.opcodes import Opcode
from accelsim.program.table import Shapes
from accelsim.program.validate import validate
from accelsim.timing import simulate
from accelsim.workload import Workload

BASE = "pcm_8level"
EXACT = [
    "units.tiles.device=ideal",
    "units.tiles.adc.bits=0",
    "units.tiles.johnson=false",
    "units.tiles.output_noise=0",
]
SMALL = ["units.tiles.rows=48", "units.tiles.columns=66"]
DIGITS = Path(__file__).parents[2] / "workloads" / "digits.npz"


def digits(work: Workload) -> dict[str, np.ndarray]:
    """The first images, as the workload's input wants them."""
    name, spec = next((n, t) for n, t in work.tensors.items() if t.role == "input")
    with np.load(DIGITS) as file:
        images = file["images"][: spec.shape[0]]
    return {name: (images / 16.0).reshape(spec.shape)}


CASES = [
    ("digits_mlp", []),
    ("digits_mlp", SMALL),
    ("digits_cnn", SMALL),
    ("digits_cnn", [*SMALL, "weights=cold"]),
    ("digits_mlp", [*SMALL, "units.tiles.count=16", "units.tiles.unmapped=reprogram"]),
    ("digits_cnn", [*SMALL, "units.tiles.count=2000"]),
]


@pytest.mark.parametrize("name, changes", CASES)
def test_ideal_cells_equal_the_digital_reference(name: str, changes: list[str]) -> None:
    """Bit for bit, whatever the blocks, the copies and where the weights come from: the reference is
    the integer product itself, requantised by the same network."""
    from accelsim.numerics import build_network, lowering

    chip, work = load_chip(BASE, [*EXACT, *changes]), load_workload(name, batch=20)
    inputs = digits(work)
    found = run(chip, work, inputs)
    assert found.values is not None
    network = build_network(work, chip, load_values(work))
    tensors = {
        n: network.activations[n].encode(np.asarray(x, np.float64)) for n, x in inputs.items()
    }
    for op in work.operators:
        if not hasattr(op, "weight"):
            from accelsim.numerics.vector import elementwise, pool

            quants = [network.activations[n] for n in op.inputs]
            if op.kind == "flatten":
                tensors[op.output] = tensors[op.inputs[0]].reshape(op.output_shape)
            elif "pool" in op.kind:
                x = tensors[op.inputs[0]]
                tensors[op.output] = pool(
                    op, x, 0, 0, 0, op.output_shape[2], quants[0].zero
                ).reshape(op.output_shape)
            else:
                tensors[op.output] = elementwise(
                    op, [tensors[n] for n in op.inputs], quants, network.activations[op.output]
                )
            continue
        a = lowering.lower_input(op, tensors[op.input], network.activations[op.input].zero)
        sums = np.asarray(a, np.int64) @ network.weights[op.name]
        codes = np.stack(
            [network.requantizers[op.name][g].apply(sums[g]) for g in range(op.groups)]
        )
        tensors[op.output] = lowering.raise_output(op, codes)
    for output, codes in found.values.outputs.items():
        assert (codes == tensors[output]).all()


@pytest.mark.parametrize("name, changes", CASES)
def test_engines_agree_and_nothing_is_lost(name: str, changes: list[str]) -> None:
    chip, work = load_chip(BASE, changes), load_workload(name, batch=6)
    program = compile_program(chip, work)
    validate(program, work)
    timelines = [simulate(program, chip, engine) for engine in ("plain", "compiled", "simpy")]
    for other in timelines[1:]:
        assert (other.issue == timelines[0].issue).all() and (other.end == timelines[0].end).all()
    result = run(chip, work)
    assert result.energy.macs() == work.macs
    device, core, whole = (result.energy.boundary(b) for b in ("device", "core", "chip"))
    assert 0 < device < core < whole


def test_a_pass_more_or_less_is_refused() -> None:
    from accelsim.errors import ProgramError

    chip, work = load_chip(BASE, SMALL), load_workload("digits_mlp", batch=6)
    for change in ("shape", "unit", "flags"):
        program = compile_program(chip, work)
        row = int(program.rows(Opcode.MVM)[3])
        column = getattr(program.commands, change)
        column[row] = {
            "shape": program.commands.shape[program.rows(Opcode.LOAD)[0]],
            "unit": program.units.index(next(u for u in program.units if u.name == "vector")),
            "flags": 0,
        }[change]
        with pytest.raises(ProgramError):
            validate(program, work)


def test_unwritten_cells_are_noticed() -> None:
    from accelsim.errors import ProgramError

    chip, work = load_chip(BASE, SMALL), load_workload("digits_mlp", batch=6)
    program = compile_program(chip, work)
    with pytest.raises(ProgramError, match="nothing has written"):
        validate(
            dataclasses.replace(
                program,
                residents=tuple(
                    r for r in program.residents if "cells" not in program.memories[r.memory].name
                ),
            ),
            work,
        )


def test_copies_share_the_vectors() -> None:
    """Spare crossbars take copies; more of them never make a run slower."""
    work, before = load_workload("digits_cnn", batch=8), None
    for count in (50, 100, 400, 1600):
        chip = load_chip(BASE, [*SMALL, f"units.tiles.count={count}"])
        chosen = plan(chip, work).mappings
        cycles = run(chip, work).cycles
        assert before is None or cycles <= before[0]
        copies = sum(m.replicas for m in chosen.values())  # type: ignore[union-attr]
        program = compile_program(chip, work)
        used = np.unique(program.commands.unit[program.rows(Opcode.MVM)])
        unit = chip.crossbar
        assert unit is not None
        sizes = {
            op.name: crossbars_of(unit, geometry_of(op))
            for op in work.operators
            if hasattr(op, "weight")
        }
        assert len(used) == sum(sizes[name] * m.replicas for name, m in chosen.items())  # type: ignore[union-attr]
        assert before is None or copies >= before[1]
        before = (cycles, copies)


def test_interval_and_latency_follow_the_stages() -> None:
    """One vector a read: fill + interval (n - 1) + drain, to the cycle."""
    for change, reads in (
        ([], 1),
        (["units.tiles.drive.phases=2"], 2),
        (["units.tiles.drive.phases=4"], 4),
        (["units.tiles.drive.mode=bit_serial"], 8),
    ):
        for hold in (True, False):
            unit = load_chip(BASE, [*change, f"units.tiles.hold={str(hold).lower()}"]).crossbar
            assert unit is not None and unit.reads == reads
            read, convert = 132e-9, unit.adc.shared / unit.adc.rate
            stage = max(read, convert) if hold else read + convert
            assert unit.interval_seconds == pytest.approx(reads * stage, rel=1e-9, abs=0.0)
            assert unit.latency_seconds == pytest.approx(
                stage * (reads - 1) + read + convert, rel=1e-9, abs=0.0
            )
            none = np.zeros(2, np.int64)
            shapes = Shapes(
                none,
                none + int(Opcode.MVM),
                none,
                none,
                none,
                none,
                np.array([[1, 9, 7, 0, 0, 0, 0, 0], [40, 9, 7, 0, 0, 0, 0, 0]]),
            )
            cost = unit.cost(shapes)
            period, latency = unit.cycles(unit.interval_seconds), unit.cycles(unit.latency_seconds)
            assert cost.interval.tolist() == [period, 40 * period]
            assert cost.last.tolist() == [latency, latency + 39 * period]


def test_noise_in_time_has_the_declared_interval_and_no_timeline() -> None:
    """Vectors stand the crossbar's own interval apart, or as the file says; engines change nothing."""
    more = ["units.tiles.read_noise=flicker", *SMALL]
    chip = load_chip(BASE, more)
    assert chip.crossbar is not None
    assert chip.crossbar.tile().interval == chip.crossbar.interval_seconds
    slow = load_chip(BASE, [*more, "units.tiles.vector_interval=1 s"])
    assert slow.crossbar is not None and slow.crossbar.tile().interval == 1.0
    work = load_workload("digits_mlp", batch=20)
    inputs = digits(work)
    one, two = (run(chip, work, inputs, engine=engine) for engine in ("plain", "simpy"))
    other = run(slow, work, inputs)
    assert one.values is not None and two.values is not None and other.values is not None
    for name, codes in one.values.outputs.items():
        assert (codes == two.values.outputs[name]).all()
        assert (codes != other.values.outputs[name]).any()


AGAIN = [
    *SMALL,
    "units.tiles.adc.range=0.4",
    "units.tiles.drive.retries=3",
    "units.tiles.output_noise=0",
]


def test_vectors_read_again_take_time_and_joules() -> None:
    """Every command is as long as the vectors it read, in every engine; nothing else changes."""
    from accelsim.timing.costs import command_times

    work = load_workload("digits_mlp", batch=20)
    inputs = digits(work)
    chip, plain = load_chip(BASE, AGAIN), load_chip(BASE, [*AGAIN, "units.tiles.drive.retries=0"])
    found, once = run(chip, work, inputs), run(plain, work, inputs)
    assert found.values is not None and once.values is not None
    again = found.values.repeated
    assert again and not once.values.repeated and found.cycles > once.cycles
    assert found.values.signal_to_noise_db["fc2"] > once.values.signal_to_noise_db["fc2"]
    unit = chip.crossbar
    assert unit is not None
    column = np.zeros(len(found.program))
    column[list(again)] = list(again.values())
    longer = command_times(found.program, chip, {"repeated": column})
    usual = command_times(once.program, plain)
    period = unit.cycles(unit.interval_seconds) * found.program.tick_hz // chip.clocks["core"]
    for part in ("interval", "last"):
        assert (
            getattr(longer, part) - getattr(usual, part) == column.astype(np.int64) * period
        ).all()
    assert (longer.first == usual.first).all()
    for engine in ("plain", "compiled", "simpy"):
        timeline = simulate(found.program, chip, engine, activity={"repeated": column})  # type: ignore[arg-type]
        assert (timeline.end == found.timeline.end).all()

    def counted(result: object, action: str) -> float:
        return sum(r.count for r in result.energy.rows if r.action == action)  # type: ignore[attr-defined]

    for action in ("conversions", "vectors", "driven_seconds"):
        assert counted(found, action) > counted(once, action)
    assert counted(found, "vectors") - counted(once, "vectors") == column.sum() * unit.reads
    assert counted(found, "mac_cells") == counted(once, "mac_cells") == work.macs
    assert counted(found, "cell_charge") > counted(once, "cell_charge")


def test_stated_repeats_stand_in_for_values() -> None:
    work = load_workload("digits_mlp", batch=20)
    once = run(load_chip(BASE, AGAIN), work)
    twice = run(load_chip(BASE, [*AGAIN, "units.tiles.drive.repeats=1"]), work)
    assert twice.cycles > once.cycles
    assert any("1 reads again" in note for note in twice.assumptions)
    vectors = [
        sum(r.count for r in result.energy.rows if r.action == "vectors")
        for result in (once, twice)
    ]
    assert vectors[1] == 2 * vectors[0]


def test_a_saved_run_keeps_what_was_read_again(tmp_path: Path) -> None:
    from accelsim.results.files import save
    from accelsim.results.load import load_run

    work = load_workload("digits_mlp", batch=20)
    found = run(load_chip(BASE, AGAIN), work, digits(work))
    save(found, tmp_path / "run")
    assert load_run(tmp_path / "run").cycles == found.cycles


def test_reused_ir_drop_says_its_error() -> None:
    wires = [*SMALL, "units.tiles.wires={word: 2 ohm, bit: 2 ohm, source: 50 ohm, sink: 50 ohm}"]
    work = load_workload("digits_mlp", batch=20)
    exact, reused, plain = (
        run(load_chip(BASE, keys), work, digits(work))
        for keys in (wires, [*wires, "units.tiles.ir_drop=reuse"], SMALL)
    )
    notes = [note for note in reused.assumptions if "IR drop reused from an age of 3600 s" in note]
    assert len(notes) == 1 and float(notes[0].split("error ")[1].split(" %")[0]) < 0.3
    assert not any("IR drop" in note for note in exact.assumptions)
    assert exact.values is not None and reused.values is not None and plain.values is not None
    one, two, three = (v.values.outputs["fc2"].astype(float) for v in (exact, reused, plain))  # type: ignore[union-attr]
    assert np.abs(two - one).mean() < 0.3 * np.abs(three - one).mean()
