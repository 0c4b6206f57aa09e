"""One kind of vector operator: all that the rest of the program knows of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

if TYPE_CHECKING:
    from accelsim.workload.operators import VectorOperator

#: how an output depends on the inputs
Access = Literal[
    "same",  # element by element, inputs broadcast
    "window",  # pools
    "row",  # over the whole last axis, same shape
    "reduce",  # a whole axis or several become one element
    "move",  # elements change place
    "view",  # nothing moves
]
Shape = tuple[int, ...]
Array = NDArray[Any]
Reals = Callable[["VectorOperator", Sequence[Array], Sequence[Array]], Array | None]


@dataclass(frozen=True, slots=True)
class VectorKind:
    """What it costs: operations: element operations for each output element ("per" output), for each element of
    the first input ("per" input), or ("per" window) for each place of the kernel at each output element of a pool, at
    each element of the first input of a pool's gradient. inputs: fewest and most tensors read.

    In a layer trace: keys: beside name, input and output. shaped: the output's shape is written, because it
    follows from data or from other keys of a model. parameters: suffixes of small tensors of its own, as long
    as the last axis, or as the channels (by_channel). factors: names of the numbers that it computes with. joined:
    the output's shape from the inputs' where they are not broadcast; None where they do not go together.

    Values: reals: from the inputs and the parameters, float64, in the output's shape or one that can be
    reshaped to it; None where the operator does not say them. onnx: else the ONNX operator, with attributes,
    whose reference computes them. A kind with neither has values only where a model's node gives them.
    from_onnx: ONNX operators that become it.

    Formats: wide: 8-bit codes of it would lose most (logarithms, exponentials, quotients, norms, cells), so it
    has 16 bits. decades: what it reads spans decades. holds: integer format of what it gives, "" for reals.
    indices: inputs that are integers, whatever made them. moves: the output holds elements of the first
    input, of all of them with gathers_all. carries: of two elements the larger, or an input's own, so that a
    floor of the output is one of the inputs (numerics/floors.py). shares_scale: the output has its input's.
    """

    access: Access
    operations: int = 1
    inputs: tuple[int, int] = (1, 1)
    per: Literal["output", "input", "window"] = "output"
    keys: tuple[str, ...] = ()
    shaped: bool = False
    parameters: tuple[str, ...] = ()
    by_channel: bool = False
    factors: tuple[str, ...] = ()
    joined: Callable[[Sequence[Shape]], Shape | None] | None = None
    reals: Reals | None = None
    onnx: tuple[str, Mapping[str, Any]] | None = None
    from_onnx: tuple[str, ...] = ()
    wide: bool = False
    decades: bool = False
    holds: str = ""
    indices: tuple[int, ...] = ()
    moves: bool = False
    gathers_all: bool = False
    carries: bool = False
    shares_scale: bool = False
