"""Which layer costs most accuracy in few bits: one at a time, the others as the chip has them.

Only values are asked for, and they do not depend on a MAC array's rate: pairs of formats that the array
lacks are added to it for this question. A layer's inputs become narrow too, unless another layer reads
the same tensor in its own format; then its weights alone do, and its line says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim import api
from accelsim.chip import Chip
from accelsim.errors import InputError, Problem
from accelsim.mapping.tensors import operator_formats, tensor_formats
from accelsim.numerics.ranges import Calibration
from accelsim.units.mac_array import MacArray, Rate
from accelsim.workload import VectorOperator, Workload
from accelsim.workload.precision import with_bits

Inputs = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Line:
    """What a choice of formats does. layer: "" for none (all as the chip has them), "*" for all narrow, else
    an operator. narrow: what became narrow. snr_db: of the output against the float reference. layer_snr_db: of
    the layer's own output. top1: on the labels, None without."""

    layer: str
    kind: str
    parameters: int
    narrow: str
    snr_db: float
    layer_snr_db: float | None
    top1: float | None


def sensitivity(
    chip: Chip,
    workload: Workload,
    inputs: Inputs,
    labels: NDArray[np.integer] | None = None,
    bits: int = 4,
    calibration: Calibration | None = None,
    samples: Inputs | None = None,
    rounding: str = "single",
    reference_check: str = "first",
    said: list[str] | None = None,
) -> tuple[list[Line], float | None]:
    """(a Line of all as they are, one for each MAC operator narrow, one of all narrow; top-1 of the float
    network, None without labels). Operators stand in order of what they cost: top-1 first, then noise.
    reference_check: see api.run; what was checked is put into ``said``."""
    macs = [op for op in workload.operators if not isinstance(op, VectorOperator)]
    if not macs:
        raise InputError(
            Problem(
                "sensitivity.layers",
                "has no layer with weights",
                "give another workload",
                file=workload.source,
            )
        )
    if chip.crossbar is not None or chip.mac_array is None:
        raise InputError(
            Problem(
                "sensitivity.chip",
                f"{chip.name} has no MAC array of integers",
                "use int8_edge",
                file=chip.name,
            )
        )
    scores: dict[str, float] = {}

    def line(name: str, kind: str, parameters: int, narrow: str, made: Workload) -> Line:
        able = with_pairs(chip, made)
        result = api.run(
            able,
            made,
            inputs,
            labels=labels,
            rounding=rounding,
            calibration=calibration,
            samples=samples,
            reference_check=reference_check,
        )
        assert result.values is not None
        if said is not None and not said and result.values.checked is not None:
            said.append(result.values.checked.line())
        noise = result.values.signal_to_noise_db
        own = next((noise[op.output] for op in macs if op.name == name), None)
        scores.update(result.values.scores)
        return Line(
            name,
            kind,
            parameters,
            narrow,
            noise[list(result.values.outputs)[-1]],
            own,
            result.values.scores.get("top1"),
        )

    found = [line("", "", workload.parameters, "nothing", workload)]
    layers = []
    for op in macs:
        made, narrow = narrowed(workload, chip, op.name, bits)
        layers.append(line(op.name, op.kind, workload.tensors[op.weight].elements, narrow, made))
    layers.sort(key=lambda item: (item.top1 if item.top1 is not None else 0.0, item.snr_db))
    whole = with_bits(workload, [f"*={bits}"])
    found += [*layers, line("*", "", workload.parameters, "weights and inputs", whole)]
    return found, scores.get("top1_float")


def narrowed(workload: Workload, chip: Chip, name: str, bits: int) -> tuple[Workload, str]:
    """(the workload with one operator in few bits, what of it is)."""
    exact = "".join(f"[{letter}]" if letter in "[*?" else letter for letter in name)
    whole = with_bits(workload, [f"{exact}={bits}"])
    try:
        tensor_formats(whole, chip)
    except InputError:
        return with_bits(workload, [f"{exact}=w{bits}"]), "weights"
    return whole, "weights and inputs"


def with_pairs(chip: Chip, workload: Workload) -> Chip:
    """The chip, its array able to multiply every pair of formats of the workload."""
    array = chip.array
    need: Sequence[tuple[str, str]] = list(
        dict.fromkeys(
            operator_formats(op, chip)
            for op in workload.operators
            if not isinstance(op, VectorOperator)
        )
    )
    more = tuple(Rate(*pair) for pair in need if not _multiplies(array, *pair))
    if not more:
        return chip
    units: dict[str, Any] = dict(chip.units)
    for name, unit in chip.units.items():
        if isinstance(unit, MacArray):
            units[name] = replace(unit, rates=unit.rates + more)
    return replace(chip, units=units)


def _multiplies(array: MacArray, input_format: str, weight_format: str) -> bool:
    try:
        array.rate(input_format, weight_format)
    except InputError:
        return False
    return True
