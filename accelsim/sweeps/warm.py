"""Kernels compiled into the cache before workers need them: python -m accelsim.sweeps.warm [analog]."""

from __future__ import annotations

import sys

from accelsim import jit
from accelsim.energy.counts import tally
from accelsim.mapping.counted import count_rows
from accelsim.mapping.rows import crossbar
from accelsim.mapping.tilings.near import NEAR, near_best
from accelsim.program.shadow import HELPERS, scan
from accelsim.timing import events
from accelsim.timing.operators import operator_ticks
from accelsim.timing.pull import PULLING, run_pull
from accelsim.timing.timeline import unit_ticks

#: kernels of every run, among them the longest to compile and the last one of a run; and of crossbars'
WITNESSES: tuple[tuple[jit.Kernel, jit.Helpers], ...] = (
    (run_pull, PULLING),
    (scan, HELPERS),
    (count_rows, ()),
    (near_best, NEAR),
    (unit_ticks, ()),
    (tally, ()),
)


ANALOG: tuple[tuple[jit.Kernel, jit.Helpers], ...] = (
    (crossbar.crossbar_rows, crossbar.HELPERS),
    (events.run_events, events.HELPERS),
    (operator_ticks, ()),
)


def cold(analog: bool) -> bool:
    """Whether kernels can be kept and are not yet. analog: those of crossbars too."""
    wanted = (*WITNESSES, *(ANALOG if analog else ()))
    return jit.keeping() and not all(jit.ready(*kernel) for kernel in wanted)


def warm_kernels(analog: bool) -> None:
    """Take a small workload through every kernel of a point, digital and PCM; there whole runs too, which points with
    values are."""
    from accelsim import api
    from accelsim.sweeps.timed import every

    workload = api.load_workload("small_cnn")
    with jit.only("compiled"):
        every(api.load_chip("int8_edge"), workload, None)
        if analog:
            every(api.load_chip("pcm_8level"), workload, None)
            api.run(api.load_chip("pcm_8level"), workload)


if __name__ == "__main__":
    warm_kernels(analog="analog" in sys.argv[1:])
