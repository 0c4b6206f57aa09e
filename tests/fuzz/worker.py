"""Loads altered copies of good inputs: python -m tests.fuzz.worker KIND FIRST COUNT FOLDER.

Ends with status 0 when every copy was read or refused with an InputError that names the file; prints how many
were refused and the most memory it took. Each copy has SECONDS of CPU, the process MEMORY bytes.
"""

from __future__ import annotations

import random
import resource
import signal
import sys
import time
import traceback
import warnings
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from accelsim.errors import InputError
from tests.fuzz.loaders import LOADERS

MEMORY = (
    6 << 30
)  # bytes of address space; of memory in use, half a copy's share is checked by the caller
SECONDS = 10.0  # a language model of the most layers takes 4 to be read, written and read again
COMPILING = 60.0  # of a copy that takes more: kernels are compiled once a machine
MOST_FAILURES = 10  # that are said


class Slow(BaseException):
    """A copy took more than its time."""


def _slow(number: int, frame: FrameType | None) -> None:
    raise Slow


def peak() -> int:
    """Bytes that this process has had in use at most. ru_maxrss is no measure of it: a child begins with its
    parent's."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    lines = status.read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) << 10


def within(seconds: float, loader: Any, seed: str) -> None:
    """Read a copy in so many seconds of this process, or raise Slow."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        loader.load(random.Random(seed))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def load(loader: Any, seed: str) -> None:
    """Read a copy. One that takes more than its time is read again, when what it compiled is kept."""
    try:
        within(SECONDS, loader, seed)
    except Slow:
        with suppress(InputError):
            within(COMPILING, loader, seed)
        within(SECONDS, loader, seed)


def main(kind: str, first: int, count: int, folder: Path) -> int:
    """Status of the process."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGPROF, _slow)
    loader = LOADERS[kind](folder)
    loader.load(random.Random(0), intact=True)  # what is compiled or read once
    refused, failed, slowest = 0, 0, 0.0
    for seed in range(first, first + count):
        begin = time.process_time()
        try:
            load(loader, f"{kind} {seed}")
        except InputError as error:
            refused += 1
            if not error.problems or not all(p.file and "\n" not in str(p) for p in error.problems):
                failed += 1
                print(f"{kind} {seed}: a problem without a file, or of several lines: {error}")
        except (Exception, Slow) as error:
            failed += 1
            where = "\n".join(traceback.format_exception(error)[-4:])
            print(f"{kind} {seed}: {type(error).__name__}: {error}\n{where}", flush=True)
        if failed >= MOST_FAILURES:
            break
        slowest = max(slowest, time.process_time() - begin)
    print(refused, peak(), f"{slowest:.2f}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))
