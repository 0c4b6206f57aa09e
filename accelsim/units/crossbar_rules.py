"""What must hold between the keys of a crossbar in a chip file."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from math import inf
from typing import TYPE_CHECKING

from accelsim.analog.scheme import Scheme, placed_levels
from accelsim.devices import device_named, device_names
from accelsim.devices.base import Device
from accelsim.devices.pulses import pulses_names
from accelsim.devices.wear import wear_named, wear_names
from accelsim.errors import InputError
from accelsim.formats import FORMATS
from accelsim.program.opcodes import Opcode
from accelsim.units.base import Around, Precision, Rule

if TYPE_CHECKING:
    from accelsim.units.crossbar import Crossbar

WORN = 0.5  # of the cells: nothing computes with more failed ones
APART = 1.0  # levels are held apart when their distance is so many sums of their deviations


def crossbar_rules(unit: Crossbar, around: Around) -> Iterator[Rule]:
    """Everything that is wrong with one crossbar."""
    for key, code, message, fix in _rules(unit, around):
        yield key, f"crossbar.{code}", message, fix


def _rules(unit: Crossbar, around: Around) -> Iterator[Rule]:
    """(key, code, message, fix) of everything that is wrong."""
    device = yield from _device_of(unit)
    yield from _drive_rules(unit)
    yield from _converter_rules(unit)
    yield from _scheme_rules(unit)
    yield from _column_rules(unit)
    yield from _writing_rules(unit)
    yield from _age_rules(unit)
    if device is not None:
        yield from _device_rules(unit, device)
    yield from _chip_rules(unit, around)


def _device_of(unit: Crossbar) -> Generator[Rule, None, Device | None]:
    """The cells' device, or what is wrong with its name or file."""
    try:
        return device_named(unit.device)
    except KeyError:
        yield (
            "device",
            "device",
            f"there is no device {unit.device!r}",
            "write one of: " + ", ".join(device_names()) + ", or a device file.json",
        )
    except InputError as error:
        for problem in error.problems:
            yield "device", "device", f"{problem.file}: {problem.message}", problem.fix
    return None


def _drive_rules(unit: Crossbar) -> Iterator[Rule]:
    drive = unit.drive
    if drive.supply < drive.voltage:
        yield (
            "drive.supply",
            "supply",
            f"{drive.supply:g} V cannot give {drive.voltage:g} V across a cell",
            f"write at least {drive.voltage:g} V",
        )
    if drive.rms < drive.mean:
        yield (
            "drive.rms",
            "rms",
            f"{drive.rms:g} is below the mean {drive.mean:g}",
            f"write at least {drive.mean:g}",
        )
    if drive.repeats > drive.retries:
        yield (
            "drive.repeats",
            "repeats",
            f"{drive.repeats:g} reads again on average are more than the "
            f"{drive.retries} there may be",
            f"write at most {drive.retries}, or more retries",
        )
    if drive.retries and not unit.adc.bits:
        yield (
            "drive.retries",
            "retries",
            "an ideal converter has no end at which to read again",
            "write 0, or adc.bits of 2 to 24",
        )


def _converter_rules(unit: Crossbar) -> Iterator[Rule]:
    adc = unit.adc
    if adc.bits == 1:
        yield (
            "adc.bits",
            "adc_bits",
            "1 bit is a comparator",
            "write 0 for an ideal converter, or 2 to 24",
        )
    if adc.kind == "counting" and adc.shared > 1:
        yield (
            "adc.shared",
            "shared",
            f"{adc.shared} columns share a counting converter, which counts during the pulse",
            "write 1, or kind: sar",
        )
    if adc.shared > unit.columns:
        yield (
            "adc.shared",
            "shared",
            f"{adc.shared} columns share a converter, there are {unit.columns}",
            f"write at most {unit.columns}",
        )
    if adc.range > unit.rows:
        yield (
            "adc.range",
            "adc_range",
            f"{adc.range:g} full columns are more than {unit.rows} rows give",
            f"write at most {unit.rows}, or 0",
        )


def _scheme_rules(unit: Crossbar) -> Iterator[Rule]:
    """Phases, levels and slices against the signs that the cells of a weight carry."""
    cells = unit.cells
    if unit.drive.phases == 4 and cells.sign != "differential":
        yield (
            "drive.phases",
            "phases",
            "four phases read the two cells of a pair one after another",
            "write 2, or cells.sign: differential",
        )
    if cells.levels == 1:
        yield "cells.levels", "levels", "one level holds nothing", "write 0 for any, or 2 and more"
    if cells.levels == 2 and cells.sign != "differential":
        yield (
            "cells.levels",
            "levels",
            "a single cell of two levels has none on either side of zero",
            "write 3 and more, 0 for any, or cells.sign: differential",
        )
    if cells.slices > 1 and cells.sign != "differential":
        yield (
            "cells.slices",
            "slices",
            "slices carry the sign in pairs",
            "write sign: differential",
        )
    if cells.slices > 1 and cells.spacing == "error":
        yield (
            "cells.spacing",
            "spacing",
            "digits of slices stand at even distances",
            "write spacing: even",
        )


