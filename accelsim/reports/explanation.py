"""Where the cycles and joules of a run went, and what would change them most, as text."""

from __future__ import annotations

from collections.abc import Callable

from accelsim.analog.budget import error_budget
from accelsim.chip import machine
from accelsim.errors import InputError, Problem
from accelsim.explore.what_if import advice
from accelsim.mapping import Mapping, geometry_of
from accelsim.mapping.crossbars import CrossbarMapping, blocks_of, crossbars_of
from accelsim.mapping.tensors import operator_formats
from accelsim.mapping.units import WORDS
from accelsim.results.breakdown import (
    CAUSES,
    TimeShare,
    arrays_of,
    joule_shares,
    time_shares,
    unit_groups,
)
from accelsim.results.homes import stood
from accelsim.results.nest import loop_nest
from accelsim.results.result import Result
from accelsim.results.rounding import apportioned, column, decimals_of, percentages
from accelsim.results.text_table import table_lines
from accelsim.results.units import units_in_words, used_units
from accelsim.timing.bounds import lower_bounds
from accelsim.workload import MacOperator, VectorOperator

Say = Callable[[str], None]
ASPECTS = ("cycles", "joules", "errors")


def explanation(result: Result, layer: str | None = None, why: str | None = None) -> str:
    """The text of a run. layer: only this operator. why: one of ASPECTS, None for all. InputError for another
    operator."""
    lines: list[str] = []
    say = lines.append
    names = [op.name for op in result.workload.operators]
    if layer is not None and layer not in names:
        raise InputError(
            Problem(
                "explain.layer",
                f"the run has no operator {layer!r}",
                "write one of: " + ", ".join(names),
                file="--layer",
            )
        )
    chip = result.chip
    say(
        f"{result.workload.name} on {chip.name}: {result.cycles:,} cycles at "
        f"{chip.clocks[chip.core.clock] / 1e6:g} MHz, {_total(result)} uJ"
    )
    number = names.index(layer) if layer is not None else None
    if why in (None, "cycles"):
        _cycles(say, result, number)
    if why in (None, "joules"):
        _joules(say, result, number)
    if why != "errors":
        _nests(say, result, number)
    if why in (None, "joules"):
        _units(say, result, number)
    if why in (None, "joules") and number is None:
        _homes(say, result)
    if number is None:
        if why in (None, "errors"):
            _errors(say, result)
        for aim in ("cycles", "joules"):
            if why in (None, aim):
                _advice(say, result, aim)
    return "\n".join(lines) + "\n"


def table(say: Say, head: list[str], rows: list[list[str]], left: tuple[int, ...] = (0,)) -> None:
    """Say a table line by line."""
    for line in table_lines(head, rows, left):
        say(line)


def _total(result: Result) -> str:
    """Microjoules of the run as the tables print them."""
    micro = 1e6 * result.joules
    return column([micro], decimals_of(micro))[-1]


def _cycles(say: Say, result: Result, number: int | None) -> None:
    shares = time_shares(result.program, result.timeline)
    say("\nwhere the cycles went, in % of the makespan")
    others = () if number is None else ("others",)
    rows = []
    for unit, names in unit_groups(machine(result.chip)).items():
        members = set(names)
        mine = [share for share in shares if share.unit in members]
        sums = [
            float(
                sum(
                    s.ticks
                    for s in mine
                    if s.cause == cause
                    and (number is None or s.operator == number or cause == "idle")
                )
            )
            for cause in CAUSES
        ]
        if others:
            sums.append(float(sum(s.ticks for s in mine) - sum(sums)))
        parts = percentages(sums)
        if parts[0] or any(s.operator >= 0 for s in mine):
            rows.append([unit, *(f"{part:.1f}" for part in parts), f"{sum(parts):.1f}"])
    table(say, ["unit", *CAUSES, *others, "sum"], rows)
    _waits(say, result, [s for s in shares if number is None or s.operator == number])
    if number is None:
        _operators(say, result)
    _bounds(say, result)


def _waits(say: Say, result: Result, shares: list[TimeShare]) -> None:
    """What the arrays wait for: the units whose commands were last to be ready."""
    arrays = {result.program.units[i].name for i in arrays_of(result).tolist()}
    sums: dict[tuple[str, str], int] = {}
    for share in shares:
        if share.unit in arrays and share.waits_for:
            key = (share.cause, share.waits_for)
            sums[key] = sums.get(key, 0) + share.ticks
    whole = result.makespan * len(arrays)
    for (cause, unit), ticks in sorted(sums.items(), key=lambda item: -item[1])[:5]:
        if ticks / whole >= 0.0005:
            say(f"  the arrays wait for {unit} ({cause}): {100 * ticks / whole:.1f} %")


