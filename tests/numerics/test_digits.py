"""Real images through the Program: accuracy of the committed networks, and bits that stay."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import accelsim
from accelsim.results.result import Result

ROOT = Path(__file__).parents[2]


def outputs(folder: Path) -> dict[str, bytes]:
    """Every result file but the time stamp; pictures left out."""
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if path.suffix in (".json", ".csv", ".npz")
    }


def run_cli(
    folder: Path, engine: str = "plain", extra: dict[str, str] | None = None
) -> dict[str, bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **(extra or {})}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "accelsim.cli.main",
            "run",
            "int8_edge",
            "digits_cnn",
            "--input",
            "digits",
            "--engine",
            engine,
            "--out",
            str(folder),
        ],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return outputs(folder)


def digits(chip: str, workload: str) -> Result:
    with np.load(ROOT / "workloads" / "digits.npz") as file:
        images, labels = file["images"] / 16, file["labels"]
    trace = accelsim.load_workload(workload, batch=len(images))
    spec = trace.tensors["x"]
    return accelsim.run(
        accelsim.load_chip(chip), trace, {"x": images.reshape(spec.shape)}, labels=labels
    )


@pytest.mark.parametrize("workload", ["digits_mlp", "digits_cnn", "digits_residual"])
def test_accuracy(workload: str) -> None:
    """INT8 within 0.2 points of FP32, INT4 within 3."""
    wide, narrow = digits("int8_edge", workload), digits("int4_edge", workload)
    assert wide.values and narrow.values
    best = wide.values.scores["top1_float"]
    top = [result.values.scores["top1"] for result in (wide, narrow) if result.values]
    print(f"{workload}: FP32 {best:.1%}, INT8 {top[0]:.1%}, INT4 {top[1]:.1%}")
    assert best > 0.97
    assert best - top[0] <= 0.002 + 1e-9
    assert best - top[1] <= 0.03


SAME = {
    "two_threads": {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2", "NUMBA_NUM_THREADS": "2"},
    "old_core": {
        "OPENBLAS_CORETYPE": "Nehalem",
        "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512_SKX AVX2 FMA3",
    },
    "haswell": {"OPENBLAS_CORETYPE": "Haswell", "NUMBA_CPU_NAME": "generic"},
    "no_jit": {"NUMBA_DISABLE_JIT": "1"},
}


def test_same_bytes_everywhere(tmp_path: Path) -> None:
    """One and two threads, plain and compiled, two other emulated CPU types."""
    base = run_cli(tmp_path / "base", extra={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"})
    assert {"result.json", "outputs.npz", "energy.csv"} <= set(base)
    others = {name: run_cli(tmp_path / name, extra=extra) for name, extra in SAME.items()}
    others["compiled"] = run_cli(tmp_path / "compiled", "compiled")
    for name, files in others.items():
        assert files == base, name


GOLDEN = {"digits_mlp": "d22f1df2d7771d0f", "digits_cnn": "1a71627e69d39415"}


@pytest.mark.parametrize("workload", GOLDEN)
def test_golden_bits(workload: str) -> None:
    """Sums of the last layer: a hash that only a change of the number model may change."""
    result = digits("int4_edge", workload)
    assert result.values
    total = hashlib.sha256()
    for name, codes in sorted(result.values.outputs.items()):
        total.update(name.encode() + np.ascontiguousarray(codes, np.int64).tobytes())
    assert total.hexdigest()[:16] == GOLDEN[workload]
