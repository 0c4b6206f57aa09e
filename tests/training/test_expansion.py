"""What a step is made of: products by role, outputs, and what cannot be expanded."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import accelsim
from accelsim.errors import InputError
from accelsim.training import Adam, Sgd, expand
from accelsim.workload import Workload
from accelsim.workload.operators import OPERATOR_ROLES
from accelsim.workload.validity import wrong_in


def macs(step: Workload) -> list[int]:
    """Products of the first three roles."""
    found = dict.fromkeys(OPERATOR_ROLES, 0)
    for op in step.operators:
        found[op.role] += getattr(op, "macs", 0)
    assert found.pop("update") == 0
    return list(found.values())


def test_products_of_a_step_by_role() -> None:
    """Closed forms: as many again by the weights, and by the data too but for a first layer of images."""
    resnet = macs(expand(accelsim.load_workload("resnet18")))
    assert resnet == [1_814_073_344, 1_696_059_392, 1_814_073_344]
    for name, first in (("vgg16", "conv1_1"), ("resnet50", "conv1"), ("digits_cnn", "conv1")):
        network = accelsim.load_workload(name)
        (conv,) = (op for op in network.operators if op.name == first)
        assert macs(expand(network)) == [network.macs, network.macs - conv.macs, network.macs]
    bert = accelsim.load_workload("bert_base")
    assert macs(expand(bert)) == [bert.macs] * 3
    vgg = accelsim.load_workload("vgg16")
    assert round(sum(macs(expand(vgg))) / vgg.macs, 3) == 2.994


@pytest.mark.parametrize("name", ["digits_mlp", "digits_residual", "bert_base"])
@pytest.mark.parametrize("optimiser", [Sgd(), Sgd(0.1, 0.9, 1e-4), Adam(decay=0.1)])
def test_every_stored_tensor_is_updated_once(name: str, optimiser: Sgd | Adam) -> None:
    network = accelsim.load_workload(name)
    step = expand(network, optimiser=optimiser)
    assert not wrong_in(step)
    stored = {n for n, spec in network.tensors.items() if spec.role in ("weight", "bias")}
    changed = [op.output for op in step.operators if op.output.endswith(".next")]
    moments = {Sgd: int(bool(getattr(optimiser, "momentum", 0))), Adam: 2}[type(optimiser)]
    assert len(changed) == len(stored) * (1 + moments) == len(set(changed))
    assert {f"{n}.next" for n in stored} <= set(changed)
    outputs = {n for n, spec in step.tensors.items() if spec.role == "output"}
    (own,) = (n for n, spec in network.tensors.items() if spec.role == "output")
    assert outputs == {own, "loss", *changed}
    assert all(op.role == "update" for op in step.operators if op.output in changed)


def network(folder: Path, **more: object) -> Workload:
    trace = {
        "name": "n",
        "inputs": {"x": [2, 8]},
        "operators": [
            {"name": "a", "kind": "gemm", "input": "x", "n": 8},
            {"name": "b", "kind": "mish", "input": "a"},
            {"name": "c", "kind": "elu", "input": "b"},
            {"name": "d", "kind": "mish", "input": "c"},
            {"name": "y", "kind": "gemm", "input": "d", "n": 8},
        ],
        **more,
    }
    (folder / "n.yaml").write_text(yaml.safe_dump(trace))
    return accelsim.load_workload(folder / "n.yaml")


def said(work: Workload, *words: object, **more: object) -> list[str]:
    with pytest.raises(InputError) as caught:
        expand(work, *words, **more)  # type: ignore[arg-type]
    return [str(problem) for problem in caught.value.problems]


def test_all_that_cannot_be_trained_is_said_at_once(tmp_path: Path) -> None:
    lines = said(network(tmp_path), "hinge")
    assert len(lines) == 3
    assert "'hinge' is no loss; write one of cross_entropy, mean_square_error" in lines[0]
    assert "a mish has no gradient (d, b)" in lines[1]
    assert "a elu has no gradient (c)" in lines[2]
    # what stands before everything that is trained needs no gradient
    step = expand(network(tmp_path), frozen=["a.weight"])
    assert not wrong_in(step)
    assert macs(step) == [256, 0, 128]


@pytest.mark.parametrize(
    ("change", "frozen", "line"),
    [
        ({}, ["z*"], "'z*' is no stored tensor; write one of: a.weight, y.weight"),
        ({}, ["*"], "y depends on no tensor that is trained; freeze less"),
        ({"outputs": ["a", "y"]}, ["a.weight"], "are 2, and the loss is of one"),
        ({"inputs": {"x": [2, 8], "targets": [1]}}, ["a.weight"], "is a tensor already"),
    ],
)
def test_what_is_refused(
    change: dict[str, object], frozen: list[str], line: str, tmp_path: Path
) -> None:
    (found,) = said(network(tmp_path, **change), frozen=frozen)
    assert line in found


def test_a_step_is_not_expanded_again() -> None:
    lines = said(expand(accelsim.load_workload("digits_mlp")))
    assert any("is a training step already" in line for line in lines)


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (lambda: Sgd(0.0), "Sgd.rate: is 0.0; write a number above 0 to 1000"),
        (lambda: Sgd(0.1, 1.5, -1.0), "Sgd.momentum: is 1.5; write a number from 0 to 1"),
        (lambda: Sgd(0.1, 1.5, -1.0), "Sgd.decay: is -1.0"),
        (lambda: Sgd(float("nan")), "Sgd.rate: is nan"),
        (lambda: Adam(betas=(0.9, 1.0)), "Adam.betas: has betas [0.9, 1.0] and step 1"),
        (lambda: Adam(step=0), "Adam.betas: has betas [0.9, 0.999] and step 0"),
    ],
)
def test_numbers_of_optimisers(made: object, line: str) -> None:
    with pytest.raises(InputError) as caught:
        made()  # type: ignore[operator]
    assert line in str(caught.value)
