"""Labels of chips and runs that bear the same name: told apart by the files that they come from."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from accelsim.chip import Chip
from accelsim.results.result import Result


def told_apart(names: Sequence[str], sources: Sequence[str]) -> list[str]:
    """The names; equal ones with what tells their sources apart: the file's or folder's name, the path, or a
    number where even that is the same."""
    found = list(names)
    for said in (lambda path: Path(path).name, str):
        again = Counter(found)
        found = [
            f"{name} ({said(source)})" if again[label] > 1 and source else label
            for name, source, label in zip(names, sources, found, strict=True)
        ]
    again, seen, labels = Counter(found), Counter[str](), []
    for label in found:
        seen[label] += 1
        labels.append(f"{label} #{seen[label]}" if again[label] > 1 else label)
    return labels


def with_own_names(chips: Sequence[Chip]) -> list[Chip]:
    """The chips, those of one name renamed after their files; the hardware and its digest stay."""
    labels = told_apart([chip.name for chip in chips], [chip.source for chip in chips])
    return [
        chip if chip.name == label else dataclasses.replace(chip, name=label)
        for chip, label in zip(chips, labels, strict=True)
    ]


def labels_of(results: Sequence[Result]) -> list[str]:
    """ "WORKLOAD on CHIP" of each run, told apart by their folders."""
    return told_apart(
        [f"{run.workload.name} on {run.chip.name}" for run in results],
        [run.folder for run in results],
    )
