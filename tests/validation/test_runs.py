"""Runs of figures are those that accelsim.run makes, whatever was run before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from accelsim.job import Job
from accelsim.job.made import Made
from accelsim.validation.measures import ENERGY, TIME
from accelsim.validation.runs import Runs

EDGE = Job(chip=("int8_edge",), workload="small_cnn")
SETS = [
    {},
    {"technology.voltage": "0.7 V"},
    {"technology.family": "jouppi_7nm"},
    {"memories.dram.standard": "hbm2"},
    {"memories.dram.efficiency": 0.5},
    {"memories.dram.bandwidth": "8.5 GB/s", "memories.dram.efficiency": 1.0},
    {"units.vector.lanes": 4},
]
MAPPED = Path(__file__).parents[2] / "configs" / "mappings" / "small_gemm.yaml"


@pytest.mark.parametrize(
    "job",
    [
        EDGE,
        replace(EDGE, homes="off_chip"),
        replace(EDGE, workload="digits_cnn", batch=3),
        replace(EDGE, workload="small_gemm", mapping=str(MAPPED)),
        replace(EDGE, chip=("pcm_8level",), workload="digits_mlp", values="none"),
        replace(EDGE, chip=("hybrid_edge",), workload="digits_cnn", values="none"),
    ],
)
def test_a_run_is_what_the_program_gives(job: Job) -> None:
    runs = Runs()
    for changed in SETS[:2] if job.chip[0] == "hybrid_edge" else SETS:
        asked = replace(job, set=changed)
        found, other = runs.of(asked, ENERGY), Made(asked).whole()
        assert (found.makespan, found.cycles) == (other.makespan, other.cycles)
        assert found.joules == pytest.approx(other.joules, rel=1e-12)
        assert [row.cycles for row in found.operators] == [row.cycles for row in other.operators]
        assert found.program.operands.bytes.sum() == other.program.operands.bytes.sum()


def test_prices_alone_time_nothing_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does a factor on the memory's speed that it is said in another key."""
    from accelsim.validation import runs as module

    made = []
    tries = module.tries
    monkeypatch.setattr(module, "tries", lambda job: made.append(job) or tries(job))
    runs = Runs()
    for changed in SETS:
        runs.of(replace(EDGE, set=changed), TIME)
        runs.of(replace(EDGE, set=changed), ENERGY)
    anew = [job.job.set for job in made]
    assert anew == [SETS[0], SETS[4], SETS[6]]  # half of 17 GB/s is 8.5
