"""What every importer must keep. A test of one is a class that inherits ImporterContract and gives make(),
good and bad; tests of a user's own may do the same."""

from __future__ import annotations

import random
from pathlib import Path
from typing import ClassVar

import pytest

from accelsim.errors import InputError
from accelsim.importers.base import Importer, Reading
from accelsim.importers.library import (
    OPTIONS,
    OWN,
    Library,
    import_file,
    own_importers,
    wrong_with,
)
from accelsim.workload import Workload
from accelsim.workload.validity import wrong_in
from tests.fuzz.mutate import damaged

DAMAGED = 40  # copies with other bytes


class ImporterContract:
    """good: name and content of a file that is read. bad: content -> (code, line, column) of a problem of it."""

    good: tuple[str, bytes]
    bad: ClassVar[dict[bytes, tuple[str, int, int]]] = {}
    shares = False  # whether another importer has the suffix too

    def make(self) -> Importer:
        raise NotImplementedError

    def read(self, folder: Path, content: bytes, reading: Reading | None = None) -> Workload:
        path = folder / self.good[0]
        path.write_bytes(content)
        known = Library({"own": self.make(), OWN: own_importers()[OWN]})
        return import_file(path, reading or Reading(), known)

    def test_is_one(self) -> None:
        made = self.make()
        assert wrong_with(made) == "" and Path(self.good[0]).suffix in made.suffixes

    def test_reads_alike_every_time(self, tmp_path: Path) -> None:
        first, second = (self.read(tmp_path, self.good[1]) for _ in range(2))
        assert first == second and first.operators and first.macs > 0
        assert not wrong_in(first) and first.source == str(tmp_path / self.good[0])
        notes = (first.notes.get("assumed", ()), first.notes.get("unused", ()))
        assert all(isinstance(text, str) for listed in notes for text in listed)

    def test_knows_its_own_content(self, tmp_path: Path) -> None:
        made = self.make()
        assert made.sniff(self.good[1][: 1 << 16])
        for content in (b"", b"\xff" * 99, bytes(range(256))):
            assert made.sniff(content) in (True, False)
        if self.shares:
            assert not made.sniff(b"") or not made.sniff(b"- 1\n") or not made.sniff(b"a: 1\n")

    def test_what_it_does_not_take_is_refused(self, tmp_path: Path) -> None:
        given = {
            "batch": Reading(batch=2),
            "dims": Reading(dims={"n": 2}),
            "fixed": Reading(fixed={"x": 2.0}),
            "parameters": Reading(parameters={"n": 2}),
        }
        for name in set(given) - set(self.make().takes):
            with pytest.raises(InputError) as caught:
                self.read(tmp_path, self.good[1], given[name])
            (problem,) = caught.value.problems
            assert (problem.file, problem.code) == OPTIONS[name][:2]

    def test_every_problem_has_its_place(self, tmp_path: Path) -> None:
        for content, (code, line, column) in self.bad.items():
            with pytest.raises(InputError) as caught:
                self.read(tmp_path, content)
            places = {(p.code, p.line, p.column) for p in caught.value.problems}
            assert (code, line, column) in places, (content, places)
            assert {p.file for p in caught.value.problems} == {str(tmp_path / self.good[0])}

    def test_raises_nothing_else(self, tmp_path: Path) -> None:
        rng = random.Random(self.good[0])
        for _ in range(DAMAGED):
            try:
                self.read(tmp_path, damaged(self.good[1], rng, True))
            except InputError as error:
                assert error.problems
