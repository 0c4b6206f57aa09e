"""A layer trace with values: codes of every tensor and what they stand for, read when asked for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import InputError, Problem
from accelsim.formats import FORMATS, Integer, get
from accelsim.numerics.float_network import RealValues, real
from accelsim.numerics.quantize import Quantization
from accelsim.traces.archive import Archive, Header
from accelsim.traces.recorded import TRACE_FILE, Recorded, read_recorded
from accelsim.workload import Conv2d, Gemm, MacOperator, VectorOperator, Workload

Array = NDArray[np.generic]
Floats = NDArray[np.float64]
SUM_BITS = (
    20  # from which a network's outputs keep their sums, with the scale that their operands give
)
WIDE = 1 << 62
LOWEST, HIGHEST = 1e-100, 1e100  # of a scale


@dataclass(frozen=True, slots=True)
class Tensor:
    """A recorded tensor. codes: integers; or real numbers, for float formats and none. quantization: what
    codes stand for; None for real numbers in no format."""

    name: str
    codes: Array
    quantization: Quantization | None

    @property
    def format(self) -> str | None:
        """Name of the number format, None for real numbers."""
        return None if self.quantization is None else self.quantization.format

    @property
    def whole(self) -> bool:
        """Whether codes are integers."""
        return self.codes.dtype.kind in "iu"

    def real(self) -> Floats:
        """The values."""
        if self.quantization is None:
            return np.asarray(self.codes, np.float64)
        return np.asarray(self.quantization.decode(self.codes), np.float64)  # type: ignore[arg-type]


class Trace:
    """A trace read from a folder or its trace.yaml. Arrays are read and checked when asked for."""

    def __init__(self, workload: Workload, recorded: Recorded, archive: Archive) -> None:
        self.workload, self.recorded, self.archive = workload, recorded, archive
        self.makers = {op.output: op for op in workload.operators}
        self.operators = {op.name: op for op in workload.operators}
        self.checked: set[str] = set()

    @property
    def path(self) -> str:
        """The trace's YAML file."""
        return self.workload.source

    def tensor(self, name: str) -> Tensor:
        """An input, a constant or an operator's output; InputError for anything wrong with it."""
        view = self.view_of(name)
        if view is not None:
            source = self.tensor(view.inputs[0])
            codes = source.codes.transpose(view.order) if view.order else source.codes
            return Tensor(name, codes.reshape(view.output_shape), self.quantization(name))
        quantization = self.quantization(name)
        return Tensor(name, self.codes(name, quantization), quantization)

    def weight(self, op: MacOperator) -> Tensor:
        """An operator's stored weight in its own shape, symmetric, with scales that fit that shape."""
        key, found = self.own(op.weight, op), self.weight_quantization(op)
        return Tensor(key, self.codes(key, found), found)

    def bias(self, op: MacOperator) -> Floats:
        """An operator's bias (groups * n) in real numbers; codes count input scale times weight scale."""
        assert op.bias is not None
        key = self.own(op.bias, op)
        header = self.header(key, (op.groups * op.n,))
        if header.dtype.kind == "f":
            return np.asarray(self.codes(key, None), np.float64)
        wide = self.sum_scale(op)
        if wide is None:
            raise self.archive.refuse(
                "bias", "is of codes, but input or weight is not", "store it as floats", key
            )
        return np.asarray(np.asarray(self.archive.read(key), np.int64) * wide, np.float64)

    def parameter(self, name: str) -> Floats:
        """A vector operator's scale or shift, in real numbers."""
        header = self.header(name, self.workload.tensors[name].shape)
        if header.dtype.kind != "f":
            raise self.archive.refuse(
                "type", f"holds {header.dtype}", "store a parameter as floats", name
            )
        return np.asarray(self.codes(name, None), np.float64)

    # -- parts of an array's meaning -----------------------------------------------------------

    def own(self, name: str, op: MacOperator) -> str:
        """The array of a weight or bias that several operators read, in this one's codes if it has some."""
        key = f"{name}/{op.name}"
        return key if key in self.archive.headers and key not in self.workload.tensors else name

    def header(self, name: str, shape: tuple[int, ...]) -> Header:
        """An array's header; InputError when it is missing or has another shape."""
        header = self.archive.headers.get(name)
        if header is None:
            raise self.archive.refuse(
                "array.missing", "there is no such array", f"add it with shape {list(shape)}", name
            )
        if header.shape != shape:
            raise self.archive.refuse(
                "shape", f"has shape {list(header.shape)}", f"the trace needs {list(shape)}", name
            )
        return header

    def format(self, name: str, header: Header) -> str | None:
        """An array's number format: as stated, else what its type says; None for real numbers."""
        stated = self.recorded.formats.get(name)
        kind = header.dtype.kind
        if stated is None:
            if kind == "f":
                return None
            own = f"{'u' if kind == 'u' else ''}int{8 * header.dtype.itemsize}"
            if own not in FORMATS:
                raise self.archive.refuse(
                    "type",
                    f"is of type {own}, which no format is",
                    "store integers of 32 bits at most, or int64",
                    name,
                )
            return own
        record = get(stated)
        if isinstance(record, Integer) == (kind == "f"):
            holds = "floats" if kind == "f" else "integers"
            raise self.archive.refuse(
                "type",
                f"holds {holds}, its format is {stated}",
                "store codes of integer formats as integers, values of others as floats",
                name,
            )
        if record.kind == "block":
            raise self.archive.refuse(
                "type", f"{stated} is a format of blocks", "store plain floats", name
            )
        return stated

    def view_of(self, name: str) -> VectorOperator | None:
        """The operator whose output is another tensor in another shape, where it is not stored itself."""
        maker = self.makers.get(name)
        stored = name in self.archive.headers
        return maker if isinstance(maker, VectorOperator) and maker.is_view and not stored else None

    def quantization(self, name: str) -> Quantization | None:
        """What a tensor's codes stand for; None for real numbers in no format."""
        view, maker = self.view_of(name), self.makers.get(name)
        if view is not None:
            source = self.quantization(view.inputs[0])
            shapes = view.input_shapes[0], view.output_shape
            return None if source is None else source.viewed(*shapes, view.order)
        format_name = self.format(name, self.header(name, self.workload.tensors[name].shape))
        if format_name is None:
            return None
        record = get(format_name)
        if not isinstance(record, Integer):
            return real(format_name)
        zero = 0
        if f"{name}.zero" in self.archive.headers:
            zero = int(self.zero(f"{name}.zero", record.minimum, record.maximum)[0])
        if not isinstance(maker, Gemm | Conv2d):
            return Quantization(format_name, self.scale(f"{name}.scale", (1,))[0], zero)
        wide = None
        if f"{name}.scale" not in self.archive.headers and record.bits >= SUM_BITS:
            wide = self.sum_scale(maker)
        if wide is None:
            wide = self.scale(f"{name}.scale", (1, maker.groups * maker.n))
        return Quantization(
            format_name, wide[0] if wide.size == 1 else wide.reshape(_output(maker)), zero
        )

    def weight_quantization(self, op: MacOperator) -> Quantization | None:
        """What the codes of an operator's stored weight stand for."""
        key = self.own(op.weight, op)
        format_name = self.format(key, self.header(key, op.weight_shape))
        if format_name is None:
            return None
        if not isinstance(get(format_name), Integer):
            return real(format_name)
        scale, zero = self.scale(f"{key}.scale", (1, op.groups * op.n)), f"{key}.zero"
        if zero in self.archive.headers and self.zero(zero, -WIDE, WIDE).any():
            raise self.archive.refuse(
                "zero", "weights are symmetric here: their zero is code 0", "shift the codes", zero
            )
        return Quantization(
            format_name, scale[0] if scale.size == 1 else scale.reshape(_weight(op))
        )

    def sum_scale(self, op: MacOperator) -> Floats | None:
        """The scale of an operator's sums, one or one a channel; None where operands are real numbers, or
        computed ones with scales along their own channels, which no sum over them keeps."""
        source = self.quantization(op.input)
        stored = self.workload.is_stored(op.weight)
        second = self.weight_quantization(op) if stored else self.quantization(op.weight)
        if any(q is None or isinstance(q, RealValues) for q in (source, second)):
            return None
        assert source is not None and second is not None
        if np.size(source.scale) > 1 or (not stored and np.size(second.scale) > 1):
            return None
        return np.ravel(np.asarray(source.scale, np.float64) * np.ravel(second.scale))

    def scale(self, name: str, sizes: tuple[int, ...]) -> Floats:
        """A scale, flat; InputError unless it is positive, of one of these sizes."""
        header = self.archive.headers.get(name)
        if header is None:
            raise self.archive.refuse(
                "array.missing",
                "there is no such array",
                "codes need the scale that they count",
                name,
            )
        count = header.bytes // header.dtype.itemsize
        if header.dtype.kind != "f" or count not in sizes:
            raise self.archive.refuse(
                "scale",
                f"has shape {list(header.shape)} of {header.dtype}",
                "store floats: " + " or ".join(map(str, sizes)),
                name,
            )
        found = np.asarray(self.archive.read(name), np.float64).ravel()
        if not ((found >= LOWEST) & (found <= HIGHEST)).all():
            raise self.archive.refuse(
                "scale", f"holds {_worst(found):g}", "store scales above 0", name
            )
        return found

    def zero(self, name: str, low: int, high: int) -> NDArray[np.int64]:
        """The code of 0.0, flat, in low..high."""
        header = self.archive.headers[name]
        count = header.bytes // header.dtype.itemsize
        whole: Array = np.zeros(0, np.int64)
        if header.dtype.kind in "iu" and 0 < count <= 1 << 24:
            whole = np.asarray(self.archive.read(name)).ravel()
        if len(whole) == 0 or int(whole.max()) > high or int(whole.min()) < low:
            raise self.archive.refuse(
                "zero", "is no code of the tensor's format", "store one integer code", name
            )
        return whole.astype(np.int64)

    def codes(self, name: str, quantization: Quantization | None) -> Array:
        """An array's data; InputError for NaN, infinities and codes outside the format."""
        found = self.archive.read(name)
        if name in self.checked:
            return found
        if found.dtype.kind == "f":
            if not np.isfinite(found).all():
                raise self.archive.refuse(
                    "finite", "holds NaN or infinity", "store finite numbers", name
                )
            if quantization is not None:
                held = get(quantization.format).quantize(np.asarray(found, np.float64))
                if not (held == found).all():
                    raise self.archive.refuse(
                        "code",
                        f"holds values that {quantization.format} has not",
                        "store values of that format",
                        name,
                    )
        elif quantization is not None and found.size:
            record, low, high = quantization.record, int(found.min()), int(found.max())
            if low < record.minimum or high > record.maximum:
                raise self.archive.refuse(
                    "code",
                    f"holds codes {low}..{high}, {record.name} has {record.minimum}..{record.maximum}",
                    "store codes of that format, or name another one",
                    name,
                )
        self.checked.add(name)
        return found

    def known(self) -> set[str]:
        """Names that an array may have."""
        names = set(self.workload.tensors)
        for op in self.workload.operators:
            if not isinstance(op, VectorOperator):
                names |= {f"{name}/{op.name}" for name in (op.weight, op.bias) if name}
        return names | {f"{name}.{part}" for name in names for part in ("scale", "zero")}


