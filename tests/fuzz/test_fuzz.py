"""Damaged files never crash, hang or trace: 1,000 a loader here, 20,000 with make test-full."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BATCH = 500
FULL = [pytest.param(block, marks=pytest.mark.full) for block in range(2, 40)]


@pytest.mark.parametrize("block", [0, 1, *FULL])
@pytest.mark.parametrize("kind", ["chip", "trace", "mapping", "values", "cfg", "csv", "sweep", "recorded",
                                  "arrays"])  # fmt: skip
def test_damaged_files(kind: str, block: int, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.worker", kind, str(block * BATCH), str(BATCH),
         str(tmp_path)], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert int(done.stdout) > BATCH // 4  # most edits do harm
