"""run(): one Program, read three ways, checked, and put into a Result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from accelsim import resources
from accelsim.chip import Chip
from accelsim.energy import charge, counts_of, spread
from accelsim.errors import ConservationError, InputError, Problem, one_of
from accelsim.explore import search_plan
from accelsim.explore.homes import plan_at_home
from accelsim.explore.plan_search import BUDGET
from accelsim.explore.planned import Planned, run_plan
from accelsim.explore.streamed import Streamed
from accelsim.loading import load_chip, load_workload
from accelsim.mapping import Mapping as OperatorMapping
from accelsim.mapping import compile_program
from accelsim.mapping.homes import DEFAULT
from accelsim.mapping.units import Choice, choices_of
from accelsim.numerics.quantize import Rounding
from accelsim.numerics.ranges import Calibration
from accelsim.numerics.seeded import seed_of, seeded_tensors
from accelsim.program.opcodes import Opcode
from accelsim.program.validate import validate
from accelsim.results.result import Kept, Result, Values
from accelsim.results.scalesim_reports import LayerReport
from accelsim.results.summary import summarise
from accelsim.timing import simulate
from accelsim.timing.bounds import check_bounds
from accelsim.workload import VectorOperator, Workload

__all__ = [
    "Prepared",
    "Progress",
    "load_chip",
    "load_values",
    "load_workload",
    "prepare",
    "run",
    "run_compatible",
    "values_of",
]
#: of values: real ones of the reference and of the run (float64), codes, and what a layer needs beside them
ELEMENT_BYTES = 24
REFERENCE_CHECKS = ("first", "all", "off")
CLIPS = 1e-3  # of the conversions: more is worth a warning
Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class Prepared:
    """What values are computed from. network: a Network. codes: of the inputs and of constants that are
    read. reference: real values that outputs are measured against. stored: real values of stored tensors.
    checked: what onnxruntime said of the reference (importers.onnx_check.Checked), None without a model."""

    network: Any
    codes: dict[str, NDArray[Any]]
    reference: dict[str, NDArray[np.float64]]
    stored: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    checked: Any = None


def run(
    chip: Chip,
    workload: Workload,
    inputs: Mapping[str, NDArray[np.generic]] | None = None,
    *,
    labels: NDArray[np.integer] | None = None,
    engine: str = "auto",
    weights: str | None = None,
    mappings: Mapping[str, OperatorMapping] | None = None,
    rounding: str = "single",
    search: str | None = None,
    budget: int = BUDGET,
    progress: Progress | None = None,
    prepared: Prepared | None = None,
    keep: bool = False,
    calibration: Calibration | None = None,
    samples: Mapping[str, NDArray[np.generic]] | None = None,
    fold: bool = True,
    reference_check: str = "first",
    homes: str = DEFAULT,
    on: Mapping[str, str | Choice] | None = None,
    images: int | None = None,
) -> Result:
    """Simulate a workload on a chip.

    inputs: real values of the input tensors, with the workload's shapes; without them (or without
    values in the workload) no outputs are computed. labels: (batch,) classes for top-1. engine:
    auto, plain, compiled or simpy, all with the same result. weights: "cold" or "resident",
    default the chip's. mappings: explicit mappings by operator. search: "cycles", "energy" or "edp"
    looks for mappings that make it small, with ``budget`` runs of the workload, instead of
    taking the default ones. prepared: a network and codes of its inputs, in the place of inputs and the
    workload's values. keep: the Result keeps every tensor's codes, for traces.save_trace.
    calibration: ranges from values, those on ``samples`` (default: the inputs), and clips of weights.
    fold: equal layers may be planned and timed once (docs/timing_engine.md); where values are computed they
    never are. Every figure is the same without.
    reference_check: on how many inputs the float reference of an ONNX model is held against onnxruntime's
    result of the whole model: "first" eight, "all" or "off"; InputError where an operator differs.
    homes: where tensors between operators stand: "off_chip", or "on_chip" where they fit and that pays
    (docs/mapping.md). on: units that operators run on, by name: a unit's name, its core's or its kind
    ("digital", "pcm.tiles", "mac_array"); the others run where they cost the fewest joules. images: of the groups that
    the batch runs in, one after another; None: all of them, or as many as homes on chip ask for.

    Raises InputError for anything wrong with the input, ConservationError for a bug of ours.
    """
    _known(rounding, reference_check)
    if weights is not None:
        chip = chip.at_weights(weights)  # type: ignore[arg-type]
    report, said = None, choices_of(chip, workload, on or {})
    if search is None:
        chosen = plan_at_home(chip, workload, mappings, homes, said, images)
    else:
        if mappings:
            raise InputError(
                Problem(
                    "search.mappings",
                    "mappings are given and searched for",
                    "give one of --mapping and --search",
                    file="--search",
                )
            )
        chosen, report = search_plan(
            chip,
            workload,
            search,
            budget,
            progress=progress,
            homes=homes,
            on=said,
            images=images,
        )
    values = None
    planned: Planned | Streamed
    if prepared is None and inputs is not None:
        prepared = prepare(chip, workload, inputs, rounding, calibration, samples, reference_check)
    if prepared is None:
        planned = run_plan(chip, workload, chosen, engine, fold)
    else:
        program = compile_program(chip, workload, chosen=chosen)
        validate(program, workload, derived=True)
        values, activity = _values(program, chip, workload, prepared, labels, progress, keep)
        timeline = simulate(program, chip, engine, activity=activity)  # type: ignore[arg-type]
        planned = Planned(program, timeline, activity=activity)
    units, counts = planned.units, counts_of(planned.work, chip)
    energy = charge(counts, chip)
    energy.check(workload.macs)
    rows = summarise(planned, chip, workload, energy, chosen.mappings)
    return Result(
        chip, workload, planned, chosen, units, energy, rows, values, spread(counts, chip), report
    )


def run_compatible(chip: Chip, workload: Workload, engine: str = "auto") -> list[LayerReport]:
    """SCALE-Sim's reading of a workload: a line a layer (docs/scalesim.md). chip: one with a
    FoldArray, as config.scalesim_cfg.chip_of(config, compatible=True) gives."""
    from accelsim.mapping.scalesim import compile_folds
    from accelsim.results.scalesim_reports import layer_reports

    rows = []
    for part, program in compile_folds(chip, workload):
        validate(program, part)
        timeline = simulate(program, chip, engine)  # type: ignore[arg-type]
        timeline.units(program)
        check_bounds(program, timeline)
        rows += layer_reports(chip, part, program, timeline)
    return rows


def prepare(
    chip: Chip,
    workload: Workload,
    inputs: Mapping[str, NDArray[np.generic]],
    rounding: str = "single",
    calibration: Calibration | None = None,
    samples: Mapping[str, NDArray[np.generic]] | None = None,
    reference_check: str = "first",
) -> Prepared:
    """The network of a workload's values on a chip, and the codes of inputs; InputError where values
    are missing or do not fit. calibration, samples, reference_check: see run;
    samples hold one batch or several."""
    from accelsim.mapping.tensors import read_constants
    from accelsim.numerics import Network, build_network, float_forward
    from accelsim.numerics.float_network import build_float_network, runs_floats

    _known(rounding, reference_check)
    elements = sum(spec.elements for spec in workload.tensors.values())
    resources.require(
        elements * ELEMENT_BYTES,
        f"values of {elements:,} elements",
        "take a smaller batch or model",
        workload.source,
    )
    model, stored, evaluate, rounded = _stored_values(workload)
    _check_inputs(workload, inputs)
    inputs = {name: np.atleast_1d(value) for name, value in inputs.items()}
    inputs = inputs if model is None else model.reals_of(inputs)

    def forward(values: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.float64]]:
        real = {k: np.asarray(v, np.float64) for k, v in values.items() if k in workload.tensors}
        return float_forward(workload, real, stored, evaluate, rounded)

    reference, checked = forward(inputs), None
    if model is not None:
        from accelsim.importers.onnx_check import check_reference

        checked = check_reference(workload, model, inputs, reference, reference_check)
    seen = [reference]
    if calibration is not None and samples is not None:
        seen = [forward(part) for part in _batches(workload, samples)]
    where = "these inputs" if samples is None else "the given samples"
    ranged, notes = _with_ranges(workload, chip, stored, seen, calibration, where)
    network: Network
    if runs_floats(workload, chip):
        network = build_float_network(workload, chip, ranged)
    else:
        clips = calibration.weights if calibration else ""
        network = build_network(workload, chip, ranged, rounding, clips)  # type: ignore[arg-type]
    network.evaluate = evaluate
    read = {name: inputs[name] for name, spec in workload.tensors.items() if spec.role == "input"}
    read |= {name: ranged[name] for name in read_constants(workload)}
    codes = {
        name: network.activations[name].encode(np.asarray(value, np.float64))
        for name, value in read.items()
    }
    return Prepared(network, codes, reference, ranged, notes, checked)


def _known(rounding: str, reference_check: str) -> None:
    """InputError for words that nothing stands for."""
    one_of("rounding", rounding, get_args(Rounding))
    one_of("reference_check", reference_check, REFERENCE_CHECKS)


def _stored_values(workload: Workload) -> tuple[Any, dict[str, NDArray[np.generic]], Any, Any]:
    """(ONNX model, None where there is none; its or the trace's stored tensors; what evaluates vector operators;
    how the reference rounds)."""
    if not str(workload.values).endswith(".onnx"):
        from accelsim.importers.vector_values import evaluator

        stored = load_values(workload)
        return None, stored, evaluator(stored, seed_of(workload.values) is not None), None
    from accelsim.importers.onnx_points import points_of, rounding_of
    from accelsim.importers.onnx_values import model_values

    model = model_values(workload)
    return model, model.stored(), model.evaluate, rounding_of(points_of(model.graph, model.look))


def _with_ranges(
    workload: Workload,
    chip: Chip,
    stored: dict[str, NDArray[np.generic]],
    seen: list[dict[str, NDArray[np.float64]]],
    calibration: Calibration | None,
    where: str,
) -> tuple[dict[str, NDArray[np.generic]], list[str]]:
    """Stored tensors with the ranges of activations that they lack, from the real values seen; what is to be said of
    them. where: they were seen."""
    from accelsim.mapping.tensors import tensor_formats
    from accelsim.numerics.calibrate import ranges_of, with_ranges

    seeded = seed_of(workload.values) is not None
    notes = []
    if seeded:
        notes.append(
            f"weights and missing inputs are {workload.values}, of stated distributions "
            "(docs/numbers.md): noise is that of the sizes, accuracy is no trained network's"
        )
    if calibration is not None:
        stored, said = with_ranges(workload, chip, stored, seen, calibration)
        notes.append(f"{said} {where}")
    elif seeded or str(workload.values).endswith(".onnx"):
        formats = tensor_formats(workload, chip)
        stored = {**ranges_of(workload, seen[0], Calibration(), formats, stored), **stored}
        notes.append("ranges of activations: the largest magnitudes on these inputs")
    return stored, notes


def _values(
    program: Any,
    chip: Chip,
    workload: Workload,
    prepared: Prepared,
    labels: NDArray[np.integer] | None,
    progress: Progress | None,
    keep: bool = False,
) -> tuple[Values, dict[str, Any]]:
    from accelsim.numerics import execute, signal_to_noise, top1

    network, reference, codes = prepared.network, prepared.reference, prepared.codes
    done = execute(
        program,
        workload,
        chip,
        codes,
        network,
        (lambda i, n: progress("values", i, n)) if progress else None,
    )
    if done.macs != workload.macs:
        raise ConservationError(f"executed {done.macs} multiply-accumulates of {workload.macs}")
    checked = prepared.checked
    truth = reference if checked is None else {**reference, **checked.outputs}
    noise = {
        name: signal_to_noise(truth[name].reshape(value.shape), value, network.activations[name])
        for name, value in done.tensors.items()
        if name in truth
    }
    outputs = [name for name, spec in workload.tensors.items() if spec.role == "output"]
    scores = {}
    if labels is not None:
        _check_labels(labels, done.tensors[outputs[-1]], workload)
        real = network.activations[outputs[-1]].decode(done.tensors[outputs[-1]])
        scores = {"top1": top1(real, labels), "top1_float": top1(reference[outputs[-1]], labels)}
    again = done.activity.get("repeated", np.zeros(0))
    values = Values(
        {name: done.tensors[name] for name in outputs},
        {name: network.activations[name] for name in outputs},
        noise,
        scores,
        [*prepared.notes, *network.assumptions, *_conversion_notes(done, program)],
        {int(row): int(again[row]) for row in np.flatnonzero(again)},
        checked=checked,
    )
    if keep:
        values.kept = Kept(done.tensors, network, prepared.stored)
    return values, dict(done.activity)


def _conversion_notes(done: Any, program: Any) -> list[str]:
    """What a run's conversions met: the clipped ones, notes of its own, vectors read again."""
    notes = [
        f"{name}: {100 * part / whole:.2g} % of the conversions clip; raise adc.range or the drive's rms"
        for name, (part, whole) in done.clipped.items()
        if part > CLIPS * whole
    ]
    notes += done.notes
    again = done.activity.get("repeated", np.zeros(0))
    if again.any():
        vectors = program.shapes.extents[program.commands.shape[program.rows(Opcode.MVM)], 0].sum()
        notes.append(
            f"{100 * again.sum() / vectors:.3g} % of the crossbars' vectors were read again with less "
            "input, in time and energy too"
        )
    return notes


