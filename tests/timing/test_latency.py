"""The off-chip memory's latency stands in the critical path of every run."""

from __future__ import annotations

import pytest

from accelsim import load_chip, load_workload, run


@pytest.mark.parametrize("micros", [3, 5])
def test_a_small_product_waits_for_the_memory_twice(micros: int) -> None:
    """Operands come, results go: where latency is all there is, both stand in the makespan."""
    work = load_workload("small_gemm")
    near = run(load_chip("int8_edge", ["memories.dram.latency=2 us"]), work)
    chip = load_chip("int8_edge", [f"memories.dram.latency={micros} us"])
    far = run(chip, work, mappings=near.plan.mappings)
    more = (micros - 2) * chip.clocks[chip.array.clock] // 1_000_000
    assert far.cycles - near.cycles == 2 * more
