"""CPU time of the commands over a bare Python: every run a fresh process, the smallest of 21."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
BARS = {"help_ms": 60.0, "check_ms": 250.0}
COMMANDS = {
    "bare": ["-c", "pass"],
    "help": ["-m", "accelsim.cli.main", "--help"],
    "check": [
        "-m",
        "accelsim.cli.main",
        "check",
        "configs/chips/int8_edge.yaml",
        "workloads/resnet18.yaml",
    ],
    "small_run": ["-m", "accelsim.cli.main", "run", "int8_edge", "small_gemm"],
}


def cpu_ms(arguments: list[str]) -> float:
    """User and system milliseconds of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1e3


def measure(scale: float = 1.0) -> dict[str, float]:
    """Milliseconds of each command above a bare Python."""
    repeats = max(3, int(21 * scale))
    least = dict.fromkeys(COMMANDS, float("inf"))
    for _ in range(repeats):
        for name, arguments in COMMANDS.items():
            least[name] = min(least[name], cpu_ms(arguments))
    bare = least.pop("bare")
    return {"bare_ms": bare, **{f"{name}_ms": value - bare for name, value in least.items()}}
