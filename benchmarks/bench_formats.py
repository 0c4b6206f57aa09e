"""Products in FP8 with 1-6-9 sums against float32 BLAS on one thread; quantisation.

Sides alternate in one process and the least CPU time of each counts. threads2_over_1 is the rate
of two threads over one with the CPU time that both really got: 2 if no work is added.
nearest_over_qpytorch takes QPyTorch's rate over BLAS from qpytorch_loop.json, which qpytorch_loop.py wrote.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from accelsim.formats import get
from accelsim.units.accumulation import Accumulation, accumulate, adder

BARS = {
    "nearest_over_blas": 0.25,
    "stochastic_over_blas": 0.10,
    "threads2_over_1": 1.8,
    "quantize_values": 200e6,
    "nearest_over_qpytorch": 100.0,
}
M, K, N = 256, 1024, 512


def least(work: Callable[[], object], repeats: int) -> float:
    """Seconds of CPU, the smallest of some."""
    best = float("inf")
    for _ in range(repeats):
        begin = time.process_time()
        work()
        best = min(best, time.process_time() - begin)
    return best


def measure(scale: float = 1.0) -> dict[str, float]:
    """Ratios and rates. BLAS and the sums alternate."""
    rng = np.random.default_rng(0)
    fp8 = get("fp8_152")
    a, b = fp8.quantize(rng.normal(size=(M, K))), fp8.quantize(rng.normal(size=(K, N)))
    left, right = a.astype(np.float32), b.astype(np.float32)
    repeats = max(3, int(12 * scale))
    figures: dict[str, float] = {}
    for name, rounding, bits in (
        ("nearest", "nearest_even", 12),
        ("stochastic", "stochastic", 8),
        ("stochastic_12_bits", "stochastic", 12),
    ):
        unit = adder(Accumulation("fp16_169", 64, rounding, random_bits=bits), "fp8_152", "fp8_152")
        accumulate(left, right, unit)  # compiles
        blas = ours = float("inf")
        for _ in range(repeats):
            blas = min(blas, least(lambda: left @ right, 1))
            ours = min(ours, least(lambda u=unit: accumulate(left, right, u), 1))  # type: ignore[misc]
        figures[f"{name}_over_blas"] = blas / ours
        figures[f"{name}_macs"] = M * K * N / ours
    peer = json.loads((Path(__file__).parent / "qpytorch_loop.json").read_text())
    figures["nearest_over_qpytorch"] = figures["nearest_over_blas"] / peer["over_blas"]
    unit = adder(Accumulation("fp16_169", 64), "fp8_152", "fp8_152")
    many = np.tile(left, (4, 1))
    one = least(lambda: accumulate(many, right, unit), repeats)
    two = least(lambda: accumulate(many, right, unit, threads=2), repeats)
    figures["threads2_over_1"] = 2 * one / two
    wide = adder(Accumulation("fp16_169", 64, "up"), "fp8_152", "fp8_152")
    figures["general_macs"] = M * K * N / 8 / least(lambda: accumulate(left[:32], right, wide), 3)
    x = rng.normal(size=1 << 21)
    for name, rounding in (("quantize", "nearest_even"), ("quantize_stochastic", "stochastic")):
        fp8.quantize(x, rounding)
        figures[f"{name}_values"] = x.size / least(lambda r=rounding: fp8.quantize(x, r), repeats)  # type: ignore[misc]
    return figures
