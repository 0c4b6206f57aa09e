"""Seeded values: weights and inputs of stated distributions for networks that have none.

Every tensor is a function of (seed, its name) alone: deviates of the counter-based generator, so equal on every
machine. Weights of a MAC operator are normal with variance 2/k behind which a ReLU stands (He et al., ICCV 2015,
equation 10) and 1/k elsewhere (LeCun et al., "Efficient BackProp", 1998, equation 16); biases have a deviation of
0.05; scales of normalisations are 1 and shifts 0, each with a deviation of 0.1; tables that are read and real
inputs are standard normal, inputs whose range the workload's own values state uniform over it; integers that index
are uniform over what they index, others 0 or 1.

They say how much noise few bits or cells make at a network's sizes, not how accurate the trained one is.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.noise import Stream
from accelsim.noise.quick import quick_normal
from accelsim.workload import TensorSpec, VectorOperator, Workload
from accelsim.workload.integers import classes_of
from accelsim.workload.vector_kinds import VECTOR_KINDS

MARK = "seeded:"  # begins the ``values`` of a workload whose values are seeded
USE = "seeded values"
BIAS, SCALE, SHIFT = 0.05, 0.1, 0.1  # deviations
Floats = NDArray[np.float32]


def marked(seed: int) -> str:
    """The ``values`` of a workload with seeded ones."""
    return f"{MARK}{seed}"


def seed_of(values: str | None) -> int | None:
    """The seed of a workload's ``values``, None where they are none or of a file."""
    text = (values or "").removeprefix(MARK)
    return int(text) if text != (values or "") and text.isdecimal() else None


def seeded_tensors(workload: Workload, seed: int) -> dict[str, NDArray[np.generic]]:
    """Real values of every stored tensor."""
    rules = _rules(workload)
    found: dict[str, NDArray[np.generic]] = {}
    rules |= dict.fromkeys(workload.moments, (0.0, 0.0))
    for name, spec in workload.tensors.items():
        if spec.role in ("weight", "bias"):
            mean, deviation = rules.get(name, (0.0, 1.0))
            found[name] = _normal(seed, spec, mean, deviation)
    return found


def seeded_inputs(
    workload: Workload,
    seed: int,
    given: Mapping[str, NDArray[Any]] | None = None,
    stored: Mapping[str, NDArray[Any]] | None = None,
) -> dict[str, NDArray[Any]]:
    """Values of every input tensor that is not given, beside those that are. stored: of the workload's own file,
    "<tensor>.range" (low, high) among them."""
    bounds, stored = _bounds(workload), stored or {}
    found = dict(given or {})
    for name, spec in workload.tensors.items():
        if spec.role != "input" or name in found:
            continue
        if spec.holds == "integers":
            drawn = Stream(seed, (USE, name)).uniform(spec.shape)
            found[name] = (drawn * bounds.get(name, 2)).astype(np.int64)
        elif f"{name}.range" in stored:
            low, high = stored[f"{name}.range"]
            drawn = Stream(seed, (USE, name)).uniform(spec.shape)
            found[name] = (low + (high - low) * drawn).astype(np.float32)
        else:
            found[name] = _normal(seed, spec, 0.0, 1.0)
    return found


def _normal(seed: int, spec: TensorSpec, mean: float, deviation: float) -> Floats:
    deviates = quick_normal(Stream(seed, (USE, spec.name)), spec.shape)
    return np.float32(mean) + np.float32(deviation) * deviates


def _rules(workload: Workload) -> dict[str, tuple[float, float]]:
    """(mean, deviation) of stored tensors by what first reads them."""
    found: dict[str, tuple[float, float]] = {}
    for op in workload.operators:
        if isinstance(op, VectorOperator):
            for number, name in enumerate(op.parameters):
                found.setdefault(name, (1.0, SCALE) if number == 0 else (0.0, SHIFT))
            continue
        gain = 2.0 if op.activation == "relu" else 1.0
        found.setdefault(op.weight, (0.0, sqrt(gain / op.k)))
        if op.bias is not None:
            found.setdefault(op.bias, (0.0, BIAS))
    return found


def _bounds(workload: Workload) -> dict[str, int]:
    """How many things a tensor of integers indexes."""
    found = classes_of(workload)
    for op in reversed(workload.operators):
        if not isinstance(op, VectorOperator):
            continue
        if op.kind == "gather" and len(op.inputs) > 1:
            found[op.inputs[1]] = op.input_shapes[0][0]
        elif VECTOR_KINDS[op.kind].moves and op.output in found:
            found |= {name: found[op.output] for name in op.inputs}
    return found
