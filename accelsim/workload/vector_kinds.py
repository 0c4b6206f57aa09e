"""What the vector unit can be asked to do: each kind with its work an element.

An operation is one add, multiply, compare or table look-up (exp, erf, sigmoid, 1/x, 1/sqrt, ...) of
one lane; docs/layer_traces.md lists the counts with their derivation. Moving an element from one
place to another takes one too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: how an output depends on the inputs
Access = Literal[
    "same",  # element by element, inputs broadcast
    "window",  # pools
    "row",  # over the whole last axis, same shape
    "reduce",  # a whole axis or several become one element
    "move",  # elements change place
    "view",  # nothing moves
]


@dataclass(frozen=True, slots=True)
class VectorKind:
    """operations: element operations for each output element ("per" output) or each element of the
    first input ("per" input). inputs: fewest and most tensors read."""

    access: Access
    operations: int = 1
    inputs: tuple[int, int] = (1, 1)
    per: Literal["output", "input"] = "output"


def _kinds() -> dict[str, VectorKind]:
    many = (1, 1 << 10)
    kinds = {
        "add": VectorKind("same", 1, (2, 2)),
        "multiply": VectorKind("same", 1, (2, 2)),
        "relu": VectorKind("same"),
        "max_pool": VectorKind("window"),
        "average_pool": VectorKind("window"),
        "global_average_pool": VectorKind("reduce", 1, per="input"),
        "flatten": VectorKind("view", 0),
        "reshape": VectorKind("view", 0),
        "transpose": VectorKind("move"),
    }
    # one operation: compare, add, or look up
    for name in ("subtract", "divide", "maximum", "minimum", "power", "compare"):
        kinds[name] = VectorKind("same", 1, (2, 2))
    kinds["select"] = VectorKind("same", 1, (3, 3))
    for name in (
        "negate",
        "absolute",
        "exp",
        "log",
        "sqrt",
        "reciprocal",
        "erf",
        "sigmoid",
        "tanh",
        "sin",
        "cos",
        "round",
        "cast",
        "scale",
        "shift",
        "not",
        "softplus",
    ):
        kinds[name] = VectorKind("same")
    kinds |= {
        "clip": VectorKind("same", 2),  # two compares
        "leaky_relu": VectorKind("same", 2),  # multiply, select
        "elu": VectorKind("same", 3),  # exp, multiply, select
        "gelu": VectorKind("same", 2),  # look up the normal distribution, multiply
        "silu": VectorKind("same", 2),  # sigmoid, multiply
        "mish": VectorKind("same", 2),  # look up, multiply
        "hard_sigmoid": VectorKind("same", 4),  # multiply, add, two compares
        "hard_swish": VectorKind("same", 5),  # the same and a multiply
        "batch_norm": VectorKind("same", 2),  # multiply, add
        "quantize": VectorKind("same", 3),  # multiply, add, clamp in one
        "dequantize": VectorKind("same", 2),  # add, multiply
        "rotary": VectorKind("same", 3, (1, 3)),  # two multiplies, one add
        "lstm_cell": VectorKind("same", 6, (2, 2)),  # c: two sigmoids, tanh, two multiplies, add
        "lstm_output": VectorKind("same", 3, (2, 2)),  # h: sigmoid, tanh, multiply
        "gru_cell": VectorKind("same", 11, (3, 3)),  # 2 sigmoids, tanh; 5 adds, 3 multiplies
        "gru_reset": VectorKind("same", 3, (3, 3)),  # add, sigmoid, multiply
        "gru_update": VectorKind(
            "same", 7, (4, 4)
        ),  # 2 adds, sigmoid, tanh; subtract, multiply, add
        "softmax": VectorKind("row", 5),  # max, subtract, exp, sum, multiply
        "log_softmax": VectorKind("row", 5),  # max, subtract, exp, sum, subtract
        "layer_norm": VectorKind("row", 7),  # mean, subtract, square, sum, multiply; scale, shift
        "rms_norm": VectorKind("row", 4),  # square, sum, multiply; scale
        "lp_norm": VectorKind("row", 3),  # square, sum, multiply
        "group_norm": VectorKind("row", 7),  # as layer_norm
        "local_response_norm": VectorKind("row", 8),  # square, sum of five, look up, multiply
        "cumulative_sum": VectorKind("row"),
        "sort": VectorKind("row", 8),  # top of a row: compares along a tree
        "concat": VectorKind("move", 1, many),
        "resize": VectorKind("move", 1),
        "interpolate": VectorKind("move", 7),  # three pairs of weighted neighbours
        "col2im": VectorKind("move", 1, per="input"),  # adds of overlapping columns
        "scatter": VectorKind("move", 1, (2, 3)),
    }
    kinds["append"] = VectorKind(
        "move", 1, (2, 2)
    )  # rows behind those of a cache, which stays in place
    for name in ("slice", "pad", "expand", "unfold", "shuffle"):
        kinds[name] = VectorKind("move")
    kinds["gather"] = VectorKind("move", 1, (1, 2))
    for name in ("sum", "mean", "max", "min", "product", "arg_max"):
        kinds[f"reduce_{name}"] = VectorKind("reduce", 1, per="input")
    kinds["reduce_square"] = VectorKind("reduce", 2, per="input")  # square, add
    return kinds


VECTOR_KINDS = _kinds()
POOLS = ("max_pool", "average_pool")