def _operators(say: Say, result: Result) -> None:
    """What each operator adds to the run, and how much of that an array computes: add up to the makespan."""
    rows = [row for row in result.operators if row.ran]
    rest = result.cycles - sum(row.cycles for row in rows)
    cycles = [*(row.cycles for row in rows), rest]
    computing = [int(x) for x in apportioned([*(row.computing_cycles for row in rows), 0])]
    lines = [
        [name, f"{whole:,}", f"{busy:,}", f"{whole - busy:,}", f"{part:.1f}"]
        for name, whole, busy, part in zip(
            [*(row.name for row in rows), "(whole run)"],
            cycles,
            computing,
            percentages(cycles),
            strict=True,
        )
    ]
    total = sum(computing)
    lines = lines if rest else lines[:-1]
    lines.append(
        ["total", f"{result.cycles:,}", f"{total:,}", f"{result.cycles - total:,}", "100.0"]
    )
    say("\ncycles that each operator adds, and in how many of them an array computes")
    table(say, ["operator", "cycles", "computing", "waiting", "%"], lines)


def _bounds(say: Say, result: Result) -> None:
    tick = result.tick_hz // result.chip.clocks[result.chip.core.clock]
    bounds = sorted(lower_bounds(result.program, result.timeline).items(), key=lambda x: -x[1])
    say("\nno schedule of this plan is faster than")
    for name, ticks in bounds[:4]:
        share = 100 * ticks / max(1, result.makespan)
        say(f"  {name}: {ticks / tick:,.0f} cycles, {share:.1f} % of the makespan")


def _joules(say: Say, result: Result, number: int | None) -> None:
    shares = [share for share in joule_shares(result, number) if share.joules or share.count]
    parts = percentages([share.joules for share in shares])
    *joules, total = column(
        [1e6 * share.joules for share in shares],
        decimals_of(1e6 * sum(share.joules for share in shares)),
    )
    say(f"\nwhere the joules went: {total} uJ")
    rows = [
        [
            f"{share.unit} {share.action}",
            f"{share.count:,.4g}",
            f"{share.price * 1e12:,.4g}",
            micro,
            f"{part:.1f}",
            f"{100 * share.band:.0f}",
            share.boundary,
            share.formula,
        ]
        for share, micro, part in zip(shares, joules, parts, strict=True)
    ]
    rows.append(["total", "", "", total, f"{sum(parts):.1f}", "", "", ""])
    table(
        say,
        ["action", "count", "pJ each", "uJ", "%", "+- %", "boundary", "source"],
        rows,
        left=(0, 6, 7),
    )
    free = [f"{share.unit} {share.action}" for share in shares if not share.price]
    if free:
        say("  not charged: " + ", ".join(free))


def _nests(say: Say, result: Result, number: int | None) -> None:
    if number is None:
        return
    op = result.plan.group(result.workload).operators[number]
    chip = result.plan.side(result.chip, op.name)
    if isinstance(op, VectorOperator):
        return
    formats = (*operator_formats(op, chip), result.plan.formats[op.output])
    mapping = result.plan.mappings[op.name]
    if isinstance(mapping, CrossbarMapping):
        _crossbars(say, result, op, mapping)
        return
    turns, images = result.plan.turns(result.workload), result.plan.homes.images
    of = f", for each of {turns} groups of {images} images" if images else ""
    say(f"\nloop nest of {op.name}{of}")
    room = result.plan.homes.room(op.name)
    for line in loop_nest(chip, geometry_of(op), mapping, formats, chip.weights == "cold", room):
        say(f"  {line}")
    row = result.operators[number]
    peak = chip.array.count * chip.array.rows * chip.array.columns
    rate = chip.array.rate(formats[0], formats[1])
    least = turns * op.macs / (peak * chip.array.dot * chip.array.simd * rate.factor)
    say(
        f"  at its peak the array needs {least:,.0f} cycles; its passes kept it "
        f"{row.busy_cycles / chip.array.count:,.0f} busy and "
        f"{sum(row.stalled_cycles.values()) / chip.array.count:,.0f} waiting"
    )


