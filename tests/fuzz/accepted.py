"""What must hold of an input that a loader takes: it runs or is refused in lines, its figures are finite and at
least 0, it passes every conservation check, and it reads back equal."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import accelsim
from accelsim import api
from accelsim.chip import Chip
from accelsim.config.chip_file import ChipReader
from accelsim.config.overrides import node_of
from accelsim.config.writer import chip_values, workload_yaml
from accelsim.config.yaml_source import Place
from accelsim.errors import InputError
from accelsim.results import files
from accelsim.results.load import load_run
from accelsim.results.result import Result
from accelsim.workload import Workload
from accelsim.workload.validity import wrong_in

MOST_MACS = 1 << 22  # that are run
MOST_BYTES = 1 << 24  # of all tensors


def small(workload: Workload) -> bool:
    """Whether a run of it takes milliseconds."""
    tensors = sum(spec.elements for spec in workload.tensors.values())
    return workload.macs < MOST_MACS and tensors < MOST_BYTES and len(workload.operators) < 100


def figures(value: Any, path: str = "") -> list[str]:
    """Paths of numbers that are not finite or negative."""
    if isinstance(value, dict):
        return [bad for key, inner in value.items() for bad in figures(inner, f"{path}.{key}")]
    if isinstance(value, list | tuple):
        return [
            bad for number, inner in enumerate(value) for bad in figures(inner, f"{path}[{number}]")
        ]
    if isinstance(value, int | float) and not isinstance(value, bool):
        signed = "signal_to_noise" in path or "outputs" in path or path.endswith("_db")
        return [] if math.isfinite(value) and (value >= 0 or signed) else [f"{path} = {value}"]
    return []


def check_result(result: Result) -> None:
    """Finite figures of at least 0; api.run has held every conservation law."""
    bad = figures(files.to_dict(result))
    assert not bad, bad[:5]


def check_chip(chip: Chip) -> None:
    """A chip reads back equal and runs a small product."""
    document = chip_values(chip)
    again = ChipReader(node_of(document, Place(chip.source)), chip.source).chip()
    assert dataclasses.replace(again, notes=chip.notes) == chip, "reads back as another chip"
    try:
        check_result(api.run(chip, accelsim.load_workload("small_gemm")))
    except InputError as error:  # a chip that is too small for it
        assert error.problems


def check_workload(workload: Workload, folder: Path) -> None:
    """A workload holds its own rules, reads back equal and runs."""
    wrong = wrong_in(workload)
    assert not wrong, wrong[:5]
    path = folder / "again.yaml"
    path.write_text(workload_yaml(workload), encoding="utf-8")
    again = accelsim.load_workload(path)
    same = [
        dataclasses.replace(op, node="") if hasattr(op, "node") else op for op in workload.operators
    ]
    assert list(again.operators) == same, "reads back as another workload"
    if small(workload):
        try:
            check_result(api.run(accelsim.load_chip("int8_edge"), workload))
        except InputError as error:  # a chip that cannot run it
            assert error.problems


def check_run(folder: Path) -> None:
    """A run folder's figures, and the same again from what it is saved as."""
    result = load_run(folder)
    check_result(result)
    again = folder.parent / "again"
    files.save(result, again, force=True)
    assert load_run(again).program_digest == result.program_digest
