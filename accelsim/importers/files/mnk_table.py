"""Plain tables of products."""

from __future__ import annotations

from pathlib import Path

from accelsim.importers.base import Importer, Reading
from accelsim.importers.mnk_table import SUFFIXES, load_table
from accelsim.workload import Workload


class MnkTable(Importer):
    """Lines of M, N, K."""

    name = "table of M, N, K"
    suffixes = SUFFIXES

    def load(self, path: Path, reading: Reading) -> Workload:
        """A product a line."""
        return load_table(path)
