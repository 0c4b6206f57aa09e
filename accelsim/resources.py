"""Memory that a run may take: what the machine has free, and what the user allows of it."""

from __future__ import annotations

import os
from pathlib import Path

from accelsim.errors import InputError, Problem

SHARE = 0.8  # of what is free, when nothing else is said
TOO_MUCH = "memory.size"  # the code of the problem
VARIABLE = "ACCELSIM_MEMORY"  # bytes; --memory sets it, workers of a sweep inherit their part
_GROUP = Path("/sys/fs/cgroup")


def allowed_bytes() -> int:
    """Bytes that this process may take: the variable's, else SHARE of what is free."""
    said = os.environ.get(VARIABLE, "")
    return int(said) if said.isdecimal() else int(SHARE * free_bytes())


def require(need: int, what: str, fix: str, source: str = "") -> None:
    """InputError when ``need`` bytes are more than may be used. what: what needs them, in the plural. fix: what
    to do about it."""
    allowed = allowed_bytes()
    if need > allowed:
        raise InputError(
            Problem(
                TOO_MUCH,
                f"{what} need about {text(need)}, {text(allowed)} may be used",
                f"{fix}, or allow more: --memory",
                file=source,
            )
        )


def text(size: int) -> str:
    """Bytes for a person: 512 MiB, 1.5 GiB."""
    return f"{size / 2**30:,.1f} GiB" if size >= 1 << 30 else f"{size / 2**20:,.0f} MiB"


def free_bytes() -> int:
    """Bytes free for this process: of the machine, its control group and its own limit, the least."""
    return min(_machine(), _group(), _own())


def _machine() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return 1 << 62  # no way to know: nothing is refused


def _group() -> int:
    """What the control group leaves (containers, batch jobs)."""
    try:
        limit = (_GROUP / "memory.max").read_text().strip()
        if limit == "max":
            return 1 << 62
        stat = dict(line.split() for line in (_GROUP / "memory.stat").read_text().splitlines())
        used = int((_GROUP / "memory.current").read_text()) - int(stat.get("inactive_file", 0))
        return max(0, int(limit) - used)
    except (OSError, ValueError):
        return 1 << 62


def _own() -> int:
    """What ulimit -v leaves."""
    try:
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit == resource.RLIM_INFINITY:
            return 1 << 62
        used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        return max(0, limit - used)
    except (ImportError, OSError, ValueError):
        return 1 << 62
