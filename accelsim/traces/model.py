"""Values of the operators that a layer trace does not say in full, from the model it was recorded of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from accelsim.errors import InputError, Problem
from accelsim.importers.base import Reading
from accelsim.importers.onnx_model import import_model
from accelsim.importers.onnx_values import ModelValues
from accelsim.numerics.network import Evaluate
from accelsim.traces.recorded import workload_digest
from accelsim.traces.trace import Trace


def model_evaluator(
    trace: Trace,
    path: str | Path,
    dims: Mapping[str, int] | None = None,
    fixed: Mapping[str, float] | None = None,
) -> Evaluate:
    """Real values of vector operators by an .onnx file, its inputs as the trace has them; InputError when the
    trace is not of this model with these dimensions and fixed inputs."""
    specs = trace.workload.tensors.values()
    shapes = {spec.name: spec.shape for spec in specs if spec.role == "input"}
    imported = import_model(path, Reading(None, dict(dims or {}), dict(fixed or {}), shapes=shapes))
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
