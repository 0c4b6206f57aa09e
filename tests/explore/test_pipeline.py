"""Images pipelined over layers on crossbars: validated, the same in every engine, as fast as the busiest."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim import load_chip, load_workload, run
from accelsim.energy import account
from accelsim.errors import InputError, ProgramError
from accelsim.explore.order import listed, reordered
from accelsim.explore.pipeline import period_seconds, pipelined, pipelines
from accelsim.explore.throughput import steady_seconds
from accelsim.mapping import compile_program, plan
from accelsim.program.opcodes import Opcode
from accelsim.program.validate import validate
from accelsim.timing import simulate
from accelsim.timing.costs import command_times

CHIP = "pcm_8level"


@pytest.mark.parametrize("name", ["digits_mlp", "digits_cnn"])
def test_every_layer_works_on_another_image(name: str) -> None:
    chip, work = load_chip(CHIP), load_workload(name, batch=1)
    made = pipelined(chip, work, 4)
    validate(made.program, made.workload)
    timelines = [simulate(made.program, chip, engine) for engine in ("plain", "simpy")]
    assert (timelines[1].issue == timelines[0].issue).all() and (
        timelines[1].end == timelines[0].end
    ).all()
    energy = account(made.program, chip, timelines[0])
    energy.check(4 * work.macs)
    alone = run(chip, work)
    assert timelines[0].makespan < 4 * alone.timeline.makespan
    # products of different images run at the same time
    c, t = made.program.commands, timelines[0]
    rows = np.flatnonzero(c.opcode == Opcode.MVM)
    image = np.array(made.image)[c.operator[rows]]
    layer = np.array([op.name.split("@")[0] for op in made.workload.operators])[c.operator[rows]]
    overlapping = 0
    for a in range(len(rows)):
        inside = (t.issue[rows] < t.end[rows[a]]) & (t.end[rows] > t.issue[rows[a]])
        overlapping += int((inside & (image != image[a]) & (layer != layer[a])).any())
    assert overlapping > len(rows) // 3


@pytest.mark.parametrize("name", ["digits_mlp", "digits_cnn"])
def test_the_period_is_the_busiest_layers(name: str) -> None:
    """From one image's result to the next: the interval of the layer with the most vectors a copy, and
    at most 2 % more."""
    chip, work = load_chip(CHIP, ["memories.dram.burst=1 B"]), load_workload(name, batch=1)
    chosen = plan(chip, work)
    assert pipelines(chip, work, chosen)
    made = pipelined(chip, work, 1)
    unit, shapes, c = chip.crossbar, made.program.shapes, made.program.commands
    assert unit is not None
    vectors = np.bincount(c.unit, np.where(c.opcode == Opcode.MVM, shapes.extents[c.shape, 0], 0))
    busiest = vectors.max() * unit.cycles(unit.interval_seconds) / chip.clocks["core"]
    period = steady_seconds(chip, work, chosen)
    assert period == period_seconds(chip, work)
    assert busiest * (1 - 1e-9) <= period <= 1.02 * busiest
    assert period < 0.4 * run(chip, work).seconds


def test_what_cannot_be_pipelined_is_refused() -> None:
    work = load_workload("digits_mlp", batch=1)
    for keys in (
        ["weights=cold"],
        [
            "units.tiles.rows=48",
            "units.tiles.columns=66",
            "units.tiles.count=12",
            "units.tiles.unmapped=reprogram",
        ],
    ):
        chip = load_chip(CHIP, keys)
        assert not pipelines(chip, work, plan(chip, work))
    small = load_chip(CHIP, ["memories.output_buffer.size=768 B"])
    assert pipelines(small, work, plan(small, work))
    with pytest.raises(InputError, match="divided among 2 layers"):
        period_seconds(small, work)
    less = pipelined(load_chip(CHIP, ["memories.output_buffer.size=2048 B"]), work, 3)
    assert less.areas == 1 and pipelined(load_chip(CHIP), work, 3).areas == 3


def test_another_order_is_the_same_program() -> None:
    """The listed order keeps every dependency and joule; its own order changes nothing; an order that
    breaks a dependency is refused."""
    chip, work = load_chip(CHIP), load_workload("digits_cnn", batch=4)
    program = compile_program(chip, work)
    same = reordered(program, np.arange(len(program)))
    assert (simulate(same, chip).end == simulate(program, chip).end).all()
    times = command_times(program, chip)
    order = listed(program, times.interval, times.last)
    assert sorted(order.tolist()) == list(range(len(program)))
    other = reordered(program, order)
    validate(other, work)
    before, after = (account(p, chip, simulate(p, chip)) for p in (program, other))
    assert after.total == pytest.approx(before.total, rel=0.05)  # leakage follows the makespan
    assert after.macs() == before.macs() == work.macs
    with pytest.raises(ProgramError, match="nothing has written"):
        reordered(program, np.arange(len(program))[::-1].copy())
