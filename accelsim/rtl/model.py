"""Runs tile passes on the register-transfer model of an array."""

from __future__ import annotations

from collections.abc import Sequence

from accelsim.rtl.schedule import TilePass, Trace, layout
from accelsim.rtl.twin import twin_of
from accelsim.units.mac_array import MacArray, Rate


def simulate(
    array: MacArray,
    number: int,
    rate: Rate,
    passes: Sequence[TilePass],
    compile_loops: bool = True,
) -> list[Trace]:
    """What every pass of a dataflow (its number) does when issued at its cycle, legal or not.

    compile_loops: run the loops as machine code; the plain ones mean the same.
    """
    plan, twin = layout(array, number, rate, passes), twin_of(number)
    out, valid = twin.run(plan, twin.signals(plan, passes), compile_loops)
    return twin.read_back(plan, passes, out, valid)
