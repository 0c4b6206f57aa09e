"""The lock of errors: what every published figure came to when somebody last looked, and what has moved since."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from math import isfinite, nan
from pathlib import Path

from accelsim.shipped import folder
from accelsim.validation.outcomes import Outcome
from accelsim.validation.table import said

MOST = 0.5  # points of an error, in per cent, that may move
NAME = "lock.csv"


@dataclass(frozen=True, slots=True)
class Locked:
    """published, computed: with units, the range by assumed numbers behind it. error: per cent, nan where nothing was
    computed."""

    chip: str
    figure: str
    tier: str
    published: str
    computed: str
    error: float
    status: str


def locked(one: Outcome) -> Locked:
    """The line of an outcome."""
    figure = one.figure
    error = round(100 * one.error, 1) if isfinite(one.error) else nan
    published = f"{figure.value:.6g} {figure.unit}"
    return Locked(one.chip, figure.name, figure.tier, published, said(one), error, one.status)


def text_of(lines: Iterable[Locked]) -> str:
    """The lock as CSV."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    names = [field.name for field in fields(Locked)]
    writer.writerow(names)
    writer.writerows([getattr(line, name) for name in names] for line in lines)
    return out.getvalue()


def read_lock(path: Path | None = None) -> list[Locked]:
    """The shipped lock, or another one."""
    where = folder("validation") / NAME if path is None else path
    rows = csv.DictReader(io.StringIO(where.read_text("utf-8")))
    return [Locked(**{**row, "error": float(row["error"])}) for row in rows]  # type: ignore[arg-type]


def moved(found: Sequence[Outcome], lock: Sequence[Locked]) -> list[str]:
    """A line for every figure that is new, gone, of another status, or whose error moved by more than MOST either way.
    found: of whole chips."""
    now = {(line.chip, line.figure): line for line in map(locked, found)}
    chips = {one.chip for one in found}
    then = {(line.chip, line.figure): line for line in lock if line.chip in chips}
    lines = [f"{chip}, {figure}: is not in the lock" for chip, figure in now.keys() - then.keys()]
    lines += [f"{chip}, {figure}: is gone" for chip, figure in then.keys() - now.keys()]
    for key in now.keys() & then.keys():
        one, other = now[key], then[key]
        name = f"{one.chip}, {one.figure}"
        if (one.published, one.status) != (other.published, other.status):
            lines.append(
                f"{name}: {other.published}, {other.status} became {one.published}, {one.status}"
            )
        elif isfinite(one.error) or isfinite(other.error):
            if abs(one.error - other.error) <= MOST:
                continue
            lines.append(f"{name}: {other.error:+.1f} % became {one.error:+.1f} %")
    return sorted(lines)
