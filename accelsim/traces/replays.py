"""Layers of a trace on a chip, each by itself and from its own recorded inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import partial

import numpy as np
from numpy.typing import NDArray

from accelsim.api import Prepared, Progress, run
from accelsim.chip import Chip
from accelsim.errors import InputError, Problem
from accelsim.formats import Integer, get
from accelsim.importers.vector_values import by_kind
from accelsim.mapping.tensors import operator_formats, read_constants, tensor_formats
from accelsim.numerics.calibrate import NetworkBuilder
from accelsim.numerics.float_network import RealValues, build_float_network
from accelsim.numerics.network import Evaluate, Network
from accelsim.numerics.quantize import Quantization
from accelsim.results.result import Result
from accelsim.traces.differences import Difference, difference
from accelsim.traces.trace import Tensor, Trace
from accelsim.workload import MacOperator, Operator, TensorSpec, VectorOperator, Workload

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LayerRun:
    """One layer on the chip. cycles: of the array's clock, the layer alone. joules: by boundary.
    difference: its outputs against the record, None where they were not computed; note says why."""

    name: str
    kind: str
    macs: int
    cycles: int
    seconds: float
    utilisation: float
    joules: dict[str, float]
    difference: Difference | None
    note: str = ""


def replay(
    chip: Chip,
    trace: Trace,
    layers: Sequence[str] = (),
    *,
    weights: str | None = None,
    engine: str = "auto",
    evaluate: Evaluate | None = None,
    progress: Progress | None = None,
) -> list[LayerRun]:
    """Layers by name or pattern (none: all), each alone on the chip from its recorded inputs.

    Codes stay as they were recorded where the chip has their formats; elsewhere their real values are
    rounded to its own. evaluate: real values of the operators that only a model file says
    (model_evaluator). Raises InputError for wrong arrays, unknown layers and what the chip cannot run.
    """
    chosen = chosen_layers(trace, layers)
    check_arrays(trace, chosen)
    rows = []
    for number, op in enumerate(chosen):
        result, note = replay_layer(
            chip, trace, op, weights=weights, engine=engine, evaluate=evaluate
        )
        apart = None
        if result.values is not None:
            apart = difference(
                op.name,
                op.kind,
                trace.tensor(op.output),
                result.values.outputs[op.output],
                result.values.quantization[op.output],
            )
        joules = {name: result.energy.boundary(name) for name in ("device", "core", "chip")}
        rows.append(
            LayerRun(
                op.name,
                op.kind,
                result.workload.macs,
                result.cycles,
                result.seconds,
                result.utilisation,
                joules,
                apart,
                note,
            )
        )
        if progress:
            progress("layers", number + 1, len(chosen))
    return rows


def chosen_layers(trace: Trace, layers: Sequence[str]) -> list[Operator]:
    """Operators that do something, by name or pattern; InputError for what fits none."""
    real = {
        op.name: op
        for op in trace.workload.operators
        if not (isinstance(op, VectorOperator) and op.is_view)
    }
    wanted: set[str] = set()
    problems = []
    for pattern in layers:
        found = (
            [pattern] if pattern in real else [name for name in real if fnmatchcase(name, pattern)]
        )
        if not found:
            near = get_close_matches(pattern, real, 3, 0.4) or list(real)[:8]
            view = ", and only gives another shape" if pattern in trace.operators else ""
            problems.append(
                Problem(
                    "record.layer",
                    f"no layer of {trace.workload.name} runs by the name {pattern!r}{view}",
                    "write one of: " + ", ".join(near),
                    file="--layer",
                )
            )
        wanted.update(found)
    if problems:
        raise InputError(problems)
    return [op for op in real.values() if op.name in wanted or not layers]


def check_arrays(trace: Trace, operators: Sequence[Operator]) -> None:
    """InputError with everything that is wrong with the arrays of some operators."""
    problems: dict[Problem, None] = {}
    for op in operators:
        for look in _looks(trace, op):
            try:
                look()
            except InputError as error:
                problems.update(dict.fromkeys(error.problems))
    if problems:
        raise InputError(problems)


def _looks(trace: Trace, op: Operator) -> list[Callable[[], object]]:
    """What reads and checks an operator's arrays, one by one."""
    names = list(op.inputs) if isinstance(op, VectorOperator) else [op.input]
    looks: list[Callable[[], object]] = []
    if isinstance(op, VectorOperator):
        looks += [partial(trace.parameter, name) for name in op.parameters]
    elif trace.workload.is_stored(op.weight):
        looks.append(lambda: trace.weight(op))
    else:
        names.append(op.weight)
    if not isinstance(op, VectorOperator) and op.bias is not None:
        looks.append(lambda: trace.bias(op))
    return [*(partial(trace.tensor, name) for name in (*names, op.output)), *looks]


def replay_layer(
    chip: Chip,
    trace: Trace,
    op: Operator,
    *,
    weights: str | None = None,
    engine: str = "auto",
    evaluate: Evaluate | None = None,
) -> tuple[Result, str]:
    """One layer's Result on a chip, and why it has no values, if it has none."""
    formats = formats_of(trace, chip, op)
    if op.name in trace.recorded.model and isinstance(op, VectorOperator):
        op = replace(op, node=op.name)
    work = alone(trace.workload, op, formats)
    prepared, note = _prepared(chip, trace, op, work, formats, evaluate)
    return run(chip, work, prepared=prepared, weights=weights, engine=engine), note


