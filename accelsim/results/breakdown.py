"""Where every tick and every joule of a run went; the parts add up exactly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Machine, machine
from accelsim.errors import ConservationError
from accelsim.program.opcodes import Why
from accelsim.program.table import Program
from accelsim.results.result import Result
from accelsim.timing import Timeline
from accelsim.timing.windows import Windows, by_visit, ends

Ints = NDArray[np.int64]
#: what a unit's time is made of, in the order of printing
CAUSES = ("busy", "drain", "data", "slot", "start", "queue", "port", "idle")
MANY = 16  # more units of a kind are shown together
_OF_WHY = {Why.DATA: "data", Why.SLOT: "slot", Why.START: "start", Why.QUEUE: "queue"}


@dataclass(frozen=True, slots=True)
class TimeShare:
    """Ticks of a unit, by operator (-1: none), cause (CAUSES) and the unit waited for ("")."""

    unit: str
    operator: int
    cause: str
    waits_for: str
    ticks: int


def time_shares(program: Program, timeline: Timeline) -> list[TimeShare]:
    """Every tick of every unit. ConservationError unless each unit's add up to the makespan.

    A gap before a command belongs to the command's operator and to the constraint satisfied last;
    "drain" is the wait for a unit's very last result; "idle" is the time after it.
    """
    c = program.commands
    order = np.lexsort((timeline.release, timeline.issue, c.unit))
    unit, operator = c.unit[order], c.operator[order]
    issue, release = timeline.issue[order], timeline.release[order]
    before = np.zeros(len(order), np.int64)
    before[1:] = np.where(unit[1:] == unit[:-1], release[:-1], 0)
    ref = timeline.ref[order]
    on = np.where(ref >= 0, c.unit[ref], -1)
    none = np.full(len(order), -1, np.int64)
    numbers = {name: i for i, name in enumerate(CAUSES)}
    table = np.full(len(Why), -1, np.int64)
    for why, name in _OF_WHY.items():
        table[int(why)] = numbers[name]
    interval = timeline.interval[order]
    parts = [
        (unit, operator, np.full(len(order), numbers["busy"]), none, interval),
        (unit, operator, np.full(len(order), numbers["port"]), none, release - issue - interval),
        (unit, operator, table[timeline.why[order]], on, issue - before),
    ]
    found = _summed(parts, len(program.units), len(program.operators))
    shares = [
        TimeShare(program.units[u].name, o, CAUSES[k], program.units[w].name if w >= 0 else "", t)
        for (u, o, k, w), t in found
        if t
    ]
    for number, row in enumerate(program.units):
        mine = np.flatnonzero(c.unit == number)
        end = 0
        if len(mine):
            last = mine[int(np.argmax(timeline.end[mine]))]
            end = int(timeline.end[last])
            drain = end - int(timeline.release[mine].max())
            if drain:
                shares.append(TimeShare(row.name, int(c.operator[last]), "drain", "", drain))
        if timeline.makespan - end:
            shares.append(TimeShare(row.name, -1, "idle", "", timeline.makespan - end))
        total = sum(share.ticks for share in shares if share.unit == row.name)
        if total != timeline.makespan:
            raise ConservationError(f"{row.name}: {total} ticks of {timeline.makespan} explained")
    return shares


def stretches(program: Program, timeline: Timeline, units: Ints) -> dict[str, tuple[Ints, Ints]]:
    """When units did what: start and stop ticks of the stretches of every cause (CAUSES). Those of one unit
    fill the run and do not overlap. units: numbers, each once."""
    c = program.commands
    mine = np.flatnonzero(np.isin(c.unit, units))
    mine = mine[np.lexsort((timeline.release[mine], timeline.issue[mine], c.unit[mine]))]
    unit, issue, release = c.unit[mine], timeline.issue[mine], timeline.release[mine]
    before = np.zeros(len(mine), np.int64)
    before[1:] = np.where(unit[1:] == unit[:-1], release[:-1], 0)
    done = issue + timeline.interval[mine]
    freed, ended = (np.zeros(len(program.units), np.int64) for _ in range(2))
    np.maximum.at(freed, unit, release)
    np.maximum.at(ended, unit, timeline.end[mine])
    found = {
        "busy": (issue, done),
        "port": (done, release),
        "drain": (freed[units], ended[units]),
        "idle": (ended[units], np.full(len(units), timeline.makespan)),
    }
    for why, cause in _OF_WHY.items():
        of = timeline.why[mine] == why
        found[cause] = (before[of], issue[of])
    return found


def unit_groups(made: Program | Machine, many: int = MANY) -> dict[str, list[str]]:
    """Label -> names of units: each alone, but more than ``many`` of a kind together."""
    found = Counter(row.kind for row in made.units)
    groups: dict[str, list[str]] = {}
    for row in made.units:
        kind, alike = made.unit_kinds[row.kind], found[row.kind]
        groups.setdefault(f"{kind} (all {alike})" if alike > many else row.name, []).append(
            row.name
        )
    return groups


def arrays_of(result: Result) -> Ints:
    """Numbers of the instances of the units that multiply."""
    made = machine(result.chip)
    units, kinds = made.units, made.unit_kinds
    return np.array([i for i, row in enumerate(units) if kinds[row.kind] in result.chip.sides])


def windows_of(result: Result) -> Windows:
    """The windows of a run's operators, and a last one of what is left of the run."""
    operators = len(result.program.operators)
    program, owner = by_visit(result.program, operators)
    end = ends(program, result.timeline, len(owner))[1]
    return Windows.of(np.append(end, result.makespan), np.append(owner, operators))


