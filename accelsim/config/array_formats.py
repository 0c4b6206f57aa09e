"""What must hold between an array's operand formats, its accumulators and the chip's precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from accelsim.chip import Precision
from accelsim.config.yaml_source import Node, Place
from accelsim.errors import InputError, Problem
from accelsim.formats import FORMATS, Block, Format, Integer
from accelsim.units.mac_array import Accumulator, MacArray, Rate

Placed = Callable[..., Place]


def with_precision(array: MacArray, precision: Precision | None) -> MacArray:
    """The array with the accumulator of the pair of formats that the chip runs."""
    try:
        rate = None if precision is None else array.rate(precision.input, precision.weight)
    except InputError:  # named where the chip is checked
        return array
    if rate is None or rate.accumulator is None:
        return array
    return replace(array, accumulator=rate.accumulator)


def check_formats(array: MacArray, node: Node, place: Placed) -> list[Problem]:
    """Every problem of the array's formats. node: its mapping in the file."""
    found = []
    for path, code, message, fix in _rules(array, node):
        where = place(*path)
        dotted = ".".join(path)
        found.append(
            Problem(
                code,
                message,
                fix,
                f"units.{array.name}.{dotted}",
                where.file,
                where.line,
                where.column,
            )
        )
    return found


def _rules(array: MacArray, node: Node) -> Iterator[tuple[tuple[str, ...], str, str, str]]:
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
    if "accumulator" in node.value:
        yield from _written(array.accumulator, node.value["accumulator"][1])


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


def _written(held: Accumulator, node: Node) -> Iterator[tuple[tuple[str, ...], str, str, str]]:
    """Keys that stand beside a format and say something else."""
    keys: dict[str, Any] = node.value if node.is_map else {}
    if "format" in keys and "bits" in keys and keys["bits"][1].value != held.bits:
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
