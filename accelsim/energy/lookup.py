"""From a chip's actions to joules a count, each with the row or rule it comes from."""

from __future__ import annotations

from dataclasses import replace

from accelsim.chip import Chip
from accelsim.energy.crossbar import crossbar_prices, static_prices
from accelsim.energy.float_mac import float_multiply_accumulate, is_float
from accelsim.energy.price import CHIP, CORE, DEVICE, Price
from accelsim.energy.price import own_value as _own
from accelsim.energy.price import row_value as _row
from accelsim.energy.rows import components, half_width
from accelsim.energy.sram import sram_cost
from accelsim.errors import InputError, Problem
from accelsim.formats import get
from accelsim.units.dram import Dram
from accelsim.units.sram import Sram


def with_own(chip: Chip, prices: dict[tuple[str, str], Price]) -> dict[tuple[str, str], Price]:
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
                *_own(chip, own), old.boundary, f"{own.source} (the chip file)"
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


def multiply_accumulate(chip: Chip, input_format: str, weight_format: str) -> Price:
    """One multiply-accumulate: the family's 8-bit multiply times the product of widths over 64,
    plus its 32-bit add times the accumulator's width over 32 (array and carry-chain area rules).
    Floats: energy/float_mac.py."""
    family, array = chip.technology.family, chip.array
    if is_float(input_format, weight_format):
        held = array.rate(input_format, weight_format).accumulator or array.accumulator
        return float_multiply_accumulate(chip, input_format, weight_format, held)
    a, b, width = get(input_format).bits, get(weight_format).bits, chip.array.accumulator.bits
    multiply, band_m = _row(chip, f"{family}/int8/multiply")
    add, band_a = _row(chip, f"{family}/int32/add")
    joules_m, joules_a = multiply * a * b / 64, add * width / 32
    total = joules_m + joules_a
    derived = half_width("der") if (a, b, width) != (8, 8, 32) else 0.0
    band = max((joules_m * band_m + joules_a * band_a) / total, derived)
    source = f"{family}/int8/multiply x {a * b}/64 + {family}/int32/add x {width}/32"
    return Price(total, band, DEVICE, source)


def unit_prices(chip: Chip) -> dict[tuple[str, str], Price]:
    """(unit, action) -> price, for every action that the chip's units name and we charge.

    Actions without a sourced constant cost nothing and say so: idle slots, DMA control. Logic
    leakage, clock tree and the wires inside the array have none either.
    """
    family = chip.technology.family
    array, vector, dma = chip.mac_array, chip.vector_unit, chip.dma
    prices: dict[tuple[str, str], Price] = {}
    none = Price(0.0, 0.0, CHIP, "not charged: no sourced constant")
    register, band = _row(chip, "aladdin_40nm/register/bit")
    bit = Price(register, band, CORE, "aladdin_40nm/register/bit")
    multiply, band_m = _row(chip, f"{family}/int32/multiply")
    add, band_a = _row(chip, f"{family}/int32/add")
    rescale = Price(
        multiply + add, max(band_m, band_a), CORE, f"{family}/int32/multiply + {family}/int32/add"
    )
    element = Price(add, band_a, CORE, f"{family}/int32/add")
    if array is not None:
        for rate in array.rates:
            pair = f"{rate.input}_{rate.weight}"
            prices[array.name, f"mac_{pair}"] = multiply_accumulate(chip, rate.input, rate.weight)
            prices[array.name, f"mac_gated_{pair}"] = Price(
                0.0, 0.0, DEVICE, "a product with a zero operand: registers hold, nothing switches"
            )
        prices[array.name, "register_bits"] = bit
        prices[array.name, "accumulator_bits"] = bit
        prices[array.name, "requantize"] = rescale
        prices[array.name, "idle_slots"] = none
    if (crossbar := chip.crossbar) is not None:
        prices.update(crossbar_prices(chip, crossbar))
    prices[vector.name, "requantize"] = rescale
    prices[vector.name, "element_operation"] = element
    prices[dma.name, "transfer"] = none
    wire, band_w = _row(chip, "isaac_32nm/bus/bit")
    prices[dma.name, "bus_bits"] = Price(wire, band_w, CHIP, "isaac_32nm/bus/bit")
    return prices


def memory_prices(chip: Chip) -> dict[tuple[str, str], Price]:
    """(memory, "read_bit" | "write_bit" | "leakage_second" | "background_second") -> price.

    A price a second is watts of all instances of the memory.
    """
    prices: dict[tuple[str, str], Price] = {}
    for memory in chip.memories.values():
        if isinstance(memory, Dram):
            key = f"dram/{memory.standard}/bit"
            if key not in components():
                raise InputError(
                    Problem(
                        "energy.dram",
                        f"no energy row for the standard {memory.standard!r}",
                        "write one of " + ", ".join(standards()),
                        path=f"memories.{memory.name}.standard",
                    )
                )
            joules, band = _row(chip, key)
            for action in ("read_bit", "write_bit"):
                prices[memory.name, action] = Price(joules, band, CHIP, key)
            if memory.background:
                prices[memory.name, "background_second"] = Price(
                    memory.background,
                    0.0,
                    CHIP,
                    f"the chip file: memories.{memory.name}.background",
                )
            continue
        prices.update(_sram_prices(memory, chip))
    if (crossbar := chip.crossbar) is not None:
        prices.update(static_prices(crossbar))
    array = chip.mac_array
    if array is not None and array.accumulator.location == "column":
        register, band = _row(chip, "aladdin_40nm/register/bit")
        held = Price(register, band, CORE, "aladdin_40nm/register/bit")
        for action in ("read_bit", "write_bit"):
            prices[f"{array.name}.accumulators", action] = held
    return prices


def _sram_prices(memory: Sram, chip: Chip) -> dict[tuple[str, str], Price]:
    tech = chip.technology
    try:
        cost = sram_cost(
            memory.size,
            memory.banks,
            memory.width,
            tech.node_nm,
            tech.voltage,
            tech.sram_device,
            tech.temperature,
        )
    except InputError as error:
        raise InputError(
            replace(problem, path=problem.path or f"memories.{memory.name}.size")
            for problem in error.problems
        ) from None
    copies = chip.core.count if memory.scope == "private" else 1
    watts = cost.leakage * memory.banks * copies
    return {
        (memory.name, "read_bit"): Price(
            cost.read / memory.width, cost.energy_band, CORE, cost.source
        ),
        (memory.name, "write_bit"): Price(
            cost.write / memory.width, cost.energy_band, CORE, cost.source
        ),
        (memory.name, "leakage_second"): Price(watts, cost.leakage_band, CORE, cost.source),
    }


def standards() -> tuple[str, ...]:
    """Off-chip memory standards with an energy row."""
    return tuple(sorted(key.split("/")[1] for key in components() if key.startswith("dram/")))
