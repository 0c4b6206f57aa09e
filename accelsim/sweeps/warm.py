"""Kernels compiled into the cache before workers need them: python -m accelsim.sweeps.warm."""

from __future__ import annotations

from accelsim import jit


def cold() -> bool:
    """Whether kernels can be kept and are not yet."""
    stamp = jit.stamp_file()
    return stamp is not None and not stamp.exists()


def warm_kernels() -> None:
    """Run a small workload through every kernel of timing and energy, digital and PCM."""
    from accelsim import api

    jit.warm()
    workload = api.load_workload("small_cnn")
    for name in ("int8_edge", "pcm_8level"):
        api.run(api.load_chip(name), workload)
    jit.note_warm()


if __name__ == "__main__":
    warm_kernels()
