"""ONNX models."""

from __future__ import annotations

from pathlib import Path

from accelsim.importers.base import Importer, Reading
from accelsim.workload import Workload


class Onnx(Importer):
    """A model of ONNX; its symbolic dimensions and fixed inputs are of the job."""

    name = "ONNX model"
    suffixes = (".onnx",)
    takes = ("batch", "dims", "fixed")
    dropped = ("values: a trace names no model",)

    def load(self, path: Path, reading: Reading) -> Workload:
        """No weights are read."""
        from accelsim.importers.onnx_model import import_model  # many modules, for this kind alone

        return import_model(path, reading).workload
