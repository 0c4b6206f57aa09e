"""MAC operators of a layer trace: gemm and conv2d, with windows that pools share."""

from __future__ import annotations

from typing import Any

from accelsim.config.reader import FieldRule, Reader
from accelsim.config.yaml_source import Node, Place
from accelsim.formats import FORMATS
from accelsim.workload import Conv2d, Gemm, TensorSpec
from accelsim.workload.operators import ACTIVATIONS, OPERATOR_ROLES
from accelsim.workload.validity import LARGEST_DIMENSION, LARGEST_WINDOW, as_matrix, takes_taps

Items = dict[str, tuple[Place, Node]]


class MacReader(Reader):
    """Reads MAC operators; shapes and tensors are those known so far."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.tensors: dict[str, TensorSpec] = {}
        self.changed: set[str] = set()  # stored tensors whose next version stands already

    def integer(self, node: Node, path: str, low: int, high: int = LARGEST_DIMENSION) -> int | None:
        rule = FieldRule(path, int, (), "", low, high, False, True)
        value = self.number(node, rule, path)
        return None if value is None else int(value)

    def flag(self, node: Node, path: str) -> bool:
        """true or false."""
        if not isinstance(node.value, bool):
            self.wrong("type.flag", node.place, path, "must be true or false", "write true")
        return node.value is True

    def options(self, items: Items, path: str, name: str) -> dict[str, Any]:
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
            found["activation"] = self.choice(
                items["activation"][1], ACTIVATIONS, f"{path}.activation"
            )
        integers = [n for n, record in FORMATS.items() if record.kind == "integer"]
        for key in ("input_format", "weight_format"):
            if key in items:
                found[key] = self.choice(items[key][1], integers, f"{path}.{key}")
        if "groups" in items:
            found["groups"] = self.integer(items["groups"][1], f"{path}.groups", 1)
        if "weight_transposed" in items:
            found["weight_transposed"] = self.flag(
                items["weight_transposed"][1], f"{path}.weight_transposed"
            )
        return found | self.role(items, path)

    def role(self, items: Items, path: str) -> dict[str, Any]:
        """What an operator is for in a training step, where it is said."""
        if "role" not in items:
            return {}
        found = self.choice(items["role"][1], OPERATOR_ROLES, f"{path}.role")
        return {} if found is None else {"role": found}

    def is_changed(self, name: str, place: Place, path: str) -> bool:
        """Whether a stored tensor has been updated, so that it can be read no more (noted)."""
        if name in self.changed:
            message = f"{name} was updated before it"
            self.wrong("trace.updated", place, path, message, "let the update come behind it")
        return name in self.changed

    def parameters(self, op: Gemm | Conv2d, place: Place, path: str) -> None:
        """Register stored weights and biases; a name known before must have the same shape."""
        count = op.filters if isinstance(op, Conv2d) else op.n
        for name, shape, role in (
            (op.weight, op.weight_shape, "weight"),
            (op.bias, (count,), "bias"),
        ):
            if name is None or self.is_changed(name, place, f"{path}.{role}"):
                continue
            known = self.tensors.get(name)
            computed = known is not None and known.role not in ("weight", "bias")
            fits = known is None or (as_matrix(known.shape) if computed else known.shape) == shape
            if known is not None and not (
                fits or (role == "weight" and takes_taps(op, known.shape))
            ):
                self.wrong(
                    "trace.weight",
                    place,
                    f"{path}.{role}",
                    f"{name} has shape {list(known.shape)} elsewhere, {list(shape)} here",
                    "give it another name",
                )
                continue
            if known is None:
                self.tensors[name] = TensorSpec(name, shape, role)

    def gemm(
        self, items: Items, path: str, name: str, kind: str, sources: tuple[str, ...], output: str
    ) -> Gemm | None:
        shape = self.shapes[sources[0]]
        place = items["input"][1].place
        options = self.options(items, path, name)
        n = self.integer(items["n"][1], f"{path}.n", 1)
        groups = options.pop("groups", None) or 1
        if len(shape) not in (2, 3) or (len(shape) == 3 and groups not in (1, shape[0])):
            self.wrong(
                "trace.rank",
                place,
                f"{path}.input",
                f"{sources[0]} has shape {list(shape)}, a gemm reads [m, k]",
                "flatten it first",
            )
            return None
        if len(shape) == 2 and groups != 1:
            self.wrong(
                "trace.groups",
                items["groups"][1].place,
                f"{path}.groups",
                "a gemm with groups reads [groups, m, k]",
                "leave groups out",
            )
            return None
        if n is None or None in (options.get("activation", "none"), options["weight"]):
            return None
        groups = shape[0] if len(shape) == 3 else 1
        op = Gemm(
            name, sources[0], m=shape[-2], k=shape[-1], n=n, groups=groups, output=output, **options
        )
        self.parameters(op, place, path)
        return op

    def pair(
        self, items: Items, path: str, key: str, default: int, low: int
    ) -> tuple[int, int] | None:
        if key not in items:
            return (default, default)
        node = items[key][1]
        if not node.is_list:
            value = self.integer(node, f"{path}.{key}", low, LARGEST_WINDOW)
            return None if value is None else (value, value)
        if len(node.value) != 2:
            self.wrong(
                "trace.pair",
                node.place,
                f"{path}.{key}",
                "must be one or two numbers",
                "write 3 or [3, 3]",
            )
            return None
        first, second = (
            self.integer(item, f"{path}.{key}[{i}]", low, LARGEST_WINDOW)
            for i, item in enumerate(node.value)
        )
        return None if first is None or second is None else (first, second)

    def padding(self, items: Items, path: str) -> tuple[int, int, int, int] | None:
        if "padding" not in items:
            return (0, 0, 0, 0)
        node = items["padding"][1]
        if node.is_list and len(node.value) == 4:
            sizes = [
                self.integer(item, f"{path}.padding[{i}]", 0, LARGEST_WINDOW)
                for i, item in enumerate(node.value)
            ]
            if any(size is None for size in sizes):
                return None
            return sizes[0], sizes[1], sizes[2], sizes[3]  # type: ignore[return-value]
        if node.is_list and len(node.value) != 2:
            self.wrong(
                "trace.padding",
                node.place,
                f"{path}.padding",
                "must be one, two or four numbers",
                "write 1, [1, 1] or [top, left, bottom, right]",
            )
            return None
        pair = self.pair(items, path, "padding", 0, 0)
        return None if pair is None else (pair[0], pair[1], pair[0], pair[1])

    def window(self, items: Items, path: str, source: str) -> dict[str, Any] | None:
        """kernel, stride, padding, dilation, checked against the input tensor."""
        shape, place = self.shapes[source], items["input"][1].place
        if len(shape) != 4:
            self.wrong(
                "trace.rank",
                place,
                f"{path}.input",
                f"{source} has shape {list(shape)}, [batch, channels, height, width] is needed",
                "give a tensor of four dimensions",
            )
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
                self.wrong(
                    "trace.kernel",
                    items["kernel"][1].place,
                    f"{path}.kernel",
                    f"reaches over {reach} of {padded} rows or columns (padding included)",
                    "make it smaller or pad more",
                )
                return None
            if max(padding[axis], padding[axis + 2]) >= reach and padding[axis]:
                self.wrong(
                    "trace.padding",
                    items["padding"][1].place,
                    f"{path}.padding",
                    f"is as large as the kernel's reach {reach}",
                    "pad by less than the kernel's reach",
                )
                return None
        return {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}

    def conv(
        self, items: Items, path: str, name: str, kind: str, sources: tuple[str, ...], output: str
    ) -> Conv2d | None:
        options = self.options(items, path, name)
        filters = self.integer(items["filters"][1], f"{path}.filters", 1)
        window = self.window(items, path, sources[0])
        if filters is None or window is None or options.get("groups", 1) is None:
            return None
        batch, channels, height, width = self.shapes[sources[0]]
        groups = options.get("groups", 1)
        if channels % groups or filters % groups:
            self.wrong(
                "trace.groups",
                items["groups"][1].place,
                f"{path}.groups",
                f"{groups} does not divide {channels} channels and {filters} filters",
                "write a common divisor",
            )
            return None
        op = Conv2d(
            name,
            sources[0],
            batch=batch,
            channels=channels,
            height=height,
            width=width,
            filters=filters,
            output=output,
            **window,
            **options,
        )
        self.parameters(op, items["input"][1].place, path)
        return op
