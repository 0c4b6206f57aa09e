"""make mutation: plants each seeded fault in a copy of the package; some test must fail.

Compiled code is switched off (NUMBA_DISABLE_JIT=1), so the plain twin of every kernel is tested.
Ends with status 1 and the list when a fault survives. Arguments: words that names must contain.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.mutation.faults import FAULTS  # noqa: E402

WORKERS = 2
#: faults in these are looked for in machine code; elsewhere plain functions are quicker to try
KERNELS = {
    "jit_dot.py",
    "analog/sums.py",
    "analog/converters.py",
    "noise/quick.py",
    "devices/statistical_kernels.py",
}


def survives(fault: tuple[str, str, str, str, str]) -> bool:
    """Whether all named tests pass with the fault in place."""
    _, file, text, wrong, tests = fault
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        skip = shutil.ignore_patterns("__pycache__")
        for part in ("accelsim", "tests"):
            shutil.copytree(ROOT / part, folder / part, ignore=skip)
        for part in ("configs", "workloads", "docs", "pyproject.toml", "README.md"):
            (folder / part).symlink_to(ROOT / part)
        target = folder / "accelsim" / file
        target.write_text(target.read_text().replace(text, wrong, 1))
        mode = {"ACCELSIM_CACHE_DIR": name} if file in KERNELS else {"NUMBA_DISABLE_JIT": "1"}
        environment = {
            **os.environ,
            "PYTHONPATH": str(folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            **mode,
        }
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-x",
                "-q",
                "-p",
                "no:cacheprovider",
                "-m",
                "not full",
                *tests.split(),
            ],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode not in (0, 1):
        print(done.stdout[-1500:] + done.stderr[-500:])
    return done.returncode != 1


def main(words: list[str]) -> int:
    chosen = [fault for fault in FAULTS if all(word in fault[0] for word in words)]
    with ThreadPoolExecutor(WORKERS) as pool:
        survived = []
        for fault, alive in zip(chosen, pool.map(survives, chosen), strict=True):
            print(f"{'SURVIVED' if alive else 'killed':9s} {fault[1]:28s} {fault[0]}", flush=True)
            if alive:
                survived.append(fault[0])
    print(f"{len(chosen) - len(survived)} of {len(chosen)} faults killed")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
