"""MacArray.cost against the register-transfer model on random arrays, and as a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.errors import InputError
from accelsim.formats import FORMAT_INDEX
from accelsim.program.opcodes import Flag, Opcode
from accelsim.program.table import Shapes
from accelsim.rtl.schedule import earliest
from accelsim.units.mac_array import MacArray, Rate
from tests.arrays.runs import (
    FLOWS,
    INT4,
    INT8,
    IS,
    MIXED,
    OS,
    WS,
    agree,
    make_array,
    simulate,
    tiles,
)
from tests.rtl.icarus import Case


@st.composite
def arrays(draw: st.DrawFn) -> MacArray:
    few = st.integers(1, 3)
    rate = Rate("int8", "int8", draw(few), draw(st.sampled_from(("k", "n"))))
    return make_array(
        rate,
        rows=draw(st.integers(1, 7)),
        columns=draw(st.integers(1, 6)),
        dot=draw(few),
        simd=draw(few),
        hop_registers=draw(few),
        mac_latency=draw(few),
        bypass=draw(st.booleans()),
        stationary_depth=draw(few),
        structure=draw(st.sampled_from(("systolic", "broadcast"))),
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    array, flow = draw(arrays()), draw(st.sampled_from(FLOWS))
    limits = array.pass_limits(flow, array.rates[0])
    m, n, k = (st.integers(1, limit or 12) for limit in limits)
    sizes = draw(st.lists(st.tuples(m, k, n), min_size=1, max_size=4))
    rate = array.rates[0]
    return Case(array, flow, rate, earliest(array, flow, rate, tiles(rate, sizes, len(sizes))))


@settings(deadline=None, derandomize=True, max_examples=250)
@given(cases())
def test_any_array_does_what_its_closed_form_says(case: Case) -> None:
    assert agree(case, simulate(case))


def table(*rows: tuple[int, int, int, int, int, int, str, str]) -> Shapes:
    """Shape rows (opcode, flags, m, n, k, dataflow, input, weight)."""
    extents = np.zeros((len(rows), 8), np.int64)
    extents[:, :4] = [row[2:6] for row in rows]
    column = [np.array(values, np.int64) for values in zip(*(row[:2] for row in rows), strict=True)]
    inputs = np.array([FORMAT_INDEX[row[6]] for row in rows], np.int64)
    weights = np.array([FORMAT_INDEX[row[7]] for row in rows], np.int64)
    zero = np.zeros(len(rows), np.int64)
    return Shapes(zero, column[0], column[1], inputs, weights, zero - 1, extents)


MIXTURE = (
    (Opcode.MATMUL, 0, 9, 8, 8, OS, "int8", "int8"),
    (Opcode.PRELOAD, 0, 0, 8, 7, WS, "int4", "int4"),
    (Opcode.MATMUL, int(Flag.FUSED | Flag.LAST_K), 5, 8, 7, WS, "int4", "int4"),
    (Opcode.MATMUL, 0, 5, 8, 4, WS, "int8", "int4"),
    (Opcode.PRELOAD, 0, 3, 0, 4, IS, "int8", "int8"),
    (Opcode.MATMUL, 0, 3, 9, 4, IS, "int8", "int4"),
)


def test_rows_of_a_table_do_not_mix() -> None:
    array = make_array(rates=(INT8, INT4, MIXED), rows=9, columns=8)
    whole = array.cost(table(*MIXTURE))
    for index, row in enumerate(MIXTURE):
        alone = array.cost(table(row))
        for column, one in (
            (whole.interval, alone.interval),
            (whole.first, alone.first),
            (whole.last, alone.last),
        ):
            assert column.dtype == np.int64
            assert column[index] == one[0]
    assert whole.interval.tolist() == [9, 4, 5, 5, 4, 5]
    assert np.all(whole.last >= whole.interval) and np.all(whole.first >= 1)


def test_formats_the_array_lacks_are_named() -> None:
    """What no multiplier holds; narrower integers run on a wider one."""
    with pytest.raises(InputError, match="int8 x int16"):
        make_array().cost(table((Opcode.MATMUL, 0, 1, 1, 1, WS, "int8", "int16")))
    with pytest.raises(InputError, match="int8 x int8"):
        make_array().rate("int16", "int4")
    assert make_array().rate("int4", "int4") == make_array().rate("int8", "int8")


def test_pass_limits_fill_the_array_exactly() -> None:
    array = make_array(rates=(INT8, INT4, MIXED), rows=3, columns=5, dot=2, simd=4)
    for rate, along_k, along_n in ((INT8, 2, 4), (INT4, 4, 4), (MIXED, 2, 8)):
        for flow, limits in (
            (OS, (3, 5 * along_n, 0)),
            (WS, (0, 5 * along_n, 3 * along_k)),
            (IS, (5, 0, 3 * along_k)),
        ):
            assert array.pass_limits(flow, rate) == limits
            m, n, k = (limit or 1 for limit in limits)
            row = (Opcode.MATMUL, 0, m, n, k, flow, rate.input, rate.weight)
            rows, columns, steps = (int(v[0]) for v in array.used(table(row)))
            assert (rows, columns, steps) == (3, 5, 1)


@pytest.mark.parametrize(
    ("changes", "levels"),
    [({"rows": 1}, 0), ({"rows": 4}, 2), ({"rows": 5}, 3), ({"rows": 5, "dot": 4}, 5)],
)
def test_tree_levels(changes: dict[str, Any], levels: int) -> None:
    array = make_array(structure="broadcast", mac_latency=2, **changes)
    assert array.tree_levels == levels
    cost = array.cost(table((Opcode.MATMUL, 0, 6, 2, 1, WS, "int8", "int8")))
    assert (cost.interval[0], cost.first[0], cost.last[0]) == (6, 2 + levels, 7 + levels)
