"""Chips and workloads from files of any kind that is read, or by a shipped name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from accelsim.chip import Chip
from accelsim.errors import InputError, Problem
from accelsim.importers.base import Reading
from accelsim.workload import Workload


def load_chip(path: str | Path, overrides: Sequence[str] = ()) -> Chip:
    """A Chip from a YAML file, a SCALE-Sim .cfg or a shipped name. overrides:
    "units.array.rows=64", ... (YAML only)."""
    from accelsim import config, shipped

    if str(path).endswith(".cfg"):
        from accelsim.config.scalesim_cfg import chip_of, load_cfg

        if overrides:
            raise InputError(
                Problem(
                    "override.cfg",
                    "replaces keys of YAML chips only",
                    f"accelsim convert {path} first",
                    overrides[0],
                    "--set",
                )
            )
        return chip_of(load_cfg(path), compatible=False)
    return config.load_chip(shipped.find("chip", path), overrides)


def load_workload(
    path: str | Path,
    batch: int | None = None,
    gemm: bool = False,
    dims: Mapping[str, int] | None = None,
    fixed: Mapping[str, float] | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Workload:
    """A Workload from a file that an importer reads (docs/adding_an_importer.md lists them), a folder with a
    trace of values, or a shipped name.

    batch: inferences of a run, in place of the file's. gemm: a topology .csv has M, N, K lines. dims:
    dimensions of a model by name. fixed: inputs of a model that hold one number. parameters: of a layer trace.
    InputError also for what the kind of file cannot take.
    """
    reading = Reading(batch, dict(dims or {}), dict(fixed or {}), dict(parameters or {}), gemm=gemm)
    return read_workload(path, reading)


def read_workload(path: str | Path, reading: Reading) -> Workload:
    """load_workload() by a Reading."""
    from accelsim import shipped
    from accelsim.importers.library import import_file

    if os.path.isfile(f"{path}/trace.yaml"):  # a trace of values, read as a layer trace
        path = f"{path}/trace.yaml"
    return import_file(shipped.find("workload", path), reading)
