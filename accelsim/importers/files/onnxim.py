"""ONNXim's descriptions of language models."""

from __future__ import annotations

from pathlib import Path

from accelsim.importers.base import Importer, Reading
from accelsim.importers.onnxim import load_onnxim
from accelsim.workload import Workload


class Onnxim(Importer):
    """A description, or a list of models that names one."""

    name = "ONNXim file"
    suffixes = (".json",)
    takes = ("dims",)

    def load(self, path: Path, reading: Reading) -> Workload:
        """The dimensions are rows and past, or those of the model that is named."""
        return load_onnxim(path, reading.dims)
