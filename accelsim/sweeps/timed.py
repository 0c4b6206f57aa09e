"""What chips of one timing digest share of a run: how long it takes and what it does, before prices.

From Programs and their Timelines, checked as every run is, one for each way to divide memories between homes and
tiles; prices say which is taken. Kept as bytes by sweep/cache.py.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.analog.parts import Adc, Drive
from accelsim.chip import Chip
from accelsim.energy import Work, charge, compact, counts_of
from accelsim.explore import search_plan
from accelsim.explore.homes import best, plan_at_home, readings
from accelsim.explore.planned import Planned, form_of, run_counts
from accelsim.explore.streamed import SUMS, Streamed
from accelsim.explore.units import is_mixed
from accelsim.mapping import Plan
from accelsim.mapping.counted import compile_counts
from accelsim.mapping.crossbars import trimmed
from accelsim.mapping.homes import DEFAULT, SHARES
from accelsim.mapping.size import commands_of
from accelsim.program.table import Program, Shapes
from accelsim.sweeps.cache import Cache
from accelsim.timing import simulate
from accelsim.workload import Workload

HELD = 512  # readings kept as objects
PROGRAMS = 2 * (1 + len(SHARES))  # kept: with weights written and in place, by homes


@dataclass(frozen=True, slots=True)
class Timed:
    """work: what happened, for energy. makespan: ticks of tick_hz."""

    work: Work
    makespan: int
    tick_hz: int

    @property
    def seconds(self) -> float:
        """The makespan."""
        return self.makespan / self.tick_hz


class Timings:
    """Timed readings of runs without values, each computed once."""

    def __init__(self, cache: Cache, model: str) -> None:
        self.cache, self.model = cache, model
        self.held: dict[object, list[Timed]] = {}
        self.programs = Programs()

    def of(
        self,
        chip: Chip,
        workload: Workload,
        work_digest: str,
        search: str | None,
        homes: str = DEFAULT,
    ) -> Timed:
        """The reading of a workload on a chip. InputError for what does not fit. A search that weighs energy, or
        starts with homes on chip, and operators that choose between units depend on the whole chip, everything else
        on its timing alone."""
        searched = search is not None and (search != "cycles" or homes == "on_chip")
        priced = searched or is_mixed(chip)
        key = (chip.digest if priced else chip.timing_form, work_digest, search, homes)
        found = self.held.get(key)
        if found is None:
            chips = chip.digest if priced else chip.timing_digest
            text = json.dumps([self.model, chips, work_digest, search, homes])
            place = hashlib.sha256(text.encode()).hexdigest()
            kept = self.cache.get(place)
            found = decode(kept) if kept is not None else None
            if found is None:
                found = every(chip, workload, search, homes, self.programs)
                self.cache.put(place, encode(found))
            if len(self.held) >= HELD:
                self.held.pop(next(iter(self.held)))
            self.held[key] = found
        return taken(found, chip)


def every(
    chip: Chip,
    workload: Workload,
    search: str | None,
    homes: str = DEFAULT,
    programs: Programs | None = None,
) -> list[Timed]:
    """The readings of which prices choose one; of a search, what it found. programs: those made before."""

    def read(chosen: Plan) -> Timed:
        return timed(chip, workload, chosen, programs)

    if search is None and is_mixed(chip):
        return [read(plan_at_home(chip, workload, None, homes))]
    if search is None:
        return readings(chip, workload, read, homes=homes)
    return [read(search_plan(chip, workload, search, homes=homes)[0])]


def taken(found: list[Timed], chip: Chip) -> Timed:
    """The reading that a run of the chip takes, at its prices."""
    if len(found) == 1:
        return found[0]
    return found[
        best((one.work.seconds, charge(counts_of(one.work, chip), chip).total) for one in found)
    ]


def timed(chip: Chip, workload: Workload, chosen: Plan, programs: Programs | None = None) -> Timed:
    """One run without values: timed, its conservation laws checked. programs: those made before."""
    used = trimmed(chip, chosen.mappings.values())
    commands = sum(commands_of(used, workload, chosen).values())
    if programs is not None and used.crossbar is not None and form_of(used, commands) != SUMS:
        program = programs.of(used, workload, chosen)
        planned: Planned | Streamed = Planned(program, simulate(program, used))
    else:
        planned = run_counts(used, workload, chosen)
    planned.check()
    return Timed(compact(planned.work, chip), planned.makespan, planned.tick_hz)


class Programs:
    """The last Programs of chips with crossbars, whose converters take other times but no other commands."""

    def __init__(self) -> None:
        self.held: list[tuple[object, Workload, Plan, Program]] = []

    def of(self, chip: Chip, workload: Workload, chosen: Plan) -> Program:
        """compile_counts(), or the same Program made before."""
        crossbar = chip.crossbar
        if crossbar is None:
            return compile_counts(chip, workload, chosen)
        alike = replace(
            crossbar, clock_hz=0, adc=Adc(), drive=Drive(), settle=0.0, hold=True, fixed=0.0
        )
        form = replace(chip, units={**chip.units, crossbar.name: alike}).timing_form
        for key, work, made, program in self.held:
            if key == form and work is workload and made == chosen:
                return program
        program = compile_counts(chip, workload, chosen)
        self.held = [*self.held[1 - PROGRAMS :], (form, workload, chosen, program)]
        return program


def encode(items: list[Timed]) -> bytes:
    """As bytes: a header line and the arrays behind each other."""
    heads, every = [], list[NDArray[Any]]()
    for item in items:
        work = item.work
        arrays = {f"shapes.{f.name}": getattr(work.shapes, f.name) for f in fields(Shapes)}
        arrays |= {"runs": work.runs, "read": work.read, "written": work.written}
        every += arrays.values()
        heads.append(
            {
                "makespan": item.makespan,
                "tick_hz": item.tick_hz,
                "seconds": work.seconds,
                "kinds": work.kinds,
                "memories": work.memories,
                "arrays": [[name, a.dtype.str, list(a.shape)] for name, a in arrays.items()],
            }
        )
    parts = (np.ascontiguousarray(array).tobytes() for array in every)
    return b"".join([json.dumps(heads).encode(), b"\n", *parts])


def decode(content: bytes) -> list[Timed] | None:
    """The inverse of encode(); None for bytes of another form."""
    try:
        line, _, rest = content.partition(b"\n")
        found, at = [], 0
        for head in json.loads(line):
            arrays = {}
            for name, kind, shape in head["arrays"]:
                count = int(np.prod(shape))
                arrays[name] = np.frombuffer(rest, kind, count, at).reshape(shape)
                at += count * np.dtype(kind).itemsize
            work = Work(
                Shapes(*(arrays[f"shapes.{f.name}"] for f in fields(Shapes))),
                tuple(head["kinds"]),
                tuple(head["memories"]),
                arrays["runs"],
                arrays["read"],
                arrays["written"],
                None,
                {},
                head["seconds"],
            )
            found.append(Timed(work, head["makespan"], head["tick_hz"]))
        return found or None
    except (ValueError, KeyError, TypeError):
        return None
