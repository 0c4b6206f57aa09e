"""A point of a sweep and what came of it: one JSON line each.

A line is {"v", "key", "model", "point", "ok", "measures", "parts", "aged", "error", "run", "sum"}. Everything
but "run" (CPU seconds, time of day, worker, tries) and "sum" (checksum of the others' bytes) is a function of
the point: two runs of one point give the same bytes there.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

from accelsim.store.spec import Plain

VERSION = 2
TAIL = len(',"sum":"0123456789abcdef"}')  # characters of a line's checksum
SIGNED = ("signal_to_noise_db",)  # measures that may be negative
LARGEST = 1e300  # of a measure's magnitude
_KEY = re.compile(r"[0-9a-f]{32}")


class Damaged(ValueError):
    """A record or file that is not what was written."""


def signed(body: str) -> str:
    """A JSON object's text with its checksum, 64 bits, as its last key."""
    return f'{body[:-1]},"sum":"{_sum(body.encode())}"}}'


def unsigned(line: str) -> str:
    """The inverse of signed(). Damaged where the checksum is another."""
    body = line[:-TAIL] + "}"
    if signed(body) != line:
        raise Damaged("is not what was written: its checksum is another")
    return body


def checksum(whole: dict[str, Any]) -> str:
    """The checksum of plain values."""
    return _sum(canonical(whole).encode())


def _sum(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:16]


def canonical(value: Any) -> str:
    """JSON in one fixed form."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, slots=True)
class Point:
    """One thing to run: a base with keys replaced, on a workload.

    sets: (key, value in the chip file's syntax), sorted by key, over the base's own. search:
    objective of the mapper, None for default mappings. seed: of cells and noise.
    """

    base: str
    work: str
    sets: tuple[tuple[str, Plain], ...]
    search: str | None = None
    seed: int = 0

    def plain(self) -> dict[str, Any]:
        """As the record shows it."""
        return {
            "base": self.base,
            "workload": self.work,
            "set": dict(self.sets),
            "search": self.search,
            "seed": self.seed,
        }

    def key(self, model: str, base_digest: str, work_digest: str, settings: str) -> str:
        """What identifies the point's result: digests of chip and workload, what is replaced, the
        search, the seed, settings (digest of what is measured and how) and the model's version."""
        whole = [
            model,
            base_digest,
            sorted(self.sets),
            work_digest,
            self.search,
            self.seed,
            settings,
        ]
        return hashlib.sha256(canonical(whole).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a point has no measures. code: of the Problem, or "internal" for a bug. fits: False where the
    design is impossible (weights or tiles that do not fit), which is an answer and no fault."""

    code: str
    message: str
    fits: bool = True


@dataclass(slots=True)
class Record:
    """measures: SI numbers by name, the unit in the name; of a failed point empty. parts: joules by
    component (keys of report/style.py COMPONENTS). aged: values by age and temperature: {"age_s",
    "temperature_K", "top1", "signal_to_noise_db"}. run: cpu_s, at, worker, tries."""

    key: str
    model: str
    point: Point
    measures: dict[str, float] = field(default_factory=dict)
    parts: dict[str, float] = field(default_factory=dict)
    aged: list[dict[str, float | None]] = field(default_factory=list)
    failure: Failure | None = None
    run: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether there are measures."""
        return self.failure is None

    def line(self) -> str:
        """The JSON line with its checksum, without the newline."""
        failure = (
            None
            if self.failure is None
            else {
                "code": self.failure.code,
                "message": self.failure.message,
                "fits": self.failure.fits,
            }
        )
        return signed(
            canonical(
                {
                    "v": VERSION,
                    "key": self.key,
                    "model": self.model,
                    "point": self.point.plain(),
                    "ok": self.ok,
                    "measures": self.measures,
                    "parts": self.parts,
                    "aged": self.aged,
                    "error": failure,
                    "run": self.run,
                }
            )
        )

    @classmethod
    def parse(cls, line: str) -> Record:
        """The inverse of line(); Damaged where it is not what was written, ValueError, KeyError, TypeError or
        AttributeError for anything else."""
        try:
            body = unsigned(line)
        except Damaged:
            whole = json.loads(line)  # a line of another version has no checksum of ours
            if "sum" in whole:
                raise
            raise ValueError(
                f"version {whole['v']}" if whole["v"] != VERSION else "no checksum"
            ) from None
        whole = json.loads(body, parse_constant=_refused)
        if whole["v"] != VERSION:
            raise ValueError(f"version {whole['v']}")
        p, error = whole["point"], whole["error"]
        point = Point(p["base"], p["workload"], tuple(p["set"].items()), p["search"], p["seed"])
        failure = None if error is None else Failure(error["code"], error["message"], error["fits"])
        found = cls(
            whole["key"],
            whole["model"],
            point,
            whole["measures"],
            whole["parts"],
            whole["aged"],
            failure,
            whole["run"],
        )
        if not found.sound() or whole["ok"] is not found.ok:
            raise ValueError("parts of a wrong kind")
        return found

    def sound(self) -> bool:
        """Whether the parts have the kinds that readers rely on, and every number is finite."""
        point, failure, run = self.point, self.failure, self.run
        words = [self.model, point.base, point.work, *(name for name, _ in point.sets)]
        figures = [*self.measures.values(), *self.parts.values()]
        least = [
            value
            for name, value in (*self.measures.items(), *self.parts.items())
            if name not in SIGNED
        ]
        figures += [value for row in self.aged for value in row.values() if value is not None]
        figures += [run[name] for name in ("cpu_s",) if name in run]
        return (
            isinstance(self.key, str)
            and _KEY.fullmatch(self.key) is not None
            and all(type(word) is str for word in words)
            and type(point.seed) is int
            and 0 <= point.seed < 1 << 62
            and (point.search is None or type(point.search) is str)
            and all(type(value) in (int, float) and abs(value) <= LARGEST for value in figures)
            and all(value >= 0 for value in least)
            and (
                failure is None
                or (
                    type(failure.code) is str
                    and type(failure.message) is str
                    and type(failure.fits) is bool
                )
            )
            and isinstance(run, dict)
        )


def _refused(text: str) -> float:
    raise ValueError(f"{text} is no number")
