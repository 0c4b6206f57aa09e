"""Random chips with a MAC array and crossbars, in cores of their own or in one, and networks planned over both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import accelsim
from accelsim.chip import Chip
from accelsim.errors import InputError
from accelsim.mapping import Plan, plan
from accelsim.mapping.homes import SHARES, homes_of
from accelsim.mapping.units import Choice, sides_that_run
from accelsim.workload import Workload
from tests.mapping.random_networks import random_network

#: keys of a shipped chip's array, crossbars, buffers
IN_CORES = (
    "cores.digital.units.array",
    "cores.pcm.units.tiles",
    "cores.digital.memories",
    "cores.pcm",
)
IN_ONE = ("units.array", "units.tiles", "memories", "")


def random_mixed_chip(rng: np.random.Generator) -> Chip:
    """hybrid_edge or pcm_large with small parts of other sizes, with or without a link, weights cold or resident."""
    apart = bool(rng.random() < 0.7)
    array, tiles, memories, pcm = IN_CORES if apart else IN_ONE
    one_of = [f"{int(x)}" for x in rng.choice([2, 4, 6], 2)]
    side = int(rng.choice([4, 8, 16]))
    sizes = rng.choice([1024, 2048, 4096], 3)
    sets = [
        f"{array}.rows={one_of[0]}",
        f"{array}.columns={one_of[1]}",
        f"{array}.dataflow={rng.choice(['weight_stationary', 'output_stationary'])}",
        f"{tiles}.rows={side}",
        f"{tiles}.columns={int(rng.choice([4, 8, 16]))}",
        f"{tiles}.writing.parallel=1",
        f"{tiles}.adc.shared={int(rng.choice([1, 4]))}",
        f"{tiles}.count={int(rng.integers(1, 40))}",
        f"{tiles}.replicate={str(bool(rng.random() < 0.5)).lower()}",
        *(
            f"{memories}.{name}_buffer.size={size} B"
            for name, size in zip(("input", "weight", "output"), sizes, strict=True)
        ),
    ]
    if apart:
        sets += [f"{pcm}.memories.outputs.size={int(rng.choice([2048, 8192]))} B"]
    chip = accelsim.load_chip("hybrid_edge" if apart else "pcm_large", sets)
    if apart and rng.random() < 0.3:
        chip = replace(chip, links={})
    if rng.random() < 0.2:
        chip = chip.at_weights("cold")
    return chip


def random_units(rng: np.random.Generator, chip: Chip, work: Workload) -> dict[str, Choice]:
    """Some operators on some side that runs them."""
    return {
        op.name: Choice(str(rng.choice(sides_that_run(chip, work, op))), "given")
        for op in work.operators
        if rng.random() < 0.5
    }


def random_mixed_case(rng: np.random.Generator) -> tuple[Chip, Workload, Plan]:
    """A chip and a network planned over both, with tensors at home on chip in half the cases."""
    while True:
        chip, work = random_mixed_chip(rng), random_network(rng)
        try:
            chosen = plan(chip, work, on=random_units(rng, chip, work))
            if rng.random() < 0.5:
                limits = (float(rng.choice(SHARES)), True)
                homes = homes_of(chip, work, chosen.formats, chosen.on, {}, limits)
                chosen = plan(chip, work, None, homes, chosen.on)
        except InputError:
            continue
        return chip, work, chosen
