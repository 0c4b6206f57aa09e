"""The mappings of a whole workload, searched in runs of the whole workload.

In every run each operator whose proposals promise less takes the next of them, all at once, and keeps it where it
adds less to the figure than the best it had: where it stands, with what comes before and after it, not alone. What
the best ones take together the last run says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from accelsim.chip import Chip
from accelsim.energy import prices
from accelsim.errors import InputError, one_of
from accelsim.explore.homes import plan_at_home
from accelsim.explore.measured import Run
from accelsim.mapping import Mapping as OperatorMapping
from accelsim.mapping import Plan, geometry_of
from accelsim.mapping.compile import resident_bytes
from accelsim.mapping.homes import DEFAULT
from accelsim.mapping.tensors import operator_formats
from accelsim.mapping.tilings.near import CYCLES, Rates
from accelsim.mapping.tilings.search import SLACK, Found, Proposals
from accelsim.mapping.tilings.setting import Task
from accelsim.mapping.units import Choice, array_side
from accelsim.workload import MacOperator, VectorOperator, Workload

Objective = Literal["cycles", "energy", "edp"]
OBJECTIVES: tuple[str, ...] = ("cycles", "energy", "edp")
BUDGET = 3  # runs of the whole workload
FULL_RUN = 4000  # commands of a run that counts as a whole one; shorter ones count for less
CHEAPEST = 0.05
WIDEST = 0.5  # part of a figure by which estimates may be off in the end


@dataclass(frozen=True, slots=True)
class SearchReport:
    """objective, budget: what was asked. found: by operator. cycles, joules: of the whole workload
    as planned; default_cycles, default_joules: with the default mappings. kept_default: no mappings searched
    were better, so the default ones were taken."""

    objective: str
    budget: int
    found: Mapping[str, Found]
    cycles: float
    joules: float
    default_cycles: float
    default_joules: float
    kept_default: bool


@dataclass(slots=True)
class Line:
    """Equal operators: by name, by number among all, their inputs and outputs; and what may be tried of them."""

    names: list[str]
    numbers: list[int]
    sides: list[tuple[str, str]]
    proposals: Proposals

    def turned(self, run: Run) -> tuple[bool, ...]:
        """How the input and the output of most of them lie off chip."""
        lie = Counter((run.turned[one], run.turned[two]) for one, two in self.sides)
        return lie.most_common(1)[0][0]

    def found(self, name: str, default: Run, best: Run) -> Found:
        """What the search says of one of them."""
        number, p = self.numbers[self.names.index(name)], self.proposals
        mapping = best.chosen.mappings[name]
        assert isinstance(mapping, OperatorMapping)
        cycles = float(best.added[number]), float(default.added[number])
        return Found(mapping, *cycles, p.bound_cycles, p.seen, len(p.done))


def search_plan(
    chip: Chip,
    workload: Workload,
    objective: str = "cycles",
    budget: int = BUDGET,
    seeds: Mapping[str, OperatorMapping] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    homes: str = DEFAULT,
    on: Mapping[str, Choice] | None = None,
    images: int | None = None,
) -> tuple[Plan, SearchReport]:
    """The best Plan found, never worse than the default one.

    objective: "cycles", "energy" or "edp" (their product), of the whole chip. budget: runs of the workload with
    other mappings, those of few commands count for less. seeds: mappings to try first. homes, images: as plan_at_home()
    takes them; mappings are searched in the room that the default's homes leave. on: units that operators run on,
    as plan_at_home() takes them. InputError as plan().
    """
    one_of("search", objective, OBJECTIVES)
    default = best = Run(chip, workload, plan_at_home(chip, workload, None, homes, on, images))
    rates = rates_of(chip, default, objective)
    lines = _lines(default, rates, seeds or {})
    spent, each = 0.0, min(1.0, max(CHEAPEST, default.commands / FULL_RUN))
    slack = SLACK
    while spent < budget:
        promised = [line.proposals.next(slack) for line in lines]
        tried = {at: mapping for at, mapping in enumerate(promised) if mapping is not None}
        if not tried and slack < WIDEST:
            slack *= 4
            continue
        if not tried:
            break
        run = _run(default, lines, tried)
        if run is not None:
            figures = run.figures(rates)
            for at, mapping in tried.items():
                lines[at].proposals.took(mapping, float(figures[lines[at].numbers].sum()))
            if run.value(objective) < best.value(objective):
                best = run
                for line in lines:
                    line.proposals.lies(line.turned(run))
        spent += each
        if progress is not None:
            progress("search", int(spent), budget)
    run = _run(default, lines, {})
    if run is not None and run.value(objective) < best.value(objective):
        best = run
    found = {name: line.found(name, default, best) for line in lines for name in line.names}
    both = (best.cycles, best.joules, default.cycles, default.joules)
    return best.chosen, SearchReport(objective, budget, found, *both, best is default)


def _run(default: Run, lines: list[Line], tried: dict[int, OperatorMapping]) -> Run | None:
    """With the best mappings, but for those that are tried; None where they do not fit beside one another."""
    mappings = dict(default.chosen.mappings)
    for at, line in enumerate(lines):
        mappings |= dict.fromkeys(line.names, tried.get(at, line.proposals.best))
    try:
        return Run(default.chip, default.workload, replace(default.chosen, mappings=mappings))
    except InputError:
        return None


def _lines(run: Run, rates: Rates, seeds: Mapping[str, OperatorMapping]) -> list[Line]:
    """The operators whose mappings are searched, equal ones together."""
    chip, workload, chosen = run.chip, run.workload, run.chosen
    members: dict[Any, list[tuple[int, MacOperator]]] = {}
    for number, op in enumerate(chosen.group(workload).operators):
        if isinstance(op, VectorOperator):
            continue
        mapping = chosen.mappings[op.name]
        if isinstance(mapping, OperatorMapping):
            triple = (*operator_formats(op, chip), chosen.formats[op.output])
            held = workload.is_stored(op.weight)
            room = chosen.homes.room(op.name)
            key = (geometry_of(op), triple, held, mapping, seeds.get(op.name), room)
            members.setdefault(key, []).append((number, op))
    side = chip.sides.get(array_side(chip), chip)
    cold = side.weights == "cold"
    searched = {op.name for some in members.values() for _, op in some}
    elsewhere = tuple(set(chosen.mappings) - searched)  # on crossbars
    reserve = 0 if cold or not members else resident_bytes(side, workload, elsewhere)
    figures, lines = run.figures(rates), list[Line]()
    for (geometry, triple, held, mapping, seed, room), some in members.items():
        numbers, first = [number for number, _ in some], some[0][1]
        where = (side, geometry, triple, first.name, reserve, cold or not held, held)
        task = Task(*where, alone=not lines, room=room)
        value, tried = float(figures[numbers].sum()), (seed,) if seed else ()
        proposals = Proposals(task, rates, mapping, value, len(some), tried)
        sides = [(op.input, op.output) for _, op in some]
        lines.append(Line([op.name for _, op in some], numbers, sides, proposals))
    return lines


def rates_of(chip: Chip, run: Run, objective: str = "cycles") -> Rates:
    """What the figure of an objective is made of, by the chip's own prices. A product falls as its factors do, each in
    its share of what the ``run`` takes. A chip without arrays has no mappings to search."""
    if objective == "cycles" or chip.mac_array is None:
        return CYCLES
    _, memories = prices(chip)
    array = chip.array
    near = [
        memories[name, action].joules
        for name in (array.input, array.weight, array.output)
        for action in ("read_bit", "write_bit")
    ]
    watts = sum(
        price.joules for (_, action), price in memories.items() if action == "leakage_second"
    )
    static = watts / chip.clocks[array.clock]
    return Rates(
        8 * memories[chip.far, "read_bit"].joules,
        8 * sum(near) / len(near),
        static if objective == "energy" else static + run.joules / run.cycles,
    )