def load_trace(path: str | Path) -> Trace:
    """A trace from its folder or YAML file; headers of all arrays are read, data is not.

    InputError names everything that is wrong.
    """
    place = Path(path)
    if os.path.isdir(place):
        place = place / TRACE_FILE
    workload, recorded = read_recorded(place)
    trace = Trace(workload, recorded, Archive(recorded.file))
    known = trace.known()
    problems: list[Problem] = []
    for name in trace.archive.headers:
        if name not in known:
            problems.append(
                trace.archive.problem(
                    "unknown", "is no tensor of the trace", "rename it, or leave it out", name
                )
            )
    if problems:
        raise InputError(problems)
    return trace


def _output(op: MacOperator) -> tuple[int, ...]:
    """The shape in which scales, one a channel, multiply an operator's output."""
    if isinstance(op, Conv2d):
        return (op.filters, 1, 1)
    return (op.n,) if op.groups == 1 else (op.groups, 1, op.n)


def _weight(op: MacOperator) -> tuple[int, ...]:
    """The same of its weight."""
    if isinstance(op, Conv2d):
        return (op.filters, 1, 1, 1)
    matrix = (op.n, 1) if op.weight_transposed else (1, op.n)
    return matrix if op.groups == 1 else (op.groups, *matrix)


def _worst(values: Floats) -> float:
    wrong = values[~((values >= LOWEST) & (values <= HIGHEST))]
    return float(wrong[0])
