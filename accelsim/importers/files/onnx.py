"""ONNX models."""

from __future__ import annotations

from pathlib import Path

from accelsim.importers.base import Importer, Reading
from accelsim.workload import Workload


class Onnx(Importer):
    """A model of ONNX; its symbolic dimensions and fixed inputs are of the job."""

    name = "ONNX model"
    suffixes = (".onnx",)
    takes = ("batch", "dims")
    dropped = ("values: a trace names no model",)

    def load(self, path: Path, reading: Reading) -> Workload:
        """No weights are read."""
        from accelsim.importers.onnx_model import load_onnx  # many modules, for this kind alone

        return load_onnx(path, reading.dims, reading.batch)
