"""Random small ONNX graphs of the supported operators, from a seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.importers.onnx_graphs import Model, normal

Rng = np.random.Generator
UNARY: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Relu", {}),
    ("Sigmoid", {}),
    ("Tanh", {}),
    ("Abs", {}),
    ("Neg", {}),
    ("Erf", {}),
    ("LeakyRelu", {"alpha": 0.2}),
    ("Elu", {"alpha": 0.7}),
    ("Selu", {}),
    ("Celu", {"alpha": 1.5}),
    ("HardSigmoid", {"alpha": 0.3, "beta": 0.4}),
    ("HardSwish", {}),
    ("Softplus", {}),
    ("Softsign", {}),
    ("Gelu", {}),
    ("Mish", {}),
    ("Identity", {}),
    ("Sin", {}),
    ("Cos", {}),
    ("Atan", {}),
    ("ThresholdedRelu", {"alpha": 0.5}),
    ("Shrink", {"lambd": 0.3, "bias": 0.1}),
)
REDUCTIONS = (
    "ReduceSum",
    "ReduceMean",
    "ReduceMax",
    "ReduceMin",
    "ReduceL1",
    "ReduceL2",
    "ReduceSumSquare",
    "ReduceLogSumExp",
)
BINARY = ("Add", "Sub", "Mul", "Max", "Min", "Add", "Mul")


class Grown:
    """A model that grows by one random operator at a time. floats: tensors with their shapes."""

    def __init__(self, seed: int) -> None:
        self.rng: Rng = np.random.default_rng([77, seed])
        self.model = Model(opset=20)
        shape = SHAPES[int(self.rng.integers(len(SHAPES)))]
        self.seed = seed
        self.count = 0
        self.floats: list[tuple[str, tuple[int, ...]]] = [
            (self.model.input("x", self.data(*shape)), shape)
        ]

    def data(self, *shape: int) -> np.ndarray:
        self.count += 1
        return normal(1000 * self.seed + self.count, *shape)

    def pick(self) -> tuple[str, tuple[int, ...]]:
        """One of the last tensors."""
        recent = self.floats[-4:]
        return recent[int(self.rng.integers(len(recent)))]

    def one_of(self, *items: Any) -> Any:
        return items[int(self.rng.integers(len(items)))]

    def constant(self, *shape: int) -> str:
        return self.model.constant(self.data(*shape))

    # -- one operator each -------------------------------------------------------------------------
    def unary(self) -> str:
        kind, keys = UNARY[int(self.rng.integers(len(UNARY)))]
        return str(self.model.node(kind, self.pick()[0], **keys))

    def softmax(self) -> str:
        x, shape = self.pick()
        return str(
            self.model.node(
                self.one_of("Softmax", "LogSoftmax"), x, axis=int(self.rng.integers(len(shape)))
            )
        )

    def clip(self) -> str:
        low, high = self.model.constant(np.float32(-0.5)), self.model.constant(np.float32(0.8))
        return str(
            self.model.node("Clip", self.pick()[0], *self.one_of((low, high), (low,), ("", high)))
        )

    def power(self) -> str:
        x = self.pick()[0]
        if self.one_of(True, False):
            return str(self.model.node("Pow", x, self.model.constant(np.float32(2))))
        positive = self.model.node(
            "Add", self.model.node("Abs", x), self.model.constant(np.float32(0.1))
        )
        return str(self.model.node(self.one_of("Sqrt", "Log", "Reciprocal"), positive))

    def binary(self) -> str:
        x, shape = self.pick()
        kind = self.one_of(*BINARY)
        same = [name for name, other in self.floats if other == shape]
        keep = int(self.rng.integers(len(shape) + 1))
        spread = tuple(size if self.one_of(True, False) else 1 for size in shape)
        other = self.one_of(
            same[-1],
            self.constant(),
            self.constant(*shape),
            self.constant(*shape[keep:]),
            self.constant(*spread),
        )
        return str(self.model.node(kind, *self.one_of((x, other), (other, x))))

    def divide(self) -> str:
        x, shape = self.pick()
        divisor = self.model.constant(
            np.abs(self.data(*self.one_of((), shape, shape[-1:]))) + np.float32(0.5)
        )
        return str(self.model.node("Div", x, divisor))

    def sums(self) -> str:
        x, shape = self.pick()
        names = [name for name, other in self.floats if other == shape][-2:]
        return str(
            self.model.node(
                self.one_of("Sum", "Mean", "Max", "Min"), x, *names, self.constant(*shape)
            )
        )

    def where(self) -> str:
        x, shape = self.pick()
        above = self.model.node(
            self.one_of("Greater", "Less", "GreaterOrEqual"), x, self.constant()
        )
        if self.one_of(True, False):
            above = self.model.node("Not", above)
        return str(self.model.node("Where", above, x, self.constant(*self.one_of((), shape, (1,)))))

    def reduce(self) -> str:
        x, shape = self.pick()
        axes = self.model.constant(np.array([int(self.rng.integers(len(shape)))]))
        return str(
            self.model.node(self.one_of(*REDUCTIONS), x, axes, keepdims=int(self.one_of(0, 1)))
        )

    def counted(self) -> str:
        """Integers: the place of the largest element looks rows up."""
        places = self.model.node(
            self.one_of("ArgMax", "ArgMin"), self.floats[0][0], axis=-1, keepdims=0
        )
        table = self.constant(int(self.floats[0][1][-1]) * 2, 3)
        if self.one_of(True, False):
            places = self.model.node(
                "Add",
                self.model.node("Mul", places, self.model.constant(np.array(2))),
                self.model.constant(np.array(1)),
            )
        return str(self.model.node("Gather", table, places))

    def moved(self) -> str:
        x, shape = self.pick()
        m, rng = self.model, self.rng
        axis = int(rng.integers(len(shape)))
        size = shape[axis]
        kind = self.one_of(
            "transpose",
            "reshape",
            "slice",
            "concat",
            "split",
            "pad",
            "unsqueeze",
            "flatten",
            "tile",
            "gather",
            "expand",
            "cast",
        )
        if kind == "transpose":
            return str(m.node("Transpose", x, perm=rng.permutation(len(shape)).tolist()))
        if kind == "reshape":
            return str(
                m.node(
                    "Reshape",
                    x,
                    m.constant(np.array(self.one_of([-1, shape[-1]], [shape[0], -1], [-1]))),
                )
            )
        if kind == "slice":
            low = int(rng.integers(size))
            return str(
                m.node(
                    "Slice",
                    x,
                    *(
                        m.constant(np.array([v]))
                        for v in (low, self.one_of(size, 1 << 60), axis, self.one_of(1, 2))
                    ),
                )
            )
        if kind == "concat":
            return str(
                m.node(
                    "Concat",
                    *self.one_of((x, self.constant(*shape)), (x, x), (self.constant(*shape), x)),
                    axis=axis,
                )
            )
        if kind == "split" and size > 1:
            parts = m.node("Split", x, m.constant(np.array([1, size - 1])), outputs=2, axis=axis)
            return str(parts[1])
        if kind == "pad":
            pads = np.zeros(2 * len(shape), np.int64)
            pads[axis], pads[axis + len(shape)] = 1, self.one_of(0, 2 if size > 2 else 0)
            mode = self.one_of("constant", "edge", "reflect") if size > 2 else "constant"
            return str(m.node("Pad", x, m.constant(pads), mode=mode))
        if kind == "flatten":
            return str(m.node("Flatten", x, axis=axis))
        if kind == "tile":
            return str(
                m.node(
                    "Tile",
                    x,
                    m.constant(np.array([2 if a == axis else 1 for a in range(len(shape))])),
                )
            )
        if kind == "gather":
            return str(
                m.node(
                    "Gather",
                    x,
                    m.constant(rng.integers(0, size, int(rng.integers(1, 4)))),
                    axis=axis,
                )
            )
        if kind == "expand":
            return str(m.node("Expand", x, m.constant(np.array([2, *[1] * len(shape)]))))
        if kind == "cast":
            whole = m.node(
                "Cast", m.node("Mul", x, m.constant(np.float32(7))), to=TensorProto.INT32
            )
            return str(m.node("Cast", whole, to=TensorProto.FLOAT))
        return str(m.node("Unsqueeze", x, m.constant(np.array([axis]))))

    def product(self) -> str:
        x, shape = self.pick()
        m, n = self.model, int(self.rng.integers(1, 7))
        kind = self.one_of("matmul", "batch", "two", "gemm", "left", "vector")
        if kind == "matmul" or len(shape) < 2:
            return str(m.node("MatMul", x, self.constant(shape[-1], n)))
        if kind == "batch":
            return str(m.node("MatMul", x, self.constant(*shape[:-2], shape[-1], n)))
        if kind == "two":
            order = [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2]
            return str(m.node("MatMul", x, m.node("Transpose", x, perm=order)))
        if kind == "left":
            return str(m.node("MatMul", self.constant(n, shape[-2]), x))
        if kind == "vector":
            return str(m.node("MatMul", x, self.constant(shape[-1])))
        flat = m.node("Flatten", x, axis=int(self.rng.integers(1, len(shape))))
        return self.gemm(flat, shape, n)

    def gemm(self, flat: str, shape: tuple[int, ...], n: int) -> str:
        m = self.model
        axis = int(m.nodes[-1].attribute[0].i)
        rows, k = int(np.prod(shape[:axis])), int(np.prod(shape[axis:]))
        first, second = self.one_of((0, 0), (1, 0), (0, 1), (1, 1))
        k, rows = (rows, k) if first else (k, rows)
        weight = self.constant(n, k) if second else self.constant(k, n)
        bias = self.one_of(
            (),
            (self.constant(n),),
            (self.constant(rows, 1),),
            (self.constant(1),),
            (self.constant(rows, n),),
        )
        return str(
            m.node(
                "Gemm",
                flat,
                weight,
                *bias,
                transA=first,
                transB=second,
                alpha=self.one_of(1.0, 0.5),
                beta=self.one_of(1.0, 2.0, 0.0),
            )
        )

    def windows(self) -> str:
        four = [item for item in self.floats if len(item[1]) in (3, 4) and min(item[1][2:]) > 2]
        if not four:
            return self.unary()
        x, shape = four[-1]
        m, rank, channels = self.model, len(shape) - 2, shape[1]
        kernel = [self.one_of(1, 2, 3) for _ in range(rank)]
        stride = [self.one_of(1, 1, 2) for _ in range(rank)]
        pads = [self.one_of(0, 1) if k > 1 else 0 for k in kernel * 2]
        kind = self.one_of("conv", "conv", "transposed", "max", "average", "global", "depth")
        keys: dict[str, Any] = {"strides": stride, "pads": pads}
        if kind == "conv":
            groups = self.one_of(1, channels)
            filters = groups * int(self.rng.integers(1, 4))
            if self.one_of(True, False, False):
                keys = {
                    "strides": stride,
                    "auto_pad": self.one_of("SAME_UPPER", "SAME_LOWER", "VALID"),
                }
            bias = self.one_of((), (self.constant(filters),))
            return str(
                m.node(
                    "Conv",
                    x,
                    self.constant(filters, channels // groups, *kernel),
                    *bias,
                    group=groups,
                    **keys,
                )
            )
        if kind == "transposed":
            return str(
                m.node("ConvTranspose", x, self.constant(channels, 2, *kernel), strides=stride)
            )
        if kind == "max":
            return str(
                m.node("MaxPool", x, kernel_shape=kernel, ceil_mode=self.one_of(0, 1), **keys)
            )
        if kind == "average":
            return str(
                m.node(
                    "AveragePool",
                    x,
                    kernel_shape=kernel,
                    count_include_pad=self.one_of(0, 1),
                    ceil_mode=self.one_of(0, 1),
                    **keys,
                )
            )
        if kind == "global":
            return str(m.node(self.one_of("GlobalAveragePool", "GlobalMaxPool"), x))
        return str(
            m.node("InstanceNormalization", x, self.constant(channels), self.constant(channels))
        )

    def norm(self) -> str:
        x, shape = self.pick()
        if len(shape) < 2:
            return self.unary()
        if self.one_of(True, False):
            return str(
                self.model.node(
                    "LayerNormalization", x, self.constant(shape[-1]), self.constant(shape[-1])
                )
            )
        c = shape[1]
        spread = self.model.constant(np.abs(self.data(c)) + np.float32(0.5))
        return str(
            self.model.node(
                "BatchNormalization",
                x,
                self.constant(c),
                self.constant(c),
                self.constant(c),
                spread,
            )
        )

    def grow(self) -> None:
        """One more operator, unless onnx finds that it does not fit."""
        m = self.model
        kept = len(m.nodes), len(m.constants)
        step: Callable[[], str] = self.one_of(
            self.unary,
            self.unary,
            self.softmax,
            self.clip,
            self.power,
            self.binary,
            self.binary,
            self.binary,
            self.divide,
            self.sums,
            self.where,
            self.reduce,
            self.counted,
            self.moved,
            self.moved,
            self.moved,
            self.product,
            self.product,
            self.windows,
            self.windows,
            self.windows,
            self.norm,
        )
        name = step()
        shape = self.shape_of(name)
        if shape is None or not 0 < int(np.prod(shape)) <= 4096 or len(shape) > 5 or not shape:
            del m.nodes[kept[0] :], m.constants[kept[1] :]
            return
        self.floats.append((name, shape))

    def shape_of(self, name: str) -> tuple[int, ...] | None:
        m = self.model
        described = [
            helper.make_tensor_value_info(
                key, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
            )
            for key, value in m.inputs.items()
        ]
        graph = helper.make_graph(
            m.nodes, "g", described, [onnx.ValueInfoProto(name=name)], m.constants
        )
        made = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", m.opset)], ir_version=10
        )
        try:
            found = onnx.shape_inference.infer_shapes(made, strict_mode=True, data_prop=True)
        except Exception:  # kinds of its own
            return None
        kind = found.graph.output[0].type.tensor_type
        if not kind.HasField("shape") or any(
            not dim.HasField("dim_value") for dim in kind.shape.dim
        ):
            return None
        return tuple(int(dim.dim_value) for dim in kind.shape.dim)


SHAPES: tuple[tuple[int, ...], ...] = (
    (1, 4, 6, 6),
    (2, 3, 8),
    (4, 8),
    (1, 2, 4, 8),
    (2, 6, 5, 4),
    (6, 5),
    (1, 3, 9, 7),
)


def random_model(seed: int, size: int = 8) -> tuple[Model, list[str]]:
    """(model, its outputs): the last tensor and sometimes one before."""
    grown = Grown(seed)
    for _ in range(size):
        grown.grow()
    for _ in range(20):
        if len(grown.floats) >= 3:
            break
        grown.grow()
    outputs = [grown.floats[-1][0]]
    if grown.one_of(True, False, False) and len(grown.floats) > 3:
        outputs.append(grown.floats[-2][0])
    return grown.model, outputs
