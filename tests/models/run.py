"""make models: every model of the pinned wheels on a chip, as a table. run.py [NAME ...]"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import onnxruntime

from tests.models.measure import CASES, COUNT, GOOD, NEAR, measure, processor

CHIP = "int8_edge"


def cache() -> Path:
    """Where wheels and models are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "accelsim" / "models"


def main(wanted: list[str]) -> int:
    print(f"{CHIP}, {COUNT} seeded inputs; onnxruntime {onnxruntime.__version__} on {processor()}")
    print(
        f"dB against onnxruntime's float outputs; good: {GOOD:g}, or at most {NEAR:g} below quantize_static"
    )
    print(f"{'model':26} {'MMAC':>7} {'Mcycles':>8}  output: ours (onnxruntime INT8)")
    bad = 0
    for name in CASES:
        if wanted and not any(item in name for item in wanted):
            continue
        row = measure(name, cache(), CHIP)
        bad += not row.good
        if row.said:
            print(f"{name:26} refused: {row.said}", flush=True)
            continue
        theirs = row.theirs or {}
        values = ", ".join(
            f"{key} {value:.1f} ({theirs[key]:.1f})"
            if key in theirs
            else f"{key} {value:.1f} (none)"
            for key, value in row.ours.items()
        )
        mark = "" if row.good else "  BELOW"
        print(
            f"{name:26} {row.macs / 1e6:7.1f} {row.cycles / 1e6:8.2f}  {values}{mark}", flush=True
        )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
