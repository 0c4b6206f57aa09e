"""Products on crossbars have the same bits on other CPU types and BLAS kernels."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from accelsim import jit
from accelsim.analog import Adc, Block, Drive, Scheme, Tile
from accelsim.devices import device_named
from accelsim.noise import Stream

WAYS: tuple[jit.Which, ...] = ("plain", "compiled")
ROOT = Path(__file__).parents[2]
GOLDEN = "002918a5e68fde50280332407d820c40c6ee698625f01396bc1e1466b408631c"


def digest() -> str:
    """Of products with every kind of noise, on three devices, plain and compiled."""
    draw = np.random.default_rng(3)
    weights, x = draw.integers(-127, 128, (300, 90)), draw.integers(-127, 128, (60, 300))
    base = Tile(
        device_named("pcm_like"),
        Scheme(),
        Drive(mean=0.4, rms=0.5),
        Adc(8),
        age=86400.0,
        compensation="affine",
        output_noise=0.02,
        johnson=True,
    )
    tiles = [
        base,
        replace(base, device=device_named("projected"), read_noise="fresh", seed=4),
        replace(base, read_noise="flicker", interval=2e-4, adc=Adc(8, gain_error=0.01)),
        replace(
            base,
            device=device_named("hermes_two"),
            scheme=Scheme(levels=8, slices=3),
            adc=Adc(6, gain_error=0.03, offset_error=0.01, nonlinearity=0.02),
        ),
        replace(
            base,
            scheme=Scheme(sign="flipped", devices=2, fill="in_turn"),
            drive=Drive(mode="bit_serial", phases=2),
        ),
    ]
    total = hashlib.sha256()
    for tile in tiles:
        block = Block(tile, weights, 127, 127, False, Stream(tile.seed, ("bits",)))
        for which in WAYS:
            with jit.only(which):
                found = Block(
                    tile, weights, 127, 127, False, Stream(tile.seed, ("bits",))
                ).multiply(x)
            assert (found == block.multiply(x)).all()
        total.update(found.astype("<i8").tobytes())
    return total.hexdigest()


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512_SKX"},
        {"NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F"},
        {"OPENBLAS_CORETYPE": "Haswell"},
        {"OPENBLAS_CORETYPE": "Prescott"},
        {"NUMBA_CPU_NAME": "generic"},
        {"NUMBA_DISABLE_JIT": "1"},
        {"OPENBLAS_NUM_THREADS": "2"},
    ],
)
def test_the_same_bits(environment: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from tests.analog.test_same_bits import digest; print(digest())"],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "ACCELSIM_CACHE_DIR": str(tmp_path),
            **environment,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == GOLDEN
