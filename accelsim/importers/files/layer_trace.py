"""The project's own layer traces."""

from __future__ import annotations

from pathlib import Path

from accelsim.config.workload_file import load_workload
from accelsim.importers.base import Importer, Reading
from accelsim.workload import Workload


class LayerTrace(Importer):
    """A YAML mapping with inputs and operators."""

    name = "layer trace"
    suffixes = (".yaml", ".yml")
    takes = ("batch",)

    def load(self, path: Path, reading: Reading) -> Workload:
        """docs/layer_traces.md is the guide."""
        return load_workload(path, reading.batch)

    def line(self, workload: Workload) -> str:
        """Operators and their work."""
        return (
            f"workload {workload.name}: {len(workload.operators)} operators, {workload.macs:,} "
            f"multiply-accumulates, {workload.parameters:,} parameters"
        )