def values_of(
    result: Result,
    chip: Chip,
    inputs: Mapping[str, NDArray[np.generic]],
    labels: NDArray[np.integer] | None = None,
    prepared: Prepared | None = None,
) -> Values:
    """The values of a run's Program again, on crossbars of another age, temperature or seed. prepared: in the
    place of inputs, as prepare() gives it for that chip."""
    if prepared is None:
        prepared = prepare(chip, result.workload, inputs)
    return _values(result.program, chip, result.workload, prepared, labels, None)[0]


def load_values(workload: Workload) -> dict[str, NDArray[np.generic]]:
    """The tensor values that a workload names, or seeded ones; InputError when they do not fit it."""
    from accelsim.config.values_file import load_npz

    if workload.values is None:
        raise InputError(
            Problem(
                "values.none",
                "the workload has no values",
                "add values: file.npz to the trace",
                file=workload.source,
            )
        )
    if (seed := seed_of(workload.values)) is not None:
        return seeded_tensors(workload, seed)
    shapes = {
        name: spec.shape
        for name, spec in workload.tensors.items()
        if spec.role in ("weight", "bias")
    }
    sizes = {
        f"{op.weight}.scale": op.groups * op.n
        for op in workload.operators
        if not isinstance(op, VectorOperator)
    }
    return load_npz(workload.values, shapes, sizes)


