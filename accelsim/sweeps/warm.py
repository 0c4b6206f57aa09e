"""Kernels compiled into the cache before workers need them: python -m accelsim.sweeps.warm [analog]."""

from __future__ import annotations

import sys

from accelsim import jit
from accelsim.energy.counts import tally
from accelsim.mapping.rows import crossbar
from accelsim.results.summary import operator_ticks
from accelsim.timing import events
from accelsim.timing.pull import PULLING, run_pull
from accelsim.timing.timeline import unit_ticks

#: kernels of every run, among them the longest to compile and the last one of a run; and of crossbars'
WITNESSES: tuple[tuple[jit.Kernel, jit.Helpers], ...] = (
    (run_pull, PULLING),
    (unit_ticks, ()),
    (tally, ()),
    (operator_ticks, ()),
)


ANALOG: tuple[tuple[jit.Kernel, jit.Helpers], ...] = (
    (crossbar.crossbar_rows, crossbar.HELPERS),
    (events.run_events, events.HELPERS),
)


def cold(analog: bool) -> bool:
    """Whether kernels can be kept and are not yet. analog: those of crossbars too."""
    wanted = (*WITNESSES, *(ANALOG if analog else ()))
    return jit.keeping() and not all(jit.ready(*kernel) for kernel in wanted)


def warm_kernels(analog: bool) -> None:
    """Run a small workload through every kernel of timing and energy, digital and PCM."""
    from accelsim import api

    workload = api.load_workload("small_cnn")
    with jit.only("compiled"):
        for name in ("int8_edge", "pcm_8level") if analog else ("int8_edge",):
            api.run(api.load_chip(name), workload)


if __name__ == "__main__":
    warm_kernels(analog="analog" in sys.argv[1:])
