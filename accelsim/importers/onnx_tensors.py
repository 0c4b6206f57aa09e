"""The Graph of a model: its tensors with their shapes, types and small values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from accelsim.errors import InputError, Problem
from accelsim.importers.base import Reading
from accelsim.importers.onnx_file import import_onnx

SMALL = 1 << 16  # elements of a constant that is kept
LARGEST_TENSOR = 1 << 40  # elements
LARGEST_DIMENSION = 1 << 31

Shape = tuple[int, ...]


@dataclass(slots=True)
class Graph:
    """A model with every shape known.

    shapes, types: by tensor (types: ONNX's element type). constants: tensors that depend on no input.
    small: values of the constants that are small. nodes: what remains to be computed, in order.
    folded: how many nodes computed shapes and constants only. consumers: nodes that read a tensor. dims:
    symbolic dimensions, given or taken from arrays. fixed: inputs that are constant, and what they hold.
    """

    path: str
    model: Any
    version: int
    shapes: dict[str, Shape] = field(default_factory=dict)
    types: dict[str, int] = field(default_factory=dict)
    constants: set[str] = field(default_factory=set)
    small: dict[str, NDArray[Any]] = field(default_factory=dict)
    nodes: list[Any] = field(default_factory=list)
    folded: int = 0
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    consumers: dict[str, list[Any]] = field(default_factory=dict)
    #: every node, also folded ones and those of functions and branches; stored tensors of branches
    visited: list[Any] = field(default_factory=list)
    stored: list[Any] = field(default_factory=list)
    dims: dict[str, int] = field(default_factory=dict)
    fixed: dict[str, NDArray[Any]] = field(default_factory=dict)

    def notes(self, reading: Reading) -> dict[str, Any]:
        """What reading the file alike takes, as plain values."""
        shapes = {name: list(self.shapes[name]) for name in self.inputs} if reading.shapes else {}
        return {
            "dims": dict(self.dims),
            "batch": reading.batch,
            **({"fixed": dict(reading.fixed)} if reading.fixed else {}),
            **({"shapes": shapes} if shapes else {}),
        }

    def numpy_type(self, name: str) -> Any:
        """NumPy's type of a tensor of the model."""
        return import_onnx().helper.tensor_dtype_to_np_dtype(self.types[name])

    def wrong(self, code: str, message: str, fix: str = "", node: str = "") -> InputError:
        """A problem of this model, to be raised."""
        return InputError(Problem(f"onnx.{code}", message, fix, node, self.path))


def note(graph: Graph, name: str, shape: Shape, kind: int) -> None:
    if count(shape) > LARGEST_TENSOR:
        raise graph.wrong("size", f"has {count(shape)} elements", "use smaller dimensions", name)
    graph.shapes[name], graph.types[name] = shape, kind


def count(shape: Shape) -> int:
    count = 1
    for size in shape:
        count *= size
    return count