def within_operators(result: Result, units: Ints) -> dict[str, Ints]:
    """Ticks of units by cause in the cycles that each operator adds; (operators + 1,), the last one of what
    is left of the run. All causes together: the operators' ticks times the units."""
    windows = windows_of(result)
    return {
        cause: windows.within(*parts)
        for cause, parts in stretches(result.program, result.timeline, units).items()
    }


def _summed(
    parts: Sequence[tuple[Any, ...]], units: int, operators: int
) -> list[tuple[tuple[int, int, int, int], int]]:
    """((unit, operator, cause, waited for), ticks), exact in int64."""
    columns = [np.concatenate([part[i] for part in parts]) for i in range(5)]
    unit, operator, cause, on, ticks = columns
    keep = ticks != 0
    key = ((unit * (operators + 1) + operator + 1) * len(CAUSES) + cause) * (units + 1) + on + 1
    if (cause[keep] < 0).any():
        raise ConservationError("a gap has no cause")
    keys, inverse = np.unique(key[keep], return_inverse=True)
    total = np.zeros(len(keys), np.int64)
    np.add.at(total, inverse, ticks[keep])
    found = []
    for value, sum_ in zip(keys.tolist(), total.tolist(), strict=True):
        rest, w = divmod(value, units + 1)
        rest, k = divmod(rest, len(CAUSES))
        u, o = divmod(rest, operators + 1)
        found.append(((u, o - 1, k, w - 1), sum_))
    return found


@dataclass(frozen=True, slots=True)
class JouleShare:
    """Joules of one action of one unit. price: joules a count. formula: how the price comes about."""

    unit: str
    action: str
    count: float
    price: float
    joules: float
    band: float
    boundary: str
    formula: str


def joule_shares(result: Result, operator: int | None = None) -> list[JouleShare]:
    """Joules by unit and action, the largest first; of one operator, or of all and static ones."""
    sums: dict[tuple[str, str, str, str, float], list[float]] = {}
    for row in result.energy.rows:
        if operator is None or row.operator == operator:
            pair = sums.setdefault(
                (row.unit, row.action, row.boundary, row.source, row.band), [0, 0]
            )
            pair[0] += row.count
            pair[1] += row.joules
    found = [
        JouleShare(
            unit, action, count, joules / count if count else 0.0, joules, band, boundary, source
        )
        for (unit, action, boundary, source, band), (count, joules) in sums.items()
    ]
    return sorted(found, key=lambda share: (-share.joules, share.unit, share.action))
