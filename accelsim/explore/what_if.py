"""What single changes of a chip would bring: each one is planned and simulated, not guessed."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Dict
from dataclasses import dataclass, replace
from typing import Any

from accelsim.chip import Chip
from accelsim.energy import account
from accelsim.errors import InputError
from accelsim.explore.homes import plan_at_home
from accelsim.mapping import Mapping, Plan, compile_program, plan
from accelsim.mapping.homes import DEFAULT, OFF_CHIP, Homes
from accelsim.mapping.units import SAID, Choice
from accelsim.timing import simulate
from accelsim.units.crossbar import Crossbar
from accelsim.units.dataflows import dataflow_names
from accelsim.units.mac_array import MacArray
from accelsim.units.sram import Sram
from accelsim.workload import Workload

NOTABLE = 0.0005  # smaller gains are not worth a line


@dataclass(frozen=True, slots=True)
class Change:
    """One change and what came of it: seconds and joules of the whole workload."""

    text: str
    seconds: float
    joules: float


def changes(chip: Chip) -> Iterator[tuple[str, Chip]]:
    """Single changes of one parameter each."""
    dram = chip.dram

    def with_memory(memory: Any) -> Chip:
        return replace(chip, memories={**chip.memories, memory.name: memory})

    yield (
        f"{dram.name} bandwidth {dram.bandwidth / 1e9:g} -> {2 * dram.bandwidth / 1e9:g} GB/s",
        with_memory(replace(dram, bandwidth=2 * dram.bandwidth)),
    )
    if dram.latency:
        yield (
            f"{dram.name} latency {dram.latency * 1e9:g} -> {dram.latency * 5e8:g} ns",
            with_memory(replace(dram, latency=dram.latency / 2)),
        )
    for memory in chip.memories.values():
        if isinstance(memory, Sram):
            yield (
                f"{memory.name} {memory.size // 1024} -> {memory.size // 512} KiB",
                with_memory(replace(memory, size=2 * memory.size)),
            )
            yield (
                f"{memory.name} {memory.bytes_per_cycle} -> {2 * memory.bytes_per_cycle} bytes a "
                "cycle",
                with_memory(replace(memory, banks=2 * memory.banks)),
            )
            if memory.buffering == "single":
                yield (
                    f"{memory.name} double buffered",
                    with_memory(replace(memory, buffering="double")),
                )
    if chip.mac_array is not None:
        yield from _array_changes(chip, chip.mac_array)
    if chip.crossbar is not None:
        yield from _crossbar_changes(chip, chip.crossbar)
    if "cold" in chip.weights_said:
        yield "weights resident on the chip", chip.at_weights("resident")
    for point in chip.operating_points:
        yield f"operating point {point.name}", chip.at(point.name)


def _array_changes(chip: Chip, array: MacArray) -> Iterator[tuple[str, Chip]]:
    def with_array(**new: Any) -> Chip:
        return replace(chip, units={**chip.units, array.name: replace(array, **new)})

    yield f"{array.name} rows {array.rows} -> {2 * array.rows}", with_array(rows=2 * array.rows)
    yield (
        f"{array.name} columns {array.columns} -> {2 * array.columns}",
        with_array(columns=2 * array.columns),
    )
    if array.stationary_depth == 1:
        yield f"{array.name} preloads while it computes", with_array(stationary_depth=2)
    if not array.fused_epilogue:
        yield f"{array.name} requantises in its output pipeline", with_array(fused_epilogue=True)
    for name in dataflow_names():
        if name != array.dataflow:
            yield f"{array.name} {name.replace('_', ' ')}", with_array(dataflow=name)


def _crossbar_changes(chip: Chip, crossbar: Crossbar) -> Iterator[tuple[str, Chip]]:
    own = replace(crossbar, clock_hz=0)
    name, adc, drive = own.name, own.adc, own.drive

    def with_crossbar(**new: Any) -> Chip:
        return replace(chip, units={**chip.units, name: replace(own, **new)})

    yield f"{name} count {own.count} -> {2 * own.count}", with_crossbar(count=2 * own.count)
    if adc.shared > 1:
        yield (
            f"{name} columns a converter {adc.shared} -> {adc.shared // 2}",
            with_crossbar(adc=replace(adc, shared=adc.shared // 2)),
        )
    yield (
        f"{name} pulse {drive.pulse * 1e9:g} -> {drive.pulse * 5e8:g} ns",
        with_crossbar(drive=replace(drive, pulse=drive.pulse / 2)),
    )
    if drive.supply > drive.voltage:
        yield (
            f"{name} cells supplied at {drive.voltage:g} V",
            with_crossbar(drive=replace(drive, supply=drive.voltage)),
        )
    if adc.bits > 4:
        yield (
            f"{name} converters of {adc.bits} -> {adc.bits - 1} bits",
            with_crossbar(adc=replace(adc, bits=adc.bits - 1)),
        )


def what_if(
    chip: Chip,
    workload: Workload,
    mappings: dict[str, Mapping] | None = None,
    homes: Homes = OFF_CHIP,
    on: Dict[str, Choice] | None = None,
) -> tuple[Change, list[Change]]:
    """(as it is, every change that can be simulated). mappings, homes, on: those of the run; the changed
    chips get default mappings, so a change is never helped by a search, units of their own, but for those that were
    given, and homes of their own, unless the run has none where the default has some: then everything was asked to be
    off chip."""
    said = {name: choice for name, choice in (on or {}).items() if choice.why in SAID}
    mode = DEFAULT
    if not homes.at and plan_at_home(chip, workload, mappings, on=on).homes.at:
        mode = "off_chip"

    def measured(text: str, changed: Chip, chosen: Plan) -> Change:
        program = compile_program(changed, workload, chosen=chosen)
        timeline = simulate(program, changed)
        return Change(text, timeline.seconds, account(program, changed, timeline).total)

    found = []
    for text, changed in changes(chip):
        try:
            found.append(measured(text, changed, plan_at_home(changed, workload, None, mode, said)))
        except InputError:  # it does not fit, or has no price
            continue
    return measured("as it is", chip, plan(chip, workload, mappings, homes, on)), found


def advice(
    chip: Chip,
    workload: Workload,
    mappings: dict[str, Mapping] | None,
    aim: str,
    most: int = 3,
    homes: Homes = OFF_CHIP,
    on: Dict[str, Choice] | None = None,
) -> list[Change]:
    """The changes that lower seconds ("cycles") or joules ("joules") the most, best first."""
    base, found = what_if(chip, workload, mappings, homes, on)
    key = "seconds" if aim == "cycles" else "joules"
    better = [item for item in found if getattr(item, key) < getattr(base, key) * (1 - NOTABLE)]
    return sorted(better, key=lambda item: (getattr(item, key), item.text))[:most]
