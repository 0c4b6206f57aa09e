"""Input tensors of a run: an .npz or .npy of the user's, or a shipped set such as "digits"."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from accelsim.config.values_file import load_npy, load_npz
from accelsim.errors import InputError, Problem
from accelsim.shipped import folder


def load_arrays(path: str | Path | None) -> dict[str, Any]:
    """Arrays of a file or a shipped set; none for None. InputError also for arrays of no rows."""
    if path is None:
        return {}
    if str(path).endswith(".npy"):
        arrays = {"values": load_npy(path)}
    else:
        shipped = folder("workload") / f"{path}.npz"
        arrays = load_npz(shipped if not os.path.exists(path) and os.path.isfile(shipped) else path)
    empty = [
        Problem(
            "input.empty",
            f"has shape {list(array.shape)}: it holds nothing",
            "store one row at least, or leave it out",
            name,
            str(path),
        )
        for name, array in arrays.items()
        if array.size == 0
    ]
    if empty or not arrays:
        raise InputError(
            empty
            or Problem("input.empty", "holds no arrays", "store one for each input", file=str(path))
        )
    return arrays


def batch_of(arrays: dict[str, Any]) -> int | None:
    """Images or rows that the arrays hold."""
    data = [array for name, array in arrays.items() if name != "labels" and array.ndim]
    return len(data[0]) if data else None


def inputs_of(arrays: dict[str, Any], workload: Any) -> tuple[dict[str, Any], Any]:
    """Input tensors by name; a lone array serves a lone input and takes its shape. Unsigned
    integers are scaled by the largest value their range stands for, so that images become 0..1."""
    labels = arrays.pop("labels", None)
    names = [name for name, spec in workload.tensors.items() if spec.role == "input"]
    if len(names) == 1 and len(arrays) == 1 and names[0] not in arrays:
        arrays = {names[0]: next(iter(arrays.values()))}
    inputs: dict[str, Any] = {}
    for name in names:
        if name not in arrays:
            continue
        array, shape = arrays[name], workload.tensors[name].shape
        if array.dtype.kind == "u":
            array = array / (16 if int(array.max(initial=0)) <= 16 else 255)
        if array.size == workload.tensors[name].elements:
            array = array.reshape(shape)
        inputs[name] = array
    if labels is not None and labels.dtype.kind not in "iu":
        raise InputError(
            Problem("input.labels", "are not whole numbers", "store integers", "labels", "--input")
        )
    return inputs, labels
