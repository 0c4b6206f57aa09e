"""Whether our float reference of a model is what onnxruntime computes: the first operator that differs.

Tensors that both have are compared as they come out of the whole model. Where one differs by more than it
may, the model is gone through once more with onnxruntime's own tensors as the inputs of each operator, so that
roundings that fell to the other side do not add up: what differs then is wrong by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import InputError, Problem
from accelsim.importers.onnx_graph import reading_of
from accelsim.importers.onnx_model import import_model
from accelsim.importers.onnx_points import Point, points_of, rounding_of
from accelsim.importers.onnx_values import ModelValues
from accelsim.importers.onnx_whole import NotChecked, Tensor, version, whole_model
from accelsim.numerics.accuracy import UNBOUNDED, float_forward
from accelsim.workload import Operator, VectorOperator, Workload

Array = NDArray[Any]
Floats = NDArray[np.float64]
SAMPLES = 8
CLOSE = 1e-3  # of a tensor's peak
CODES_APART = 1e-3  # share of the elements that may be one code apart
TIE = 1e-2  # codes: so near to the middle between two, either is right
CANCELLED = 1e-6  # of the inputs' peak: float32's rounding where a sum cancels
LARGEST = 1 << 30  # bytes of the tensors that are asked for at once
SUMS = ("add", "subtract", "reduce_sum", "reduce_mean")
#: ONNX's element types that NumPy has -> bytes
PLAIN = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8}


@dataclass(slots=True)
class Checked:
    """What was held against onnxruntime, and how close it was. said: why nothing was, "" where it was.
    tensors: compared. apart: largest difference of reals over their peak. codes: all, and those that are one
    apart. outputs: real values of the model's outputs by onnxruntime for all inputs, where it gave them."""

    said: str = ""
    samples: int = 0
    of: int = 0
    tensors: int = 0
    apart: float = 0.0
    codes: tuple[int, int] = (0, 0)
    alone: bool = False  # operators were compared one by one
    outputs: dict[str, Floats] = field(default_factory=dict)

    def line(self) -> str:
        """One line for people."""
        if self.said:
            return f"reference: not checked by onnxruntime: {self.said}"
        part = (
            f"the first {self.samples} of {self.of} samples"
            if self.samples < self.of
            else "all samples"
        )
        close = [] if not self.tensors else [f"within {self.apart:.1e} of their peaks"]
        if self.codes[0]:
            close.append(f"{self.codes[1]:,} of {self.codes[0]:,} codes one apart")
        how = ", operator by operator" if self.alone else ""
        return (
            f"reference: {self.tensors} tensors as onnxruntime {version()} computes them ({part}{how}), "
            + "; ".join(close)
        )

    def plain(self) -> dict[str, Any]:
        """The same as JSON values."""
        if self.said:
            return {"checked": False, "reason": self.said}
        return {
            "checked": True,
            "samples": self.samples,
            "of": self.of,
            "tensors": self.tensors,
            "largest_difference_of_peak": self.apart,
            "codes": self.codes[0],
            "codes_one_apart": self.codes[1],
            "operator_by_operator": self.alone,
        }


def check_reference(
    workload: Workload,
    values: ModelValues,
    inputs: Mapping[str, Array],
    reference: Mapping[str, Floats],
    mode: str = "first",
) -> Checked:
    """Hold the reference of a model against onnxruntime. mode: "first" compares the first eight samples,
    "all" all, "off" nothing. InputError names the first operator that differs."""
    if mode == "off":
        return Checked("--reference-check off")
    part = _first(workload, values, inputs) if mode == "first" else None
    whole = _Side(workload, values, inputs, reference)
    side = whole if part is None else part
    first = next(iter(whole.feeds.values()))
    try:
        found = side.checked()
        if side is whole or side.points:
            given = whole.theirs if side is whole else whole.asked(between=False)
            found.outputs = {name: whole.real(name, given[name].whole) for name in whole.outputs}
    except NotChecked as reason:
        return Checked(str(reason))
    found.samples, found.of = (
        int(next(iter(one.feeds.values())).shape[0]) if first.ndim else 1 for one in (side, whole)
    )
    return found


