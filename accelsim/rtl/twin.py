"""What steps a dataflow edge by edge: its signals, its elements, and its results read back.

The twin of a dataflow is the module of this folder that it names (``Dataflow.twin``), which has one as
TWIN. The register-transfer model and the Verilog take the same signals, cycle by cycle.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from accelsim.jit import Helpers, compiled
from accelsim.rtl.schedule import Layout, TilePass, Trace
from accelsim.rtl.word import fit_word
from accelsim.units.dataflows import dataflow

Ints = NDArray[np.int64]
#: by Verilog port, in the order in which the model's loop takes them; the first dimension is cycles
Signals = dict[str, Ints]


class Twin(ABC):
    """The elements of a dataflow. one_bit: its ports of one bit; others without a width of their own have 16."""

    one_bit: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def signals(self, plan: Layout, passes: Sequence[TilePass]) -> Signals:
        """What stands at the array's edges in every cycle."""

    @abstractmethod
    def run(self, plan: Layout, signals: Signals, compile_loops: bool) -> tuple[Ints, Ints]:
        """(out, out_valid): (edges, columns, lanes) and (edges, columns) of what the exit shows after
        every edge."""

    @abstractmethod
    def share(self, plan: Layout) -> tuple[int, ...]:
        """Results that each pass shows in a column."""

    @abstractmethod
    def results(self, plan: Layout, index: int, seen: Ints) -> Ints:
        """(m, n or more) results of pass ``index`` from what (columns, share, lanes) its columns showed."""

    @abstractmethod
    def verilog(self, plan: Layout) -> tuple[str, dict[str, int]]:
        """Verilog module and its parameters, of them COLUMNS, PW and what wide() counts."""

    @abstractmethod
    def widths(self, plan: Layout) -> dict[str, int]:
        """Bits of a word of the ports that carry operands."""

    def wide(self, plan: Layout) -> int:
        """Words side by side that a column shows."""
        return plan.held * plan.streamed

    def common(self, plan: Layout) -> dict[str, int]:
        """Verilog parameters of every array."""
        array = plan.array
        return {
            "ROWS": array.rows,
            "COLUMNS": array.columns,
            "LANES": plan.lanes,
            "PW": array.accumulator.bits,
            "SATURATE": int(array.accumulator.overflow == "saturate"),
        }

    def read_back(
        self, plan: Layout, passes: Sequence[TilePass], out: Ints, out_valid: Ints
    ) -> list[Trace]:
        """Traces of the passes from what the exit showed after every edge. Results leave a column in the
        order of the passes."""
        share = self.share(plan)
        edges = [np.flatnonzero(column) for column in out_valid.T]
        whole = all(len(column) == sum(share) for column in edges)
        traces, taken = [], 0
        for index, one in enumerate(passes):
            columns = plan.columns[index]
            if not whole:
                traces.append(Trace(-1, -1, None))
                continue
            at = np.stack([edges[j][taken : taken + share[index]] for j in range(columns)])
            taken += share[index]
            seen = out[at, np.arange(columns)[:, None]]
            flat = self.results(plan, index, seen)[:, : one.b.shape[1]]
            first, last = int(at.min()) - one.issue, int(at.max()) - one.issue
            traces.append(Trace(first, last, flat))
        return traces


def ready(
    kernel: Callable[..., None], compile_loops: bool, helpers: Helpers = (fit_word,)
) -> Callable[..., None]:
    """A model's loop, as machine code or as it stands; both mean the same. helpers: what it calls."""
    return compiled(kernel, helpers) if compile_loops else kernel


def twin_of(number: int) -> Twin:
    """The twin of a dataflow."""
    found = import_module(f"{__package__}.{dataflow(number).twin}").TWIN
    assert isinstance(found, Twin)
    return found
