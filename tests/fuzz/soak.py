"""make soak: so many altered copies of every loader's input, in processes of their own.

python -m tests.fuzz.soak --count 5000 --seed 0 [--kinds chip,run]. The seed chooses which copies; a failure
prints its number, which `python -m tests.fuzz.worker KIND NUMBER 1 FOLDER` reads again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.worker import SECONDS

ROOT = Path(__file__).parents[2]
KINDS = (
    "chip",
    "graph",
    "workload",
    "sweep",
    "mapping",
    "units",
    "device",
    "format",
    "zigzag",
    "onnxim",
    "cfg",
    "csv",
    "mnk",
    "inputs",
    "values",
    "onnx",
    "image",
    "run",
    "store",
    "recorded",
)
BATCH = 250  # copies a process
MEMORY = 2 << 30  # bytes that a process may use
SPACE = 1 << 32  # copies that a seed has for itself


def commit_seed() -> int:
    """A number from the hash of the commit; 0 where there is none."""
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return int(done.stdout[:8], 16) if done.returncode == 0 else 0


def batch(kind: str, first: int, count: int) -> str:
    """What is wrong with so many copies from a number on; "" where nothing is."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                [sys.executable, "-m", "tests.fuzz.worker", kind, str(first), str(count), folder],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                timeout=60 + 4 * SECONDS * count,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"{kind} {first}: a copy from here on never ends"
    if done.returncode != 0:
        return f"{kind} {first}..{first + count}: status {done.returncode}\n{done.stdout}{done.stderr[-4000:]}"
    refused, memory, _ = done.stdout.split()[-3:]
    if int(memory) > MEMORY:
        return f"{kind} {first}..{first + count}: {memory} bytes in use"
    if count >= BATCH and not count // 8 < int(refused):
        return f"{kind} {first}..{first + count}: only {refused} refused, the edits do no harm"
    return ""


def soak(kind: str, count: int, seed: int) -> list[str]:
    """Everything that is wrong with ``count`` copies of a kind."""
    numbers = range(seed * SPACE, seed * SPACE + count, BATCH)
    made = [batch(kind, first, min(BATCH, seed * SPACE + count - first)) for first in numbers]
    return [wrong for wrong in made if wrong]


def main() -> int:
    """Status of the process: 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", default=",".join(KINDS))
    asked = parser.parse_args()
    wrong = 0
    for kind in asked.kinds.split(","):
        found = soak(kind, asked.count, asked.seed)
        wrong += len(found)
        print(
            f"{kind}: {asked.count} copies, {'all read or refused' if not found else 'wrong:'}",
            flush=True,
        )
        for text in found:
            print(text, flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
