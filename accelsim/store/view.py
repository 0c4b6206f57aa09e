"""The merged view of a store: every point once, in the order of keys, whoever wrote it and when.

Of several records of one key a measured one stands before a failed one, and a refused design before a
point that went wrong: so the view does not depend on the order in which shards were written. Records
of equal rank differ in "run" alone; if not, the smaller text stands and the key is said to conflict.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from accelsim.store.folder import known
from accelsim.store.record import Record
from accelsim.store.shards import lines, parse, shards

SAID = 20  # bad lines that are said one by one
#: codes of failures that another try may mend; every other failure is an answer
UNSETTLED = ("internal", "worker.died")
MEASURED, REFUSED, WRONG = 0, 1, 2  # the standing of a record


@dataclass(slots=True)
class Index:
    """Where the record of each key stands.

    sizes: bytes of each shard by name, up to its last whole line. keys: sorted. standing: MEASURED, REFUSED or
    WRONG. shard, offset, size: of each key's line. notes: bad lines, for a person. conflicts: keys whose
    measured records disagree.
    """

    folder: Path
    sizes: dict[str, int] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    standing: bytearray = field(default_factory=bytearray)
    shard: array[int] = field(default_factory=lambda: array("i"))
    offset: array[int] = field(default_factory=lambda: array("q"))
    size: array[int] = field(default_factory=lambda: array("q"))
    notes: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)

    def settled(self) -> set[str]:
        """Keys that need not run again."""
        return {key for key, one in zip(self.keys, self.standing, strict=True) if one < WRONG}

    def records(self) -> Iterator[Record]:
        """The records in the order of keys."""
        files = [(self.folder / name).open("rb") for name in self.sizes]
        try:
            for number, shard in enumerate(self.shard):
                files[shard].seek(self.offset[number])
                yield Record.parse(files[shard].read(self.size[number]).decode())
        finally:
            for file in files:
                file.close()

    def record(self, number: int) -> Record:
        """The record of the key with this number."""
        with (self.folder / list(self.sizes)[self.shard[number]]).open("rb") as file:
            file.seek(self.offset[number])
            return Record.parse(file.read(self.size[number]).decode())


def index(folder: Path) -> Index:
    """The Index of a store's shards. Bad lines are passed over and noted; InputError for a line of another
    version."""
    made = Index(folder)
    found: dict[str, tuple[int, int, int, int]] = {}
    bad = 0
    paths, mine, anew = shards(folder), *known(folder)
    made.sizes = {path.name: 0 for path in paths}
    for number, path in enumerate(paths):
        for count, line in enumerate(lines(path), 1):
            made.sizes[path.name] = line.offset + line.size + 1
            record = parse(line, path, count, mine)
            if isinstance(record, str):
                bad += 1
                if bad <= SAID:
                    made.notes.append(
                        f"{path}:{count}: {record}; passed over, made anew by: {anew}"
                    )
                continue
            here = (standing(record), number, line.offset, line.size)
            before = found.get(record.key)
            if before is None or (before[0] >= here[0] and _better(made, record, before, here)):
                found[record.key] = here
    if bad > SAID:
        made.notes.append(f"{bad - SAID:,} more lines are no records; passed over")
    made.keys = sorted(found)
    for key in made.keys:
        rank, shard, offset, size = found[key]
        made.standing.append(rank)
        made.shard.append(shard)
        made.offset.append(offset)
        made.size.append(size)
    made.conflicts = sorted(set(made.conflicts))
    return made


def standing(record: Record) -> int:
    """How a record stands against another of its key: the smaller number stands."""
    if record.failure is None:
        return MEASURED
    return WRONG if record.failure.code in UNSETTLED else REFUSED


def _better(
    made: Index, record: Record, before: tuple[int, int, int, int], here: tuple[int, int, int, int]
) -> bool:
    """Whether a record of at least the same standing takes an earlier one's place."""
    if here[0] < before[0]:
        return True
    with (made.folder / list(made.sizes)[before[1]]).open("rb") as file:
        file.seek(before[2])
        old = lasting(Record.parse(file.read(before[3]).decode()))
    new = lasting(record)
    if new != old and here[0] == MEASURED:
        made.conflicts.append(record.key)
    return new < old


def lasting(record: Record) -> str:
    """The line of a record without "run": what two runs of a point have in common."""
    run, record.run = record.run, {}
    try:
        return record.line()
    finally:
        record.run = run


def dump(folder: Path) -> Iterator[str]:
    """The merged view as lines without "run": the same bytes for every undisturbed or resumed sweep."""
    return (lasting(record) for record in index(folder).records())


class Follower:
    """New keys in other processes' shards since the last look. sizes: what is known already."""

    def __init__(self, folder: Path, sizes: dict[str, int]) -> None:
        self.folder, self.sizes, self.mine = folder, dict(sizes), known(folder)[0]

    def news(self, own: set[str]) -> set[str]:
        """Keys settled since; own: names of shards to leave out."""
        found: set[str] = set()
        for path in shards(self.folder):
            start = self.sizes.get(path.name, 0)
            if path.name in own or path.stat().st_size <= start:
                continue
            for line in lines(path, start):
                self.sizes[path.name] = line.offset + line.size + 1
                record = parse(line, path, 0, self.mine)
                if not isinstance(record, str) and standing(record) < WRONG:
                    found.add(record.key)
        return found