def _first(workload: Workload, values: ModelValues, inputs: Mapping[str, Array]) -> _Side | None:
    """The model for the first samples alone; None where it has no more, or only runs with all."""
    graph, known = values.graph, reading_of(workload.notes)
    leading = {
        item.type.tensor_type.shape.dim[0].dim_param or f"{item.name}.0"
        for item in graph.model.graph.input
        if item.type.tensor_type.shape.dim
    }
    few = replace(
        known,
        batch=None if known.batch is None else min(known.batch, SAMPLES),
        dims={
            name: min(size, SAMPLES) if name in leading else size
            for name, size in known.dims.items()
        },
        shapes={name: (min(s[0], SAMPLES), *s[1:]) for name, s in known.shapes.items() if s},
    )
    if few == known:
        return None
    try:
        imported = import_model(str(workload.values), few)
        made = ModelValues(imported)
        made.stored()
    except InputError:
        return None
    shapes = imported.graph.shapes
    given = {
        name: np.asarray(array)[tuple(slice(size) for size in shapes[name])]
        for name, array in inputs.items()
        if name in shapes
    }
    if any(array.shape != shapes[name] for name, array in given.items()):
        return None
    return _Side(imported.workload, made, given, None)


class _Side:
    """A model with some inputs: our tensors beside onnxruntime's."""

    def __init__(
        self,
        workload: Workload,
        values: ModelValues,
        inputs: Mapping[str, Array],
        reference: Mapping[str, Floats] | None,
    ) -> None:
        self.workload, self.values, self.graph = workload, values, values.graph
        self.points = points_of(values.graph, values.look)
        self.reference = reference
        self.feeds = {name: self._fed(name, inputs) for name in self.graph.inputs}
        self.feeds |= self.graph.fixed
        read = [name for name, spec in workload.tensors.items() if spec.role == "input"]
        self.inputs = {
            name: np.asarray(
                self.feeds[name] if self.feeds[name].dtype.kind == "f" else inputs[name], np.float64
            )
            for name in read
        }
        made = {name for node in self.graph.model.graph.node for name in node.output}
        known = [
            op.output
            for op in workload.operators
            if op.output in made and self.graph.types.get(op.output) in PLAIN
        ]
        self.outputs = [name for name in known if name in self.graph.outputs]
        self.between = [
            name
            for name in known
            if name not in self.graph.outputs and not self._rounded_only(name)
        ]
        room = LARGEST
        for number, name in enumerate(self.between):
            room -= int(np.prod(self.graph.shapes[name])) * PLAIN[self.graph.types[name]]
            if room < 0:
                self.between = self.between[:number]
                break
        self.theirs: dict[str, Tensor] = {}
        self.places: dict[str, Array] = {}

    def _rounded_only(self, name: str) -> bool:
        """Whether only quantisers read a tensor: it is compared behind them, where a ReLU that stands in
        their zero point is part of both."""
        readers = self.graph.consumers.get(name, ())
        return bool(readers) and all(node.op_type == "QuantizeLinear" for node in readers)

    def _fed(self, name: str, inputs: Mapping[str, Array]) -> Array:
        """What onnxruntime reads as an input: codes where the model states what they stand for."""
        kind, shape = self.graph.numpy_type(name), self.graph.shapes[name]
        if name not in inputs:  # nothing reads it
            return np.zeros(shape, kind)
        value = np.asarray(inputs[name]).reshape(shape)
        stated = self.values.imported.builder.stated.get(name)
        if stated is not None and np.issubdtype(kind, np.integer):
            scale = np.asarray(self.values.look(stated[0]), np.float64)
            zero = np.asarray(self.values.look(stated[1])).astype(np.int64) if stated[1] else 0
            value = np.clip(np.rint(value / scale) + zero, np.iinfo(kind).min, np.iinfo(kind).max)
        return value.astype(kind)

    def asked(self, between: bool = True, parts: bool = True) -> dict[str, Tensor]:
        """onnxruntime's tensors."""
        return whole_model(
            self.graph.path, self.feeds, self.outputs, self.between if between else (), parts=parts
        )

    def real(self, name: str, theirs: Array) -> Floats:
        """onnxruntime's tensor as real values."""
        point = self.points.get(name)
        if point is not None and theirs.dtype.kind in "iu":
            return point.reals(theirs)
        return np.asarray(theirs, np.float64)

    def checked(self) -> Checked:
        """Everything compared; InputError names the first operator that differs by itself."""
        if not self.outputs:
            raise NotChecked("no output of the model has values that NumPy holds")
        self.theirs = self.asked()
        ours = self.forward() if self.reference is None else self.reference
        found, wrong = Checked(), False
        for op in self.workload.operators:
            if op.output in self.theirs:
                peak = max(
                    (float(np.abs(ours[x]).max(initial=0)) for x in _read(op) if x in ours),
                    default=0.0,
                )
                wrong = bool(self.compare(found, op, ours[op.output], peak)) or wrong
        if not wrong:
            return found
        if any(tensor.step > 1 for tensor in self.theirs.values()):
            self.theirs = self.asked(parts=False)
        return self.one_by_one()

    def forward(self, **more: Any) -> dict[str, Floats]:
        """Our tensors."""
        values = self.values
        rounded = rounding_of(self.points)
        return float_forward(
            self.workload,
            self.inputs,
            values.stored(),
            values.evaluate,
            **{"rounded": rounded, **more},
        )

    def one_by_one(self) -> Checked:
        """Every operator from onnxruntime's own inputs."""
        found = Checked(alone=True)
        peaks = {name: float(np.abs(value).max(initial=0)) for name, value in self.inputs.items()}

        def noted(name: str, point: Point) -> Any:
            def rounded(values: Floats) -> Floats:
                self.places[name] = point.places(values)
                return point.rounded(values)

            return rounded

        def replaced(op: Operator, made: Floats) -> Floats:
            if op.output not in self.theirs:
                return made
            peak = max((peaks[name] for name in _read(op) if name in peaks), default=0.0)
            said = self.compare(found, op, made, peak)
            if said:
                raise InputError(
                    Problem(
                        "reference.differs",
                        f"{op.kind}: {said} (tensor {op.output!r}, from onnxruntime's own inputs)",
                        "report it; --reference-check off runs without this check",
                        op.name,
                        self.graph.path,
                    )
                )
            theirs = self.real(op.output, self.theirs[op.output].whole).reshape(made.shape)
            peaks[op.output] = float(np.abs(theirs).max(initial=0))
            return theirs

        self.forward(
            rounded={name: noted(name, point) for name, point in self.points.items()},
            replaced=replaced,
        )
        return found

    def compare(self, found: Checked, op: Operator, ours: Floats, peak: float) -> str:
        """Note how close a tensor is; says what is wrong with it, "" for nothing. peak: of its inputs."""
        theirs, name = self.theirs[op.output], op.output
        if ours.size != int(np.prod(theirs.shape)):
            return (
                f"gives {ours.size} elements where onnxruntime gives {int(np.prod(theirs.shape))}"
            )
        point = self.points.get(name)
        mine = np.ascontiguousarray(ours).reshape(theirs.shape)
        if theirs.step > 1:
            mine, other = mine.ravel()[:: theirs.step], theirs.values
            if point is not None and point.scale.size > 1:
                return ""  # a scale a channel: the places of these elements are not kept
        else:
            other = theirs.whole
        found.tensors += 1
        if point is not None and other.dtype.kind in "iu":
            return _codes_apart(found, point, mine, other, self.places.get(name))
        if other.dtype.kind in "biu":
            count = int((np.rint(mine) != other).sum())
            return f"{count} of {other.size} integers are not onnxruntime's" if count else ""
        limit = max(CLOSE, 4 * float(np.finfo(other.dtype).eps)) * _peak(other, theirs)
        limit += CANCELLED * peak if op.kind in SUMS else 0.0
        return _reals_apart(found, mine, np.asarray(other, np.float64), limit, _peak(other, theirs))


