"""Random vector operators of every kind and rank, and chips whose buffers are small for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from accelsim.chip import Chip
from accelsim.workload import VectorOperator
from accelsim.workload.vector_kinds import POOLS, VECTOR_KINDS, VectorKind
from tests.mapping.random_cases import random_chip

KINDS = tuple(name for name, kind in VECTOR_KINDS.items() if kind.access != "view")
FORMATS = ("int4", "int8", "int32", "fp8_e4m3", "fp16", "int6", "mxfp8_e4m3")
Shape = tuple[int, ...]


def random_shape(rng: np.random.Generator, rank: int, high: int = 14) -> Shape:
    """A shape of that rank with axes below ``high``, shorter where there are many."""
    return tuple(int(rng.integers(1, max(3, high - 2 * rank))) for _ in range(rank))


def broadcast(rng: np.random.Generator, shape: Shape) -> Shape:
    """A shape that is broadcast to ``shape``: some axes one, some leading ones absent."""
    axes = [size if rng.random() < 0.6 else 1 for size in shape]
    return tuple(axes[int(rng.integers(0, len(axes) + 1)) :] if rng.random() < 0.4 else axes)


def random_pool(rng: np.random.Generator, kind: str) -> VectorOperator:
    """A pool with windows that overlap or leave gaps, and padding."""
    kernel, stride = ((int(rng.integers(1, 5)), int(rng.integers(1, 5))) for _ in range(2))
    padding = tuple(int(rng.integers(0, 1 + size // 2)) for size in kernel * 2)
    n, c = (int(rng.integers(1, high)) for high in (4, 9))
    tall, wide = (int(rng.integers(4, 24)) for _ in range(2))
    out = (
        (tall + padding[0] + padding[2] - kernel[0]) // stride[0] + 1,
        (wide + padding[1] + padding[3] - kernel[1]) // stride[1] + 1,
    )
    keys: dict[str, Any] = {"kernel": kernel, "stride": stride, "padding": padding}
    return VectorOperator("y", kind, ("a",), "y", ((n, c, tall, wide),), (n, c, *out), **keys)


def input_shape(rng: np.random.Generator, kind: VectorKind, which: int, shape: Shape) -> Shape:
    """The shape of an input of an operator that makes ``shape``."""
    if kind.access == "same":
        return shape if which == 0 or rng.random() < 0.5 else broadcast(rng, shape)
    if kind.access == "reduce":
        return tuple(size * int(rng.integers(1, 4)) for size in shape)
    if kind.access == "move":
        return random_shape(rng, len(shape) if rng.random() < 0.7 else int(rng.integers(1, 6)))
    return shape


def random_vector(rng: np.random.Generator, kind: str, rank: int | None = None) -> VectorOperator:
    """An operator of that kind; its output has so many axes, but for pools."""
    if kind in POOLS:
        return random_pool(rng, kind)
    facts = VECTOR_KINDS[kind]
    rank = int(rng.integers(1, 6)) if rank is None else rank
    out = random_shape(rng, rank)
    few, many = facts.inputs
    shapes = [
        input_shape(rng, facts, i, out)
        for i in range(int(rng.integers(few, max(few, min(many, 5)) + 1)))
    ]
    order: Shape = ()
    if kind == "append":
        axis, more = int(rng.integers(rank)), int(rng.integers(1, 9))
        shapes = [out, tuple(more if i == axis else size for i, size in enumerate(out))]
        out = tuple(size + more if i == axis else size for i, size in enumerate(out))
    elif kind == "transpose":
        order = tuple(int(axis) for axis in rng.permutation(rank))
        shapes, out = [out], tuple(out[axis] for axis in order)
    elif facts.access == "reduce" and rng.random() < 0.4:  # axes that went away
        out = out[: int(rng.integers(0, rank + 1))]
    names = tuple(f"x{i}" for i in range(len(shapes)))
    alike = [name for name, shape in zip(names, shapes, strict=True) if shape == out]
    updates = alike[-1] if alike and facts.access == "same" and rng.random() < 0.3 else ""
    return VectorOperator("y", kind, names, "y", tuple(shapes), out, order=order, updates=updates)


def small_chip(rng: np.random.Generator) -> Chip:
    """A chip with one or two buffers of a few rows, single or double, of odd sizes too."""
    chip = random_chip(rng)
    memories = {
        name: memory if name == "dram" else replace(memory, size=int(rng.integers(60, 6000)))
        for name, memory in chip.memories.items()
    }
    return replace(chip, memories=memories)


def random_formats(rng: np.random.Generator, op: VectorOperator) -> tuple[str, ...]:
    """Formats of the inputs and the output."""
    return tuple(str(rng.choice(FORMATS)) for _ in range(len(op.inputs) + 1))
