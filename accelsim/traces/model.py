"""Values of the operators that a layer trace does not say in full, from the model it was recorded of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from accelsim.errors import InputError, Problem
from accelsim.importers.onnx_model import import_model
from accelsim.importers.onnx_values import ModelValues
from accelsim.numerics.network import Evaluate
from accelsim.traces.recorded import workload_digest
from accelsim.traces.trace import Trace


def model_evaluator(
    trace: Trace, path: str | Path, dims: Mapping[str, int] | None = None
) -> Evaluate:
    """Real values of vector operators by an .onnx file; InputError when the trace is not of this model
    with these dimensions."""
    try:
        imported = import_model(path, dims, _batch(trace))
    except InputError:
        imported = import_model(path, dims)
    if workload_digest(imported.workload) != workload_digest(trace.workload):
        raise InputError(
            Problem(
                "record.model",
                f"is not the model of {trace.path}, or has other dimensions",
                "give the model, and its dimensions with --dim",
                file=str(path),
            )
        )
    return ModelValues(imported).evaluate


def _batch(trace: Trace) -> int | None:
    """The first dimension that all inputs share."""
    first = {spec.shape[0] for spec in trace.workload.tensors.values() if spec.role == "input"}
    return first.pop() if len(first) == 1 else None
