"""Element by element, inputs broadcast. Operations are named beside kinds that take several."""

from __future__ import annotations

from math import erf, sqrt

import numpy as np

from accelsim.workload.vector_kind import Array, VectorKind

TWO = (2, 2)


#: the normal distribution: the part of it below a value
normal = np.vectorize(lambda x: 0.5 * (1.0 + erf(x / sqrt(2.0))), otypes=[np.float64])


def _sigmoid(x: Array) -> Array:
    """By the exponential that does not grow."""
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x > 0, 1.0, small) / (1.0 + small))


def _one(*from_onnx: str, wide: bool = False) -> VectorKind:
    """One operation an element: a compare, an add, a look-up."""
    return VectorKind("same", onnx=(from_onnx[0], {}), from_onnx=from_onnx, wide=wide)


def _two(onnx: str, *from_onnx: str, wide: bool = False, **more: object) -> VectorKind:
    """One operation of two tensors."""
    kinds = (onnx, *from_onnx)
    return VectorKind("same", 1, TWO, onnx=(onnx, {}), from_onnx=kinds, wide=wide, **more)  # type: ignore[arg-type]


def _plain(operations: int, *from_onnx: str, wide: bool = False) -> VectorKind:
    """Several operations an element, of one tensor."""
    return VectorKind("same", operations, onnx=(from_onnx[0], {}), from_onnx=from_onnx, wide=wide)


KINDS = {
    "add": _two("Add", keys=("activation",)),
    "multiply": _two("Mul", keys=("activation",)),
    "relu": VectorKind("same", onnx=("Relu", {}), shares_scale=True),
    "subtract": _two("Sub"),
    "divide": _two("Div", "Mod", wide=True),
    "maximum": VectorKind("same", 1, TWO, onnx=("Max", {}), carries=True),
    "minimum": VectorKind("same", 1, TWO, onnx=("Min", {})),
    "power": _two("Pow", wide=True),
    "compare": VectorKind(
        "same",
        1,
        TWO,
        holds="int8",
        from_onnx=(
            "Equal",
            "Greater",
            "Less",
            "GreaterOrEqual",
            "LessOrEqual",
            "And",
            "Or",
            "Xor",
            "BitShift",
            "BitwiseAnd",
            "BitwiseOr",
            "BitwiseXor",
        ),
    ),
    "select": VectorKind("same", 1, (3, 3), indices=(0,)),
    "negate": _one("Neg"),
    "absolute": _one("Abs"),
    "exp": _one("Exp", "Sinh", "Cosh", wide=True),
    "log": VectorKind(
        "same",
        onnx=("Log", {}),
        from_onnx=("Log", "Asinh", "Acosh", "Atanh"),
        wide=True,
        decades=True,
    ),
    "sqrt": _one("Sqrt", wide=True),
    "reciprocal": _one("Reciprocal", wide=True),
    "erf": _one("Erf", wide=True),
    "sigmoid": _one("Sigmoid", wide=True),
    "tanh": _one("Tanh", wide=True),
    "sin": _one("Sin", "Tan", "Asin", "Atan", wide=True),
    "cos": _one("Cos", "Acos", wide=True),
    "round": VectorKind("same", onnx=("Round", {}), from_onnx=("Ceil", "Floor", "Round", "Sign")),
    "cast": VectorKind("same", from_onnx=("Cast",), moves=True, carries=True),
    "scale": VectorKind("same"),
    "shift": VectorKind("same"),
    "not": VectorKind("same", holds="int8", from_onnx=("Not", "BitwiseNot", "IsNaN", "IsInf")),
    "softplus": _one("Softplus", wide=True),
    "clip": VectorKind("same", 2, from_onnx=("ThresholdedRelu", "Shrink")),  # two compares
    "leaky_relu": VectorKind(  # multiply, select
        "same", 2, onnx=("LeakyRelu", {}), from_onnx=("LeakyRelu", "PRelu")
    ),
    "elu": _plain(3, "Elu", "Selu", "Celu", wide=True),  # exp, multiply, select
    "gelu": VectorKind(  # look up the normal distribution, multiply
        "same", 2, reals=lambda op, x, more: x[0] * normal(x[0]), from_onnx=("Gelu",), wide=True
    ),
    "silu": VectorKind(  # sigmoid, multiply
        "same",
        2,
        reals=lambda op, x, more: x[0] * _sigmoid(x[0]),
        from_onnx=("Swish",),
        wide=True,
    ),
    "mish": _plain(2, "Mish", wide=True),  # look up, multiply
    "hard_sigmoid": _plain(4, "HardSigmoid"),  # multiply, add, two compares
    "hard_swish": _plain(5, "HardSwish", "Softsign"),  # the same and a multiply
    "batch_norm": VectorKind("same", 2, parameters=("scale", "shift"), by_channel=True),
    "quantize": VectorKind("same", 3),  # multiply, add, clamp in one
    "dequantize": VectorKind("same", 2),  # add, multiply
    "rotary": VectorKind("same", 3, (1, 3)),  # two multiplies, one add
}
