"""Exact INT8 matrix products against the same product in float32 by BLAS."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent.parent))

from accelsim.numerics.gemm import exact_matmul

SIZES = ((512, 512, 512), (1024, 1024, 1024), (3136, 576, 64), (196, 2304, 256))
BARS = {"exact_over_blas": 0.5}


def ratio(m: int, k: int, n: int, repeats: int, rng: np.random.Generator) -> float:
    """Speed of the exact product over BLAS: both alternate, the smallest time of each counts."""
    a = rng.integers(-128, 128, (m, k)).astype(np.int8)
    b = rng.integers(-128, 128, (k, n)).astype(np.int8)
    left, right = a.astype(np.float32), b.astype(np.float32)
    exact = blas = float("inf")
    result: NDArray[np.int64] | None = None
    for _ in range(repeats):
        begin = time.perf_counter()
        result = exact_matmul(a, b)
        exact = min(exact, time.perf_counter() - begin)
        begin = time.perf_counter()
        left @ right
        blas = min(blas, time.perf_counter() - begin)
    assert result is not None
    column = a.astype(np.int64) @ b[:, 0].astype(np.int64)
    assert np.array_equal(result[:, 0], column)
    return blas / exact


def measure(scale: float = 1.0) -> dict[str, float]:
    """Ratio for each size, and their geometric mean (the figure with a bar)."""
    rng = np.random.default_rng(0)
    repeats = max(3, int(15 * scale))
    figures = {f"exact_over_blas_{m}x{k}x{n}": ratio(m, k, n, repeats, rng) for m, k, n in SIZES}
    figures["exact_over_blas"] = float(np.exp(np.mean(np.log(list(figures.values())))))
    return figures
