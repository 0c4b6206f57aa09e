"""Operands narrower than the multiplier that they run on, said in words."""

from __future__ import annotations

from accelsim.chip import Chip
from accelsim.mapping.tensors import operator_formats
from accelsim.workload import VectorOperator, Workload

MOST_NAMES = 4


def narrow_operands(workload: Workload, chip: Chip) -> list[str]:
    """A sentence a pair of formats that has no multiplier of its own on the chip's array."""
    array = chip.mac_array
    if array is None:
        return []
    found: dict[tuple[str, str], list[str]] = {}
    for op in workload.operators:
        if not isinstance(op, VectorOperator):
            found.setdefault(operator_formats(op, chip), []).append(op.name)
    notes = []
    for pair, names in found.items():
        rate = array.rate(*pair)
        if pair == (rate.input, rate.weight):
            continue
        more = len(names) - MOST_NAMES
        listed = ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
        notes.append(
            f"{listed}: {pair[0]} x {pair[1]} on multipliers of {rate.input} x {rate.weight}, at "
            "their time and energy; packed to its own width in memories and on the way"
        )
    return notes
