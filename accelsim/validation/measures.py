"""How a published figure is computed from a run: a small vocabulary, each word with its units."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from accelsim.chip import Chip
from accelsim.chip.machine import all_of
from accelsim.constants.price import AreaRow
from accelsim.energy import area as area_of
from accelsim.energy.joules import BOUNDARIES, EnergyRow
from accelsim.program.opcodes import Access, Opcode
from accelsim.results.result import OperatorRow, Result, peak_macs_per_cycle

if TYPE_CHECKING:
    from accelsim.validation.record import Figure

CHIP, TIME, ENERGY, PROGRAM, VALUES = "chip", "time", "energy", "program", "values"
OPERATIONS = 2  # of a multiply-accumulate, as data sheets count
#: commands that move bytes, by what they are for
BY = {
    "passes": (Opcode.MATMUL, Opcode.MVM, Opcode.PRELOAD, Opcode.VECTOR),
    "loads": (Opcode.LOAD,),
    "stores": (Opcode.STORE,),
}

_TIME = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_RATE = {
    **{f"{prefix}OPS": size for prefix, size in (("T", 1e12), ("G", 1e9), ("M", 1e6))},
    **{f"{prefix}FLOPS": size for prefix, size in (("T", 1e12), ("G", 1e9), ("M", 1e6))},
    **{f"{prefix}MAC/s": OPERATIONS * size for prefix, size in (("T", 1e12), ("G", 1e9))},
}
_BYTES = {
    **{"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9},
    **{"KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30},
}
_JOULES = {"J": 1.0, "mJ": 1e-3, "uJ": 1e-6, "nJ": 1e-9, "pJ": 1e-12}
_WATTS = {"W": 1.0, "mW": 1e-3, "uW": 1e-6}


@dataclass(frozen=True, slots=True)
class Measure:
    """units: by text, in the measure's own. of: the number of a run. says: what it is, for documents. takes: fields of
    a figure that it reads. needs: what of a run it is made of; of CHIP the chip alone. inverse: it falls as time or
    energy rise."""

    units: Mapping[str, float]
    of: Callable[[Any, Figure], float]
    says: str
    takes: tuple[str, ...] = ()
    needs: str = TIME
    inverse: bool = False


class OfChip(Protocol):
    """A run, or something else that has a chip."""

    @property
    def chip(self) -> Chip: ...


def rows_of(result: Result, figure: Figure) -> list[OperatorRow]:
    """Its operators."""
    names = figure.operators
    return [row for row in result.operators if not names or row.name in names]


def cycles(result: Result, figure: Figure) -> float:
    """Of the run, or what its operators add to it."""
    if not figure.operators:
        return float(result.cycles)
    return float(sum(row.cycles for row in rows_of(result, figure)))


def seconds(result: Result, figure: Figure) -> float:
    """Of the run, or what its operators add to it."""
    if not figure.operators:
        return result.seconds
    return cycles(result, figure) / result.chip.clocks[result.chip.core.clock]


def frames(result: Result, figure: Figure) -> float:
    """Images a second."""
    return result.workload.inferences / seconds(result, figure)


def operations(result: Result, figure: Figure) -> float:
    """Of multiply-accumulates."""
    return float(OPERATIONS * sum(row.macs for row in rows_of(result, figure)))


def rate(result: Result, figure: Figure) -> float:
    """Operations a second."""
    return operations(result, figure) / seconds(result, figure)


def peak(result: OfChip, figure: Figure) -> float:
    """Operations a second of all arrays at work."""
    chip = result.chip
    return float(OPERATIONS * peak_macs_per_cycle(chip) * chip.clocks[chip.core.clock])


def used(result: Result, figure: Figure) -> float:
    """Part of the peak."""
    return rate(result, figure) / peak(result, figure)


def computing(result: Result, figure: Figure) -> float:
    """Seconds in which an array computes."""
    some = rows_of(result, figure)
    return sum(row.computing_cycles for row in some) / result.chip.clocks[result.chip.core.clock]


def active(result: Result, figure: Figure) -> float:
    """Part of the time in which an array computes."""
    return computing(result, figure) / seconds(result, figure)


def moved(result: Result, figure: Figure) -> float:
    """Bytes that commands read and write at a memory's ports."""
    program = result.program
    c, o = program.commands, program.operands
    number = {name: at for at, name in enumerate(program.operators)}
    rows = np.isin(c.opcode, [int(code) for what in figure.by or BY for code in BY[what]])
    if figure.operators:
        rows &= np.isin(c.operator, [number[name] for name in figure.operators])
    names = all_of(result.chip, figure.memory)
    here = [at for at, row in enumerate(program.memories) if row.name in names]
    entries = np.repeat(rows, np.diff(o.start)) & np.isin(o.memory, here)
    twice = np.where(o.access == Access.ACCUMULATE, 2, 1)
    return float((o.bytes * twice)[entries].sum())


