"""Chips and workloads from files of any kind that is read, or by a shipped name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from accelsim.chip import Chip
from accelsim.errors import InputError, Problem
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
) -> Workload:
    """A Workload from a YAML layer trace, an ONNX model, a SCALE-Sim topology .csv, ZigZag's YAML,
    ONNXim's .json, a table of M, N, K (.txt, .mnk, .tsv) or a shipped name.
    batch: replaces the first dimension of every input (not of a .csv). gemm: the .csv has M, N, K
    lines. dims: symbolic dimensions of an ONNX model by name."""
    from accelsim import config, shipped

    if os.path.isfile(f"{path}/trace.yaml"):  # a trace of values, read as a layer trace
        path = f"{path}/trace.yaml"
    if str(path).endswith(".onnx"):
        from accelsim.importers.onnx_model import load_onnx

        return load_onnx(path, dims, batch)
    if str(path).endswith(".json"):
        from accelsim.importers.onnxim import load_onnxim

        return load_onnxim(path, dims)
    if dims:
        raise InputError(
            Problem(
                "onnx.dimension",
                "binds dimensions of ONNX models only",
                "leave it out",
                next(iter(dims)),
                "--dim",
            )
        )
    if str(path).endswith(".csv"):
        from accelsim.config.scalesim_topology import load_topology

        if batch is not None:
            raise InputError(
                Problem(
                    "batch.csv", "a topology has its own batch size", "leave it out", file="--batch"
                )
            )
        return load_topology(path, gemm)
    if str(path).endswith((".txt", ".mnk", ".tsv")):
        from accelsim.importers.mnk_table import load_table

        return load_table(path)
    if str(path).endswith((".yaml", ".yml")):
        from accelsim.importers.zigzag import is_zigzag, load_zigzag

        if is_zigzag(path):
            return load_zigzag(path)
    return config.load_workload(shipped.find("workload", path), batch)


def load_workload_for(
    path: str | Path,
    batch: int | None,
    held: int | None,
    gemm: bool = False,
    dims: Mapping[str, int] | None = None,
) -> Workload:
    """load_workload for arrays of inputs that hold so many images or rows (None: no arrays): they set the batch
    where none is given, unless the workload's first input has as many as it is written."""
    if batch is None and held is not None and not str(path).endswith(".onnx"):
        written = load_workload(path, None, gemm, dims)
        first = next(
            (spec.shape[0] for spec in written.tensors.values() if spec.role == "input"), held
        )
        if first == held:
            return written
    return load_workload(path, batch if batch is not None else held, gemm, dims)
