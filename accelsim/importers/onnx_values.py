"""Values of an imported model: stored tensors by their recipes, vector operators by onnx's reference.

Large constants that the model computes (ConstantOfShape and what follows) are evaluated here, when
values are asked for, and kept.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import InputError
from accelsim.importers.onnx_build import attributes
from accelsim.importers.onnx_file import external_place, import_onnx
from accelsim.importers.onnx_graph import reading_of
from accelsim.importers.onnx_model import Imported, import_model
from accelsim.importers.onnx_run import run_node
from accelsim.importers.onnx_scales import reals, stated_values
from accelsim.importers.vector_values import by_kind
from accelsim.mapping.tensors import read_constants
from accelsim.workload import VectorOperator, Workload

Array = NDArray[Any]


class ModelValues:
    """look(name): a constant of the model. replaced: values to use instead of the file's."""

    def __init__(self, imported: Imported, replaced: Mapping[str, Array] | None = None) -> None:
        self.imported = imported
        self.graph = imported.graph
        self.known: dict[str, Array] = dict(replaced or {})
        stored = (*self.graph.model.graph.initializer, *self.graph.stored)
        self.initializers = {item.name: item for item in stored}
        self.makers = {output: node for node in self.graph.visited for output in node.output}
        self.parameters: dict[str, Array] = {}

    def look(self, name: str) -> Array:
        """A constant of the model; InputError when the file lacks its numbers."""
        if name not in self.known:
            if name in self.graph.small and name not in self.initializers:
                self.known[name] = self.graph.small[name]
            elif name in self.initializers:
                self.known[name] = self._initializer(name)
            elif name in self.makers:
                node = self.makers[name]
                if node.op_type == "DequantizeLinear" and not attributes(node).get("block_size", 0):
                    zero = node.input[2] if len(node.input) > 2 else ""
                    axis = int(attributes(node).get("axis", 1))
                    self.known[name] = reals(node.input[0], node.input[1], zero, axis)(
                        self.look
                    ).astype(self.graph.numpy_type(name))
                    return self.known[name]
                made = run_node(self.graph, node, [self.look(x) if x else None for x in node.input])
                self.known |= {
                    x: np.asarray(v) for x, v in zip(node.output, made, strict=False) if x
                }
            else:
                raise self.graph.wrong(
                    "weights", "has no values in the file", "export the weights", name
                )
        return self.known[name]

    def _initializer(self, name: str) -> Array:
        onnx = import_onnx()
        tensor, folder = self.initializers[name], Path(self.graph.path).resolve().parent
        shape = self.graph.shapes[name]
        place = external_place(tensor, folder)
        if place is not None:
            path, offset, length = place
            size = path.stat().st_size if os.path.isfile(path) else -1
            need = int(np.prod(shape)) * np.dtype(self.graph.numpy_type(name)).itemsize
            if size < offset + max(need, length):
                raise self.graph.wrong(
                    "external",
                    f"needs {need} bytes of {path.name}, which has {max(0, size - offset)} there",
                    "give all of it",
                    name,
                )
            return np.fromfile(
                path, self.graph.numpy_type(name), int(np.prod(shape)), offset=offset
            ).reshape(shape)
        try:
            return np.asarray(onnx.numpy_helper.to_array(tensor))
        except Exception:
            raise self.graph.wrong(
                "weights",
                f"holds no {list(shape)} values",
                "export the model with its weights",
                name,
            ) from None

    def stored(self) -> dict[str, Array]:
        """Every stored tensor of the workload; InputError for missing, NaN and infinite ones."""
        builder, found = self.imported.builder, {}
        read = read_constants(self.imported.workload)  # masks may be infinite
        for name, spec in self.imported.workload.tensors.items():
            if spec.role not in ("weight", "bias"):
                continue
            recipe = builder.recipes.get(name)
            value = np.asarray(recipe(self.look) if recipe else self.look(name))
            if value.dtype.kind == "f" and (
                np.isnan(value).any() if name in read else not np.isfinite(value).all()
            ):
                raise self.graph.wrong(
                    "finite", "holds NaN or infinity", "export finite weights", name
                )
            found[name] = value.reshape(spec.shape)
        self.parameters = found
        return {**found, **stated_values(builder, self.look)}

    def reals_of(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Inputs with integers where the model takes codes as what those codes stand for."""
        found = dict(inputs)
        builder = self.imported.builder
        for name, value in inputs.items():
            if (
                name in builder.stated
                and name in builder.codes
                and np.asarray(value).dtype.kind in "iu"
            ):
                scale, zero, _ = builder.stated[name]
                found[name] = reals_of_codes(
                    np.asarray(value),
                    self.look(scale),
                    self.look(zero) if zero else np.zeros(1, np.int64),
                )
        return found

    def evaluate(self, op: VectorOperator, inputs: Sequence[Array]) -> NDArray[np.float64]:
        """Real values of a vector operator."""
        compute = self.imported.builder.computes.get(op.name) if op.node else None
        if compute is None:
            return by_kind(op, inputs, self.parameters)
        try:
            made = np.asarray(compute(inputs, self.look), np.float64)
        except InputError:
            raise
        except Exception as error:
            raise self.graph.wrong(
                "values",
                f"cannot be computed: {str(error)[:160]}",
                "export the model again",
                op.name,
            ) from None
        return made.reshape(op.output_shape)


def reals_of_codes(codes: Array, scale: Array, zero: Array) -> Array:
    """Real values of codes of one scale."""
    return np.asarray(
        (codes.astype(np.int64) - int(zero.ravel()[0])) * float(scale.ravel()[0]), np.float64
    )


def model_values(workload: Workload) -> ModelValues:
    """Values of a Workload that came from an .onnx file; the file is read again, with the same dimensions."""
    return ModelValues(import_model(str(workload.values), reading_of(workload.notes)))
