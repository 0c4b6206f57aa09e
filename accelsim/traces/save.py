"""A run's tensors as a trace: trace.yaml, which says what is computed, and values.npz beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim import __version__
from accelsim.config.workload_file import read_trace
from accelsim.config.writer import workload_yaml
from accelsim.config.yaml_source import parse_yaml
from accelsim.errors import InputError, Problem
from accelsim.formats import Integer, get
from accelsim.mapping.tensors import read_constants
from accelsim.numerics.float_network import FloatNetwork
from accelsim.numerics.gemm import largest
from accelsim.numerics.lowering import weight_tensor
from accelsim.numerics.quantize import Requantizer
from accelsim.results.files import refuse_occupied, write_folder
from accelsim.results.result import Kept, Result
from accelsim.traces.archive import write_archive
from accelsim.traces.own_arithmetic import says_all
from accelsim.traces.recorded import ARRAYS_FILE, TRACE_FILE, VERSION, workload_digest
from accelsim.workload import MacOperator, VectorOperator, Workload

Array = NDArray[Any]


def save_trace(result: Result, folder: str | Path, force: bool = False) -> None:
    """Write a trace of a run that kept its tensors (api.run(..., keep=True)), all or nothing.

    InputError when nothing was kept, when the folder is occupied (and not forced) or cannot be written,
    and for workloads that a layer trace cannot say.
    """
    target = Path(folder)
    refuse_occupied(target, force, "--save-trace")
    kept = None if result.values is None else result.values.kept
    if kept is None:
        raise InputError(
            Problem("record.values", "no values were computed", "give --input", file=str(target))
        )
    arrays, formats = _Arrays(result.workload, kept).all()
    block = {
        "version": VERSION,
        "file": ARRAYS_FILE,
        "made_by": f"accelsim {__version__}",
        "chip": {"name": result.chip.name, "digest": result.chip.digest},
        "workload": workload_digest(result.workload),
        "rounding": _rounding(kept),
        "formats": formats,
        "model": [
            op.name
            for op in result.workload.operators
            if isinstance(op, VectorOperator) and not says_all(op, kept)
        ],
    }
    text = workload_yaml(replace(result.workload, notes={}), _NOTE, {"recorded": block})
    _check_text(text, result.workload)
    write_folder(
        {TRACE_FILE: text.encode()},
        target,
        force,
        lambda draft: write_archive(draft / ARRAYS_FILE, arrays),
        "--save-trace",
    )


_NOTE = (
    "A layer trace with the codes of every tensor (docs/layer_traces.md).\n"
    "accelsim replay CHIP FOLDER runs its layers from them."
)


def _rounding(kept: Kept) -> str:
    found = {
        item.rounding
        for parts in kept.network.requantizers.values()
        for item in parts
        if isinstance(item, Requantizer)
    }
    found -= {"single"}  # of sums that are kept as they are, too
    return found.pop() if len(found) == 1 else "single"


def _check_text(text: str, workload: Workload) -> None:
    """InputError unless the text reads back as the same operators and tensors."""
    try:
        same = workload_digest(
            read_trace(parse_yaml(text, TRACE_FILE), TRACE_FILE, {})
        ) == workload_digest(workload)
    except InputError:
        same = False
    if not same:
        raise InputError(
            Problem(
                "record.form",
                "has operators that a layer trace cannot say",
                "record a model without them",
                file=workload.source,
            )
        )


class _Arrays:
    """What stands in the .npz."""

    def __init__(self, workload: Workload, kept: Kept) -> None:
        self.workload, self.kept, self.network = workload, kept, kept.network
        self.arrays: dict[str, Array] = {}
        self.formats: dict[str, str] = {}

    def all(self) -> tuple[dict[str, Array], dict[str, str]]:
        """Arrays by name, and the formats of those that hold codes or values of one."""
        views = {
            op.output
            for op in self.workload.operators
            if isinstance(op, VectorOperator) and op.is_view
        }
        constants = read_constants(self.workload)
        for name, spec in self.workload.tensors.items():
            if name not in views and (spec.role not in ("weight", "bias") or name in constants):
                quant = self.network.activations[name]
                self.add(name, self.kept.tensors[name], quant.format, quant.scale, quant.zero)
        for op in self.workload.operators:
            if isinstance(op, VectorOperator):
                for name in op.parameters:
                    self.put(name, np.asarray(self.kept.stored[name], np.float64))
            else:
                self.operator(op)
        return self.arrays, self.formats

    def operator(self, op: MacOperator) -> None:
        """A MAC operator's weight and bias."""
        network = self.network
        if isinstance(network, FloatNetwork):
            if op.name in network.real_weights:
                values = weight_tensor(op, network.real_weights[op.name])
                self.shared(op.weight, op, values, network.weight_formats[op.name], None)
            if op.bias is not None:
                self.shared(op.bias, op, network.biases[op.name].ravel(), "", None)
            return
        zeros = network.activations[op.input].zero
        codes = network.weights.get(op.name)
        if codes is not None:
            self.shared(
                op.weight,
                op,
                weight_tensor(op, codes),
                network.weight_formats[op.name],
                network.weight_scales[op.name].ravel(),
            )
        if op.bias is not None:
            folded = np.stack([item.bias for item in network.requantizers[op.name]])
            if codes is not None:
                folded = folded + zeros * codes.sum(axis=1)
            self.shared(op.bias, op, folded.ravel(), "", None)

    def shared(
        self, name: str, op: MacOperator, values: Array, format_name: str, scale: Array | None
    ) -> None:
        """A weight or bias; where operators that read the same one have other codes, each its own."""
        narrow = _narrowed(values, format_name)
        same = (
            name in self.arrays
            and np.array_equal(self.arrays[name], narrow)
            and (scale is None or np.array_equal(self.arrays[f"{name}.scale"], scale))
            and self.formats.get(name, format_name) == format_name
        )
        if same:
            return
        if name in self.arrays:
            name = f"{name}/{op.name}"
            if name in self.workload.tensors:
                raise _twice(name)
        self.add(name, narrow, format_name, scale, 0)

    def add(self, name: str, codes: Array, format_name: str, scale: Any, zero: int) -> None:
        """Codes with their scale and zero, or values of a float format."""
        self.put(name, _narrowed(codes, format_name))
        if format_name:
            self.formats[name] = format_name
        if scale is not None and isinstance(get(format_name), Integer):
            self.put(
                f"{name}.scale",
                np.asarray(scale, np.float64).ravel()
                if np.size(scale) > 1
                else np.asarray(scale, np.float64).reshape(()),
            )
            if zero:
                self.put(f"{name}.zero", np.asarray(zero, np.int64))

    def put(self, name: str, array: Array) -> None:
        """An array under a name that no other has."""
        if name in self.arrays and not np.array_equal(self.arrays[name], array):
            raise _twice(name)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(
                Problem(
                    "record.finite",
                    f"{name} holds NaN or infinity, which no trace holds",
                    "scale the inputs",
                    file="--save-trace",
                )
            )
        self.arrays[name] = array


def _twice(name: str) -> InputError:
    return InputError(
        Problem(
            "record.twice",
            f"two arrays would have the name {name}",
            "rename a tensor",
            file="--save-trace",
        )
    )


def _narrowed(values: Array, format_name: str) -> Array:
    """Codes in the narrowest integers of their format (none: int32 where it holds them); values of float
    formats in the narrowest floats that hold them all."""
    if values.dtype.kind == "f":
        short = values.astype(np.float32)
        return short if np.array_equal(short, values) else values
    if not format_name:
        return values.astype(np.int32 if largest(values) < 1 << 31 else np.int64)
    record = get(format_name)
    assert isinstance(record, Integer)
    kind = "i" if record.minimum < 0 else "u"
    return values.astype(f"{kind}{next(size for size in (1, 2, 4, 8) if record.bits <= 8 * size)}")
