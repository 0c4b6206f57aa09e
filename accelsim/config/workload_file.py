"""Layer traces: the project's own YAML form of a Workload. docs/layer_traces.md is the guide."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

from accelsim.config.overrides import apply_overrides
from accelsim.config.reader import FieldRule, Reader
from accelsim.config.yaml_source import Node, Place, load_yaml
from accelsim.errors import InputError
from accelsim.formats import FORMATS
from accelsim.workload import Conv2d, Gemm, Operator, TensorSpec, VectorOperator, Workload
from accelsim.workload.operators import ACTIVATIONS
from accelsim.workload.vector_kinds import VECTOR_KINDS

KEYS = ("name", "description", "source", "values", "inputs", "outputs", "operators")
COMMON = ("name", "kind", "input", "output")
MAC_KEYS = ("weight", "bias", "activation", "input_format", "weight_format", "groups")
KIND_KEYS: dict[str, tuple[str, ...]] = {
    "gemm": (*COMMON, *MAC_KEYS, "n"),
    "conv2d": (*COMMON, *MAC_KEYS, "filters", "kernel", "stride", "padding", "dilation"),
    "max_pool": (*COMMON, "kernel", "stride", "padding"),
    "average_pool": (*COMMON, "kernel", "stride", "padding"),
    "add": (*COMMON, "activation"),
    "multiply": (*COMMON, "activation"),
}
REQUIRED = {"gemm": ("n",), "conv2d": ("filters", "kernel"), "max_pool": ("kernel",),
            "average_pool": ("kernel",)}  # fmt: skip
KINDS = ("gemm", "conv2d", *VECTOR_KINDS)
LARGEST_DIMENSION = 1 << 24
MOST_MACS = 1 << 50
MOST_OPERATORS = 20_000


def load_workload(path: str | Path, batch: int | None = None,
                  overrides: Sequence[str] = ()) -> Workload:  # fmt: skip
    """The Workload of a YAML layer trace.

    batch: replaces the first dimension of every input tensor. Raises InputError with every
    problem, each with file, line and column.
    """
    root = apply_overrides(load_yaml(path), overrides)
    reader = _TraceReader(root, str(path), batch)
    workload = reader.read()
    if reader.problems or workload is None:
        raise InputError(reader.problems)
    return workload


class _TraceReader(Reader):
    def __init__(self, root: Node, source: str, batch: int | None) -> None:
        super().__init__()
        self.root, self.source, self.batch = root, source, batch
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.tensors: dict[str, TensorSpec] = {}
        self.defined: dict[str, Place] = {}
        self.names: dict[str, Place] = {}
        self.used: set[str] = set()
        self.operators: list[Operator] = []

    def read(self) -> Workload | None:
        items = self.mapping(self.root, "")
        if items is None:
            return None
        self.keys(items, KEYS, "", ("name", "inputs", "operators"), self.root.place)
        text = {key: self.text(items[key][1], key) or "" for key in
                ("name", "description", "source", "values") if key in items}  # fmt: skip
        if "inputs" in items:
            self.inputs(items["inputs"][1])
        if "operators" in items:
            self.all_operators(items["operators"][1])
        outputs = self.outputs(items["outputs"][1] if "outputs" in items else None)
        values = self.values_file(items["values"][1]) if "values" in items else None
        if self.problems:
            return None
        for name in outputs:
            spec = self.tensors[name]
            self.tensors[name] = TensorSpec(name, spec.shape, "output", spec.format)
        workload = Workload(text["name"], tuple(self.operators), self.tensors,
                            text.get("description", ""), values, self.source)  # fmt: skip
        if workload.macs > MOST_MACS:
            self.wrong("trace.size", self.root.place, "operators",
                       f"ask for {workload.macs} multiply-accumulates", "use smaller layers")  # fmt: skip
            return None
        return workload

    def values_file(self, node: Node) -> str | None:
        name = self.text(node, "values")
        if name is None:
            return None
        folder = Path(self.source).resolve().parent
        target = (folder / name).resolve()
        if not target.is_relative_to(folder):
            self.wrong("trace.values", node.place, "values", f"{name} is outside the trace's folder",
                       "keep the values beside the trace")  # fmt: skip
        elif target.suffix != ".npz" or not target.is_file():
            self.wrong("trace.values", node.place, "values", f"there is no .npz file {name}",
                       "write the name of an .npz file in the trace's folder")  # fmt: skip
        return str(target)

    def inputs(self, node: Node) -> None:
        for name, (where, value) in (self.mapping(node, "inputs") or {}).items():
            path = f"inputs.{name}"
            shape = self.dimensions(value, path)
            self.defined[name] = where
            if shape is not None:
                if self.batch is not None:
                    shape = (self.batch, *shape[1:])
                self.shapes[name] = shape
                self.tensors[name] = TensorSpec(name, shape, "input")
        if node.is_map and not node.value:
            self.wrong("trace.inputs", node.place, "inputs", "names no tensor", "write x: [1, 64]")

    def dimensions(self, node: Node, path: str) -> tuple[int, ...] | None:
        if not node.is_list or not 1 <= len(node.value) <= 4:
            self.wrong("trace.shape", node.place, path, "must be a list of 1 to 4 dimensions",
                       "write [batch, channels, height, width] or [batch, features]")  # fmt: skip
            return None
        sizes = [self.integer(item, f"{path}[{i}]", 1) for i, item in enumerate(node.value)]
        if None in sizes:
            return None
        return tuple(size for size in sizes if size is not None)

    def integer(self, node: Node, path: str, low: int, high: int = LARGEST_DIMENSION) -> int | None:
        rule = FieldRule(path, int, (), "", low, high, False, True)
        value = self.number(node, rule, path)
        return None if value is None else int(value)

    # -- operators -----------------------------------------------------------------------------

    def all_operators(self, node: Node) -> None:
        if not node.is_list or not node.value:
            self.wrong("trace.operators", node.place, "operators", "must be a list of operators",
                       "write - {name: fc, kind: gemm, input: x, n: 10}")  # fmt: skip
            return
        if len(node.value) > MOST_OPERATORS:
            self.wrong("trace.size", node.place, "operators",
                       f"are more than {MOST_OPERATORS}", "split the trace")  # fmt: skip
            return
        later = {str(item.value["output"][1].value) for item in node.value
                 if item.is_map and "output" in item.value}  # fmt: skip
        later |= {str(item.value["name"][1].value) for item in node.value
                  if item.is_map and "name" in item.value}  # fmt: skip
        for number, item in enumerate(node.value):
            self.operator(item, f"operators[{number}]", later)

    def operator(self, node: Node, path: str, later: set[str]) -> None:
        items = self.mapping(node, path)
        if items is None:
            return
        if "kind" not in items:
            self.wrong("key.missing", node.place, f"{path}.kind", "is missing",
                       "write kind: " + " | ".join(KINDS))  # fmt: skip
            return
        kind = self.choice(items["kind"][1], KINDS, f"{path}.kind")
        if kind is None:
            return
        required = ["name", "input", *REQUIRED.get(kind, ())]
        before = len(self.problems)
        self.keys(items, KIND_KEYS.get(kind, COMMON), path, required, node.place)
        name = self.text(items["name"][1], f"{path}.name") if "name" in items else None
        if name is not None and name in self.names:
            self.wrong("trace.name", items["name"][1].place, f"{path}.name",
                       f"{name!r} stands already in line {self.names[name].line}", "rename one")  # fmt: skip
        sources = self.sources(items, path, kind, later)
        if len(self.problems) > before or name is None or sources is None:
            if name is not None:
                self.names.setdefault(name, node.place)
                self.defined.setdefault(self.output_name(items, name), node.place)
            return
        self.names[name] = items["name"][1].place
        output = self.output_name(items, name)
        if output in self.defined:
            self.wrong("trace.output", node.place, f"{path}.output",
                       f"the tensor {output!r} stands already in line {self.defined[output].line}",
                       "rename it")  # fmt: skip
            return
        self.defined[output] = node.place
        build = {"gemm": self.gemm, "conv2d": self.conv}.get(kind, self.vector)
        op = build(items, path, name, kind, sources, output)
        if op is None or len(self.problems) > before:
            return
        self.operators.append(op)
        self.used.update(sources)
        self.shapes[output] = op.output_shape
        self.tensors[output] = TensorSpec(output, op.output_shape)

    @staticmethod
    def output_name(items: dict[str, tuple[Place, Node]], name: str) -> str:
        return str(items["output"][1].value) if "output" in items else name

    def sources(self, items: dict[str, tuple[Place, Node]], path: str, kind: str,
                later: set[str]) -> tuple[str, ...] | None:  # fmt: skip
        if "input" not in items:
            return None
        node = items["input"][1]
        nodes = node.value if node.is_list else [node]
        wanted = 2 if kind in ("add", "multiply") else 1
        if len(nodes) != wanted:
            self.wrong("trace.input", node.place, f"{path}.input",
                       f"names {len(nodes)} tensors, {kind} reads {wanted}",
                       "write input: x" if wanted == 1 else "write input: [x, y]")  # fmt: skip
            return None
        names = []
        for item in nodes:
            name = item.value
            if not isinstance(name, str) or name not in self.defined:
                known = ", ".join(list(self.shapes)[-8:])
                what = ("is computed only later: operators must stand in the order they run"
                        if name in later else "is not a tensor")  # fmt: skip
                self.wrong("trace.tensor", item.place, f"{path}.input", f"{name!r} {what}",
                           f"write one of: {known}")  # fmt: skip
                return None
            if name not in self.shapes:
                return None  # its own operator is wrong and was noted
            names.append(name)
        return tuple(names)

    def options(self, items: dict[str, tuple[Place, Node]], path: str, name: str) -> dict[str, Any]:
        """bias, activation, formats and groups of a MAC operator."""
        found: dict[str, Any] = {"weight": f"{name}.weight"}
        for key in ("weight", "bias"):
            if key in items:
                value = items[key][1].value
                if key == "bias" and isinstance(value, bool):
                    found[key] = f"{name}.bias" if value else None
                else:
                    found[key] = self.text(items[key][1], f"{path}.{key}")
        if "activation" in items:
            found["activation"] = self.choice(items["activation"][1], ACTIVATIONS,
                                              f"{path}.activation")  # fmt: skip
        integers = [n for n, record in FORMATS.items() if record.kind == "integer"]
        for key in ("input_format", "weight_format"):
            if key in items:
                found[key] = self.choice(items[key][1], integers, f"{path}.{key}")
        if "groups" in items:
            found["groups"] = self.integer(items["groups"][1], f"{path}.groups", 1)
        return found

    def parameters(self, op: Gemm | Conv2d, place: Place, path: str) -> None:
        """Register weight and bias tensors; the same name must have the same shape."""
        count = op.filters if isinstance(op, Conv2d) else op.n
        for name, shape, role in ((op.weight, op.weight_shape, "weight"),
                                  (op.bias, (count,), "bias")):  # fmt: skip
            if name is None:
                continue
            known = self.tensors.get(name)
            if known is not None and known.shape != shape:
                self.wrong("trace.weight", place, f"{path}.{role}",
                           f"{name} has shape {list(known.shape)} elsewhere, {list(shape)} here",
                           "give it another name")  # fmt: skip
                continue
            self.tensors[name] = TensorSpec(name, shape, role)

    def gemm(self, items: dict[str, tuple[Place, Node]], path: str, name: str, kind: str,
             sources: tuple[str, ...], output: str) -> Gemm | None:  # fmt: skip
        shape = self.shapes[sources[0]]
        place = items["input"][1].place
        options = self.options(items, path, name)
        n = self.integer(items["n"][1], f"{path}.n", 1)
        groups = options.pop("groups", None) or 1
        if len(shape) not in (2, 3) or (len(shape) == 3 and groups not in (1, shape[0])):
            self.wrong("trace.rank", place, f"{path}.input",
                       f"{sources[0]} has shape {list(shape)}, a gemm reads [m, k]",
                       "flatten it first")  # fmt: skip
            return None
        if len(shape) == 2 and groups != 1:
            self.wrong("trace.groups", items["groups"][1].place, f"{path}.groups",
                       "a gemm with groups reads [groups, m, k]", "leave groups out")  # fmt: skip
            return None
        if n is None or None in (options.get("activation", "none"), options["weight"]):
            return None
        groups = shape[0] if len(shape) == 3 else 1
        op = Gemm(name, sources[0], m=shape[-2], k=shape[-1], n=n, groups=groups, output=output,
                  **options)  # fmt: skip
        self.parameters(op, place, path)
        return op

    def pair(self, items: dict[str, tuple[Place, Node]], path: str, key: str, default: int,
             low: int) -> tuple[int, int] | None:  # fmt: skip
        if key not in items:
            return (default, default)
        node = items[key][1]
        if not node.is_list:
            value = self.integer(node, f"{path}.{key}", low, 4096)
            return None if value is None else (value, value)
        if len(node.value) != 2:
            self.wrong("trace.pair", node.place, f"{path}.{key}", "must be one or two numbers",
                       "write 3 or [3, 3]")  # fmt: skip
            return None
        first, second = (self.integer(item, f"{path}.{key}[{i}]", low, 4096)
                         for i, item in enumerate(node.value))  # fmt: skip
        return None if first is None or second is None else (first, second)

    def padding(self, items: dict[str, tuple[Place, Node]], path: str) -> tuple[
            int, int, int, int] | None:  # fmt: skip
        if "padding" not in items:
            return (0, 0, 0, 0)
        node = items["padding"][1]
        if node.is_list and len(node.value) == 4:
            sizes = [self.integer(item, f"{path}.padding[{i}]", 0, 4096)
                     for i, item in enumerate(node.value)]  # fmt: skip
            if any(size is None for size in sizes):
                return None
            return sizes[0], sizes[1], sizes[2], sizes[3]  # type: ignore[return-value]
        if node.is_list and len(node.value) != 2:
            self.wrong("trace.padding", node.place, f"{path}.padding",
                       "must be one, two or four numbers",
                       "write 1, [1, 1] or [top, left, bottom, right]")  # fmt: skip
            return None
        pair = self.pair(items, path, "padding", 0, 0)
        return None if pair is None else (pair[0], pair[1], pair[0], pair[1])

    def window(self, items: dict[str, tuple[Place, Node]], path: str, source: str) -> dict[
            str, Any] | None:  # fmt: skip
        """kernel, stride, padding, dilation, checked against the input tensor."""
        shape, place = self.shapes[source], items["input"][1].place
        if len(shape) != 4:
            self.wrong("trace.rank", place, f"{path}.input",
                       f"{source} has shape {list(shape)}, [batch, channels, height, width] is "
                       "needed", "give a tensor of four dimensions")  # fmt: skip
            return None
        kernel = self.pair(items, path, "kernel", 1, 1)
        pool = "filters" not in items
        stride = self.pair(items, path, "stride", 1, 1)
        dilation = self.pair(items, path, "dilation", 1, 1)
        padding = self.padding(items, path)
        if kernel is None or stride is None or dilation is None or padding is None:
            return None
        if pool and "stride" not in items:
            stride = kernel
        for axis, size in enumerate(shape[2:]):
            reach = dilation[axis] * (kernel[axis] - 1) + 1
            padded = size + padding[axis] + padding[axis + 2]
            if reach > padded:
                self.wrong("trace.kernel", items["kernel"][1].place, f"{path}.kernel",
                           f"reaches over {reach} of {padded} rows or columns (padding included)",
                           "make it smaller or pad more")  # fmt: skip
                return None
            if max(padding[axis], padding[axis + 2]) >= reach and padding[axis]:
                self.wrong("trace.padding", items["padding"][1].place, f"{path}.padding",
                           f"is as large as the kernel's reach {reach}",
                           "pad by less than the kernel's reach")  # fmt: skip
                return None
        return {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}

    def conv(self, items: dict[str, tuple[Place, Node]], path: str, name: str, kind: str,
             sources: tuple[str, ...], output: str) -> Conv2d | None:  # fmt: skip
        options = self.options(items, path, name)
        filters = self.integer(items["filters"][1], f"{path}.filters", 1)
        window = self.window(items, path, sources[0])
        if filters is None or window is None or options.get("groups", 1) is None:
            return None
        batch, channels, height, width = self.shapes[sources[0]]
        groups = options.get("groups", 1)
        if channels % groups or filters % groups:
            self.wrong("trace.groups", items["groups"][1].place, f"{path}.groups",
                       f"{groups} does not divide {channels} channels and {filters} filters",
                       "write a common divisor")  # fmt: skip
            return None
        op = Conv2d(name, sources[0], batch=batch, channels=channels, height=height, width=width,
                    filters=filters, output=output, **window, **options)  # fmt: skip
        self.parameters(op, items["input"][1].place, path)
        return op

    def vector(self, items: dict[str, tuple[Place, Node]], path: str, name: str, kind: str,
               sources: tuple[str, ...], output: str) -> VectorOperator | None:  # fmt: skip
        shape = self.shapes[sources[0]]
        place = items["input"][1].place
        if len(sources) == 2 and self.shapes[sources[1]] != shape:
            self.wrong("trace.shapes", place, f"{path}.input",
                       f"{sources[0]} has shape {list(shape)}, {sources[1]} "
                       f"{list(self.shapes[sources[1]])}", "give tensors of one shape")  # fmt: skip
            return None
        activation = "none"
        if "activation" in items:
            activation = self.choice(items["activation"][1], ACTIVATIONS, f"{path}.activation")
        if kind in ("max_pool", "average_pool"):
            window = self.window(items, path, sources[0])
            if window is None:
                return None
            del window["dilation"]
            (kh, kw), (sh, sw), (t, le, b, r) = (window[k] for k in ("kernel", "stride", "padding"))
            out = (*shape[:2], (shape[2] + t + b - kh) // sh + 1, (shape[3] + le + r - kw) // sw + 1)
            return VectorOperator(name, kind, sources, output, (shape,), out, **window)
        if kind == "global_average_pool":
            if len(shape) != 4:
                self.wrong("trace.rank", place, f"{path}.input", "needs four dimensions",
                           "give a tensor of four dimensions")  # fmt: skip
                return None
            return VectorOperator(name, kind, sources, output, (shape,), (*shape[:2], 1, 1))
        out = (shape[0], prod(shape[1:])) if kind == "flatten" else shape
        return VectorOperator(name, kind, sources, output, (shape,) * len(sources), out, activation=activation)

    def outputs(self, node: Node | None) -> list[str]:
        """The network's outputs: given, else whatever nobody reads."""
        made = [op.output for op in self.operators]
        if node is None:
            return [name for name in made if name not in self.used]
        nodes = node.value if node.is_list else [node]
        names = []
        for item in nodes:
            if item.value not in made:
                self.wrong("trace.tensor", item.place, "outputs",
                           f"{item.value!r} is not computed by any operator",
                           "write one of: " + ", ".join(made[-8:]))  # fmt: skip
            else:
                names.append(str(item.value))
        return names
