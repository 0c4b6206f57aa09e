"""Which layer costs most accuracy in few bits, or on crossbars of a chip that has a MAC array too: one at a time, the
others as the chip has them, on the array.

Only values are asked for, and they do not depend on a MAC array's rate: pairs of formats that the array
lacks are added to it for this question. A layer's inputs become narrow too, unless another layer reads
the same tensor in its own format; then its weights alone do, and its line says so.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple

from accelsim.chip import Chip
from accelsim.errors import InputError, Problem
from accelsim.escaping import CsvWriter
from accelsim.mapping import geometry_of
from accelsim.mapping.crossbars import crossbars_of
from accelsim.mapping.tensors import operator_formats, tensor_formats
from accelsim.mapping.units import array_side, crossbar_side, sides_that_run
from accelsim.results.result import Result
from accelsim.units.mac_array import MacArray, Rate
from accelsim.workload import VectorOperator, Workload
from accelsim.workload.precision import with_bits

Runs = Callable[[Chip, Workload, Mapping[str, str]], Result]


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
    """bits: of the layer in question, None where it is on crossbars. lines: all as they are, each MAC operator narrow
    in the order of what it costs (top-1 first, then noise), all narrow. top1_float: of the float network, None without
    labels. said: what was checked of the reference."""

    chip: str
    workload: str
    bits: int | None
    lines: list[Line]
    top1_float: float | None
    said: str = ""


def sensitivity(chip: Chip, workload: Workload, run: Runs, bits: int = 4) -> Listing:
    """Which layer costs most accuracy in few bits; of a chip with a MAC array and crossbars, on crossbars. run: gives
    the Result, with values, of a chip and a workload like this one, with operators on units. InputError for chips
    without a MAC array of integers."""
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
    if chip.mac_array is None:
        raise InputError(
            Problem(
                "sensitivity.chip",
                f"{chip.name} has no MAC array of integers",
                "use int8_edge",
                file=chip.name,
            )
        )
    if chip.crossbar is not None:
        return _on_crossbars(chip, workload, run)
    found = [_Way("", "nothing", workload)]
    for op in macs:
        made, narrow = narrowed(workload, chip, op.name, bits)
        found.append(_Way(op.name, narrow, made))
    found.append(_Way("*", "weights and inputs", with_bits(workload, [f"*={bits}"])))

    def result(way: _Way) -> Result:
        return run(with_pairs(chip, way.workload), way.workload, {})

    return _listed(chip, workload, bits, found, result)


def _on_crossbars(chip: Chip, workload: Workload, run: Runs) -> Listing:
    """Each MAC operator that crossbars hold on these, the others on the MAC array."""
    array, crossbars = array_side(chip), crossbar_side(chip)
    macs = [op for op in workload.operators if not isinstance(op, VectorOperator)]
    able = [op.name for op in macs if crossbars in sides_that_run(chip, workload, op)]
    stay = {op.name: array for op in macs}
    found = [_Way("", "nothing", workload, stay)]
    where = f"on {crossbars}"
    found += [_Way(name, where, workload, {**stay, name: crossbars}) for name in able]
    unit = chip.crossbar
    assert unit is not None
    sizes = {op.weight: crossbars_of(unit, geometry_of(op)) for op in macs if op.name in able}
    if sum(sizes.values()) <= unit.count:
        found.append(_Way("*", where, workload, {**stay, **dict.fromkeys(able, crossbars)}))
    else:
        found.append(_Way("*", "as planned", workload))
    return _listed(chip, workload, None, found, lambda way: run(chip, workload, way.on))


class _Way(NamedTuple):
    """What is tried. layer, narrow: as in a Line. on: units of operators."""

    layer: str
    narrow: str
    workload: Workload
    on: Mapping[str, str] = MappingProxyType({})


def _listed(
    chip: Chip,
    workload: Workload,
    bits: int | None,
    ways: Sequence[_Way],
    run: Callable[[_Way], Result],
) -> Listing:
    """A Line of every way: the first and the last stay where they are, the others the worst first."""
    operators = {op.name: op for op in workload.operators if not isinstance(op, VectorOperator)}
    scores: dict[str, float] = {}
    said: list[str] = []

    def line(way: _Way) -> Line:
        result = run(way)
        assert result.values is not None
        if not said and result.values.checked is not None:
            said.append(result.values.checked.line())
        noise, op = result.values.signal_to_noise_db, operators.get(way.layer)
        scores.update(result.values.scores)
        return Line(
            way.layer,
            op.kind if op else "",
            workload.tensors[op.weight].elements if op else workload.parameters,
            way.narrow,
            noise[list(result.values.outputs)[-1]],
            noise[op.output] if op else None,
            result.values.scores.get("top1"),
        )

    first, *layers, last = map(line, ways)
    layers.sort(key=lambda item: (item.top1 if item.top1 is not None else 0.0, item.snr_db))
    found = [first, *layers, last]
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
