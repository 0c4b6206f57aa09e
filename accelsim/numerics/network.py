"""A workload with integer tensors: codes of weights, and how sums become codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import InputError, Problem
from accelsim.formats import integer
from accelsim.numerics.quantize import Quantization, RealRequantizer, Requantizer
from accelsim.workload import VectorOperator

Ints = NDArray[np.int64]


Evaluate = Callable[[VectorOperator, list[NDArray[np.float64]]], NDArray[np.float64]]


def no_evaluator(op: VectorOperator, inputs: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Stands where no evaluator was given: only kinds with integer arithmetic have values."""
    raise InputError(
        Problem(
            "values.kind",
            f"{op.name} is a {op.kind}, whose values need the extra onnx",
            "install accelsim[onnx]",
            path=op.name,
        )
    )


#: kinds with integer arithmetic of their own, of inputs of one shape
OWN = ("relu", "add", "multiply", "append", "max_pool", "average_pool", "global_average_pool")


def has_arithmetic(op: VectorOperator) -> bool:
    """Whether an operator is computed on codes here; others are evaluated between their scales."""
    if op.is_view:
        return True
    if op.kind in ("max_pool", "average_pool") and op.node:
        return False  # padding that counts, other roundings of the output's size
    return op.kind in OWN and (op.kind == "append" or len(set(op.input_shapes)) == 1)


def sizes_of(codes: Ints) -> tuple[int, int]:
    """Largest magnitude of codes (groups, k, n), and of a sum of one column's magnitudes."""
    magnitudes = np.abs(codes)
    return int(magnitudes.max(initial=0)), int(magnitudes.sum(axis=1).max(initial=0))


@dataclass(slots=True)
class Network:
    """What execute() needs besides the Program.

    activations: tensor -> Quantization (scale and zero of its codes). weights: operator ->
    (groups, k, n) codes. requantizers: operator -> one Requantizer a group.
    weight_formats: operator -> format of its weight codes. weight_scales: operator -> (groups, n) scales
    of its weight codes. evaluate: real values of a vector
    operator that has no integer arithmetic, from those of its inputs.
    """

    activations: Mapping[str, Quantization]
    weights: Mapping[str, Ints]
    requantizers: Mapping[str, tuple[Requantizer | RealRequantizer, ...]]
    weight_formats: Mapping[str, str] = field(default_factory=dict)
    assumptions: list[str] = field(default_factory=list)
    evaluate: Evaluate = no_evaluator
    weight_scales: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    _sizes: dict[str, tuple[int, int]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def weight_sizes(self, operator: str) -> tuple[int, int]:
        """Largest magnitude of an operator's weight codes, and of a sum of one column's magnitudes."""
        if operator not in self._sizes:
            self._sizes[operator] = sizes_of(self.weights[operator])
        return self._sizes[operator]

    def weight_top(self, operator: str) -> int:
        """Largest magnitude of an operator's weight codes."""
        return integer(self.weight_formats[operator]).maximum
