"""ZigZag's workloads."""

from __future__ import annotations

from pathlib import Path

from accelsim.importers.base import Importer, Reading
from accelsim.importers.zigzag import is_zigzag, load_zigzag
from accelsim.workload import Workload


class Zigzag(Importer):
    """A YAML list of loop nests."""

    name = "ZigZag workload"
    suffixes = (".yaml", ".yml")

    def sniff(self, head: bytes) -> bool:
        """A list: traces and chips begin with a key."""
        return is_zigzag(head)

    def load(self, path: Path, reading: Reading) -> Workload:
        """A layer an entry."""
        return load_zigzag(path)
