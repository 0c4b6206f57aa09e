"""From a chip's actions to joules a count, each with the row or rule it comes from."""

from __future__ import annotations

from dataclasses import replace

from accelsim.chip import Chip
from accelsim.chip.machine import copies
from accelsim.constants.price import Price, own_value
from accelsim.constants.rows import components
from accelsim.errors import Problem
from accelsim.units.base import Prices


def with_own(chip: Chip, prices: Prices) -> Prices:
    """Prices with the chip's own constants of the form "unit/action" in place, and its own rows
    named in the sources."""
    for own in chip.technology.constants:
        for key, price in prices.items():
            if own.key in price.source:
                named = price.source.replace(own.key, f"{own.key}: {own.source} (the chip file)")
                prices[key] = replace(price, source=named)
        unit, _, action = own.key.partition("/")
        if (unit, action) in prices:
            old = prices[unit, action]
            prices[unit, action] = Price(
                *own_value(chip.technology, own), old.boundary, f"{own.source} (the chip file)"
            )
    return prices


def unknown_constants(chip: Chip, known: set[str]) -> list[Problem]:
    """Constants of the chip file that name neither a row nor an action."""
    listed = ", ".join(sorted(known))
    return [
        Problem(
            "energy.constant",
            f"there is no constant {own.key!r}",
            f"write one of: {listed}",
            path=f"technology.constants[{number}].key",
        )
        for number, own in enumerate(chip.technology.constants)
        if own.key not in known and own.key not in components()
    ]


def unit_prices(chip: Chip) -> Prices:
    """(unit or a memory of its own, action) -> price, for every action that the chip's units name; watts of all
    instances for an action that ends in _second.

    Actions without a sourced constant cost nothing and say so: idle slots, DMA control. Logic
    leakage, clock tree and the wires inside the array have none either.
    """
    prices: Prices = {}
    for unit in chip.units.values():
        standing = chip.standing(unit.name)
        for key, price in unit.prices(chip.technology).items():
            in_all = standing > 1 and key[1].endswith("_second")
            prices[key] = replace(price, joules=standing * price.joules) if in_all else price
    return prices


def memory_prices(chip: Chip) -> Prices:
    """(memory, "read_bit" | "write_bit" | "leakage_second" | "background_second") -> price; a price a second
    is watts of all instances. (link, "hop_bit") -> price of a bit over one hop."""
    prices: Prices = {}
    for memory in chip.memories.values():
        prices.update(memory.prices(chip.technology, copies(chip, memory)))
    for link in chip.links.values():
        prices.update(link.prices(chip.technology))
    return prices
