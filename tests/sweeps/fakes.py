"""Sweeps without a simulator: quick points, slow ones, failures and crashes, by keys of the point."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from accelsim.errors import InputError, Problem
from accelsim.noise import Stream
from accelsim.store import Base, Failure, Point, Record, SweepSpec, Work
from accelsim.store.view import dump
from accelsim.sweeps.identity import identity

FAKE = "tests.sweeps.fakes:Fake"
OBJECTIVES = ("energy_chip_joules", "-throughput_per_second")


def sweep(**more: Any) -> SweepSpec:
    """A spec; execution={"delay": seconds, "marks": folder} reaches the fake evaluator."""
    bases = tuple(
        Base(name, f"{name}.yaml", "", (), name == "pcm", f"digest of {name}")
        for name in ("int8", "pcm")
    )
    return SweepSpec(
        "fake",
        "why?",
        "fake.yaml",
        "name: fake\n",
        bases,
        (Work("net", "net", None, "digest"),),
        **{"objectives": OBJECTIVES, **more},
    )


def points(count: int, **special: int) -> list[Point]:
    """So many points. special: what the point of a number does: fail=3, refuse=4, misfit=5, die=6,
    die_once=7, nan=8, grow=9."""
    doing = {number: what for what, number in special.items()}
    return [
        Point(
            "pcm" if number % 3 == 0 else "int8",
            "net",
            (("x", number), *((("do", doing[number]),) if number in doing else ())),
        )
        for number in range(count)
    ]


class Fake:
    """An evaluator whose figures are a function of the point alone."""

    def __init__(self, spec: SweepSpec, cache_folder: str | None) -> None:
        self.spec, self.identity = spec, identity(spec)
        self.delay = float(spec.execution.get("delay", 0))
        self.marks = Path(str(spec.execution.get("marks", ".")))

    def evaluate(self, point: Point) -> Record:
        begin = time.process_time()
        record = Record(self.identity.key(point), self.identity.model, point)
        until = time.monotonic() + self.delay
        while time.monotonic() < until:  # operators, as it were
            time.sleep(min(0.02, self.delay))
        sets = dict(point.sets)
        draws = Stream(int(str(sets["x"])), (point.base,)).uniform((2,))
        energy, rate = draws.tolist()
        record.measures = {"energy_chip_joules": energy, "throughput_per_second": rate * 1e3}
        record.parts = {"array": energy / 2, "dram": energy / 2}
        failure = self._special(str(sets.get("do", "")), point, record)
        if failure is not None:
            record.measures, record.parts, record.failure = {}, {}, failure
        record.run["cpu_s"] = time.process_time() - begin
        return record

    def _special(self, what: str, point: Point, record: Record) -> Failure | None:
        mark = self.marks / f"{what}-{record.key}"
        if what == "die" or (what == "die_once" and not mark.exists()):
            mark.touch()
            os._exit(9)
        if what == "raise":
            raise RuntimeError("a bug of an evaluator")
        if what == "grow_once":
            mark.write_text(mark.read_text() + "x" if mark.exists() else "x")
            return Failure("internal", "the first time") if mark.read_text() == "x" else None
        if what == "nan":
            record.measures["energy_chip_joules"] = float("nan")
        return {
            "fail": Failure("internal", "a bug"),
            "refuse": Failure("chip.rows", "a wrong key"),
            "misfit": Failure("mapping.fits", "no room", fits=False),
        }.get(what)


class Wrong:
    """An evaluator that cannot begin."""

    def __init__(self, spec: SweepSpec, cache_folder: str | None) -> None:
        raise InputError(Problem("sweep.wrong", "cannot begin"))


class Dead:
    """An evaluator that takes its process with it at once."""

    def __init__(self, spec: SweepSpec, cache_folder: str | None) -> None:
        os._exit(7)


def view(folder: Path) -> str:
    """The merged view, the bytes that must not differ."""
    return "\n".join(dump(folder))


class Rows(Fake):
    """For sweep files over units.array.rows: a bug at 16 rows."""

    def evaluate(self, point: Point) -> Record:
        rows = int(str(dict(point.sets)["units.array.rows"]))
        record = Record(self.identity.key(point), self.identity.model, point)
        if rows == 16:
            record.failure = Failure("internal", "a bug")
        else:
            record.measures = {"energy_chip_joules": 1.0 / rows, "latency_seconds": rows * 1e-6}
        return record


class Changed(Fake):
    """The files changed since the driver began."""

    def evaluate(self, point: Point) -> Record:
        record = super().evaluate(point)
        return Record("0" * len(record.key), record.model, point, record.measures, record.parts)
