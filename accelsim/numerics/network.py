"""A workload with integer tensors: codes of weights, and how sums become codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from accelsim.formats import get
from accelsim.numerics.quantize import Quantization, Requantizer

Ints = NDArray[np.int64]


@dataclass(slots=True)
class Network:
    """What execute() needs besides the Program.

    activations: tensor -> Quantization (scale and zero of its codes). weights: operator ->
    (groups, k, n) codes. requantizers: operator -> one Requantizer a group.
    weight_formats: operator -> format of its weight codes.
    """

    activations: Mapping[str, Quantization]
    weights: Mapping[str, Ints]
    requantizers: Mapping[str, tuple[Requantizer, ...]]
    weight_formats: Mapping[str, str] = field(default_factory=dict)
    assumptions: list[str] = field(default_factory=list)

    def weight_top(self, operator: str) -> int:
        """Largest magnitude of an operator's weight codes."""
        return get(self.weight_formats[operator]).maximum
