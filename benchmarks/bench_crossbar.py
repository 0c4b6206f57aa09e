"""Crossbars: products, fresh read noise, programming, cells; ratios to float32 BLAS of the same size."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from accelsim.analog import Adc, Block, Drive, Tile, Wires, transfer_matrix
from accelsim.devices import device_named, statistical
from accelsim.devices.pulses import program_and_verify, pulses_named
from accelsim.noise import Stream

BARS = {
    "mvm_over_blas": 0.40,
    "fresh_over_blas": 0.20,
    "wires_over_blas": 0.40,
    "extraction_ms": 20_000.0,
    "flicker_per_s": 5000.0,
    "pulses_ms": 2000.0,
    "devices": 5e7,
}
SIZE, BATCH = 512, 1000


def best(work: Callable[[], object], repeats: int) -> float:
    """Least seconds of CPU."""
    found = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def warm(work: Callable[[], object]) -> None:
    """Runs it until what is compiled for much work is."""
    for _ in range(10):
        work()


def measure(scale: float) -> dict[str, float]:
    """Figures by name."""
    repeats = max(3, int(12 * scale))
    draw = np.random.default_rng(0)
    weights = np.rint(np.clip(draw.normal(0, 32, (SIZE, SIZE)), -127, 127)).astype(np.int64)
    x = draw.integers(-127, 128, (BATCH, SIZE))
    a, b = x.astype(np.float32), weights.astype(np.float32)
    blas = best(lambda: a @ b, 3 * repeats)
    base = Tile(
        statistical("pcm_like"),
        drive=Drive(mean=0.5, rms=0.58),
        adc=Adc(8),
        output_noise=0.04,
        age=3600.0,
        rows=SIZE,
        columns=SIZE,
    )

    def ratio(tile: Tile) -> float:
        block = Block(tile, weights, 127, 127, False, Stream(1))
        warm(lambda: block.multiply(x))
        return blas / best(lambda: block.multiply(x), repeats)

    found = {
        "mvm_over_blas": ratio(base),
        "fresh_over_blas": ratio(replace(base, read_noise="fresh")),
    }
    flicker = Block(
        replace(base, read_noise="flicker", interval=200e-9), weights, 127, 127, False, Stream(1)
    )
    runs = itertools.count()
    found["flicker_per_s"] = BATCH / best(lambda: flicker.multiply(x, next(runs) * BATCH), repeats)
    g = np.abs(weights) / 127 * 25e-6
    start = time.process_time()
    matrix = transfer_matrix(g, Wires(1.0, 1.0, 50.0, 50.0))
    found["extraction_ms"] = 1e3 * (time.process_time() - start)
    wired = Block(base, weights, 127, 127, False, Stream(1))
    wired.__dict__["weights"] = [[wired._on_grid(matrix.T / 25e-6)]]
    warm(lambda: wired.multiply(x))
    found["wires_over_blas"] = blas / best(lambda: wired.multiply(x), repeats)
    goal = np.abs(draw.normal(0, 8e-6, (2, SIZE, SIZE))).clip(0, 25e-6)
    pulses, pcm = pulses_named("iterative"), device_named("pcm_like")
    found["pulses_ms"] = 1e3 * best(lambda: program_and_verify(pulses, pcm, goal, Stream(1)), 2)

    def cells() -> None:
        made = pcm.program(goal[0], Stream(2))
        pcm.read(made, 3600.0, Stream(3))

    warm(cells)
    found["devices"] = goal[0].size / best(cells, repeats)
    return found


if __name__ == "__main__":
    for key, value in measure(1.0).items():
        print(key, f"{value:.4g}")