def _column_rules(unit: Crossbar) -> Iterator[Rule]:
    cells = unit.cells
    if unit.outputs < 1:
        yield (
            "columns",
            "columns",
            f"{unit.columns} columns hold no output of {cells.slices} slices",
            f"write at least {cells.slices + cells.spare_columns}",
        )
    if unit.stuck_low + unit.stuck_high > 0.5:
        yield ("stuck_low", "stuck", "more than half of the cells are stuck", "write less")
    if unit.writing.parallel > unit.columns * cells.cells:
        yield (
            "writing.parallel",
            "parallel",
            f"{unit.writing.parallel} cells are more than a row has",
            f"write at most {unit.columns * cells.cells}",
        )


def _age_rules(unit: Crossbar) -> Iterator[Rule]:
    if unit.wear.model not in wear_names():
        yield (
            "wear.model",
            "wear",
            f"there is no wear model {unit.wear.model!r}",
            "write one of: " + ", ".join(wear_names()),
        )
    elif unit.worn > WORN:
        yield (
            "wear.cycles",
            "worn",
            f"{100 * unit.worn:.3g} % of the cells have failed after {unit.wear.cycles:g} cycles",
            f"write fewer cycles, at most {wear_named(unit.wear.model).cycles_until(WORN):.3g}",
        )
    spent = sum(stay.time for stay in unit.profile)
    if spent > unit.age * (1 + 1e-9):
        yield (
            "profile",
            "profile",
            f"the cells spent {spent:g} s in storage, their age is {unit.age:g} s",
            f"write age: {spent:g} s or more, or shorter times",
        )


def _writing_rules(unit: Crossbar) -> Iterator[Rule]:
    writing = unit.writing
    if writing.model and writing.model not in pulses_names():
        yield (
            "writing.model",
            "pulses",
            f"there are no pulses {writing.model!r}",
            "write one of: " + ", ".join(pulses_names()),
        )
    if writing.pulses == "program_and_verify":
        return
    for key in ("model", "margin"):
        if getattr(writing, key):
            yield (
                f"writing.{key}",
                "stated",
                "is of computed programming, and the figures are stated",
                "add pulses: program_and_verify",
            )


def _device_rules(unit: Crossbar, device: Device) -> Iterator[Rule]:
    low, high = device.temperatures
    if not low <= unit.temperature <= high:
        yield (
            "temperature",
            "temperature",
            f"{unit.temperature:g} K is outside the model's {low:g}..{high:g} K",
            f"write a value in {low:g}..{high:g} K",
        )
    if unit.cells.levels < 2:
        return
    gap = _smallest_gap(device, unit.cells)
    if gap < APART:
        yield (
            "cells.levels",
            "apart",
            f"{unit.cells.levels} levels cannot be held apart: neighbours of "
            f"{unit.device} lie {gap:.2g} sums of their deviations from each other",
            "write fewer levels, or 0 for any conductance",
        )


_GAPS: dict[tuple[int, Scheme], tuple[Device, float]] = {}  # by id of the Device, which is kept


def _smallest_gap(device: Device, cells: Scheme) -> float:
    """Distance of the nearest levels in sums of their deviations; infinite where there are none."""
    key = (id(device), cells)
    if key not in _GAPS:
        if len(_GAPS) >= 256:
            _GAPS.clear()
        levels, least = placed_levels(device, cells), inf
        if levels is not None:
            sigma = device.write_sigma(levels)
            least = float(((levels[1:] - levels[:-1]) / (sigma[1:] + sigma[:-1] + 1e-30)).min())
        _GAPS[key] = (device, least)
    return _GAPS[key][1]


def _chip_rules(unit: Crossbar, around: Around) -> Iterator[Rule]:
    others = [other for other in around.units.values() if other is not None]
    if unit.unmapped == "digital" and not any(Opcode.MATMUL in u.opcodes for u in others):
        yield (
            "unmapped",
            "unmapped",
            "the chip has no MAC array for what finds no crossbar",
            "add a unit of kind mac_array, or write error or reprogram",
        )
    for key in ("input", "output"):
        memory = around.memories.get(getattr(unit, key))
        if memory is not None and memory.scope == "private":
            yield (
                key,
                "private",
                f"{memory.name} is private to instances, crossbars share their buffers",
                "write scope: shared",
            )
    precision = around.precision or Precision()
    for name in (precision.input, precision.weight):
        record = FORMATS.get(name)
        if record is None or record.kind != "integer" or not record.signed or record.bits > 12:
            yield (
                "drive",
                "format",
                f"crossbars take signed integers of up to 12 bits, not {name}",
                "write precision: {input: int8, weight: int8}",
            )