def charged(result: Result, figure: Figure) -> Iterator[tuple[EnergyRow, float]]:
    """Rows within a boundary, of some units and operators, with the part of each that is meant: of what is charged a
    second, that of the time that those operators add."""
    inside = BOUNDARIES[: BOUNDARIES.index(figure.boundary) + 1]
    names = [op.name for op in result.workload.operators]
    share = seconds(result, figure) / result.seconds
    for row in result.energy.rows:
        if row.boundary not in inside or (figure.units and row.unit not in figure.units):
            continue
        if row.operator < 0:
            yield row, share
        elif not figure.operators or names[row.operator] in figure.operators:
            yield row, 1.0


def joules(result: Result, figure: Figure) -> float:
    """Within a boundary, of some units and operators."""
    return sum(row.joules * part for row, part in charged(result, figure))


def watts(result: Result, figure: Figure) -> float:
    """Joules over the time."""
    return joules(result, figure) / seconds(result, figure)


def efficiency(result: Result, figure: Figure) -> float:
    """Operations a joule."""
    return operations(result, figure) / joules(result, figure)


def each(result: Result, figure: Figure) -> float:
    """Joules an operation."""
    return joules(result, figure) / operations(result, figure)


def placed(result: OfChip, figure: Figure) -> list[AreaRow]:
    """What has a constant, of some units and parts."""
    return [
        row
        for row in area_of(result.chip)
        if (not figure.units or row.unit in figure.units)
        and (not figure.parts or row.part in figure.parts)
    ]


def area(result: OfChip, figure: Figure) -> float:
    """Square metres."""
    return sum(row.area for row in placed(result, figure))


def used_rows(result: Any, figure: Figure) -> set[str]:
    """Sources of the constants that a figure rests on."""
    needs = MEASURES[figure.compute].needs
    if figure.compute == "area":
        return {row.source for row in placed(result, figure)}
    if needs != ENERGY:
        return set()
    return {row.source for row, part in charged(result, figure) if row.joules * part}


def decibels(result: Result, figure: Figure) -> float:
    """Signal over noise of the last tensor."""
    assert result.values is not None
    return list(result.values.signal_to_noise_db.values())[-1]


MEASURES = {
    "cycles": Measure({"cycles": 1.0}, cycles, "cycles of the array's clock", ("operators",)),
    "seconds": Measure(_TIME, seconds, "time", ("operators",)),
    "computing": Measure(_TIME, computing, "time in which an array computes", ("operators",)),
    "frames": Measure(
        {"frames/s": 1.0, "images/s": 1.0}, frames, "images of the batch over time", inverse=True
    ),
    "rate": Measure(
        _RATE,
        rate,
        "operations (two a multiply-accumulate) over time",
        ("operators",),
        inverse=True,
    ),
    "peak": Measure(
        _RATE,
        peak,
        "operations over time with every multiplier at work",
        needs=CHIP,
        inverse=True,
    ),
    "used": Measure({"1": 1.0, "%": 0.01}, used, "rate over peak", ("operators",), inverse=True),
    "active": Measure(
        {"1": 1.0, "%": 0.01},
        active,
        "part of the time in which an array computes",
        ("operators",),
    ),
    "moved": Measure(
        _BYTES,
        moved,
        "bytes that commands (`by`: passes, loads, stores) read and write at the ports of `memory`",
        ("operators", "memory", "by"),
        PROGRAM,
    ),
    "joules": Measure(
        _JOULES,
        joules,
        "energy within `boundary`, of `units`, of `operators`",
        ("operators", "units", "boundary"),
        ENERGY,
    ),
    "watts": Measure(
        _WATTS, watts, "the same over time", ("operators", "units", "boundary"), ENERGY
    ),
    "efficiency": Measure(
        {f"{unit}/W": size for unit, size in _RATE.items() if not unit.endswith("/s")},
        efficiency,
        "operations over energy",
        ("operators", "units", "boundary"),
        ENERGY,
        inverse=True,
    ),
    "each": Measure(
        {"pJ/op": 1e-12, "fJ/op": 1e-15},
        each,
        "energy over operations",
        ("operators", "units", "boundary"),
        ENERGY,
    ),
    "area": Measure(
        {"mm2": 1e-6, "um2": 1e-12},
        area,
        "area of what has a constant, of `units` and their `parts`",
        ("units", "parts"),
        CHIP,
    ),
    "decibels": Measure(
        {"dB": 1.0}, decibels, "signal over noise of the last tensor", needs=VALUES
    ),
}
