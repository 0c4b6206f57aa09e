"""A workload with values of float formats: weights and biases, rounded once, without scales."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip
from accelsim.errors import InputError, Problem
from accelsim.formats import Integer, get
from accelsim.mapping.chips import path_of
from accelsim.mapping.tensors import operator_formats, tensor_formats
from accelsim.numerics.lowering import weight_matrix
from accelsim.numerics.network import Network
from accelsim.numerics.quantize import Quantization
from accelsim.workload import VectorOperator, Workload

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RealValues(Quantization):
    """Values of a format as they are: what stands for codes is the values."""

    def encode(self, values: NDArray[np.floating]) -> NDArray[np.int64]:
        """The values rounded to the format (float64)."""
        return get(self.format).quantize(values)  # type: ignore[return-value]

    def decode(self, codes: NDArray[np.integer]) -> Floats:
        """The values."""
        return np.asarray(codes, np.float64)


def real(format_name: str) -> RealValues:
    """Values of a format."""
    return RealValues(format_name, np.float64(1.0))  # type: ignore[arg-type]


@dataclass(slots=True)
class FloatNetwork(Network):
    """real_weights: operator -> (groups, k, n) values. biases: operator -> (groups, n), added to the
    sum before its one rounding to the output's format."""

    real_weights: Mapping[str, Floats] = field(default_factory=dict)
    biases: Mapping[str, Floats] = field(default_factory=dict)


def runs_floats(workload: Workload, chip: Chip) -> bool:
    """Whether a chip multiplies this workload in floats; InputError where only some of it."""
    kinds = {
        isinstance(get(name), Integer)
        for op in workload.operators
        if not isinstance(op, VectorOperator)
        for name in operator_formats(op, chip)
    }
    if len(kinds) > 1:
        raise InputError(
            Problem(
                "values.mixed",
                "some operators multiply integers and some floats",
                "give all one kind of format, or leave --input out",
                file=workload.source,
            )
        )
    return kinds == {False}


def build_float_network(
    workload: Workload, chip: Chip, values: Mapping[str, NDArray[np.generic]]
) -> FloatNetwork:
    """Round a workload's weights to their formats; InputError names missing values."""
    missing = [
        name
        for name, spec in workload.tensors.items()
        if spec.role in ("weight", "bias") and name not in values
    ]
    if missing:
        raise InputError(
            [
                Problem(
                    "values.missing",
                    f"holds no tensor {name!r}",
                    f"add it with shape {list(workload.tensors[name].shape)}",
                    file=workload.values or "",
                )
                for name in missing
            ]
        )
    stated = chip.vector_format
    if stated is not None and isinstance(get(stated), Integer):
        raise InputError(
            Problem(
                "values.vector",
                f"{stated} has no scale among floats",
                "write fp16, bf16, fp32 or fp16_169",
                f"{path_of(chip.parts('vector_unit')[0].name, 'units')}.format",
                chip.source,
            )
        )
    activations = {name: real(found) for name, found in tensor_formats(workload, chip).items()}
    weights: dict[str, Floats] = {}
    biases: dict[str, Floats] = {}
    names: dict[str, str] = {}
    for op in workload.operators:
        if isinstance(op, VectorOperator):
            continue
        names[op.name] = operator_formats(op, chip)[1]
        if workload.is_stored(op.weight):
            matrix = weight_matrix(op, np.asarray(values[op.weight], np.float64))
            weights[op.name] = get(names[op.name]).quantize(matrix)
        if op.bias is not None:
            biases[op.name] = np.asarray(values[op.bias], np.float64).reshape(op.groups, op.n)
    notes = [
        "weights and activations: rounded to their formats, no scales",
        "biases: added before the last rounding",
    ]
    return FloatNetwork(activations, {}, {}, names, notes, real_weights=weights, biases=biases)
