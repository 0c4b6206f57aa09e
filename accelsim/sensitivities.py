"""Which layer costs most accuracy in few bits: one at a time, the others as the chip has them.

Only values are asked for, and they do not depend on a MAC array's rate: pairs of formats that the array
lacks are added to it for this question. A layer's inputs become narrow too, unless another layer reads
the same tensor in its own format; then its weights alone do, and its line says so.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from accelsim.chip import Chip
from accelsim.errors import InputError, Problem
from accelsim.escaping import CsvWriter
from accelsim.mapping.tensors import operator_formats, tensor_formats
from accelsim.results.result import Result
from accelsim.units.mac_array import MacArray, Rate
from accelsim.workload import VectorOperator, Workload
from accelsim.workload.precision import with_bits

Runs = Callable[[Chip, Workload], Result]


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


@dataclass(frozen=True, slots=True)
class Listing:
    """lines: all as they are, each MAC operator narrow in the order of what it costs (top-1 first, then noise),
    all narrow. top1_float: of the float network, None without labels. said: what was checked of the reference."""

    chip: str
    workload: str
    bits: int
    lines: list[Line]
    top1_float: float | None
    said: str = ""


def sensitivity(chip: Chip, workload: Workload, run: Runs, bits: int = 4) -> Listing:
    """Which layer costs most accuracy in few bits. run: gives the Result, with values, of a chip and a workload
    like this one. InputError for chips without a MAC array of integers."""
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
    said: list[str] = []

    def line(name: str, kind: str, parameters: int, narrow: str, made: Workload) -> Line:
        result = run(with_pairs(chip, made), made)
        assert result.values is not None
        if not said and result.values.checked is not None:
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
    return Listing(chip.name, workload.name, bits, found, scores.get("top1_float"), "\n".join(said))


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


def listing_json(found: Listing) -> bytes:
    """All of it."""
    whole = {
        "chip": found.chip,
        "workload": found.workload,
        "bits": found.bits,
        "top1_float": found.top1_float,
        "lines": [_plain(line) for line in found.lines],
    }
    return (json.dumps(whole, indent=1) + "\n").encode()


def _plain(line: Line) -> dict[str, Any]:
    """A line for JSON, which has no infinity: exact outputs have null."""
    return {
        key: None if isinstance(value, float) and math.isinf(value) else value
        for key, value in asdict(line).items()
    }


def listing_csv(found: Listing) -> bytes:
    """A line a layer."""
    text = io.StringIO()
    writer = CsvWriter(text)
    columns = list(asdict(found.lines[0]))
    writer.writerow(columns)
    writer.writerows([line[column] for column in columns] for line in map(asdict, found.lines))
    return text.getvalue().encode()
