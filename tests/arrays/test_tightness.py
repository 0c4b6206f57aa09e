"""Every wait in the closed forms is needed: right at t, wrong at t - 1, in model and Verilog."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from accelsim.rtl.schedule import earliest, layout
from accelsim.rtl.twin import twin_of
from accelsim.units.mac_array import MacArray
from tests.arrays.runs import (
    INT8,
    IS,
    OS,
    WS,
    full_tile,
    make_array,
    moved,
    need_icarus,
    right_values,
    simulate,
    tiles,
)
from tests.rtl import icarus
from tests.rtl.icarus import Case

DRAWS = 4  # values may hide an error by chance: one of so many draws must show it
Variant = tuple[MacArray, int, int, Callable[[Case], Case]]


def _arrays(flow: int) -> Iterator[MacArray]:
    shapes = itertools.cycle(((4, 4), (1, 3), (5, 1), (3, 2), (1, 1)))
    for structure, depth, hop, latency, bypass in itertools.product(
        ("systolic", "broadcast"), (1, 2, 3), (1, 2, 3), (1, 2), (False, True)
    ):
        if structure == "broadcast" and hop > 1:
            continue
        rows, columns = next(shapes)
        yield make_array(
            rows=rows,
            columns=columns,
            structure=structure,
            stationary_depth=depth,
            hop_registers=hop,
            mac_latency=latency,
            bypass=bypass,
        )


def _too_early(flow: int) -> Iterator[Variant]:
    """(array, tiles in a row, streamed length, the move to one cycle too early)."""
    for array in _arrays(flow):
        depth = array.stationary_depth
        for streamed in (1, 3, array.rows + 4):
            if flow == OS:
                yield array, 2, streamed, lambda case: moved(case, 1, issue=-1)
                continue
            # the preload must be complete
            yield array, 1, streamed, lambda case: moved(case, 0, issue=-1)
            # the array takes one operand a cycle; only then is the stream the limit
            if depth > 1 and streamed > array.rows:
                yield array, 2, streamed, lambda case: moved(case, 1, issue=-1)
            # the slot must be free: when the pass that held it ended last
            if depth == 1 or (depth == 2 and streamed > array.rows):
                yield (
                    array,
                    depth + 1,
                    streamed,
                    lambda case: moved(case, len(case.passes) - 1, preload=-1),
                )


def _cases(flow: int) -> list[tuple[list[Case], list[Case]]]:
    """For every variant: the same run with several draws of values, legal and too early."""
    found = []
    for array, count, streamed, early in _too_early(flow):
        size = full_tile(array, flow, streamed)
        legal = [
            Case(array, flow, INT8, earliest(array, flow, INT8, tiles(INT8, [size] * count, seed)))
            for seed in range(DRAWS)
        ]
        found.append((legal, [early(case) for case in legal]))
    return found


@pytest.mark.parametrize("flow", (OS, WS, IS))
def test_model_is_right_at_t_and_wrong_at_t_minus_1(flow: int) -> None:
    for legal, early in _cases(flow):
        what = f"{early[0].array} {early[0].number} {len(early[0].passes)}"
        assert all(right_values(case, simulate(case)) for case in legal), what
        assert not all(right_values(case, simulate(case)) for case in early), what


@pytest.mark.parametrize("flow", (OS, WS, IS))
def test_verilog_is_right_at_t_and_wrong_at_t_minus_1(flow: int, tmp_path: Path) -> None:
    need_icarus()
    variants = _cases(flow)[::5]
    flat = [case for pair in variants for cases in pair for case in cases]
    traces = iter(icarus.simulate(flat, tmp_path))
    for legal, early in variants:
        what = f"{early[0].array} {early[0].number} {len(early[0].passes)}"
        assert all([right_values(case, next(traces)) for case in legal]), what
        assert not all([right_values(case, next(traces)) for case in early]), what


def test_products_of_one_sum_wait_for_the_latency() -> None:
    """With a latency of 3, a sum that takes a product every second cycle loses some."""
    slow = make_array(mac_latency=3, rows=2, columns=2)
    fast = make_array(mac_latency=2, rows=2, columns=2)
    passes = earliest(fast, OS, INT8, tiles(INT8, [(2, 6, 2)], 3))
    plan = layout(fast, OS, INT8, passes)
    twin = twin_of(OS)
    signals = twin.signals(plan, passes)  # a product every 2 cycles
    for array, right in ((fast, True), (slow, False)):
        out, valid = twin.run(replace(plan, array=array), signals, False)
        traces = twin.read_back(plan, passes, out, valid)
        assert right_values(Case(fast, OS, INT8, passes), traces) is right


@pytest.mark.parametrize("flow", (WS, IS))
def test_slot_lag_is_that_of_the_new_tile(flow: int) -> None:
    """A new tile of fewer rows may be preloaded earlier, and not a cycle earlier than that."""
    array = make_array(rows=5, columns=2, stationary_depth=1, hop_registers=3)
    assert array.slot_lag(flow) == 2 * 4 and array.slot_lag(flow, 3) == 2 * 2
    full = full_tile(array, flow, 4)
    part = (full[0], 3, full[2])
    wrong = 0
    for seed in range(DRAWS):
        passes = earliest(array, flow, INT8, tiles(INT8, [full, part], seed))
        assert passes[1].preload == passes[0].issue + 4 + 4
        case = Case(array, flow, INT8, passes)
        assert right_values(case, simulate(case))
        early = moved(case, 1, preload=-1)
        wrong += not right_values(early, simulate(early))
    assert wrong
