"""By how much recorded and computed tensors differ, and which operator differs first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import InputError, Problem
from accelsim.numerics.accuracy import decibels
from accelsim.numerics.float_network import RealValues
from accelsim.numerics.quantize import Quantization
from accelsim.results.result import Result
from accelsim.traces.recorded import workload_digest
from accelsim.traces.trace import Tensor, Trace
from accelsim.workload import VectorOperator

NOTHING = 2.0**-40  # of the largest magnitude: less is float64's rounding of code times scale


@dataclass(frozen=True, slots=True)
class Difference:
    """A tensor against its record. elements: of the tensor. differing: of them, as codes where both have
    the same scale or the record has none, else as real numbers (within 2^-40 of the largest). largest:
    difference in real numbers. largest_codes: in codes, None where real numbers were compared. noise_db:
    signal over error, inf for none."""

    operator: str
    kind: str
    elements: int
    differing: int
    largest: float
    largest_codes: int | None
    noise_db: float

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return self.differing == 0

    def said(self) -> str:
        """In words."""
        if self.equal:
            return f"{self.elements:,} equal"
        codes = "" if self.largest_codes is None else f"{self.largest_codes} codes = "
        return (
            f"{self.differing:,} of {self.elements:,} differ, by at most {codes}{self.largest:.3g}, "
            f"SNR {self.noise_db:.1f} dB"
        )


def difference(
    operator: str, kind: str, recorded: Tensor, codes: NDArray[Any], quantization: Quantization
) -> Difference:
    """A computed tensor against its record, of the same shape."""
    wanted, found = recorded.real(), np.asarray(quantization.decode(codes), np.float64)
    error = np.abs(found - wanted)
    steps = None
    if not isinstance(quantization, RealValues):
        if recorded.quantization is None:
            steps = np.abs(quantization.encode(wanted) - codes)
        elif recorded.whole and _same_scale(recorded.quantization, quantization):
            shift = quantization.zero - recorded.quantization.zero
            steps = np.abs(np.asarray(recorded.codes, np.int64) + shift - codes)
            error = np.where(steps == 0, 0.0, error)
    if steps is None:  # codes of other scales stand for the same number only within rounding
        error = np.where(error <= NOTHING * np.abs(wanted).max(initial=0.0), 0.0, error)
    apart = error if steps is None else steps
    noise = decibels(wanted, error)
    return Difference(
        operator,
        kind,
        error.size,
        int(np.count_nonzero(apart)),
        float(error.max(initial=0.0)),
        None if steps is None else int(steps.max(initial=0)),
        noise,
    )


def _same_scale(one: Quantization, other: Quantization) -> bool:
    """One scale, or one a channel, each equal."""
    first, second = np.ravel(one.scale), np.ravel(other.scale)
    fits = first.size == second.size or 1 in (first.size, second.size)
    return fits and bool((first == second).all())


def compare_run(result: Result, trace: Trace) -> list[Difference]:
    """A run's tensors (kept) against those that a trace records, inputs first, then operators in the order
    they run; tensors that the trace lacks are left out.

    InputError when the trace is of another workload, and for what is wrong with its arrays.
    """
    work, kept = result.workload, None if result.values is None else result.values.kept
    if kept is None:
        raise _refused(
            trace, "values", "no values were computed to compare with it", "give --input"
        )
    if trace.recorded.workload and trace.recorded.workload != workload_digest(work):
        what = f"was recorded of another workload than {work.name}, or of other shapes"
        raise _refused(trace, "workload", what, "give a trace of this one")
    places = [(name, "input", name) for name, spec in work.tensors.items() if spec.role == "input"]
    places += [
        (op.name, op.kind, op.output)
        for op in work.operators
        if not (isinstance(op, VectorOperator) and op.is_view)
    ]
    rows, problems = [], []
    for operator, kind, name in places:
        known = trace.workload.tensors.get(name)
        if known is None or name not in trace.archive.headers:
            continue
        if known.shape != work.tensors[name].shape:
            what = f"has shape {list(known.shape)}, the run's {list(work.tensors[name].shape)}"
            fix = "give a trace of this workload"
            problems.append(trace.archive.problem("shape", what, fix, name))
            continue
        try:
            quantization = kept.network.activations[name]
            recorded, codes = trace.tensor(name), kept.tensors[name]
            rows.append(difference(operator, kind, recorded, codes, quantization))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    if not any(row.kind != "input" for row in rows):
        what = f"records no tensor that {work.name} computes"
        raise _refused(trace, "workload", what, "give a trace of this workload")
    return rows


def _refused(trace: Trace, code: str, message: str, fix: str) -> InputError:
    return InputError(Problem(f"record.{code}", message, fix, file=trace.path))


def first_difference(rows: list[Difference]) -> Difference | None:
    """The first tensor that is not equal."""
    return next((row for row in rows if not row.equal), None)
