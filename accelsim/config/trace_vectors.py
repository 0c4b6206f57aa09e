"""Vector operators of a layer trace: output shapes by kind."""

from __future__ import annotations

from math import prod
from typing import Any

from accelsim.config.reader import FieldRule, said
from accelsim.config.trace_macs import Items, MacReader
from accelsim.config.yaml_source import Node
from accelsim.workload import TensorSpec, VectorOperator
from accelsim.workload.kinds.moves import along
from accelsim.workload.operators import ACTIVATIONS
from accelsim.workload.validity import STORED
from accelsim.workload.vector_kinds import POOLS, VECTOR_KINDS

COMMON = ("name", "kind", "input", "output", "role")
Shape = tuple[int, ...]


def keys_of(kind: str) -> tuple[str, ...]:
    """Keys that an operator of this kind may have."""
    shape = () if kind in POOLS else ("shape",)
    factors = ("factors",) if VECTOR_KINDS[kind].factors else ()
    updates = ("updates",) if VECTOR_KINDS[kind].access == "same" else ()
    return (*COMMON, *VECTOR_KINDS[kind].keys, *factors, *updates, "parameters", *shape)


def required_of(kind: str) -> tuple[str, ...]:
    """Keys that it must have besides name and input."""
    record = VECTOR_KINDS[kind]
    needed = {"order", "axis", "factors"}
    needed |= {"kernel"} if record.per == "window" else set()
    needed |= {"shape"} if record.shaped else set()
    return tuple(key for key in keys_of(kind) if key in needed)


def broadcast(shapes: list[Shape]) -> Shape | None:
    """The shape that all are broadcast to, None when there is none."""
    rank = max(len(shape) for shape in shapes)
    out = [1] * rank
    for shape in shapes:
        for axis, size in enumerate(shape, rank - len(shape)):
            if size != 1 and out[axis] not in (1, size):
                return None
            out[axis] = max(out[axis], size)
    return tuple(out)


