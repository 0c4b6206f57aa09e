"""Sums over a Timeline by one compiled pass are those of the columns."""

from __future__ import annotations

import pytest

import accelsim
from accelsim import jit
from accelsim.energy import account
from accelsim.explore.planned import Planned
from accelsim.mapping.compile import compile_program, plan
from accelsim.results import summary
from accelsim.timing import operators, simulate
from accelsim.timing.engine import run, uncontended
from tests.timing.random_programs import random_program

WAYS: tuple[jit.Which, ...] = ("plain", "compiled")


@pytest.mark.parametrize(
    ("chip", "workload"),
    [
        ("int8_edge", "small_cnn"),
        ("mixed_quad", "small_cnn"),
        ("pcm_8level", "small_cnn"),
        ("ibm_quad_like", "digits_cnn"),
        ("int8_edge", "resnet18"),
    ],
)
def test_units_and_operators(chip: str, workload: str) -> None:
    made, work = accelsim.load_chip(chip), accelsim.load_workload(workload)
    chosen = plan(made, work)
    program = compile_program(made, work, chosen=chosen)
    timeline = simulate(program, made)
    energy = account(program, made, timeline)
    found = []
    for which in WAYS:
        with jit.only(which):
            found.append(
                (
                    timeline.units(program),
                    summary.summarise(
                        Planned(program, timeline), made, work, energy, chosen.mappings
                    ),
                )
            )
    assert found[0] == found[1]
    dram = [row.name for row in program.memories].index(made.dma.memory)
    assert operators._ticks(program, dram, timeline, len(work.operators)) is not None


def test_units_whose_rows_issue_out_of_order() -> None:
    """Several queues feed a unit: the quick pass sees it and leaves it to the columns."""
    alike = 0
    for seed in range(60):
        program, times, words = random_program(seed)
        timeline = run(program, times, "plain", words)
        with jit.only("plain"):
            slow = timeline.units(program)
        assert uncontended(program) == uncontended(program, True)
        fast = run(program, times, "compiled", words)
        with jit.only("compiled"):
            assert fast.units(program) == timeline.units(program) == slow
        assert (fast.port_busy == timeline.port_busy).all() and (fast.ref == timeline.ref).all()
        alike += bool((fast.issue == timeline.issue).all())
    assert alike == 60
