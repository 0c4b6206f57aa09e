"""A step's values by the rows of its Program, in FP8, against the same rules written down by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import accelsim
from accelsim.formats import get
from accelsim.numerics import matmul
from accelsim.training import Sgd, expand

SUMS = {"format": "fp16_169", "chunk": 64}
BATCH, RATE = 32, 0.05


def operand(x: Any) -> Any:
    """What the array multiplies."""
    return get("fp8_152").quantize(np.asarray(x, np.float64))


def vector(x: Any) -> Any:
    """What the vector unit keeps."""
    return get("fp16_169").quantize(np.asarray(x, np.float64))


def by_hand(x: Any, labels: Any, w: dict[str, Any]) -> dict[str, Any]:
    """Every tensor of a step of the two-layer network; operands 1-5-2, sums 1-6-9 by chunks of 64, updates 1-6-9."""
    w1, w2 = operand(w["fc1.weight"]), operand(w["fc2.weight"])
    x = operand(x)
    hidden = operand(np.maximum(matmul(x, w1, SUMS) + w["fc1.bias"], 0.0))
    scores = vector(matmul(hidden, w2, SUMS) + w["fc2.bias"])
    shares = np.exp(scores - scores.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    error = operand((shares - (np.arange(10) == labels)) / BATCH)
    back = operand(matmul(error, w2.T, SUMS))
    masked = operand(np.where(hidden > 0, back, 0.0))
    found = {
        "fc1": hidden,
        "fc2": scores,
        "fc2.backward_data": back,
        "fc1.backward_data.relu_gradient": masked,
    }
    for name, read, gone in (("fc1", x, masked), ("fc2", hidden, error)):
        gradient = vector(matmul(read.T, gone, SUMS))
        bias = vector(gone.sum(0))
        found[f"{name}.weight.next"] = vector(vector(w[f"{name}.weight"]) - RATE * gradient)
        found[f"{name}.bias.next"] = vector(vector(w[f"{name}.bias"]) - RATE * bias)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_every_value_of_a_step_is_that_of_its_rules(seed: int) -> None:
    work = accelsim.load_workload("digits_mlp", batch=BATCH)
    with np.load(str(work.values)) as stored:
        weights = dict(stored)
    draw = np.random.default_rng(seed)
    x, labels = draw.normal(size=(BATCH, 64)), draw.integers(0, 10, (BATCH, 1))
    result = accelsim.run(
        accelsim.load_chip("fp8_64"),
        expand(work, optimiser=Sgd(RATE)),
        {"x": x, "targets": labels},
        keep=True,
    )
    assert result.values is not None and result.values.kept is not None
    tensors = result.values.kept.tensors
    for name, right in by_hand(x, labels, weights).items():
        assert np.array_equal(tensors[name], right), name
        assert np.count_nonzero(right) > 0.3 * right.size
