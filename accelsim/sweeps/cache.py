"""Results of parts of runs, by the digest of what they depend on: in memory, and in a folder.

Nothing is stored that was not computed from its key alone, so a hit and a miss give the same bytes. The
folder is shared by any number of processes: an entry is written beside its place and renamed, carries a
digest of its own content, and may vanish at any time. Both stay below a number of bytes; the oldest entries
go first.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections import OrderedDict
from pathlib import Path

MEMORY = 256 << 20  # bytes
FOLDER = 2 << 30  # bytes
EVERY = 256  # writes between two looks at the folder's size
DIGEST = 32  # bytes before an entry's content


class Cache:
    """Bytes by key. folder: None for memory only; one that cannot be written is not used."""

    def __init__(
        self, folder: Path | None = None, memory: int = MEMORY, limit: int = FOLDER
    ) -> None:
        self.folder, self.memory, self.limit = folder, memory, limit
        self.held: OrderedDict[str, bytes] = OrderedDict()
        self.bytes = self.writes = self.hits = self.misses = 0

    def get(self, key: str) -> bytes | None:
        """The bytes of a key, or None. key: hexadecimal."""
        found = self.held.get(key)
        if found is not None:
            self.held.move_to_end(key)
        elif self.folder is not None:
            found = self._read(key)
            if found is not None:
                self._hold(key, found)
        self.hits, self.misses = self.hits + (found is not None), self.misses + (found is None)
        return found

    def put(self, key: str, content: bytes) -> None:
        """Keep bytes under a key; a folder that is full or gone is not an error."""
        self._hold(key, content)
        if self.folder is None:
            return
        place = self._place(key)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            handle, draft = tempfile.mkstemp(dir=place.parent, prefix=".")
        except OSError:
            return
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(content).digest() + content)
            os.replace(draft, place)
        except OSError:
            Path(draft).unlink(missing_ok=True)
            return
        self.writes += 1
        if self.writes % EVERY == 0:
            self.shrink()

    def shrink(self) -> None:
        """Delete the folder's oldest entries until it is below its limit."""
        if self.folder is None:
            return
        entries = []
        for place in self.folder.glob("??/*"):
            try:
                stat = place.stat()
            except OSError:
                continue
            entries.append((stat.st_mtime_ns, stat.st_size, place))
        total = sum(size for _, size, _ in entries)
        for _, size, place in sorted(entries, key=lambda entry: (entry[0], str(entry[2]))):
            if total <= self.limit:
                return
            place.unlink(missing_ok=True)
            total -= size

    def _place(self, key: str) -> Path:
        assert self.folder is not None
        return self.folder / key[:2] / key[2:]

    def _read(self, key: str) -> bytes | None:
        try:
            whole = self._place(key).read_bytes()
        except OSError:
            return None
        content = whole[DIGEST:]
        return content if hashlib.sha256(content).digest() == whole[:DIGEST] else None

    def _hold(self, key: str, content: bytes) -> None:
        before = self.held.pop(key, None)
        self.bytes += len(content) - (len(before) if before is not None else 0)
        self.held[key] = content
        while self.bytes > self.memory and len(self.held) > 1:
            _, gone = self.held.popitem(last=False)
            self.bytes -= len(gone)
