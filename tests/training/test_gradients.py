"""Every gradient there is: against torch in float64, central differences, and its contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.importers.vector_values import evaluator
from accelsim.numerics.accuracy import float_forward
from accelsim.training import Adam, Sgd, expand
from accelsim.training.losses import LOSS
from accelsim.workload import Conv2d, TensorSpec, Workload
from accelsim.workload.backward import gradients
from accelsim.workload.operators import OPERATOR_ROLES
from accelsim.workload.validity import wrong_in
from tests.training import cases

NEAR = 1e-10  # of the largest element
WITHOUT_KINKS = [name for name in cases.CASES if not name.endswith("_ties")]


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    with np.load(cases.GOLDEN) as found:
        return dict(found)


def run(step: Workload, stored: cases.Values, inputs: cases.Values) -> cases.Values:
    """Every tensor of a step, by the float reference."""
    whole = {
        **{n: np.zeros(s.shape) for n, s in step.tensors.items() if s.role == "weight"},
        **stored,
    }
    return {**float_forward(step, inputs, whole, evaluator(whole)), **whole}


def gradient_of(step: Workload, name: str) -> str:
    """The tensor that a plain step of rate 1 takes off a trained tensor."""
    (op,) = (op for op in step.operators if op.output == f"{name}.next")
    assert op.kind == "axpy" and op.factors == (-1.0,) and op.inputs[1] == name
    return str(op.inputs[0])


def prepared(name: str, folder: Path) -> tuple[Workload, Workload, cases.Values, cases.Values]:
    network = cases.workload(name, folder)
    step = expand(network, cases.loss(name), Sgd(1.0))
    return network, step, *cases.values(network, cases.loss(name))


def near(found: Any, right: Any, part: float = NEAR) -> None:
    assert found.shape == right.shape
    assert np.abs(found - right).max() <= part * np.abs(right).max()


def test_every_gradient_has_a_case(tmp_path: Path) -> None:
    used = {op.kind for name in cases.CASES for op in cases.workload(name, tmp_path).operators}
    assert used == set(gradients())
    assert all(callable(module.gradient) and module.__doc__ for module in gradients().values())


@pytest.mark.parametrize("name", cases.CASES)
def test_gradients_are_those_of_torch(name: str, tmp_path: Path, golden: dict[str, Any]) -> None:
    network, step, stored, inputs = prepared(name, tmp_path)
    assert not wrong_in(step)
    found = run(step, stored, inputs)
    near(found[LOSS].ravel(), golden[f"{name}/loss"].reshape(1))
    trained = [n for n, spec in network.tensors.items() if spec.role in ("weight", "bias")]
    assert trained and {f"{name}/{n}" for n in trained} <= golden.keys()
    for each in trained:
        assert np.abs(golden[f"{name}/{each}"]).max() > 0
        near(found[gradient_of(step, each)], golden[f"{name}/{each}"])


@pytest.mark.parametrize("name", WITHOUT_KINKS)
def test_gradients_are_central_differences(name: str, tmp_path: Path) -> None:
    _, step, stored, inputs = prepared(name, tmp_path)
    found, draw = run(step, stored, inputs), np.random.default_rng(5)
    for each in stored:
        way, small = draw.normal(size=stored[each].shape), 1e-6
        up, down = (
            float(run(step, {**stored, each: stored[each] + sign * way}, inputs)[LOSS][0, 0])
            for sign in (small, -small)
        )
        expected = float((found[gradient_of(step, each)] * way).sum())
        scale = np.linalg.norm(found[gradient_of(step, each)]) * np.linalg.norm(way)
        assert abs((up - down) / (2 * small) - expected) <= 1e-6 * scale + 1e-8


@pytest.mark.parametrize("name", cases.CASES)
def test_the_contract_of_every_gradient(name: str, tmp_path: Path) -> None:
    network, step, _, _ = prepared(name, tmp_path)
    assert [op.role for op in step.operators if op.role not in OPERATOR_ROLES] == []
    if not any(op.kind in ("batch_norm", "slice", "pad") for op in network.operators):
        assert step.operators[: len(network.operators)] == network.operators
    made = {op.output for op in step.operators}
    read = {n for op in step.operators for n in getattr(op, "inputs", ())}
    read |= {
        n for op in step.operators for n in (getattr(op, "input", ""), getattr(op, "weight", ""))
    }
    outputs = {n for n, spec in step.tensors.items() if spec.role == "output"}
    assert made - read <= outputs  # nothing is computed for nobody
    for each in ("weight", "bias"):
        frozen = [n for n, spec in network.tensors.items() if spec.role == each]
        left = [
            n for n, s in network.tensors.items() if s.role in ("weight", "bias") and s.role != each
        ]
        if frozen and left and network.operators[-1].kind != "gather":
            less = expand(network, cases.loss(name), Sgd(1.0), frozen)
            assert not wrong_in(less) and {f"{n}.next" for n in left} <= less.tensors.keys()
            assert not {f"{n}.next" for n in frozen} & less.tensors.keys()


@pytest.mark.parametrize(("optimiser", "name"), cases.STEPS.items())
def test_three_steps_are_those_of_torch(
    optimiser: str, name: str, tmp_path: Path, golden: dict[str, Any]
) -> None:
    network = cases.workload(name, tmp_path)
    stored, inputs = cases.values(network, cases.loss(name))
    trained, how = list(stored), cases.ADAM
    for number in range(1, cases.MOST_STEPS + 1):
        by = Sgd(**cases.SGD) if optimiser == "sgd" else Adam(**how, step=number)  # type: ignore[arg-type]
        found = run(expand(network, cases.loss(name), by), stored, inputs)
        stored = {
            n.removesuffix(".next"): value for n, value in found.items() if n.endswith(".next")
        }
    assert len(stored) == len(trained) * (2 if optimiser == "sgd" else 3)
    for each in trained:
        near(stored[each], golden[f"{optimiser}/{each}"])


PAIR = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def convolutions(draw: Any) -> Conv2d:
    """A convolution of any window; padding less than its reach."""
    groups, kernel, stride, dilation = draw(st.integers(1, 3)), draw(PAIR), draw(PAIR), draw(PAIR)
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    padding = tuple(draw(st.integers(0, reach[i % 2] - 1)) for i in range(4))
    size = [reach[axis] + draw(st.integers(0, 5)) for axis in range(2)]
    channels, filters = (groups * draw(st.integers(1, 2)) for _ in range(2))
    sizes = draw(st.integers(1, 2)), channels, *size, filters, kernel
    return Conv2d("y", "a", "w", "y", *sizes, stride, padding, dilation, groups)


@settings(max_examples=60, deadline=None)
@given(convolutions(), st.integers(0, 9))
def test_a_convolution_is_linear_in_each_operand(op: Conv2d, seed: int) -> None:
    """<dY, conv(X, W)> = <dX, X> = <dW, W>, and products by role."""
    specs = [
        TensorSpec("a", op.input_shape, "weight"),
        TensorSpec("w", op.weight_shape, "weight"),
        TensorSpec("y", op.output_shape, "output"),
        TensorSpec("unused", (1,), "input"),
    ]
    network = Workload("one", (op,), {spec.name: spec for spec in specs})
    step, draw = expand(network, cases.MSE, Sgd(1.0)), np.random.default_rng(seed)
    assert not wrong_in(step)
    stored = {n: draw.normal(size=step.tensors[n].shape) for n in ("a", "w")}
    targets = draw.normal(size=step.tensors["targets"].shape)
    found = run(step, stored, {"unused": np.zeros(1), "targets": targets})
    error = (found["y"].reshape(targets.shape) - targets) / op.batch
    wanted = float((error.ravel() * found["y"].ravel()).sum())
    scale = np.linalg.norm(error) * np.linalg.norm(found["y"]) + 1.0
    for name in ("a", "w"):
        inner = float((found[gradient_of(step, name)] * stored[name]).sum())
        assert abs(inner - wanted) < 1e-11 * scale
    macs = {role: 0 for role in OPERATOR_ROLES}
    for each in step.operators:
        macs[each.role] += getattr(each, "macs", 0)
    assert macs["backward_weight"] == op.macs == macs["forward"]
    if op.stride != (1, 1):
        assert macs["backward_data"] == op.macs


def test_ties_and_zeros(tmp_path: Path) -> None:
    """Of equal largest elements the first in row order has the error; a ReLU passes nothing at exactly 0."""
    _, step, stored, inputs = prepared("relu_ties", tmp_path)
    found = run(step, stored, inputs)
    (op,) = (op for op in step.operators if op.kind == "relu_gradient")
    assert (stored["a"] == 0).any() and not found[op.output][stored["a"] == 0].any()
    _, step, stored, inputs = prepared("max_pool_ties", tmp_path)
    (op,) = (op for op in step.operators if op.kind == "max_pool_gradient")
    found = run(step, {n: np.zeros_like(v) for n, v in stored.items()}, inputs)
    held = np.argwhere(found[op.output].any((0, 1)))
    windows = np.argwhere(np.ones(op.input_shape[2:]))
    assert {tuple(p) for p in held.tolist()} == {tuple(np.maximum(2 * w - 1, 0)) for w in windows}


def test_an_updated_tensor_is_read_no_more(tmp_path: Path) -> None:
    """Every update stands behind all that read the tensor as it was."""
    step = expand(cases.workload("network", tmp_path), cases.ENTROPY, Sgd(0.1, 0.9, 1e-4))
    for number, op in enumerate(step.operators):
        if op.role != "update" or not op.output.endswith(".next"):
            continue
        name = op.output.removesuffix(".next")
        readers = [
            at
            for at, other in enumerate(step.operators)
            if name in (*getattr(other, "inputs", ()), getattr(other, "weight", ""))
        ]
        assert max(readers) <= number


def test_biases_have_no_decay(tmp_path: Path) -> None:
    step = expand(cases.workload("gemm", tmp_path), cases.MSE, Sgd(0.1, 0.0, 0.5))
    decays = [op.inputs[0] for op in step.operators if op.kind == "axpy" and op.factors == (0.5,)]
    assert sorted(decays) == ["a", "y.weight"]


def test_a_step_is_a_trace(tmp_path: Path) -> None:
    """Written as a layer trace and read again, a step is equal."""
    from accelsim.config.workload_file import load_workload
    from accelsim.config.writer import workload_yaml

    for name in cases.CASES:
        step = expand(cases.workload(name, tmp_path), cases.loss(name), Adam(step=3))
        (tmp_path / "step.yaml").write_text(workload_yaml(step))
        again = load_workload(tmp_path / "step.yaml")
        assert again.operators == step.operators
        stored = ("weight", "bias")  # a bias that is read as a tensor too is a constant of a trace
        for n, spec in step.tensors.items():
            role = again.tensors[n].role
            assert role == spec.role or (role in stored and spec.role in stored)
