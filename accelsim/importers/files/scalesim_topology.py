"""SCALE-Sim's topologies."""

from __future__ import annotations

from pathlib import Path

from accelsim.config.scalesim_topology import load_topology
from accelsim.importers.base import Importer, Reading
from accelsim.workload import Workload


class ScalesimTopology(Importer):
    """Lines of convolutions, or of products with --gemm."""

    name = "SCALE-Sim topology"
    suffixes = (".csv",)
    takes = ("gemm",)

    def load(self, path: Path, reading: Reading) -> Workload:
        """A layer a line."""
        return load_topology(path, reading.gemm)

    def line(self, workload: Workload) -> str:
        """Layers and their work."""
        return (
            f"SCALE-Sim topology {workload.name}: {len(workload.operators)} layers, "
            f"{workload.macs:,} multiply-accumulates"
        )
