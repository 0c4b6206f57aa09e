"""Random small networks: convolutions, products, vector operators and views behind one another."""

from __future__ import annotations

import numpy as np

from accelsim.workload import Conv2d, Gemm, TensorSpec, VectorOperator, Workload
from accelsim.workload.operators import Operator


def random_network(rng: np.random.Generator, batch: int = 0) -> Workload:
    """Two to five operators on one image or two, or ``batch``, and a product of all that is left."""
    shape = (
        batch or int(rng.integers(1, 3)),
        int(rng.integers(1, 7)),
        *rng.integers(3, 12, 2).tolist(),
    )
    tensors = {"t0": TensorSpec("t0", shape, "input")}
    operators: list[Operator] = []

    def put(op: Operator, out: tuple[int, ...]) -> None:
        operators.append(op)
        tensors[op.output] = TensorSpec(op.output, out, "intermediate")

    for number in range(int(rng.integers(2, 6))):
        name, source, out = f"op{number}", f"t{number}", f"t{number + 1}"
        batch, channels, height, width = shape
        kind = str(rng.choice(["conv", "conv", "relu", "add", "max_pool"]))
        if kind == "conv":
            filters, kernel = int(rng.integers(1, 9)), int(rng.integers(1, 4))
            made = Conv2d(
                *(name, source, f"w{number}", out, batch, channels, height, width, filters),
                (kernel, kernel),
                (int(rng.integers(1, 3)),) * 2,
                (kernel // 2,) * 4,
            )
            tensors[made.weight] = TensorSpec(made.weight, made.weight_shape, "weight")
            shape = made.output_shape
            put(made, shape)
        elif kind == "max_pool" and min(height, width) >= 2:
            pooled = (batch, channels, height // 2, width // 2)
            window = {"kernel": (2, 2), "stride": (2, 2)}
            put(VectorOperator(name, kind, (source,), out, (shape,), pooled, **window), pooled)  # type: ignore[arg-type]
            shape = pooled
        else:
            reads = (source, source) if kind == "add" else (source,)
            kind = "add" if kind == "add" else "relu"
            put(VectorOperator(name, kind, reads, out, (shape,) * len(reads), shape), shape)
    last, features = f"t{len(operators)}", int(np.prod(shape[1:]))
    flat = (shape[0], features)
    put(VectorOperator("flat", "flatten", (last,), "flat", (shape,), flat), flat)
    head = Gemm("head", "flat", "wh", "y", shape[0], features, int(rng.integers(1, 12)))
    tensors["wh"] = TensorSpec("wh", head.weight_shape, "weight")
    operators.append(head)
    tensors["y"] = TensorSpec("y", head.output_shape, "output")
    return Workload("random", tuple(operators), tensors)
