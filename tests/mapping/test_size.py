"""What a Plan comes to is known before it is written, and refused in one line when it is too much."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from accelsim import api, resources
from accelsim.errors import InputError
from accelsim.mapping import compile_program, plan
from accelsim.mapping.size import commands_of
from accelsim.sweeps.executors.local import environment

CASES = [
    ("int8_edge", "resnet18", ()),
    ("int8_edge", "small_cnn", ("units.array.count=16",)),
    ("int4_edge", "resnet18", ()),
    ("pcm_8level", "resnet18", ()),
    ("ibm_quad_like", "resnet18", ()),
    ("fp8_64", "small_gemm", ()),
    ("int8_edge", "dlrm", ()),
]


@pytest.mark.parametrize(("chip", "workload", "sets"), CASES)
def test_commands_are_estimated_within_a_third(
    chip: str, workload: str, sets: tuple[str, ...]
) -> None:
    made, work = api.load_chip(chip, sets), api.load_workload(workload)
    chosen = plan(made, work)
    told = commands_of(made, work, chosen)
    program = compile_program(made, work, chosen=chosen)
    true = np.bincount(program.commands.operator, minlength=len(work.operators))
    assert 0.97 * true.sum() < sum(told.values()) < 1.3 * true.sum() + 30
    for op, count in zip(work.operators, true.tolist(), strict=True):
        assert count <= 2 * told[op.name] + 12, op.name


def test_what_needs_too_much_is_refused_with_the_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(resources.VARIABLE, str(160 << 20))
    chip, work = api.load_chip("int8_edge"), api.load_workload("resnet18")
    with pytest.raises(InputError) as caught:
        compile_program(chip, work)
    (problem,) = caught.value.problems
    assert problem.code == "memory.size" and "--memory" in problem.fix
    assert "160 MiB may be used" in problem.message and "layer4_0_conv2's" in problem.message
    with pytest.raises(InputError, match=r"pass a command memory of [0-9,]+ need about"):
        api.run(chip, work)
    result = api.run(replace(chip, commands_ahead=2000), work)  # rows pass where no table fits
    with pytest.raises(InputError, match="commands on 6 units"):
        _ = result.program
    monkeypatch.setenv(resources.VARIABLE, str(1 << 30))
    assert result.cycles == api.run(replace(chip, commands_ahead=2000), work).cycles
    assert len(result.program) == result.commands


def test_many_crossbars_and_many_folds_are_refused_before_they_are_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(resources.VARIABLE, str(160 << 20))
    with pytest.raises(InputError, match=r"on 65,540 units .* need about 2\d\d MiB"):
        api.run(
            api.load_chip("pcm_8level", ["units.tiles.count=65536"]), api.load_workload("resnet18")
        )
    from accelsim.config.scalesim_cfg import chip_of, load_cfg

    monkeypatch.setenv(resources.VARIABLE, str(155 << 20))
    config = load_cfg(Path(__file__).parents[1] / "scalesim" / "small.cfg")
    with pytest.raises(InputError, match="commands on 1 units"):
        api.run_compatible(chip_of(config, compatible=True), api.load_workload("resnet50"))


def test_workers_share_what_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(resources.VARIABLE, "1000")
    assert environment(4)[resources.VARIABLE] == "250"
    monkeypatch.delenv(resources.VARIABLE)
    assert 0 < resources.allowed_bytes() == pytest.approx(0.8 * resources.free_bytes(), rel=0.2)


def test_values_that_need_too_much_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    work = api.load_workload("digits_mlp")
    images = np.full(work.tensors["x"].shape, 0.5)
    monkeypatch.setenv(resources.VARIABLE, "1000")
    with pytest.raises(InputError, match=r"values of [0-9,]+ elements need about"):
        api.prepare(api.load_chip("int8_edge"), work, {"x": images})


LARGE = {
    "resnet18 on 65,536 crossbars": ("pcm_8level", "resnet18", ["units.tiles.count=65536"], 1150),
    "resnet18 on 256 arrays": ("int8_edge", "resnet18", ["units.array.count=256"], 2050),
    "LLaMA-7B on 360,000 crossbars": (
        "pcm_8level",
        "llama_7b_decode",
        [
            "units.tiles.count=360000",
            "units.tiles.unmapped=reprogram",
            "memories.output_buffer.size=8 MiB",
            "memories.dram.size=16 GiB",
        ],
        1500,
    ),
}


@pytest.mark.full
@pytest.mark.parametrize("name", LARGE)
def test_large_chips_stay_within_their_memory(name: str) -> None:
    """MiB of a whole run in a process of its own, a tenth above what it took when this was written."""
    chip, workload, keys, most = LARGE[name]
    code = (
        "import accelsim\n"
        f"chip = accelsim.load_chip({chip!r}, {keys!r})\n"
        f"assert accelsim.run(chip, accelsim.load_workload({workload!r})).cycles > 0\n"
        "status = open('/proc/self/status').read()\n"  # getrusage would count the parent's
        "print(int(status.split('VmHWM:')[1].split()[0]) >> 10)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < most