def _read(op: Operator) -> tuple[str, ...]:
    return op.inputs if isinstance(op, VectorOperator) else (op.input, op.weight)


def _peak(other: Array, whole: Tensor) -> float:
    """The largest magnitude that is no mask."""
    if whole.peak < UNBOUNDED:
        return whole.peak
    size = np.abs(other.astype(np.float64))
    return float(size.max(where=size < UNBOUNDED, initial=0.0))


def _codes_apart(
    found: Checked, point: Point, mine: Floats, codes: Array, places: Array | None
) -> str:
    apart = np.rint(np.abs(mine - point.reals(codes)) / point.scale)
    count = int((apart > 0).sum())
    found.codes = (found.codes[0] + codes.size, found.codes[1] + count)
    most = int(apart.max(initial=0))
    if most > 1:
        return f"differs from onnxruntime's by up to {most} codes"
    if count <= CODES_APART * codes.size:
        return ""
    if places is not None and places.size == codes.size:
        half = np.abs(places - np.floor(places) - 0.5).reshape(codes.shape)
        if (half[apart.reshape(codes.shape) > 0] < TIE).all():
            return ""
    return f"{count} of {codes.size} codes are not onnxruntime's"


def _reals_apart(found: Checked, mine: Floats, theirs: Floats, limit: float, peak: float) -> str:
    far = ~(np.abs(theirs) < UNBOUNDED)
    same = np.where(
        np.isnan(theirs), np.isnan(mine), (np.abs(mine) >= UNBOUNDED / 2) & (mine * theirs > 0)
    )
    if far.any() and not same[far].all():
        return f"{int((~same[far]).sum())} elements are infinite or no numbers where ours are not, or back"
    with np.errstate(invalid="ignore"):
        largest = float(np.abs(mine - theirs).max(where=~far, initial=0.0))
    if not np.isfinite(largest) or largest > limit:
        return (
            f"differs from onnxruntime's by {largest / peak if peak else largest:.2g} of the peak"
        )
    if peak:
        found.apart = max(found.apart, largest / peak)
    return ""
