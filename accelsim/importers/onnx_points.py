"""Where a quantised model rounds its tensors: which codes its QuantizeLinear and QLinear operators give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import InputError
from accelsim.formats import get
from accelsim.importers.onnx_build import Lookup, attributes
from accelsim.importers.onnx_tensors import Graph

Floats = NDArray[np.float64]
#: ONNX's element types of codes -> (least, largest)
INTEGERS = {
    2: (0, 255),
    3: (-128, 127),
    4: (0, 65535),
    5: (-32768, 32767),
    21: (0, 15),
    22: (-8, 7),
}
#: ... -> format
MINIFLOATS = {17: "fp8_e4m3fn", 19: "fp8_e5m2"}
#: operator -> where the scale of its output stands among its inputs; its zero point follows
SCALES = {
    "QuantizeLinear": 1,
    "QLinearConv": 6,
    "QLinearMatMul": 6,
    "QLinearAdd": 6,
    "QLinearMul": 6,
    "QLinearSigmoid": 3,
    "QLinearLeakyRelu": 3,
    "QLinearSoftmax": 3,
    "QLinearGlobalAveragePool": 3,
    "QLinearAveragePool": 3,
    "QLinearConcat": 0,
    "QGemm": 7,
}


@dataclass(frozen=True, slots=True)
class Point:
    """Codes of a tensor as its model computes them, in float32. scale, zero: of one element, or shaped to be
    spread along a channel. low, high: of codes. minifloat: codes of that format instead of integers."""

    scale: NDArray[np.float32]
    zero: NDArray[np.int64]
    low: int = 0
    high: int = 0
    minifloat: str = ""

    def places(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Codes before they are rounded and clamped."""
        with np.errstate(over="ignore"):
            return np.asarray(np.asarray(values, np.float32) / self.scale + self.zero, np.float32)

    def reals(self, codes: NDArray[Any]) -> Floats:
        """Real values of codes."""
        whole = np.asarray(codes).astype(np.int64)
        return np.asarray((whole - self.zero) * self.scale.astype(np.float64), np.float64)

    def rounded(self, values: Floats) -> Floats:
        """The real values of the codes that stand for some."""
        if self.minifloat:
            steps = np.asarray(values, np.float32) / self.scale
            return get(self.minifloat).quantize(steps) * self.scale.astype(np.float64)
        whole = np.rint(np.asarray(values, np.float32) / self.scale).astype(np.float64) + self.zero
        return self.reals(np.clip(whole, self.low, self.high))


def points_of(graph: Graph, look: Lookup) -> dict[str, Point]:
    """tensor -> Point of every tensor of codes whose scale is a constant of the model. Operators that move
    codes hand their scale on; a Clip of codes narrows them."""
    found: dict[str, Point] = {}
    for node in graph.nodes:
        output = node.output[0]
        kind = graph.types.get(output, 0)
        if kind not in INTEGERS and kind not in MINIFLOATS:
            continue
        at = SCALES.get(node.op_type)
        if at is not None:
            made = _stated(graph, node, at, kind, look)
            if made is not None:
                found[output] = made
        elif node.input and node.input[0] in found:
            found[output] = _clipped(node, found[node.input[0]], look)
    return found


def _stated(graph: Graph, node: Any, at: int, kind: int, look: Lookup) -> Point | None:
    if len(node.input) <= at or not node.input[at]:
        return None
    try:
        scale = np.asarray(look(node.input[at]), np.float32)
        zero = np.zeros((), np.int64)
        if len(node.input) > at + 1 and node.input[at + 1] and kind in INTEGERS:
            zero = np.asarray(look(node.input[at + 1])).astype(np.int64)
    except InputError:  # a scale that is computed from the inputs
        return None
    options = attributes(node)
    if options.get("block_size", 0):
        return None
    along = [1] * len(graph.shapes[node.output[0]])
    if max(scale.size, zero.size) > 1:
        along[int(options.get("axis", 1))] = -1
    low, high = INTEGERS.get(kind, (0, 0))
    return Point(
        scale.reshape(along if scale.size > 1 else ()),
        zero.reshape(along if zero.size > 1 else ()),
        low,
        high,
        MINIFLOATS.get(kind, ""),
    )


def _clipped(node: Any, point: Point, look: Lookup) -> Point:
    if node.op_type != "Clip":
        return point
    bounds = [point.low, point.high]
    for number in (1, 2):
        if len(node.input) > number and node.input[number]:
            bounds[number - 1] = int(
                np.asarray(look(node.input[number])).astype(np.int64).ravel()[0]
            )
    return replace(point, low=max(point.low, bounds[0]), high=min(point.high, bounds[1]))


def rounding_of(points: Mapping[str, Point]) -> dict[str, Any]:
    """tensor -> what rounds its real values, for numerics.accuracy.float_forward."""
    return {name: point.rounded for name, point in points.items()}
