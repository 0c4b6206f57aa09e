"""What an importer is: one kind of file that describes layers, read as a Workload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from accelsim.workload import Workload


@dataclass(frozen=True, slots=True)
class Reading:
    """The part of a job that says how its file is read.

    batch: inferences of a run, None for the file's own. dims: symbolic dimensions by name. fixed: inputs
    that hold one number everywhere and are no inputs of the run. parameters: of a layer trace. gemm: a
    topology has M, N, K lines. shapes: of the arrays that are given for the inputs, by name: where nothing
    else says it, a dimension or the batch is that of the array of the input that has it.
    """

    batch: int | None = None
    dims: Mapping[str, int] = field(default_factory=dict)
    fixed: Mapping[str, float] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    gemm: bool = False
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def shape_of(self, name: str, inputs: Sequence[str]) -> tuple[int, ...] | None:
        """The shape of the array for an input: that of its name, or the only one for the only input."""
        if len(inputs) == 1 and len(self.shapes) == 1:
            return next(iter(self.shapes.values()))
        return self.shapes.get(name)


class Importer:
    """Contract of an importer: one class in one file of importers/files, or in an installed package.

    name: as docs and messages call it. suffixes: of its files, with their dot. takes: fields of Reading that
    mean something to it; any other that is given is refused before load() is called, but ``gemm``. dropped:
    what of a file a layer trace cannot say.
    """

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    takes: ClassVar[tuple[str, ...]] = ()
    dropped: ClassVar[tuple[str, ...]] = ()

    def sniff(self, head: bytes) -> bool:
        """Whether a file of its suffixes is its own, by at most its first 64 KiB (b"" of no file)."""
        return True

    def load(self, path: Path, reading: Reading) -> Workload:
        """The Workload of a file. ``notes`` of it may hold "assumed" and "unused", lists of texts.

        Raises InputError with every problem, each with file, line and column where the file is text; nothing
        else, whatever the file holds.
        """
        raise NotImplementedError

    def line(self, workload: Workload) -> str:
        """What `accelsim check` says of a file in one line; "" for its table of operators."""
        return ""
