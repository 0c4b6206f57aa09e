"""Gradients of every case of cases.py by torch, in float64, into torch_gradients.npz. Not a part of any test.

python3 -m venv torch_env && torch_env/bin/pip install torch==2.13.0 numpy pyyaml
PYTHONPATH=. torch_env/bin/python -m tests.training.make_torch_gradients
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from accelsim.training.losses import TARGETS
from accelsim.workload import Conv2d, Gemm, Workload
from tests.training import cases


def product(op: Any, x: Any, w: Any, bias: Any) -> Any:
    if isinstance(op, Conv2d):
        top, left, bottom, right = op.padding
        x = F.pad(x, (left, right, top, bottom))
        return F.conv2d(x, w, bias, op.stride, 0, op.dilation, op.groups)
    found = x @ (w.transpose(-1, -2) if op.weight_transposed else w)
    return found if bias is None else found + bias


def vector(op: Any, x: list[Any], more: list[Any]) -> Any:
    top, left, _, _ = op.padding
    pool = (op.kernel, op.stride, (top, left))
    kinds = {
        "add": lambda: x[0] + x[1],
        "multiply": lambda: x[0] * x[1],
        "relu": lambda: F.relu(x[0]),
        "max_pool": lambda: F.max_pool2d(x[0], *pool),
        "average_pool": lambda: F.avg_pool2d(x[0], *pool, count_include_pad=False),
        "global_average_pool": lambda: x[0].mean((2, 3), keepdim=True),
        "reshape": lambda: x[0].reshape(op.output_shape),
        "flatten": lambda: x[0].flatten(1),
        "transpose": lambda: x[0].permute(op.order),
        "concat": lambda: torch.cat(x, 1),
        "slice": lambda: x[0][box(op.offset, op.output_shape)],
        "pad": lambda: padded(op, x[0]),
        "gather": lambda: F.embedding(x[1].long(), x[0]),
        "softmax": lambda: F.softmax(x[0], -1),
        "sigmoid": lambda: torch.sigmoid(x[0]),
        "tanh": lambda: torch.tanh(x[0]),
        "gelu": lambda: F.gelu(x[0]),
        "layer_norm": lambda: F.layer_norm(x[0], x[0].shape[-1:], *more),
        "batch_norm": lambda: F.batch_norm(x[0], None, None, *more, training=True),
    }
    return kinds[op.kind]()


def box(offset: Any, shape: Any) -> tuple[slice, ...]:
    begins = offset or (0,) * len(shape)
    return tuple(slice(b, b + size) for b, size in zip(begins, shape, strict=True))


def padded(op: Any, x: Any) -> Any:
    out = torch.zeros(op.output_shape, dtype=torch.float64)
    out[box(op.offset, op.input_shape)] = x
    return out


def loss_of(network: Workload, kind: str, stored: Any, inputs: Any) -> Any:
    """The loss of a forward pass."""
    tensors = {**inputs, **stored}
    for op in network.operators:
        if isinstance(op, Gemm | Conv2d):
            bias = None if op.bias is None else tensors[op.bias]
            made = product(op, tensors[op.input], tensors[op.weight], bias)
        else:
            made = vector(op, [tensors[n] for n in op.inputs], [tensors[n] for n in op.parameters])
        tensors[op.output] = F.relu(made) if op.activation == "relu" else made
    (output,) = (n for n, spec in network.tensors.items() if spec.role == "output")
    found, wanted = tensors[output], inputs[TARGETS]
    if kind == cases.ENTROPY:
        return F.cross_entropy(found.reshape(-1, found.shape[-1]), wanted.long().flatten())
    return 0.5 * ((found.reshape(wanted.shape) - wanted) ** 2).sum() / len(wanted)


def prepared(name: str) -> tuple[Workload, str, Any, Any]:
    with tempfile.TemporaryDirectory() as folder:
        network = cases.workload(name, Path(folder))
    kind = cases.loss(name)
    stored, inputs = cases.values(network, kind)
    leaves = {n: torch.tensor(v, requires_grad=True) for n, v in stored.items()}
    return network, kind, leaves, {n: torch.tensor(v) for n, v in inputs.items()}


def main() -> None:
    found: dict[str, Any] = {}
    for name in cases.CASES:
        network, kind, stored, inputs = prepared(name)
        loss = loss_of(network, kind, stored, inputs)
        loss.backward()
        found[f"{name}/loss"] = loss.detach().numpy()
        found |= {f"{name}/{n}": leaf.grad.numpy() for n, leaf in stored.items()}
    for optimiser, name in cases.STEPS.items():
        network, kind, stored, inputs = prepared(name)
        decay = [n for n in stored if network.tensors[n].role == "weight"]
        groups = [
            {"params": [v for n, v in stored.items() if (n in decay) == decayed], "weight_decay": w}
            for decayed, w in ((True, 0.05), (False, 0.0))
        ]
        if optimiser == "sgd":
            steps: Any = torch.optim.SGD(groups, cases.SGD["rate"], cases.SGD["momentum"])
        else:
            how: Any = cases.ADAM
            steps = torch.optim.Adam(groups, how["rate"], how["betas"], how["floor"])
        for _ in range(cases.MOST_STEPS):
            steps.zero_grad()
            loss_of(network, kind, stored, inputs).backward()
            steps.step()
        found |= {f"{optimiser}/{n}": leaf.detach().numpy() for n, leaf in stored.items()}
    np.savez_compressed(cases.GOLDEN, **found)


if __name__ == "__main__":
    main()
