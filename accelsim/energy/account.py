"""account(): from a Program, its Timeline and activity to joules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip
from accelsim.constants.price import Price
from accelsim.constants.rows import families
from accelsim.energy.counts import Activity, Clocked, Counts, counts_of, work_of
from accelsim.energy.joules import Charge, EnergyReport
from accelsim.energy.lookup import (
    memory_prices,
    unit_prices,
    unknown_constants,
    with_own,
)
from accelsim.errors import ConservationError, InputError
from accelsim.program.table import Program
from accelsim.units.base import Prices


def prices(chip: Chip) -> tuple[Prices, Prices]:
    """Prices of what units do, and of memories with what is charged a second, looked up once a Chip."""
    memo = chip.memo
    if "prices" not in memo:
        units, memories = _sorted_out(chip, unit_prices(chip), memory_prices(chip))
        if chip.technology.constants:
            known = {f"{unit}/{action}" for unit, action in (*units, *memories)}
            if problems := unknown_constants(chip, known):
                raise InputError(problems)
        memo["prices"] = (with_own(chip, units), with_own(chip, memories))
    found: tuple[Prices, Prices] = memo["prices"]
    return found


def _sorted_out(chip: Chip, of_units: Prices, memories: Prices) -> tuple[Prices, Prices]:
    """What units charge for bits moved in memories of their own, or a second, stands with the memories'."""
    units: Prices = {}
    memories = dict(memories)
    for (owner, action), price in of_units.items():
        by_count = owner in chip.units and not action.endswith("_second")
        (units if by_count else memories)[owner, action] = price
    return units, memories


def account(
    program: Program, chip: Chip, timeline: Clocked, activity: Activity | None = None
) -> EnergyReport:
    """Every joule of a run.

    Dynamic energy: counts of the units' actions and bits moved by operands, times their prices.
    Static: leakage and background power times the makespan. activity: per-command columns from the values;
    "zero_products" (products with a zero operand) is charged as gated where the array gates;
    "cell_charge" (coulombs) replaces a crossbar's stated one.
    """
    return charge(counts_of(work_of(program, timeline, activity), chip), chip)


def charge(counts: Counts, chip: Chip) -> EnergyReport:
    """Every joule of a run from its counts: account() for a chip of other prices, bit for bit.

    The counts may come from a chip that differs in what sets prices only: technology, constants,
    background and leakage power, converter bits where they take no time.
    """
    units, memories = prices(chip)
    charges: list[Charge] = []
    for unit, action, totals in counts.actions:
        each = units.get((unit, action))
        if each is None:
            raise ConservationError(f"{unit}: nobody prices the action {action}")
        if (unit, action) in counts.bands:
            each = replace(each, band=each.band + counts.bands[unit, action])
        zeros = counts.gated.get((unit, action)) if totals.any() else None
        if zeros is not None and zeros.any():
            gated = action.replace("mac_", "mac_gated_", 1)
            _charge(charges, unit, gated, zeros, units[unit, gated])
            totals = totals - zeros
        _charge(charges, unit, action, totals, each)
    for memory, action, bits in counts.moved:
        _charge(charges, memory, action, bits, memories[memory, action])
    for (memory, action), each in memories.items():
        if action.endswith("_second"):
            joules = counts.seconds * each.joules
            charges.append(Charge(memory, action, each, [-1], [counts.seconds], [joules]))
    return EnergyReport(charges=charges)


def _charge(
    charges: list[Charge], unit: str, action: str, totals: NDArray[np.float64], each: Price
) -> None:
    at = totals.nonzero()[0]
    if len(at):
        some = totals[at]
        charges.append(
            Charge(
                unit, action, each, (at - 1).tolist(), some.tolist(), (some * each.joules).tolist()
            )
        )


def family_spread(
    program: Program, chip: Chip, timeline: Clocked, activity: Activity | None = None
) -> dict[str, float]:
    """Joules of the same work by each published family of digital energy: how far they differ."""
    return spread(counts_of(work_of(program, timeline, activity), chip), chip)


def spread(counts: Counts, chip: Chip) -> dict[str, float]:
    """family_spread() from counts."""
    return {family: charge(counts, in_family(chip, family)).total for family in families()}


def in_family(chip: Chip, family: str) -> Chip:
    """The chip with its digital parts charged by another family; memories cost what they did."""
    if family == chip.technology.family:
        return chip
    other = replace(chip, technology=replace(chip.technology, family=family))
    units, _ = _sorted_out(other, unit_prices(other), {})
    other.memo["prices"] = (with_own(other, units), prices(chip)[1])
    return other
