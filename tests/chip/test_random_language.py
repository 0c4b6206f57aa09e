"""Random chips of the language that can be run: conservation, coverage, hazards, boundaries, both engines, all three
sinks, values against direct loops."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from accelsim.chip import Chip
from accelsim.energy import account
from accelsim.errors import InputError
from accelsim.mapping import Plan, compile_program, plan
from accelsim.mapping.homes import SHARES, homes_of
from accelsim.numerics.execute import execute
from accelsim.program.validate import validate
from accelsim.timing import simulate
from accelsim.timing.bounds import check_bounds
from accelsim.workload import Workload
from tests.chip.graphs import read
from tests.chip.random_language import (
    codes_network,
    random_codes,
    random_system,
    reference_values,
)
from tests.mapping.homes_cases import spread, watch_elements, watch_memories
from tests.mapping.random_cases import random_operator, single
from tests.mapping.random_networks import random_network
from tests.mapping.test_counted import held_against_the_stream, held_against_the_table

FULL = [pytest.param(block, marks=pytest.mark.full) for block in range(1, 20)]
EACH = 50


def drawn(seed: int) -> tuple[Chip, Workload, Plan] | None:
    """A chip and a network as planned, tensors at home on chip in some; None where they do not fit."""
    rng, numbers = random.Random(seed), np.random.default_rng(seed)
    chip = read(random_system(rng))
    work = single(random_operator(numbers)) if rng.random() < 0.4 else random_network(numbers)
    try:
        chosen = plan(chip, work)
        if rng.random() < 0.8:
            limits = (rng.choice(SHARES), rng.random() < 0.7)
            chosen = plan(chip, work, None, homes_of(chip, work, chosen.formats, limits=limits))
    except InputError:
        return None
    return chip, work, chosen


def hold(seed: int) -> Counter[str]:
    """Everything that must hold of one draw; what it was."""
    case = drawn(seed)
    if case is None:
        return Counter()
    chip, work, chosen = case
    program = compile_program(chip, work, chosen=chosen)
    validate(program, work)
    timeline = simulate(program, chip)
    timeline.units(program)
    check_bounds(program, timeline)
    watch_memories(program, timeline)
    watch_elements(program, work, timeline)
    slow = simulate(program, chip, "simpy")
    for name in ("issue", "end", "why"):
        assert np.array_equal(getattr(slow, name), getattr(timeline, name)), name
    held_against_the_table(chip, work, chosen)
    held_against_the_stream(chip, work, chosen)
    inputs, weights = random_codes(np.random.default_rng([7, seed]), work, chip)
    done = execute(program, work, chip, inputs, codes_network(work, chip, weights))
    assert done.macs == work.macs
    for name, codes in reference_values(work, chip, inputs, weights).items():
        assert np.array_equal(done.tensors[name], codes), name
    energy = account(program, chip, timeline, done.activity)
    energy.check(work.macs)
    inner, middle, outer = (energy.boundary(name) for name in ("device", "core", "chip"))
    assert 0 < inner <= middle <= outer
    return Counter(
        {
            "all": 1,
            "cores": len(chip.cores) > 2,
            "nested": len(chip.templates) > 1,
            "links": bool(chip.links),
            "behind": any(m.behind not in ("", "dram") for m in chip.memories.values()),
            "engines": chip.dma.count > 1,
            "vector units": chip.vector_unit.count > 1,
            "at home": bool(chosen.homes.at),
            "in a core": spread(chip, chosen) > 0,
        }
    )


@pytest.mark.parametrize("block", [0, *FULL])
def test_random_chips_of_the_language(block: int) -> None:
    seen = sum((hold(seed) for seed in range(block * EACH, block * EACH + EACH)), Counter())
    assert seen["all"] > EACH // 2 and len(seen) == 9 and seen.pop("in a core") >= 1, seen
    assert min(seen.values()) >= 4, seen
