"""A workload with integer tensors: codes of weights, and how sums become codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from accelsim.numerics.quantize import Quantization, Requantizer

Ints = NDArray[np.int64]


@dataclass(slots=True)
class Network:
    """What execute() needs besides the Program.

    activations: tensor -> Quantization (scale and zero of its codes). weights: operator ->
    (groups, k, n) codes. requantizers: operator -> one Requantizer a group.
    """

    activations: Mapping[str, Quantization]
    weights: Mapping[str, Ints]
    requantizers: Mapping[str, tuple[Requantizer, ...]]
    assumptions: list[str] = field(default_factory=list)