def formats_of(trace: Trace, chip: Chip, op: Operator) -> dict[str, str]:
    """Formats of tensors on a chip as the whole network has them there; a network's output that was
    recorded in integers keeps its format on a chip of integers, also where that would keep the sums."""
    formats = dict(tensor_formats(trace.workload, chip))
    found = trace.quantization(op.output)
    if (
        found is not None
        and trace.workload.tensors[op.output].role == "output"
        and all(isinstance(get(name), Integer) for name in (found.format, formats[op.output]))
    ):
        formats[op.output] = found.format
    return formats


def alone(workload: Workload, op: Operator, formats: Mapping[str, str]) -> Workload:
    """The workload of one operator; tensors keep the formats that the whole network gives them."""
    names = op.inputs if isinstance(op, VectorOperator) else (op.input, op.weight)
    kept = [
        name for name in (op.parameters if isinstance(op, VectorOperator) else (op.bias,)) if name
    ]
    tensors = {}
    for name in (*names, *kept):
        spec = workload.tensors[name]
        stored = spec.role in ("weight", "bias")
        tensors[name] = spec if stored else TensorSpec(name, spec.shape, "input", formats[name])
        if stored and name in formats:
            tensors[name] = replace(spec, format=formats[name])
    tensors[op.output] = TensorSpec(op.output, op.output_shape, "output", formats[op.output])
    return Workload(f"{workload.name}/{op.name}", (op,), tensors, source=workload.source)


def _prepared(
    chip: Chip,
    trace: Trace,
    op: Operator,
    work: Workload,
    formats: Mapping[str, str],
    evaluate: Evaluate | None,
) -> tuple[Prepared | None, str]:
    """The layer's network and the codes that it reads; None and why, where it has no values here."""
    by_model = op.name in trace.recorded.model
    if by_model and evaluate is None:
        return None, f"not computed: the model file alone says this {op.kind}"
    names = list(work.tensors) if isinstance(op, VectorOperator) else [op.input, op.output]
    used = {formats[name] for name in names if name in formats}
    if not isinstance(op, VectorOperator):
        used |= set(operator_formats(op, chip))
    kinds = {isinstance(get(name), Integer) for name in used}
    if len(kinds) > 1:
        return None, "some of its tensors are integers on this chip, some are floats"
    values = _values(trace, op)
    network: Network
    if kinds == {True}:
        network = _RecordedBuilder(work, chip, values, formats, trace, op).build()
    else:
        network = build_float_network(work, chip, values)
    parameters = values if isinstance(op, VectorOperator) else {}
    network.evaluate = lambda one, inputs: by_kind(one, inputs, parameters)
    if by_model and evaluate is not None:
        network.evaluate = evaluate
    read = {name for name, spec in work.tensors.items() if spec.role == "input"} | read_constants(
        work
    )
    codes = {name: network.activations[name].encode(values[name]) for name in read}
    return Prepared(network, codes, {op.output: values[op.output]}), ""


def _values(trace: Trace, op: Operator) -> dict[str, Floats]:
    """Real values of an operator's tensors, and the ranges of those that it computes with."""
    found: dict[str, Floats] = {}
    names = [*(op.inputs if isinstance(op, VectorOperator) else (op.input,)), op.output]
    if isinstance(op, VectorOperator):
        found |= {name: trace.parameter(name) for name in op.parameters}
    elif trace.workload.is_stored(op.weight):
        found[op.weight] = trace.weight(op).real()
    else:
        names.append(op.weight)
    if not isinstance(op, VectorOperator) and op.bias is not None:
        found[op.bias] = trace.bias(op)
    for name in names:
        value = found[name] = trace.tensor(name).real()
        found[f"{name}.range"] = np.array([value.min(), value.max()])
    return found


class _RecordedBuilder(NetworkBuilder):
    """A network whose scales are the recorded ones, where the chip has the formats that they belong to."""

    def __init__(
        self,
        workload: Workload,
        chip: Chip,
        values: dict[str, Floats],
        formats: Mapping[str, str],
        trace: Trace,
        op: Operator,
    ) -> None:
        super().__init__(workload, chip, values, formats, trace.recorded.rounding)  # type: ignore[arg-type]
        self.trace = trace
        self.second: Tensor | None = None
        if not isinstance(op, VectorOperator) and workload.is_stored(op.weight):
            self.second = trace.weight(op)

    def between(self, name: str, low: float, high: float, relu: bool = False) -> Quantization:
        """The recorded quantisation, or one of the range."""
        own = super().between(name, low, high, relu)
        found = self.trace.quantization(name)
        if found is None or isinstance(found, RealValues) or np.size(found.scale) > 1:
            return own
        shift = own.record.minimum - found.record.minimum  # uint8 is int8 with other codes
        same = Quantization(own.format, found.scale, found.zero + shift)
        crossed = self.chip.crossbar is not None and low < 0 and not relu
        centred = crossed or name in self.symmetric  # code 0 must stand for 0.0
        return same if found.record.bits == own.record.bits and not (centred and same.zero) else own

    def weight_quantization(
        self, op: MacOperator, group: int, matrix: Floats, name: str, least: Floats
    ) -> Quantization:
        """The recorded scales of a group's weights, or new ones."""
        second = self.second
        if second is None or second.format != name or second.quantization is None:
            return super().weight_quantization(op, group, matrix, name, least)
        scale = np.broadcast_to(np.ravel(second.quantization.scale), (op.groups * op.n,))
        return Quantization(name, np.asarray(scale.reshape(op.groups, op.n)[group], np.float64))
