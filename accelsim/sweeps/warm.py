"""Kernels compiled into the cache before workers need them: python -m accelsim.sweeps.warm."""

from __future__ import annotations

from accelsim import jit
from accelsim.energy.counts import tally
from accelsim.results.summary import operator_ticks
from accelsim.timing.pull import PULLING, run_pull
from accelsim.timing.timeline import unit_ticks

#: kernels of every run, among them the longest to compile and the last one of a run
WITNESSES: tuple[tuple[jit.Kernel, jit.Helpers], ...] = (
    (run_pull, PULLING),
    (unit_ticks, ()),
    (tally, ()),
    (operator_ticks, ()),
)


def cold() -> bool:
    """Whether kernels can be kept and are not yet."""
    return jit.keeping() and not all(jit.ready(*kernel) for kernel in WITNESSES)


def warm_kernels() -> None:
    """Run a small workload through every kernel of timing and energy, digital and PCM."""
    from accelsim import api

    workload = api.load_workload("small_cnn")
    with jit.only("compiled"):
        for name in ("int8_edge", "pcm_8level"):
            api.run(api.load_chip(name), workload)


if __name__ == "__main__":
    warm_kernels()
