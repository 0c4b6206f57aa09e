"""Steps through plan, timing, energy and values on an FP8 chip."""

from __future__ import annotations

import json
from dataclasses import replace
from math import isclose
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import accelsim
from accelsim.cli.main import cli
from accelsim.config.writer import workload_yaml
from accelsim.results import Result, save, to_dict
from accelsim.results.load import load_run
from accelsim.training import Adam, Sgd, expand
from accelsim.workload import VectorOperator, Workload
from accelsim.workload.operators import OPERATOR_ROLES
from tests.training import cases

CHIP = "fp8_64"


def step(name: str, batch: int = 16, optimiser: Any = None) -> Workload:
    return expand(accelsim.load_workload(name, batch=batch), optimiser=optimiser or Sgd(0.1, 0.9))


def check_roles(result: Result) -> None:
    """Everything of a step is some role's, once."""
    roles, step = result.roles, result.workload
    assert [row.role for row in roles] == list(OPERATOR_ROLES)
    assert sum(row.operators for row in roles) == len(step.operators)
    assert sum(row.macs for row in roles) == step.macs
    assert sum(row.cycles for row in roles) == result.cycles
    assert isclose(sum(row.joules for row in roles), result.joules, rel_tol=1e-12)
    assert all(row.joules > row.whole_run_joules > 0 and row.cycles > 0 for row in roles)
    for key in ("dram_read_bytes", "dram_written_bytes"):
        total = sum(getattr(row, key) for row in result.operators)
        assert sum(getattr(row, key) for row in roles) == total > 0
    off_chip = sum(row.dram_read_bytes + row.dram_written_bytes for row in roles)
    chip = result.chip
    peak = chip.array.rows * chip.array.columns
    assert result.cycles >= step.macs / peak
    assert result.seconds >= off_chip / chip.dram.bandwidth


@pytest.mark.parametrize("name", ["digits_mlp", "digits_cnn"])
@pytest.mark.parametrize("optimiser", [Sgd(0.1), Sgd(0.1, 0.9, 1e-4), Adam()])
def test_cycles_and_joules_by_role(name: str, optimiser: Any) -> None:
    chip, work = accelsim.load_chip(CHIP), step(name, 16, optimiser)
    result, at_home = (accelsim.run(chip, work, homes=how) for how in ("off_chip", "on_chip"))
    check_roles(result)
    check_roles(at_home)
    assert at_home.cycles <= result.cycles


def test_updates_move_each_tensor_once_a_pass() -> None:
    """Every AXPY reads two tensors and writes one, of 16 bits; weights alone have decay."""
    chip = accelsim.load_chip(CHIP, ["memories.dram.burst=1 B"])
    network = accelsim.load_workload("digits_cnn")
    weights = sum(s.elements for s in network.tensors.values() if s.role == "weight")
    for optimiser, passes, decays in (
        (Sgd(0.1), 3, 0),
        (Sgd(0.1, 0.9, 1e-4), 6, 3),
        (Adam(), 10, 0),
    ):
        work = step("digits_cnn", 16, optimiser)
        update = accelsim.run(chip, work, homes="off_chip").roles[-1]
        moved = update.dram_read_bytes + update.dram_written_bytes
        assert moved == 2 * (passes * network.parameters + decays * weights)


@pytest.mark.parametrize("name", cases.CASES)
def test_every_gradient_is_planned_and_computed(name: str, tmp_path: Path) -> None:
    """On FP8, by the Program's rows: near enough to the float reference that no operand is another one's."""
    network = replace(cases.workload(name, tmp_path), values="seeded:3")
    work = expand(network, cases.loss(name), Sgd(0.1))
    _, inputs = cases.values(network, cases.loss(name))
    result = accelsim.run(accelsim.load_chip(CHIP), work, inputs)
    assert sum(row.cycles for row in result.roles) == result.cycles > 0
    assert result.values is not None
    for op in work.operators:
        if isinstance(op, VectorOperator) and op.updates:
            assert result.values.signal_to_noise_db[op.output] > 10


def test_weight_gradients_cost_what_forward_does() -> None:
    """Same products, streamed once: no more than 1.6 times the cycles, on a network of many shapes."""
    result = accelsim.run(accelsim.load_chip(CHIP), step("digits_residual", 32))
    check_roles(result)
    forward, _, weight, _ = result.roles
    assert weight.macs == forward.macs and weight.cycles < 1.6 * forward.cycles


@pytest.mark.full
@pytest.mark.parametrize(("name", "batch"), [("vgg16", 1), ("bert_base", 1)])
def test_large_networks_are_planned(name: str, batch: int) -> None:
    check_roles(accelsim.run(accelsim.load_chip(CHIP), step(name, batch)))


@pytest.mark.full
def test_weight_gradients_of_resnet18() -> None:
    """At batch 32 a convolution's takes at most 1.5 times its forward's cycles; the first one's 1.6."""
    result = accelsim.run(accelsim.load_chip(CHIP), step("resnet18", 32))
    check_roles(result)
    cycles = {row.name: row.cycles for row in result.operators}
    convolutions = [op.name for op in result.workload.operators if op.kind == "conv2d"]
    forward = [name for name in convolutions if "backward" not in name]
    assert len(forward) == 20
    for name in forward:
        most = 1.6 if name == "conv1" else 1.5
        assert cycles[f"{name}.backward_weight"] <= most * cycles[name], name


def test_a_step_is_printed_and_saved_by_role(tmp_path: Path) -> None:
    (tmp_path / "step.yaml").write_text(workload_yaml(step("digits_mlp")))
    done = CliRunner().invoke(cli, ["run", CHIP, str(tmp_path / "step.yaml")])
    assert done.exit_code == 0, done.output
    for role in OPERATOR_ROLES:
        assert any(line.split()[:1] == [role] for line in done.output.splitlines())
    result = accelsim.run(accelsim.load_chip(CHIP), step("digits_mlp"))
    rows = to_dict(result)["roles"]
    assert [row["role"] for row in rows] == list(OPERATOR_ROLES)
    save(result, tmp_path / "run")
    assert json.loads((tmp_path / "run/result.json").read_text())["roles"] == rows
    again = load_run(tmp_path / "run")
    assert again.workload == result.workload and again.roles == result.roles
    plain = accelsim.run(accelsim.load_chip(CHIP), accelsim.load_workload("digits_mlp"))
    assert "roles" not in to_dict(plain) and len(plain.roles) == 1
