"""account(): from a Program, its Timeline and activity to joules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip
from accelsim.energy.lookup import (
    memory_prices,
    unit_prices,
    unknown_constants,
    with_own,
)
from accelsim.energy.price import Price
from accelsim.energy.report import EnergyReport, EnergyRow
from accelsim.energy.rows import families
from accelsim.errors import ConservationError, InputError
from accelsim.formats import FORMAT_NAMES
from accelsim.program.opcodes import Access, Opcode
from accelsim.program.table import Program, Shapes


class Clocked(Protocol):
    """What energy reads of a Timeline: how long it took, in seconds."""

    @property
    def seconds(self) -> float: ...


_PRICES: dict[str, tuple[dict[tuple[str, str], Price], dict[tuple[str, str], Price]]] = {}


def prices(chip: Chip) -> tuple[dict[tuple[str, str], Price], dict[tuple[str, str], Price]]:
    """Unit and memory prices of a chip, looked up once a digest."""
    digest = chip.digest
    if digest not in _PRICES:
        if len(_PRICES) >= 64:
            _PRICES.clear()
        units, memories = unit_prices(chip), memory_prices(chip)
        known = {f"{unit}/{action}" for unit, action in (*units, *memories)}
        if problems := unknown_constants(chip, known):
            raise InputError(problems)
        _PRICES[digest] = (with_own(chip, units), with_own(chip, memories))
    return _PRICES[digest]


def account(program: Program, chip: Chip, timeline: Clocked,
            activity: Mapping[str, NDArray[np.float64]] | None = None) -> EnergyReport:  # fmt: skip
    """Every joule of a run.

    Dynamic energy: counts of the units' actions and bits moved by operands, times their prices.
    Static: leakage and background power times the makespan. activity: per-command columns from the values;
    "zero_products" (products with a zero operand) is charged as gated where the array gates;
    "cell_charge" (coulombs) replaces a crossbar's stated one.
    """
    units, memories = prices(chip)
    rows = _unit_rows(program, chip, units, activity or {})
    rows += _memory_rows(program, memories)
    rows += _static_rows(timeline, memories)
    return EnergyReport(rows)


def family_spread(program: Program, chip: Chip, timeline: Clocked,
                  activity: Mapping[str, NDArray[np.float64]] | None = None) -> dict[
                      str, float]:  # fmt: skip
    """Joules of the same work by each published family of digital energy: how far they differ."""
    return {
        family: account(program, replace(chip, technology=replace(chip.technology, family=family)),
                        timeline, activity).total
        for family in families()
    }  # fmt: skip


def _unit_rows(program: Program, chip: Chip, units: Mapping[tuple[str, str], Price],
               activity: Mapping[str, NDArray[np.float64]]) -> list[EnergyRow]:  # fmt: skip
    shapes, commands = program.shapes, program.commands
    count = len(shapes.kind)
    operators = len(program.operators) + 1
    runs = np.bincount((commands.operator + 1) * count + commands.shape,
                       minlength=operators * count).reshape(operators, count)  # fmt: skip
    array = chip.mac_array
    gated = _gated(program, activity) if array is not None and array.zero_gating else None
    rows: list[EnergyRow] = []
    for number, kind in enumerate(program.unit_kinds):
        chosen = shapes.kind == number
        if not chosen.any():
            continue
        unit = chip.unit_of_kind(kind)
        mine = Shapes(*(getattr(shapes, item.name)[chosen] for item in fields(Shapes)))
        uses = runs[:, chosen].astype(np.float64)
        for action, each in unit.actions(mine).items():
            price = units.get((unit.name, action))
            if price is None:
                raise ConservationError(f"{unit.name}: nobody prices the action {action}")
            totals = uses @ each
            if action in ("cell_charge", "supply_charge") and "cell_charge" in activity:
                totals = np.asarray(np.bincount(commands.operator + 1, activity["cell_charge"],
                                                operators), np.float64)  # fmt: skip
            zeros = gated.get(action) if gated and totals.any() else None
            if zeros is not None and zeros.any():
                free = units[unit.name, action.replace("mac_", "mac_gated_", 1)]
                rows += _rows(unit.name, action.replace("mac_", "mac_gated_", 1), zeros, free)
                totals = totals - zeros
            rows += _rows(unit.name, action, totals, price)
    return rows


def _gated(program: Program, activity: Mapping[str, NDArray[np.float64]]) -> dict[
        str, NDArray[np.float64]]:  # fmt: skip
    """Products with a zero operand, by action and operator."""
    zeros = activity.get("zero_products")
    if zeros is None:
        return {}
    c, s = program.commands, program.shapes
    mac = np.flatnonzero(c.opcode == Opcode.MATMUL)
    shape = c.shape[mac]
    found: dict[str, NDArray[np.float64]] = {}
    for a, b in {(int(x), int(y)) for x, y in
                 zip(s.format_a[shape], s.format_b[shape], strict=True)}:  # fmt: skip
        mine = mac[(s.format_a[shape] == a) & (s.format_b[shape] == b)]
        name = f"mac_{FORMAT_NAMES[a]}_{FORMAT_NAMES[b]}"
        found[name] = np.asarray(np.bincount(c.operator[mine] + 1, weights=zeros[mine],
                                  minlength=len(program.operators) + 1), np.float64)  # fmt: skip
    return found


def _rows(unit: str, action: str, totals: NDArray[np.float64], price: Price) -> list[EnergyRow]:
    return [
        EnergyRow(operator - 1, unit, action, float(totals[operator]),
                  float(totals[operator]) * price.joules, price.band, price.boundary, price.source)
        for operator in np.flatnonzero(totals).tolist()
    ]  # fmt: skip


def _memory_rows(program: Program, memories: Mapping[tuple[str, str], Price]) -> list[EnergyRow]:
    """Bits read and written in each memory, by operator; an accumulation does both."""
    o = program.operands
    names = sorted({memory for memory, action in memories if action == "read_bit"})
    home = np.array([_base(row.name, names) for row in program.memories], np.int64)
    owner = np.repeat(program.commands.operator, np.diff(o.start)) + 1
    operators = len(program.operators) + 1
    rows: list[EnergyRow] = []
    where = home[o.memory]
    for action, skipped in (("read_bit", Access.WRITE), ("write_bit", Access.READ)):
        keep = (o.access != skipped) & (where >= 0)
        key = where[keep] * operators + owner[keep]
        moved = 8.0 * o.bytes[keep]
        bits = np.asarray(np.bincount(key, moved, len(names) * operators), np.float64)
        for number, name in enumerate(names):
            totals = bits[number * operators : (number + 1) * operators]
            rows += _rows(name, action, totals, memories[name, action])
    return rows


def _base(instance: str, names: list[str]) -> int:
    """The priced memory that an instance ("buffer.1", "array.0.accumulators") is a copy of; -1 for
    the stationary registers, whose bits the array itself counts."""
    if instance in names:
        return names.index(instance)
    if instance.endswith(".accumulators"):
        shared = f"{instance.split('.', 1)[0]}.accumulators"
        return names.index(shared) if shared in names else -1
    stem, _, tail = instance.rpartition(".")
    return names.index(stem) if tail.isdigit() and stem in names else -1


def _static_rows(timeline: Clocked, memories: Mapping[tuple[str, str], Price]) -> list[EnergyRow]:
    seconds = timeline.seconds
    return [
        EnergyRow(-1, memory, action, seconds, seconds * price.joules, price.band,
                  price.boundary, price.source)
        for (memory, action), price in memories.items()
        if action.endswith("_second")
    ]  # fmt: skip
