"""Runs tile passes on the register-transfer model of an array."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from accelsim.jit import compiled
from accelsim.rtl.broadcast import broadcast_cycles
from accelsim.rtl.output_stationary import output_cycles
from accelsim.rtl.schedule import (
    Layout,
    TilePass,
    Trace,
    layout,
    output_signals,
    read_back,
    stationary_signals,
)
from accelsim.rtl.stationary import fit_word, stationary_cycles
from accelsim.units.dataflow import Dataflow
from accelsim.units.mac_array import MacArray, Rate


def simulate(
    array: MacArray,
    dataflow: int,
    rate: Rate,
    passes: Sequence[TilePass],
    compile_loops: bool = True,
) -> list[Trace]:
    """What every pass does when issued at its cycle, legal or not.

    compile_loops: run the loops as machine code; the plain ones mean the same.
    """
    plan = layout(array, dataflow, rate, passes)
    out, valid = exit_signals(plan, passes, compile_loops)
    return read_back(plan, passes, out, valid)


def exit_signals(plan: Layout, passes: Sequence[TilePass], compile_loops: bool) -> tuple[Any, Any]:
    """(out, out_valid): what the exit shows after every edge, as read_back takes it."""
    array = plan.array
    half = 1 << (array.accumulator.bits - 1)
    word = (-half, half - 1, int(array.accumulator.overflow == "saturate"))

    def ready(kernel: Callable[..., None]) -> Callable[..., None]:
        return compiled(kernel, (fit_word,)) if compile_loops else kernel

    lanes, systolic = plan.held * plan.streamed, array.structure == "systolic"
    if plan.dataflow == Dataflow.OUTPUT_STATIONARY:
        s = output_signals(plan, passes)
        out, valid = blank_exit(len(s.mac), array.columns, lanes)
        sizes = (plan.lanes, lanes, array.hop_registers, array.mac_latency)
        ready(output_cycles)(
            s.a,
            s.b,
            s.mac,
            s.first,
            s.end,
            s.used,
            sizes,
            int(systolic),
            int(array.stationary_depth > 1),
            plan.exit_row,
            *word,
            out,
            valid,
        )
        return out, valid
    t = stationary_signals(plan, passes)
    out, valid = blank_exit(len(t.valid), array.columns, lanes)
    common = (t.stream, t.valid, t.slot, t.load, t.load_start, t.load_slot, t.load_values)
    lane_sizes = (plan.lanes, plan.held, plan.streamed)
    if systolic:
        shape = (*lane_sizes, array.row_latency, array.stationary_depth)
        ready(stationary_cycles)(*common, shape, plan.exit_row, *word, out, valid)
    else:
        tree = (*lane_sizes, array.dot, array.mac_latency, array.stationary_depth)
        ready(broadcast_cycles)(*common, tree, *word, out, valid)
    return out, valid


def blank_exit(cycles: int, columns: int, lanes: int) -> tuple[Any, Any]:
    """(out, out_valid) with nothing in them yet."""
    return (
        np.zeros((cycles + 1, columns, lanes), np.int64),
        np.zeros((cycles + 1, columns), np.int64),
    )
