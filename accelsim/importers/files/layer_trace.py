"""The project's own layer traces."""

from __future__ import annotations

from math import prod
from pathlib import Path

from accelsim.config.workload_file import load_workload
from accelsim.errors import InputError, Problem
from accelsim.importers.base import Importer, Reading
from accelsim.workload import Workload


class LayerTrace(Importer):
    """A YAML mapping with inputs and operators."""

    name = "layer trace"
    suffixes = (".yaml", ".yml")
    takes = ("batch", "parameters")

    def load(self, path: Path, reading: Reading) -> Workload:
        """docs/layer_traces.md is the guide."""
        if reading.batch is not None or not reading.shapes:
            return load_workload(path, reading.batch, (), reading.parameters)
        written = load_workload(path, None, (), reading.parameters)
        held = held_by(written, reading)
        if held in (None, written.inferences):
            return written
        return load_workload(path, held, (), reading.parameters)

    def line(self, workload: Workload) -> str:
        """Operators and their work."""
        return (
            f"workload {workload.name}: {len(workload.operators)} operators, {workload.macs:,} "
            f"multiply-accumulates, {workload.parameters:,} parameters"
        )


def held_by(workload: Workload, reading: Reading) -> int | None:
    """Inferences that the arrays hold for the inputs that begin with the trace's own number of them; None
    where there is no such array. InputError where arrays hold different numbers."""
    own = workload.inferences
    inputs = {name: spec for name, spec in workload.tensors.items() if spec.role == "input"}
    found: dict[str, int] = {}
    for name, spec in inputs.items():
        shape = reading.shape_of(name, list(inputs))
        one = spec.elements // spec.shape[0]
        if shape and spec.shape[0] == own and prod(shape) % one == 0:
            found[name] = prod(shape) // one
    if len(set(found.values())) > 1:
        said = ", ".join(f"{name} {count}" for name, count in found.items())
        raise InputError(
            Problem(
                "batch.arrays",
                f"the arrays hold different numbers of inferences: {said}",
                "give as many of each, or --batch",
                file="--input",
            )
        )
    return next(iter(found.values()), None)
