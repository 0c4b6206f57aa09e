"""ZigZag's workload YAML: a list of layers as loop nests with an equation.

The letters of the equation say what a layer is: in W and O only, a filter; in I and O only, a row; in
all three, a group; in W and I only, a reduction. Layers with FX and FY are convolutions or pools.
"""

from __future__ import annotations

import re
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from accelsim.config.yaml_source import Node, load_yaml
from accelsim.errors import InputError, Problem
from accelsim.workload import Conv2d, Gemm, MacOperator, TensorSpec, VectorOperator, Workload
from accelsim.workload.validity import MOST_MACS

KNOWN = (
    "id",
    "name",
    "operator_type",
    "equation",
    "loop_dims",
    "loop_sizes",
    "dimension_relations",
    "operand_source",
    "operand_precision",
)
EQUATION = "write O[b][k]+=W[k][c]*I[b][c] with the loops of loop_dims"
LARGEST = 1 << 24
MOST_LAYERS = 20_000
RELATION = re.compile(r"\s*i([xy])\s*=\s*(?:(\d+)\s*\*)?\s*o\1\s*\+\s*(?:(\d+)\s*\*)?\s*f\1\s*$")


def load_zigzag(path: str | Path) -> Workload:
    """The Workload of a file. InputError with line and column for everything wrong."""
    root = load_yaml(path)
    reader = _Reader(str(path))
    if not root.is_list or not root.value:
        reader.wrong("kind", root, "", "is no list of layers", "give ZigZag's workload file")
        raise InputError(reader.problems)
    if len(root.value) > MOST_LAYERS:
        reader.wrong("size", root, "", f"has {len(root.value)} layers", "split it")
        raise InputError(reader.problems)
    for node in root.value:
        reader.layer(node)
    if reader.problems:
        raise InputError(reader.problems[:20])
    made = reader.workload(Path(path).stem)
    if made.macs > MOST_MACS:
        reader.wrong(
            "size", root, "", f"asks for {made.macs} multiply-accumulates", "use smaller layers"
        )
        raise InputError(reader.problems)
    return made


def is_zigzag(head: bytes) -> bool:
    """Whether a YAML file begins with a list, as ZigZag's do; traces and chips begin with a key."""
    text = head.decode("utf-8", "replace")
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and not line.startswith(("#", "---", "%"))), "")
    return first.startswith(("- ", "[")) or first == "-"


class _Layer(NamedTuple):
    """An entry of the list: its number, sizes by loop, the whole of it, and where its operands come from."""

    node: Node
    name: str
    number: int
    sizes: dict[str, int]
    plain: dict[str, Any]
    sources: dict[str, int]


def _are_loops(dims: Any, sizes: Any) -> bool:
    """Whether these are loops, each once, and a size of each."""
    if not isinstance(dims, list) or not isinstance(sizes, list) or len(dims) != len(sizes):
        return False
    names = {str(dim).upper() for dim in dims}
    return len(names) == len(dims) and all(type(n) is int and 0 < n <= LARGEST for n in sizes)