def _batches(
    workload: Workload, samples: Mapping[str, NDArray[np.generic]]
) -> list[dict[str, Any]]:
    """Samples in parts of the workload's batch, what is beyond whole ones left out; InputError where there
    is not one whole batch."""
    specs = {name: spec for name, spec in workload.tensors.items() if spec.role == "input"}
    parts = {name: np.asarray(samples[name], np.float64) for name in specs if name in samples}
    counts = {value.size // specs[name].elements for name, value in parts.items()}
    whole = all(
        value.size % max(1, specs[name].elements // specs[name].shape[0]) == 0
        for name, value in parts.items()
    )
    if len(counts) != 1 or 0 in counts or not whole or len(parts) < len(specs):
        wanted = ", ".join(f"{name} {list(spec.shape)}" for name, spec in specs.items())
        raise InputError(
            Problem(
                "calibrate.samples",
                "hold no whole batch of the inputs",
                f"give one or more batches: {wanted}",
                file="--samples",
            )
        )
    count = counts.pop()
    found = []
    for number in range(count):
        found.append(
            {
                name: value.ravel()[: count * specs[name].elements].reshape(
                    count, *specs[name].shape
                )[number]
                for name, value in parts.items()
            }
        )
        _check_inputs(workload, found[-1])
    return found


def _check_inputs(workload: Workload, inputs: Mapping[str, NDArray[np.generic]]) -> None:
    problems = []
    for name, spec in workload.tensors.items():
        if spec.role != "input":
            continue
        if name not in inputs:
            problems.append(
                Problem(
                    "input.missing",
                    f"no values for the input tensor {name!r}",
                    f"give {name} with shape {list(spec.shape)}",
                    file="--input",
                )
            )
        elif (tuple(inputs[name].shape) or (1,)) != spec.shape:  # a scalar is one element
            problems.append(
                Problem(
                    "input.shape",
                    f"has shape {list(inputs[name].shape)}",
                    f"the workload needs {list(spec.shape)}",
                    name,
                    "--input",
                )
            )
        elif not np.isfinite(np.asarray(inputs[name], np.float64)).all():
            problems.append(
                Problem(
                    "input.finite", "holds NaN or infinity", "give finite numbers", name, "--input"
                )
            )
    if problems:
        raise InputError(problems)


def _check_labels(labels: NDArray[np.integer], scores: NDArray[Any], workload: Workload) -> None:
    if labels.ndim != 1 or len(labels) != scores.shape[0]:
        raise InputError(
            Problem(
                "input.labels",
                f"has shape {list(labels.shape)}",
                f"give {scores.shape[0]} classes, one an image",
                "labels",
                "--input",
            )
        )
    del workload
