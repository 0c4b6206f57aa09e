"""Shards of a store: append-only files of records, each written by one process that no other shares.

A record is one line and one write(2), so it is whole in the kernel's hands before the point counts as done:
no killed process takes it back. fsync comes every SYNC seconds and at the end; only a power cut may lose what
came after. A writer holds a lock on its shard while it lives, so that another process knows whether a half
line at the end is still being written or will never be.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from accelsim.errors import InputError, Problem
from accelsim.store.record import VERSION, Damaged, Record

PATTERN = "points-*.jsonl"
SYNC = 5.0  # seconds between two fsyncs
LONGEST_LINE = 1 << 20  # bytes; a longer line is no record


def shards(folder: Path) -> list[Path]:
    """The shards of a store, by name."""
    return sorted(folder.glob(PATTERN))


class ShardWriter:
    """Writes one new shard; the file is made with the first record. Raises OSError when it cannot be
    written; what was written before stays, whole lines only."""

    def __init__(self, folder: Path) -> None:
        host = re.sub(r"[^A-Za-z0-9]+", "_", socket.gethostname())[:32]
        self.path = folder / f"points-{host}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        self.handle, self.size, self.synced = -1, 0, 0.0

    def append(self, line: str) -> None:
        """Add one record, in one write."""
        if self.handle < 0:
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
            self.handle = os.open(self.path, flags, 0o644)
            _lock(self.handle)
            self.synced = time.monotonic()
        data = line.encode() + b"\n"
        try:
            done = os.write(self.handle, data)
            while done < len(data):  # a disk that is nearly full: the rest fails with the reason
                done += os.write(self.handle, data[done:])
        except OSError:
            os.ftruncate(self.handle, self.size)
            raise
        self.size += len(data)
        if (now := time.monotonic()) - self.synced > SYNC:
            os.fsync(self.handle)
            self.synced = now

    def close(self) -> None:
        """Bring everything to the disk and let go."""
        if self.handle >= 0:
            try:
                os.fsync(self.handle)
            finally:
                os.close(self.handle)
                self.handle = -1


def _lock(handle: int) -> bool:
    """Take the lock of an open file at once; False where another holds it or locks are unknown."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def repair(folder: Path) -> list[str]:
    """Take away half lines at the ends of shards whose writers are gone, and say so, a line a shard. Only
    files of the store itself: a symbolic link is somebody's own."""
    said = []
    for path in shards(folder):
        try:
            handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue  # a link, or a store that can only be read: the half line is passed over
        try:
            if not _half(handle) or not _lock(handle) or not (half := _half(handle)):
                continue
            os.ftruncate(handle, os.fstat(handle).st_size - half)
            os.fsync(handle)
            said.append(f"{path.name}: half a line of {half:,} bytes at its end, taken away")
        finally:
            os.close(handle)
    return said


def _half(handle: int) -> int:
    """Bytes behind the last newline of a file."""
    size = end = os.fstat(handle).st_size
    while end > 0:
        begin = max(0, end - (1 << 16))
        found = os.pread(handle, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return size - begin - found - 1
        end = begin
    return size


@dataclass(frozen=True, slots=True)
class Line:
    """A record's line and its place: offset and size in bytes, without the newline."""

    offset: int
    size: int
    raw: bytes


def lines(path: Path, start: int = 0) -> Iterator[Line]:
    """Whole lines from an offset on. One beyond LONGEST_LINE has empty raw and its size; what follows the
    last newline is left out."""
    with path.open("rb") as file:
        file.seek(start)
        offset = start
        while raw := file.readline(LONGEST_LINE + 1):
            size = len(raw)
            whole = raw.endswith(b"\n")
            while not whole and (more := file.readline(LONGEST_LINE)):
                raw, whole = b"", more.endswith(b"\n")
                size += len(more)
            if not whole:
                return
            yield Line(offset, size - 1, raw[:-1])
            offset += size


def parse(
    line: Line, path: Path, number: int, mine: Callable[[Record], bool] | None = None
) -> Record | str:
    """The record of a line, or what is wrong with it. mine: whether its key is the one that its point has.
    InputError for a record of another version."""
    if not line.raw:
        return "is empty" if line.size == 0 else f"is {line.size:,} bytes long"
    try:
        record = Record.parse(line.raw.decode())
        if mine is not None and not mine(record):
            return "has a key that is not its point's"
    except Damaged as error:
        return str(error)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, ValueError) and str(error).startswith("version "):
            raise InputError(other_version(str(path), str(error), number)) from None
        return "is no record"
    return record


def other_version(file: str, found: str, line: int = 0) -> Problem:
    """The refusal of a store that another version of this program wrote."""
    return Problem(
        "store.version",
        f"is of {found} of the store; this program reads version {VERSION}",
        "give another --store, --fresh to begin anew, or run the accelsim that wrote it",
        file=file,
        line=line,
        column=1 if line else 0,
    )