class _Reader:
    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self.operators: list[MacOperator | VectorOperator] = []
        self.tensors: dict[str, TensorSpec] = {}
        self.made: dict[Any, str] = {}  # id -> its output tensor
        self.assumed: list[str] = []
        self.unused: list[str] = []
        self.read: set[str] = set()
        self.batch = 1  # B of the first layer

    def wrong(self, code: str, node: Node, key: str, message: str, fix: str) -> None:
        self.problems.append(
            Problem(
                f"zigzag.{code}", message, fix, key, self.source, node.place.line, node.place.column
            )
        )

    def note(self, text: str) -> None:
        if text not in self.assumed:
            self.assumed.append(text)

    def layer(self, node: Node) -> None:
        """One entry of the list."""
        plain = node.plain()
        if (refused := self.refusal(plain)) is not None:
            code, key, message, fix = refused
            self.wrong(code, node, key, message, fix)
            return
        number = plain["id"]
        self.unused += [f"layer {number}: {key}" for key in plain if key not in KNOWN]
        precision = "operand_precision: the chip's formats are used"
        if "operand_precision" in plain and precision not in self.unused:
            self.unused.append(precision)
        dims, counts = plain["loop_dims"], plain["loop_sizes"]
        sizes = {str(dim).upper(): size for dim, size in zip(dims, counts, strict=True)}
        if not self.operators:
            self.batch = sizes.get("B", 1)
        sources = plain.get("operand_source") or {}
        one = _Layer(node, f"layer{number}", number, sizes, plain, sources)
        kind = str(plain.get("operator_type", "")).lower()
        before = len(self.problems)
        if "pool" in kind:
            self.pool(one)
        elif "add" in kind or "+=" not in plain["equation"]:
            self.add(one)
        elif "FX" in sizes or "FY" in sizes or "OX" in sizes:
            self.convolution(one)
        else:
            self.product(one)
        if len(self.problems) == before:
            self.made[number] = self.operators[-1].output

    def refusal(self, plain: Any) -> tuple[str, str, str, str] | None:
        """(code, key, what is wrong, what to write) of a layer that cannot be read."""
        needed = {"id", "equation", "loop_dims", "loop_sizes"}
        if not isinstance(plain, dict) or not needed <= set(plain):
            return "layer", "", "is no layer", "write id, equation, loop_dims and loop_sizes"
        number = plain["id"]
        if type(number) is not int or number in self.made:
            return "id", "id", f"is {number!r}", "give every layer a number of its own"
        if not _are_loops(plain["loop_dims"], plain["loop_sizes"]):
            fix = "write as many sizes above 0 as loop_dims has, each loop once"
            return "sizes", "loop_sizes", "are no whole numbers, one a loop", fix
        if not isinstance(plain.get("dimension_relations") or [], list):
            return "relation", "dimension_relations", "is no list", "write [ix=2*ox+1*fx]"
        sources = plain.get("operand_source") or {}
        if not isinstance(sources, dict) or any(type(one) is not int for one in sources.values()):
            what = "is no mapping to numbers of layers"
            return "source", "operand_source", what, "write I: 0 and W: 0"
        if not isinstance(plain["equation"], str):
            return "equation", "equation", f"is {plain['equation']!r}", EQUATION
        for value in sources.values():
            if value != number and value not in self.made:
                what = f"names {value!r}, no layer before this one"
                return "source", "operand_source", what, "order the layers"
        return None

    def relations(self, one: _Layer) -> dict[str, tuple[int, int]]:
        """(stride, dilation) by axis x, y."""
        found = {"x": (1, 1), "y": (1, 1)}
        for text in one.plain.get("dimension_relations") or []:
            match = RELATION.match(str(text))
            if match is None:
                what = f"{text!r} is not understood"
                self.wrong("relation", one.node, "dimension_relations", what, "write ix=2*ox+1*fx")
                continue
            found[match[1]] = (int(match[2] or 1), int(match[3] or 1))
        return found

    def operand(self, one: _Layer, key: str, shape: tuple[int, ...]) -> str:
        """The tensor an operand comes from, as it is: an input of its own where nothing made it, or where
        what made it does not have that many elements."""
        number = one.number
        origin = self.made.get(one.sources.get(key, number))
        if origin is not None and self.tensors[origin].elements == TensorSpec("", shape).elements:
            self.read.add(origin)
            if self.tensors[origin].shape == shape:
                return origin
            view = f"{origin}:{'x'.join(map(str, shape))}"
            if view not in self.tensors:
                self.put(
                    VectorOperator(
                        view, "reshape", (origin,), view, (self.tensors[origin].shape,), shape
                    )
                )
            self.read.add(view)
            return view
        if origin is not None:
            self.note(
                f"layer {number} reads {list(shape)}, {origin} is {list(self.tensors[origin].shape)}: "
                "it gets an input of its own"
            )
        name = f"input{number}" if key == "I" else f"input{number}_{key}"
        self.tensors[name] = TensorSpec(name, shape, "input")
        return name

    def put(self, op: MacOperator | VectorOperator) -> None:
        self.operators.append(op)
        self.tensors[op.output] = TensorSpec(op.output, op.output_shape)

    def plane(
        self, one: _Layer, relations: dict[str, tuple[int, int]], channels: int
    ) -> tuple[int, int, tuple[int, int, int, int]]:
        """Height and width of the input, and the padding that the output's size needs."""
        sizes = one.sizes
        origin = self.made.get(one.sources.get("I", one.number))
        shape = self.tensors[origin].shape if origin is not None else ()
        found, pads = [], []
        for position, axis in ((2, "Y"), (3, "X")):
            stride, dilation = relations[axis.lower()]
            need = (
                (sizes.get(f"O{axis}", 1) - 1) * stride
                + dilation * (sizes.get(f"F{axis}", 1) - 1)
                + 1
            )
            have = shape[position] if len(shape) == 4 and shape[1] == channels else need
            lack = need - have
            if lack <= 0:  # the last rows may stay unread: less than a stride of them
                have = have if -lack < stride else need
            found.append(have)
            pads.append(max(0, lack))
        if any(pads):
            self.note("padding is what the output's size needs beyond the input, half before it")
        top, left = pads[0] // 2, pads[1] // 2
        return found[0], found[1], (top, left, pads[0] - top, pads[1] - left)

    def convolution(self, one: _Layer) -> None:
        relations, sizes = self.relations(one), one.sizes
        groups = sizes.get("G", 1)
        channels, filters = groups * sizes.get("C", 1), groups * sizes.get("K", 1)
        height, width, padding = self.plane(one, relations, channels)
        shape = (sizes.get("B", 1), channels, height, width)
        op = Conv2d(
            one.name,
            self.operand(one, "I", shape),
            f"{one.name}.weight",
            one.name,
            *shape,
            filters,
            (sizes.get("FY", 1), sizes.get("FX", 1)),
            (relations["y"][0], relations["x"][0]),
            padding,
            (relations["y"][1], relations["x"][1]),
            groups,
        )
        if (op.out_height, op.out_width) != (sizes.get("OY", 1), sizes.get("OX", 1)):
            wanted = f"{sizes.get('OY', 1)} x {sizes.get('OX', 1)}"
            what = f"give {op.out_height} x {op.out_width} outputs, not {wanted}"
            self.wrong("shape", one.node, "loop_sizes", what, "mend the sizes")
            return
        self.tensors[op.weight] = TensorSpec(op.weight, op.weight_shape, "weight")
        self.put(op)

    def pool(self, one: _Layer) -> None:
        relations, sizes = self.relations(one), one.sizes
        channels = sizes.get("G", sizes.get("K", 1))
        height, width, padding = self.plane(one, relations, channels)
        shape = (sizes.get("B", 1), channels, height, width)
        out = (*shape[:2], sizes.get("OY", 1), sizes.get("OX", 1))
        self.note("pooling layers are max pools")
        self.put(
            VectorOperator(
                one.name,
                "max_pool",
                (self.operand(one, "I", shape),),
                one.name,
                (shape,),
                out,
                (sizes.get("FY", 1), sizes.get("FX", 1)),
                (relations["y"][0], relations["x"][0]),
                padding,
            )
        )

    def add(self, one: _Layer) -> None:
        shape = tuple(one.sizes.values())
        read = tuple(self.operand(one, key, shape) for key in ("I", "W"))
        self.put(VectorOperator(one.name, "add", read, one.name, (shape, shape), shape))

    def product(self, one: _Layer) -> None:
        name, sizes, equation = one.name, one.sizes, one.plain["equation"]
        letters = {}
        for operand in ("O", "W", "I"):
            match = re.search(rf"\b{operand}((?:\[\w+\])+)", equation)
            letters[operand] = re.findall(r"\w+", match[1].upper()) if match else []
        o, w, i = letters["O"], letters["W"], letters["I"]
        if not o or not w or not i or set(o + w + i) - set(sizes):
            what = f"{equation!r} is not understood"
            self.wrong("equation", one.node, "equation", what, EQUATION)
            return

        def extent(names: list[str]) -> int:
            return prod(sizes[letter] for letter in names)

        groups = extent([x for x in o if x in w and x in i])
        m = extent([x for x in o if x in i and x not in w])
        n = extent([x for x in o if x in w and x not in i])
        k = extent([x for x in w if x in i and x not in o])
        lead = (groups,) if groups > 1 else ()
        computed = one.sources.get("W", one.number) != one.number
        weight = self.operand(one, "W", (*lead, k, n)) if computed else f"{name}.weight"
        self.put(Gemm(name, self.operand(one, "I", (*lead, m, k)), weight, name, m, k, n, groups))
        if not computed:
            self.tensors[weight] = TensorSpec(weight, (*lead, k, n), "weight")

    def workload(self, name: str) -> Workload:
        """Everything read."""
        tensors = dict(self.tensors)
        for op in self.operators:
            if op.output not in self.read:
                tensors[op.output] = TensorSpec(op.output, op.output_shape, "output")
        notes = {"format": "zigzag", "assumed": self.assumed, "unused": self.unused}
        return Workload(
            name,
            tuple(self.operators),
            tensors,
            f"from {Path(self.source).name}",
            None,
            self.source,
            notes,
            batch=self.batch,
        )
