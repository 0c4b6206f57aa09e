"""Small networks, at least one a kind of operator, whose gradients torch and the expansion both compute.

A case is a layer trace and its loss; its values are seeded ones in float64, few different ones where ties are wanted.
tests/training/make_torch_gradients.py computes them by torch, outside the project's environment.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from accelsim.config.workload_file import load_workload
from accelsim.numerics.seeded import seeded_inputs, seeded_tensors
from accelsim.training.losses import TARGETS
from accelsim.workload import Workload

GOLDEN = Path(__file__).with_name("torch_gradients.npz")
MSE, ENTROPY = "mean_square_error", "cross_entropy"
Values = dict[str, np.ndarray[Any, np.dtype[np.float64]]]


def _case(
    operators: list[dict[str, Any]],
    constants: dict[str, list[int]] | None = None,
    inputs: dict[str, list[int]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    whole = {"inputs": inputs or {"unused": [1]}, "operators": operators}
    return {**whole, **({"constants": constants} if constants else {}), **more}


def _one(kind: str, of: list[int], **more: Any) -> dict[str, Any]:
    """One operator that reads a trained tensor."""
    return _case([{"name": "y", "kind": kind, "input": "a", **more}], {"a": of})


def _two(kind: str, first: list[int], second: list[int], **more: Any) -> dict[str, Any]:
    """One operator that reads two trained tensors."""
    op = {"name": "y", "kind": kind, "input": ["a", "b"], **more}
    return _case([op], {"a": first, "b": second})


def _conv(shape: list[int], filters: int, kernel: Any, **more: Any) -> dict[str, Any]:
    return _one("conv2d", shape, filters=filters, kernel=kernel, bias=True, **more)


IMAGE = [2, 4, 7, 6]
CASES: dict[str, dict[str, Any]] = {
    "gemm": _one("gemm", [5, 4], n=3, bias=True),
    "gemm_relu": _one("gemm", [5, 4], n=6, bias=True, activation="relu"),
    "gemm_groups": _one("gemm", [3, 5, 4], n=2),
    "gemm_computed": _case(
        [
            {
                "name": "s",
                "kind": "gemm",
                "input": "a",
                "weight": "b",
                "n": 5,
                "weight_transposed": True,
            },
            {"name": "p", "kind": "softmax", "input": "s"},
            {"name": "y", "kind": "gemm", "input": "p", "weight": "c", "n": 3},
        ],
        {"a": [2, 4, 3], "b": [2, 5, 3], "c": [2, 5, 3]},
    ),
    "conv": _conv(IMAGE, 3, 3, padding=1),
    "conv_valid": _conv(IMAGE, 3, [3, 2]),
    "conv_stride": _conv(IMAGE, 3, 3, stride=2, padding=1, activation="relu"),
    "conv_point_stride": _conv(IMAGE, 3, 1, stride=2),
    "conv_groups": _conv(IMAGE, 6, 3, groups=2, padding=1),
    "conv_depthwise": _conv(IMAGE, 4, 3, groups=4, stride=2, padding=1),
    "conv_dilation": _conv([1, 2, 9, 8], 3, [3, 2], dilation=2, padding=[1, 0, 2, 1]),
    "conv_all": _conv(
        [3, 4, 11, 9], 4, [3, 2], groups=2, stride=[2, 3], dilation=[2, 1], padding=1
    ),
    "add": _two("add", [3, 4], [3, 4], activation="relu"),
    "add_broadcast": _two("add", IMAGE, [4, 1, 6]),
    "add_itself": _case([{"name": "y", "kind": "add", "input": ["a", "a"]}], {"a": [3, 4]}),
    "multiply": _two("multiply", [3, 4], [3, 4]),
    "multiply_broadcast": _two("multiply", [5, 3, 4], [3, 1]),
    "relu": _one("relu", [6, 8]),
    "relu_ties": _one("relu", [6, 8]),
    "max_pool": _one("max_pool", IMAGE, kernel=2),
    "max_pool_ties": _one("max_pool", IMAGE, kernel=3, stride=2, padding=1),
    "average_pool": _one("average_pool", IMAGE, kernel=3, stride=2, padding=1),
    "global_average_pool": _one("global_average_pool", IMAGE),
    "reshape": _one("reshape", IMAGE, shape=[4, 84]),
    "flatten": _one("flatten", IMAGE),
    "transpose": _one("transpose", [2, 3, 4], order=[2, 0, 1]),
    "concat": _two("concat", [2, 3, 4], [2, 2, 4], axis=1),
    "slice": _one("slice", [5, 4], shape=[2, 3]),
    "slice_offset": _one("slice", [5, 4], shape=[2, 3], offset=[2, 1]),
    "pad": _one("pad", [2, 3], shape=[5, 4], offset=[2, 1]),
    "gather": _case(
        [{"name": "y", "kind": "gather", "input": ["a", "ids"], "shape": [9, 3]}],
        {"a": [5, 3]},
        {"ids": [9]},
    ),
    "softmax": _one("softmax", [3, 5]),
    "sigmoid": _one("sigmoid", [3, 5]),
    "tanh": _one("tanh", [3, 5]),
    "gelu": _one("gelu", [3, 5]),
    "layer_norm": _one("layer_norm", [4, 2, 6]),
    "batch_norm": _one("batch_norm", [3, 4, 5, 2]),
    "batch_norm_rows": _one("batch_norm", [6, 4]),
    "cross_entropy": {**_one("relu", [6, 5]), "loss": ENTROPY},
    "fan_out": _case(
        [
            {"name": "h", "kind": "gemm", "input": "x", "n": 4, "bias": True, "activation": "relu"},
            {"name": "p", "kind": "gemm", "input": "h", "n": 4, "weight": "shared"},
            {"name": "q", "kind": "gemm", "input": "p", "n": 4, "weight": "shared"},
            {"name": "m", "kind": "multiply", "input": ["h", "q"]},
            {"name": "s", "kind": "add", "input": ["m", "p"]},
            {"name": "y", "kind": "add", "input": ["s", "h"]},
        ],
        inputs={"x": [5, 3]},
    ),
    "network": _case(
        [
            {"name": "c1", "kind": "conv2d", "input": "x", "filters": 4, "kernel": 3, "padding": 1},
            {"name": "n1", "kind": "batch_norm", "input": "c1"},
            {"name": "r1", "kind": "relu", "input": "n1"},
            {
                "name": "c2",
                "kind": "conv2d",
                "input": "r1",
                "filters": 4,
                "kernel": 3,
                "padding": 1,
            },
            {"name": "n2", "kind": "batch_norm", "input": "c2"},
            {"name": "s", "kind": "add", "input": ["n2", "r1"], "activation": "relu"},
            {"name": "p", "kind": "max_pool", "input": "s", "kernel": 2},
            {"name": "f", "kind": "flatten", "input": "p"},
            {"name": "y", "kind": "gemm", "input": "f", "n": 3, "bias": True},
        ],
        inputs={"x": [4, 2, 6, 6]},
        loss=ENTROPY,
    ),
}
#: networks of which torch takes three steps, by optimiser
STEPS = {"sgd": "network", "adam": "fan_out"}
SGD = {"rate": 0.1, "momentum": 0.9, "decay": 0.05}
ADAM = {"rate": 0.02, "betas": (0.8, 0.95), "floor": 1e-6, "decay": 0.05}
MOST_STEPS = 3


def workload(name: str, folder: Path) -> Workload:
    """The network of a case."""
    trace = {key: value for key, value in CASES[name].items() if key != "loss"}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"name": name, **trace}, sort_keys=False))
    return load_workload(path)


def loss(name: str) -> str:
    """The loss of a case."""
    found: str = CASES[name].get("loss", MSE)
    return found


def values(network: Workload, kind: str) -> tuple[Values, Values]:
    """Stored tensors and inputs, the targets of a loss among these."""
    stored = seeded_tensors(network, 3)
    inputs = seeded_inputs(network, 3)
    (output,) = (spec for spec in network.tensors.values() if spec.role == "output")
    rows = int(np.prod(output.shape[:-1]))
    draw = np.random.default_rng(len(network.name))
    if kind == ENTROPY:
        inputs[TARGETS] = draw.integers(0, output.shape[-1], (rows, 1))
    else:
        inputs[TARGETS] = (
            draw.integers(-8, 8, (output.shape[0], output.elements // output.shape[0])) / 4
        )
    if network.name.endswith("_ties"):
        stored = {name: np.round(2 * value) for name, value in stored.items()}
    return _wide(stored), _wide(inputs)


def _wide(found: Any) -> Values:
    return {name: np.asarray(value, np.float64) for name, value in found.items()}
