"""What the pass emitter needs to know of a dataflow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class DataflowRecord:
    """stationary: the operand a PRELOAD writes into the elements before the pass ("none": the
    outputs stay and nothing is preloaded). streamed: the dimension that runs through the array.

    The passes of a buffer tile run over m, then n, then k, the last one fastest, for every
    dataflow; the streamed dimension is one step. So a sum over k ends before the next begins,
    and partial sums of one pass height are live at a time.
    """

    number: int
    name: str
    stationary: Literal["none", "weight", "input"]
    streamed: Literal["m", "n", "k"]