def _errors(say: Say, result: Result) -> None:
    """The error budget of a product on the run's crossbars."""
    unit = result.chip.crossbar
    if unit is None:
        return
    say(
        f"\nwhat disturbs a product of {unit.rows} rows, {unit.age:g} s after programming, random codes"
    )
    rows = error_budget(unit.tile())
    total = rows[-1][1]
    table(
        say,
        ["source alone", "relative error %", "part of the variance %"],
        [
            [name, f"{100 * error:.3g}", f"{100 * (error / total) ** 2:.1f}" if total else "-"]
            for name, error in rows
        ],
    )


def _crossbars(say: Say, result: Result, op: MacOperator, mapping: CrossbarMapping) -> None:
    """Where an operator's weights stand, and how full its crossbars are."""
    unit, geometry = result.chip.crossbar, geometry_of(op)
    assert unit is not None
    rows, columns = blocks_of(unit, geometry)
    size = crossbars_of(unit, geometry)
    full = geometry.groups * geometry.k * geometry.n / (size * unit.rows * unit.outputs)
    last = mapping.first + mapping.replicas * size - 1
    say(
        f"\nplace of {op.name}: crossbars {mapping.first} to {last}, {rows} row x {columns} column "
        f"blocks, {100 * full:.1f} % of the cross-points used"
    )
    say(
        f"  {mapping.replicas} copies take runs of {mapping.m} vectors in turn; a vector every "
        f"{unit.interval_seconds * 1e9:g} ns, its result "
        f"after {unit.latency_seconds * 1e9:g} ns"
    )
    if mapping.pack > 1:
        say(
            f"  {mapping.pack} groups of {geometry.k} x {geometry.n} weights share a crossbar's "
            "diagonal and are read together"
        )
    if mapping.reprogrammed:
        say("  its weights are written in every run")


def _units(say: Say, result: Result, number: int | None) -> None:
    """On which unit operators worked, where there are several that multiply."""
    used = used_units(result.chip, result.workload, result.plan)
    if number is not None:
        used = [one for one in used if one.operator == result.workload.operators[number].name]
    if not used:
        return
    say("\non which unit operators worked, and what each MAC operator would take alone")
    rows = []
    for one in used:
        costs = ["-" if x is None else f"{1e6 * x:,.4g}" for x in (one.digital, one.analog)]
        saved = "-"
        if one.digital is not None and one.analog is not None and one.cells:
            saved = f"{1e12 * (one.digital - one.analog) / one.cells:,.4g}"
        taken = f"{one.crossbars:,}" if one.crossbars else "-"
        rows.append([one.operator, one.unit, WORDS[one.why], *costs, taken, saved])
    head = ["operator", "unit", "why", "MAC array uJ", "crossbars uJ", "crossbars"]
    table(say, [*head, "pJ saved a weight"], rows, (0, 1, 2))
    if number is None:
        for line in units_in_words(result.chip, result.workload, result.plan):
            say(f"  {line}")


def _homes(say: Say, result: Result) -> None:
    """Where tensors between operators stood, where some are on chip."""
    found = stood(result)
    if not found:
        return
    images = result.plan.homes.images
    of = f", the batch in groups of {images} images" if images else ""
    say(f"\nwhere tensors between operators stood, in bytes{of}")
    rows = [
        [one.tensor, one.memory, *(f"{n:,}" for n in (one.size, one.filled, one.read, one.saved))]
        for one in found
    ]
    table(say, ["tensor", "memory", "size", "filled", "read", "saved off chip"], rows, (0, 1))


def _advice(say: Say, result: Result, aim: str) -> None:
    best = advice(
        result.chip,
        result.workload,
        {
            name: mapping
            for name, mapping in result.plan.mappings.items()
            if isinstance(mapping, Mapping)
        },
        aim,
        homes=result.plan.homes,
        on=result.plan.on,
    )
    say(
        f"\nwhat lowers {'time' if aim == 'cycles' else 'energy'} most, each change simulated alone"
    )
    if not best:
        say("  no single change gains anything")
    for number, change in enumerate(best, 1):
        say(
            f"  {number}. {change.text}: time {change.seconds / result.seconds - 1:+.1%}, "
            f"energy {change.joules / result.joules - 1:+.1%}"
        )
