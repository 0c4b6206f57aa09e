"""Layer traces: the project's own YAML form of a Workload. docs/layer_traces.md is the guide."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from accelsim.config.overrides import apply_overrides
from accelsim.config.reader import said
from accelsim.config.trace_batch import with_batch
from accelsim.config.trace_parameters import ExpressionError, evaluate, with_parameters
from accelsim.config.trace_vectors import COMMON, VectorReader, keys_of, required_of
from accelsim.config.versions import version_of
from accelsim.config.yaml_source import Node, Place, load_yaml
from accelsim.errors import InputError, Problem
from accelsim.formats import FORMATS, Integer, get
from accelsim.workload import Operator, TensorSpec, VectorOperator, Workload
from accelsim.workload.aliases import FIX, Alias, add
from accelsim.workload.integers import by_readers, with_integers
from accelsim.workload.validity import LARGEST_DIMENSION, MOST_MACS, is_shape
from accelsim.workload.vector_kinds import VECTOR_KINDS

KEYS = (
    "format",
    "name",
    "description",
    "source",
    "values",
    "batch",
    "tokens",
    "parameters",
    "inputs",
    "constants",
    "outputs",
    "operators",
    "integers",
    "recorded",
)
MAC_KEYS = ("weight", "bias", "activation", "input_format", "weight_format", "groups")
KIND_KEYS: dict[str, tuple[str, ...]] = {
    "gemm": (*COMMON, *MAC_KEYS, "n", "weight_transposed"),
    "conv2d": (*COMMON, *MAC_KEYS, "filters", "kernel", "stride", "padding", "dilation"),
    **{kind: keys_of(kind) for kind in VECTOR_KINDS},
}
REQUIRED = {
    "gemm": ("n",),
    "conv2d": ("filters", "kernel"),
    **{kind: required_of(kind) for kind in VECTOR_KINDS},
}
KINDS = ("gemm", "conv2d", *VECTOR_KINDS)
INTEGERS = tuple(name for name, record in FORMATS.items() if isinstance(record, Integer))
MOST_OPERATORS = 20_000
BATCH = "batch"  # the parameter that --batch sets


def load_workload(
    path: str | Path,
    batch: int | None = None,
    overrides: Sequence[str] = (),
    parameters: Mapping[str, Any] | None = None,
) -> Workload:
    """The Workload of a YAML layer trace.

    batch: inferences of a run, in place of those of the file: the value of its parameter of that name, else
    wherever they stand (trace_batch.py). parameters: in place of the file's. Raises InputError with every
    problem, each with file, line and column.
    """
    given = dict(parameters or {})
    root = apply_overrides(load_yaml(path), overrides)
    if batch is not None and _has_batch(root):
        if given.get(BATCH, batch) != batch:
            raise InputError(
                Problem(
                    "batch.twice",
                    f"is {batch}, and workload.batch is {given[BATCH]}",
                    "give one of them",
                    file="--batch",
                )
            )
        given[BATCH], batch = batch, None
    root, values = with_parameters(root, given)

    def read(batch: int | None, names: Collection[str]) -> Workload:
        return _read(_TraceReader(root, str(path), batch, names, values))

    made = with_batch(read, root, batch)
    return replace(made, notes={"parameters": values}) if values else made


def _has_batch(root: Node) -> bool:
    """Whether a trace has a parameter of that name."""
    if not root.is_map or "parameters" not in root.value:
        return False
    node = root.value["parameters"][1]
    return node.is_map and BATCH in node.value


def read_trace(root: Node, source: str, notes: dict[str, object]) -> Workload:
    """The Workload of a parsed trace, as importers write one; notes: what they assumed and left out."""
    return replace(_read(_TraceReader(root, source, None)), notes=notes)


def _read(reader: _TraceReader) -> Workload:
    workload = reader.read()
    if reader.problems or workload is None:
        raise InputError(reader.problems)
    return workload


class _TraceReader(VectorReader):
    def __init__(
        self,
        root: Node,
        source: str,
        batch: int | None,
        carry: Collection[str] = (),
        values: Mapping[str, int | list[int]] | None = None,
    ) -> None:
        """batch: first dimension of the inputs in ``carry``, in place of theirs. values: of the parameters."""
        super().__init__()
        self.values = values or {}
        self.carry = carry
        self.root, self.source, self.batch = root, source, batch
        self.defined: dict[str, Place] = {}
        self.aliases: dict[str, Alias] = {}
        self.names: dict[str, Place] = {}
        self.used: set[str] = set()
        self.operators: list[Operator] = []

    def integer(self, node: Node, path: str, low: int, high: int = LARGEST_DIMENSION) -> int | None:
        """A whole number, or an expression of the trace's parameters."""
        if self.values and isinstance(node.value, str):
            try:
                node = Node(evaluate(node.value, self.values), node.place)
            except ExpressionError as error:
                self.wrong("trace.expression", node.place, path, *error.args)
                return None
        return super().integer(node, path, low, high)

    def read(self) -> Workload | None:
        items = self.mapping(self.root, "")
        if items is None:
            return None
        self.keys(items, KEYS, "", ("name", "inputs", "operators"), self.root.place)
        text = {
            key: self.text(items[key][1], key) or ""
            for key in ("name", "description", "source", "values")
            if key in items
        }
        version_of(self, items)
        counts = {
            key: self.integer(items[key][1], key, 1) or 0
            for key in ("batch", "tokens")
            if key in items
        }
        if "inputs" in items:
            self.inputs(items["inputs"][1])
        if "constants" in items:
            self.inputs(items["constants"][1], "weight")
        if "operators" in items:
            self.all_operators(items["operators"][1])
        outputs = self.outputs(items["outputs"][1] if "outputs" in items else None)
        values = self.values_file(items["values"][1]) if "values" in items else None
        if self.problems:
            return None
        for name in outputs:
            spec = self.tensors[name]
            self.tensors[name] = TensorSpec(name, spec.shape, "output", spec.format)
        workload = Workload(
            text["name"],
            tuple(self.operators),
            self.tensors,
            text.get("description", ""),
            values,
            self.source,
            batch=counts.get("batch", 0),
            tokens=counts.get("tokens", 0),
        )
        if workload.macs > MOST_MACS:
            self.wrong(
                "trace.size",
                self.root.place,
                "operators",
                f"ask for {workload.macs} multiply-accumulates",
                "use smaller layers",
            )
            return None
        found = by_readers(workload)
        declared = self.integers(items["integers"][1]) if "integers" in items else {}
        if self.problems:
            return None
        small = {
            name for name, form in declared.items() if get(form).bits <= 8 and name not in found
        }
        return with_integers(workload, {**found, **declared}, small)

    def integers(self, node: Node) -> dict[str, str]:
        """tensor -> integer format of those that are no reals, beside those that index."""
        found = {}
        for name, (_, value) in (self.mapping(node, "integers") or {}).items():
            path = f"integers.{name}"
            if name not in self.tensors:
                self.wrong(
                    "trace.tensor",
                    value.place,
                    path,
                    f"{name!r} is not a tensor",
                    "write the name of an input, a constant or an output of an operator",
                )
                continue
            form = self.choice(value, INTEGERS, path)
            if form is not None:
                found[name] = form
        return found

    def values_file(self, node: Node) -> str | None:
        name = self.text(node, "values")
        if name is None:
            return None
        folder = Path(self.source).resolve().parent
        target = (folder / name).resolve()
        if not target.is_relative_to(folder):
            self.wrong(
                "trace.values",
                node.place,
                "values",
                f"{name} is outside the trace's folder",
                "keep the values beside the trace",
            )
        elif target.suffix != ".npz" or not os.path.isfile(target):
            self.wrong(
                "trace.values",
                node.place,
                "values",
                f"there is no .npz file {name}",
                "write the name of an .npz file in the trace's folder",
            )
        return str(target)

    def inputs(self, node: Node, role: str = "input") -> None:
        section = "inputs" if role == "input" else "constants"
        for name, (where, value) in (self.mapping(node, section) or {}).items():
            path = f"{section}.{name}"
            shape = self.dimensions(value, path)
            self.defined[name] = where
            if shape is not None:
                if self.batch is not None and name in self.carry:
                    shape = (self.batch, *shape[1:])
                self.shapes[name] = shape
                self.tensors[name] = TensorSpec(name, shape, role)
        if node.is_map and not node.value and role == "input":
            self.wrong("trace.inputs", node.place, "inputs", "names no tensor", "write x: [1, 64]")

    def dimensions(self, node: Node, path: str) -> tuple[int, ...] | None:
        if not node.is_list or not 1 <= len(node.value) <= 6:
            self.wrong(
                "trace.shape",
                node.place,
                path,
                "must be a list of 1 to 6 dimensions",
                "write [batch, channels, height, width] or [batch, features]",
            )
            return None
        sizes = [self.integer(item, f"{path}[{i}]", 1) for i, item in enumerate(node.value)]
        if None in sizes:
            return None
        return tuple(size for size in sizes if size is not None)

    # -- operators -----------------------------------------------------------------------------

    def all_operators(self, node: Node) -> None:
        if not node.is_list or not node.value:
            self.wrong(
                "trace.operators",
                node.place,
                "operators",
                "must be a list of operators",
                "write - {name: fc, kind: gemm, input: x, n: 10}",
            )
            return
        if len(node.value) > MOST_OPERATORS:
            self.wrong(
                "trace.size",
                node.place,
                "operators",
                f"are more than {MOST_OPERATORS}",
                "split the trace",
            )
            return
        later = {
            str(item.value["output"][1].value)
            for item in node.value
            if item.is_map and "output" in item.value
        }
        later |= {
            str(item.value["name"][1].value)
            for item in node.value
            if item.is_map and "name" in item.value
        }
        for number, item in enumerate(node.value):
            self.operator(item, f"operators[{number}]", later)

    def operator(self, node: Node, path: str, later: set[str]) -> None:
        items = self.mapping(node, path)
        kind = None if items is None else self.kind(items, node, path)
        if items is None or kind is None:
            return
        required = ["name", "input", *REQUIRED.get(kind, ())]
        before = len(self.problems)
        self.keys(items, KIND_KEYS.get(kind, COMMON), path, required, node.place)
        name = self.own_name(items, path)
        if "output" in items:
            self.text(items["output"][1], f"{path}.output")
        sources = self.sources(items, path, kind, later)
        if len(self.problems) > before or name is None or sources is None:
            if name is not None:
                self.names.setdefault(name, node.place)
                self.defined.setdefault(self.output_name(items, name), node.place)
            return
        self.names[name] = items["name"][1].place
        output = self.output_name(items, name)
        if self.is_taken(output, node.place, path):
            return
        self.defined[output] = node.place
        build = {"gemm": self.gemm, "conv2d": self.conv}.get(kind, self.vector)
        known = len(self.tensors)
        op = build(items, path, name, kind, sources, output)
        if op is None or len(self.problems) > before:
            return
        added = islice(reversed(self.tensors.values()), len(self.tensors) - known)
        made = [tensor.shape for tensor in added]
        if not self.sizes({op.output_shape, *made}, node.place, path, name):
            return
        if message := add(self.aliases, op):
            self.wrong("workload.alias", items["input"][1].place, f"{path}.input", message, FIX)
            return
        self.operators.append(op)
        self.used.update(sources if isinstance(op, VectorOperator) else (*sources, op.weight))
        self.shapes[output] = op.output_shape
        self.tensors[output] = TensorSpec(output, op.output_shape)

    def kind(self, items: dict[str, tuple[Place, Node]], node: Node, path: str) -> str | None:
        """The operator's kind, None (noted) without a known one."""
        if "kind" in items:
            found: str | None = self.choice(items["kind"][1], KINDS, f"{path}.kind")
            return found
        fix = "write kind: " + " | ".join(KINDS)
        self.wrong("key.missing", node.place, f"{path}.kind", "is missing", fix)
        return None

    def own_name(self, items: dict[str, tuple[Place, Node]], path: str) -> str | None:
        """The operator's name; noted where another has it."""
        name = self.text(items["name"][1], f"{path}.name") if "name" in items else None
        if name is not None and name in self.names:
            what = f"{name!r} stands already in line {self.names[name].line}"
            self.wrong("trace.name", items["name"][1].place, f"{path}.name", what, "rename one")
        return name

    def is_taken(self, output: str, place: Place, path: str) -> bool:
        """Whether there is a tensor of that name (noted)."""
        if output not in self.defined and output not in self.tensors:
            return False
        known = self.defined.get(output)
        line = " as a weight" if known is None else f" in line {known.line}"
        what = f"the tensor {output!r} stands already{line}"
        self.wrong("trace.output", place, f"{path}.output", what, "rename it")
        return True

    def sizes(self, shapes: set[tuple[int, ...]], place: Place, path: str, name: str) -> bool:
        """Whether shapes that an operator comes to are ones that are counted in; else what is wrong is noted."""
        found = [shape for shape in sorted(shapes) if not is_shape(shape)]
        for shape in found:
            self.wrong(
                "trace.size",
                place,
                path,
                f"{name} has a tensor of {list(shape)}",
                f"use dimensions of at most {LARGEST_DIMENSION:,}",
            )
        return not found

    @staticmethod
    def output_name(items: dict[str, tuple[Place, Node]], name: str) -> str:
        return str(items["output"][1].value) if "output" in items else name

    def sources(
        self, items: dict[str, tuple[Place, Node]], path: str, kind: str, later: set[str]
    ) -> tuple[str, ...] | None:
        if "input" not in items:
            return None
        node = items["input"][1]
        nodes = node.value if node.is_list else [node]
        least, most = VECTOR_KINDS[kind].inputs if kind in VECTOR_KINDS else (1, 1)
        if not least <= len(nodes) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            self.wrong(
                "trace.input",
                node.place,
                f"{path}.input",
                f"names {len(nodes)} tensors, {kind} reads {wanted}",
                "write input: x" if most == 1 else "write input: [x, y]",
            )
            return None
        names = []
        for item in nodes:
            name = item.value
            if not isinstance(name, str) or name not in self.defined:
                known = ", ".join(list(self.shapes)[-8:])
                what = (
                    "is computed only later: operators must stand in the order they run"
                    if isinstance(name, str) and name in later
                    else "is not a tensor"
                )
                self.wrong(
                    "trace.tensor",
                    item.place,
                    f"{path}.input",
                    f"{said(item)} {what}",
                    f"write one of: {known}",
                )
                return None
            if name not in self.shapes:
                return None  # its own operator is wrong and was noted
            names.append(name)
        return tuple(names)

    def outputs(self, node: Node | None) -> list[str]:
        """The network's outputs: given, else whatever nobody reads."""
        made = [op.output for op in self.operators]
        if node is None:
            return [name for name in made if name not in self.used]
        nodes = node.value if node.is_list else [node]
        names = []
        for item in nodes:
            if item.value not in made:
                self.wrong(
                    "trace.tensor",
                    item.place,
                    "outputs",
                    f"{said(item)} is not computed by any operator",
                    "write one of: " + ", ".join(made[-8:]),
                )
            else:
                names.append(str(item.value))
        return names
