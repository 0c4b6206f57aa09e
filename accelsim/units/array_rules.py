"""What must hold between an array's dataflow, operand formats and accumulators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from accelsim.errors import InputError
from accelsim.formats import FORMATS, Block, Format, Integer
from accelsim.units.base import Rule
from accelsim.units.dataflows import dataflow_named

if TYPE_CHECKING:
    from accelsim.units.mac_array import Accumulator, MacArray, Rate


def array_rules(array: MacArray, written: Mapping[str, Any]) -> Iterator[Rule]:
    """Everything that is wrong with the array's dataflow and formats. written: its section of the file."""
    if refused := dataflow_named(array.dataflow).refuses(array):
        yield "dataflow", "chip.dataflow", refused, "give it that, or take another dataflow"
    for path, code, message, fix in _rules(array, written):
        yield ".".join(path), code, message, fix


def _rules(
    array: MacArray, written: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, ...], str, str, str]]:
    """(path, code, message, fix)."""
    usable = [name for name, record in FORMATS.items() if _multiplied(record)]
    broken = False
    for number, rate in enumerate(array.rates):
        for key in ("input", "weight"):
            name = getattr(rate, key)
            if name not in usable:
                broken = True
                yield (
                    (f"rates[{number}]", key),
                    "chip.format",
                    f"there is no operand format {name!r}",
                    "write one of: " + ", ".join(usable),
                )
        if not broken:
            yield from _rate_rules(array, number, rate)
    keys = written.get("accumulator")
    if isinstance(keys, Mapping):
        yield from _written(array.accumulator, keys)


def _multiplied(record: Format) -> bool:
    return record.grid is not None and not isinstance(record, Block)


def _rate_rules(
    array: MacArray, number: int, rate: Rate
) -> Iterator[tuple[tuple[str, ...], str, str, str]]:
    held = rate.accumulator or array.accumulator
    path: tuple[str, ...] = (
        (f"rates[{number}]", "accumulator") if rate.accumulator else ("accumulator",)
    )
    whole = isinstance(FORMATS[rate.input], Integer) and isinstance(FORMATS[rate.weight], Integer)
    if isinstance(FORMATS[rate.input], Integer) != isinstance(FORMATS[rate.weight], Integer):
        yield (
            (f"rates[{number}]",),
            "chip.format.mixed",
            f"{rate.input} x {rate.weight} mixes integers and floats",
            "write two of one kind",
        )
        return
    if not held.format:
        if not whole:
            yield (
                path,
                "chip.accumulator",
                f"{rate.input} x {rate.weight} has sums that are no integers",
                "write accumulator: {format: fp16_169, chunk: 64, rounding: nearest}",
            )
        return
    if held.format not in FORMATS:
        yield (
            (*path, "format"),
            "chip.format",
            f"there is no accumulator format {held.format!r}",
            "write one of: " + ", ".join(n for n, r in FORMATS.items() if _multiplied(r)),
        )
        return
    if whole and isinstance(FORMATS[held.format], Integer):
        return
    try:
        replace(array, accumulator=held).adder(rate)
    except InputError as error:
        for problem in error.problems:
            yield path, problem.code, problem.message, problem.fix


def _written(
    held: Accumulator, keys: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, ...], str, str, str]]:
    """Keys that stand beside a format and say something else."""
    if "format" in keys and "bits" in keys and keys["bits"] != held.bits:
        yield (
            ("accumulator", "bits"),
            "chip.accumulator.bits",
            f"{held.format} has {held.bits} bits",
            "leave bits out",
        )
    record = FORMATS.get(held.format)
    if (
        "overflow" in keys
        and held.overflow == "wrap"
        and record is not None
        and "wrap" not in record.overflows
    ):
        yield (
            ("accumulator", "overflow"),
            "chip.accumulator.overflow",
            f"{held.format} does not wrap",
            "write one of " + ", ".join(record.overflows),
        )
    if "format" not in keys:
        for key in ("chunk", "rounding", "product", "random_bits", "seed", "result"):
            if key in keys:
                yield (
                    ("accumulator", key),
                    "chip.accumulator.format",
                    f"an integer of {held.bits} bits has no {key}",
                    "write a format beside it",
                )