class VectorReader(MacReader):
    """Reads vector operators."""

    def vector(
        self, items: Items, path: str, name: str, kind: str, sources: tuple[str, ...], output: str
    ) -> VectorOperator | None:
        """One vector operator, or None when something is wrong."""
        shapes = tuple(self.shapes[source] for source in sources)
        activation = "none"
        if "activation" in items:
            activation = self.choice(items["activation"][1], ACTIVATIONS, f"{path}.activation")
        if kind in POOLS:
            return self.pool(items, path, name, kind, sources, output)
        out = self.output_shape(items, path, kind, sources)
        if out is None:
            return None
        order: tuple[int, ...] = ()
        if kind == "transpose":
            order = self.axes(items["order"][1], f"{path}.order", len(shapes[0])) or ()
        parameters = self.scales(items, path, name, kind, shapes[0])
        numbers = self.numbers(items, path, name, kind, sources)
        if numbers is None:
            return None
        return VectorOperator(
            name,
            kind,
            sources,
            output,
            shapes,
            out,
            activation=activation,
            parameters=parameters,
            order=order,
            **numbers,
        )

    def updated(self, node: Node, path: str, sources: tuple[str, ...]) -> str:
        """The stored tensor, one that is read, whose next version an operator makes; "" (noted) for any other."""
        stored = [name for name in sources if self.tensors[name].role in STORED]
        found: str | None = self.choice(node, stored, path)
        self.changed |= {found} if found else set()
        return found or ""

    def numbers(
        self, items: Items, path: str, name: str, kind: str, sources: tuple[str, ...]
    ) -> dict[str, Any] | None:
        """Role, updated tensor, offset, factors, window of what is no pool; None where one is wrong (noted)."""
        before = len(self.problems)
        found: dict[str, Any] = self.role(items, path)
        for key in ("kernel", "stride", "dilation"):
            if key in items:
                found[key] = self.pair(items, path, key, 1, 1)
        if "padding" in items:
            found["padding"] = self.padding(items, path)
        if "updates" in items:
            found["updates"] = self.updated(items["updates"][1], f"{path}.updates", sources)
        if "offset" in items:
            listed = self.several(items["offset"][1], f"{path}.offset")
            found["offset"] = tuple(self.integer(item, f"{path}.offset", 0) for item in listed)
        if "factors" in items:
            place = f"{path}.factors"
            rule = FieldRule(place, float, (), "", None, None, False, True)
            listed = self.several(items["factors"][1], place)
            found["factors"] = tuple(self.number(item, rule, place) for item in listed)
        known = VECTOR_KINDS[kind].factors
        given = len(found.get("factors", ()))
        if len(self.problems) == before and given != len(known):
            self.wrong(
                "trace.factors",
                items["name"][1].place,
                f"{path}.factors",
                f"{name} has {given} factors, a {kind} has {len(known)}",
                f"write [{', '.join(known)}]" if known else "leave them out",
            )
        return found if len(self.problems) == before else None

    def several(self, node: Node, path: str) -> list[Node]:
        """The entries of a list; none (noted) where there is no list."""
        if node.is_list:
            return list(node.value)
        self.wrong("type.list", node.place, path, f"must be a list, not {said(node)}", "write [0]")
        return []

    def pool(
        self, items: Items, path: str, name: str, kind: str, sources: tuple[str, ...], output: str
    ) -> VectorOperator | None:
        """A max or average pool."""
        window = self.window(items, path, sources[0])
        if window is None:
            return None
        del window["dilation"]
        shape = self.shapes[sources[0]]
        (kh, kw), (sh, sw), (t, le, b, r) = (window[k] for k in ("kernel", "stride", "padding"))
        out = (*shape[:2], (shape[2] + t + b - kh) // sh + 1, (shape[3] + le + r - kw) // sw + 1)
        window |= self.role(items, path)
        return VectorOperator(name, kind, sources, output, (shape,), out, **window)

    def scales(
        self, items: Items, path: str, name: str, kind: str, shape: Shape
    ) -> tuple[str, ...]:
        """Register the parameters of an operator, as written or as a normalisation has them."""
        if "parameters" in items:
            given = self.mapping(items["parameters"][1], f"{path}.parameters") or {}
            for parameter, (_, node) in given.items():
                size = self.stated(node, f"{path}.parameters.{parameter}", "", ())
                if size is not None:
                    self.tensors[parameter] = TensorSpec(parameter, size, "bias")
            return tuple(given)
        record = VECTOR_KINDS[kind]
        axis = 1 if record.by_channel else -1
        names = tuple(f"{name}.{suffix}" for suffix in record.parameters)
        for parameter in names:
            self.tensors[parameter] = TensorSpec(parameter, (shape[axis],), "bias")
        return names

    def output_shape(
        self, items: Items, path: str, kind: str, sources: tuple[str, ...]
    ) -> Shape | None:
        """The output's shape, None (noted) when the inputs do not go together."""
        shapes = [self.shapes[source] for source in sources]
        shape, place = shapes[0], items["input"][1].place
        if "shape" in items:
            return self.stated(items["shape"][1], f"{path}.shape", kind, shape)
        if kind == "global_average_pool":
            if len(shape) != 4:
                self.wrong(
                    "trace.rank",
                    place,
                    f"{path}.input",
                    "needs four dimensions",
                    "give a tensor of four dimensions",
                )
                return None
            return (*shape[:2], 1, 1)
        if kind == "flatten":
            return (shape[0], prod(shape[1:]))
        if kind == "transpose":
            order = self.axes(items["order"][1], f"{path}.order", len(shape))
            if order is not None and len(order) != len(shape):
                self.wrong(
                    "trace.axes",
                    items["order"][1].place,
                    f"{path}.order",
                    f"names {len(order)} of {len(shape)} axes",
                    "name every axis once",
                )
                return None
            return None if order is None else tuple(shape[axis] for axis in order)
        if VECTOR_KINDS[kind].access == "reduce":
            if "axes" not in items:
                self.wrong(
                    "key.missing", place, f"{path}.axes", "is missing", "write axes or shape"
                )
                return None
            axes = self.axes(items["axes"][1], f"{path}.axes", len(shape))
            return (
                None
                if axes is None
                else tuple(1 if axis in axes else size for axis, size in enumerate(shape))
            )
        found = self.joined(items, path, kind, shapes)
        if found is None:
            said = " and ".join(
                f"{source} {list(shape)}" for source, shape in zip(sources, shapes, strict=True)
            )
            fix = (
                "give tensors that differ along one axis only"
                if VECTOR_KINDS[kind].gathers_all
                else "give tensors of one shape, or with axes of 1"
            )
            self.wrong("trace.shapes", place, f"{path}.input", f"have the shapes {said}", fix)
        return found

    def joined(self, items: Items, path: str, kind: str, shapes: list[Shape]) -> Shape | None:
        """The shape of several tensors together, None when they do not fit one another."""
        record = VECTOR_KINDS[kind]
        if record.joined is not None:
            return record.joined(shapes)
        if "axis" not in record.keys:
            return broadcast(shapes)
        if any(len(shape) != len(shapes[0]) for shape in shapes):
            return None
        chosen = self.axes(items["axis"][1], f"{path}.axis", len(shapes[0]))
        return shapes[0] if chosen is None else along(shapes, chosen[0])  # None was noted

    def axes(self, node: Node, path: str, rank: int) -> tuple[int, ...] | None:
        """Distinct axes, from one number or a list."""
        nodes = node.value if node.is_list else [node]
        found = [self.integer(item, path, 0, rank - 1) for item in nodes]
        if None in found or not found:
            return None
        if len(set(found)) != len(found):
            self.wrong("trace.axes", node.place, path, "names an axis twice", "name each axis once")
            return None
        return tuple(axis for axis in found if axis is not None)

    def stated(self, node: Node, path: str, kind: str, source: Shape) -> Shape | None:
        """An output shape as written; -1 stands for what is left, in a reshape."""
        if not node.is_list or not node.value:
            self.wrong(
                "trace.shape", node.place, path, "must be a list of dimensions", "write [4, -1]"
            )
            return None
        low = -1 if kind == "reshape" else 1
        sizes = [self.integer(item, f"{path}[{i}]", low) for i, item in enumerate(node.value)]
        shape = [size for size in sizes if size is not None]
        if len(shape) != len(sizes):
            return None
        if kind != "reshape":
            return tuple(shape)
        known = prod(size for size in shape if size != -1)
        if shape.count(-1) == 1 and known and prod(source) % known == 0:
            shape[shape.index(-1)] = prod(source) // known
        if prod(shape) != prod(source) or min(shape) < 1:
            self.wrong(
                "trace.reshape",
                node.place,
                path,
                f"does not hold the {prod(source)} elements of {list(source)}",
                "write a shape of as many elements; one dimension may be -1",
            )
            return None
        return tuple(shape)
