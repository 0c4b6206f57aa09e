"""What a Program's operands move in 27 loop nests, against ZigZag 3.9.1 (golden.json, made by make_golden.py): equal
in elements, or different by as much as the reason beside it says."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from accelsim.energy.counts import work_of
from tests.zigzag.moved import DIRECTIONS, Moved, moved
from tests.zigzag.nests import (
    BUFFERS,
    CASES,
    EVEN,
    GOLDEN,
    TREE,
    TREE_L2,
    even,
    outputs,
    program_at_home,
    program_of,
)

Place = tuple[str, str, str]  # memory, operand, direction
READ_DOWN, FILLS, UPDATES, READ_UP = DIRECTIONS
NOTHING = dict.fromkeys(DIRECTIONS, 0)


def places(memories: dict[str, dict[str, list[int]]]) -> dict[Place, int]:
    """ZigZag's counts by our names of memories."""
    own = {"registers": "array.registers"}
    return {
        (own.get(memory, memory), operand, way): count
        for memory, operands in memories.items()
        for operand, counts in operands.items()
        for way, count in zip(GOLDEN["directions"], counts, strict=True)
    }


def theirs(case: dict[str, Any], tree: str, kind: str) -> dict[Place, int]:
    """ZigZag's counts of a tree. kind: "elements" or "bytes"."""
    return places(
        {
            memory: {operand: counts[kind] for operand, counts in operands.items()}
            for memory, operands in case[tree].items()
        }
    )


def ours(got: Moved, kind: str, places: dict[Place, int]) -> dict[Place, int]:
    """Our counts at the same places; whatever moves elsewhere is an error."""
    known = {(memory, operand) for memory, operand, _ in places}
    assert set(got) <= known, set(got) - known
    return {
        (memory, operand, way): got.get((memory, operand), {kind: NOTHING})[kind][way]
        for memory, operand, way in places
    }


def products(case: dict[str, Any]) -> int:
    """Multiplications of the operator."""
    o = case["operator"]
    depth = o["k"] if o["kind"] == "gemm" else o["channels"] // o["groups"] * o["kernel"] ** 2
    return outputs(case) * int(depth)


def of_the_input(count: int) -> dict[Place, int]:
    """So many elements more of the input come from off chip."""
    return {("dram", "input", READ_DOWN): count, ("input_buffer", "input", FILLS): count}


def of_the_sums(visits: int, case: str) -> dict[Place, int]:
    """Sums are written so many times more, and read before each of these."""
    count = visits * outputs(CASES[case])
    return {
        ("output_buffer", "output", READ_DOWN): count,
        ("output_buffer", "output", UPDATES): count,
    }


def of_rows(case: str) -> dict[Place, int]:
    """ZigZag's padded rows of m, in all that has rows."""
    (true, padded), counts = (
        CASES[case]["nest"]["padded"]["B"],
        theirs(CASES[case], "two levels", "elements"),
    )
    return {
        place: count * (true - padded) // padded
        for place, count in counts.items()
        if count and place[1] != "weight"
    }


#: case -> why its elements differ, and by how much ours are more
DIFFERENT: dict[str, tuple[str, dict[Place, int]]] = {
    "tiles do not divide m": (
        "ZigZag has no smaller last tile of what streams: 50 rows in tiles of 16 are 64 to it",
        of_rows("tiles do not divide m"),
    ),
    "tiles do not divide k": (
        "the last tile of 6 products takes one pass of 8 rows; to ZigZag each of three takes four",
        of_the_sums(9 - 12, "tiles do not divide k"),
    ),
    "convolution, stride 2, batch 4": (
        "a tile's 4 channels x 9 taps lie side by side along 8 rows, in 5 passes; ZigZag lays channels along rows "
        "and takes 9 passes of 4",
        of_the_sums(2 * 5 - 2 * 9, "convolution, stride 2, batch 4"),
    ),
    "outputs stay, one pass a tile": (
        "to ZigZag a sum stays in its element over three tiles of k; ours leaves it after each, and is read back",
        of_the_sums(3 - 1, "outputs stay, one pass a tile"),
    ),
    "convolution, outputs stay, 16 rows": (
        "two output rows of 8 share the 16 rows of a pass, so that a tile's 4 take two and weights are read twice for "
        "each of two tiles; ZigZag lays one row along them",
        {("weight_buffer", "weight", READ_DOWN): 72 * 16 * 2 * (2 - 4)},
    ),
    "convolution, padding": (
        "the first and last tile have a row of padding each, which we do not fetch: 16 columns of 8 channels",
        of_the_input(-2 * 1 * 16 * 8),
    ),
    "convolution, 1 x 1, stride 2": (
        "a LOAD brings the box that a tile spans, two times 7 rows of 15; ZigZag counts the 8 x 8 that are used",
        of_the_input(16 * (2 * 7 * 15 - 8 * 8)),
    ),
}


#: what is off chip without an L2
ON_L2 = {("dram", "input", READ_DOWN), ("dram", "output", UPDATES)}


def apart(case: dict[str, Any]) -> set[Place]:
    """Places that are not counted alike: registers of elements are read once a product by ZigZag, and hold its sums;
    a Program's operands say what a pass reads there, and sums inside elements are the array's own affair
    (register_bits, accumulator_bits)."""
    operand = case["stays"]
    ways = DIRECTIONS if operand == "output" else (READ_DOWN,)
    return {("array.registers", operand, way) for way in ways}


@pytest.mark.parametrize("name", CASES)
def test_elements_equal_zigzags(name: str) -> None:
    case = CASES[name]
    expected = theirs(case, "two levels", "elements")
    mine = ours(even(name), "elements", expected)
    more = {place: mine[place] - expected[place] for place in expected if place not in apart(case)}
    _, named = DIFFERENT.get(name, ("", {}))
    assert {place: count for place, count in more.items() if count} == named


def test_every_difference_is_one() -> None:
    assert set(DIFFERENT) <= set(CASES)
    assert len(CASES) - len(DIFFERENT) == 20
    assert all(reason and any(named.values()) for reason, named in DIFFERENT.values())


@pytest.mark.parametrize("name", CASES)
def test_elements_equal_zigzags_where_input_and_result_stand_in_l2(name: str) -> None:
    """DRAM, L2, buffers, registers. Sums that come back are at home off chip with us, whatever their result's home."""
    case = CASES[name]
    expected = theirs(case, "at home in L2", "elements")
    got, finishing = moved(program_at_home(case), TREE_L2, "layer")
    back = expected["l2", "output", READ_DOWN]
    sums = got.pop(("dram", "output"), {"elements": NOTHING})["elements"]
    assert sums == {**NOTHING, READ_DOWN: back, UPDATES: back}
    mine = ours(got, "elements", expected)
    for way in (READ_DOWN, UPDATES):
        mine["l2", "output", way] += back
    more = {place: mine[place] - expected[place] for place in expected if place not in apart(case)}
    _, named = DIFFERENT.get(name, ("", {}))
    named = {("l2", *place[1:]) if place in ON_L2 else place: n for place, n in named.items()}
    assert {place: count for place, count in more.items() if count} == named
    assert not finishing


@pytest.mark.parametrize("name", sorted(set(CASES) - set(DIFFERENT)))
def test_what_stands_whole_in_l2_is_moved_there_once(name: str) -> None:
    """All three levels. What comes from off chip gets to the L2 by an operator with us, since only tensors between two
    operators are at home on chip: that one's LOADs and STOREs are ZigZag's fills."""
    case = CASES[name]
    expected = theirs(case, "three levels", "elements")
    program = program_at_home(case)
    before, layer, after = (
        {key: counts["elements"] for key, counts in moved(program, TREE_L2, operator)[0].items()}
        for operator in ("before", "layer", "after")
    )
    sums = layer.get(("dram", "output"), NOTHING)
    if case["l2"]["input"] == "whole":
        assert before["dram", "input"][READ_DOWN] == expected["dram", "input", READ_DOWN]
        assert before["l2", "input"][UPDATES] == expected["l2", "input", FILLS]
        assert layer["l2", "input"][READ_DOWN] == expected["l2", "input", READ_DOWN]
    if case["l2"]["output"] == "whole":
        for way in (READ_DOWN, UPDATES):
            there = layer["l2", "output"][way] + sums[way]
            assert there == expected["l2", "output", way]
        assert after["l2", "output"][READ_DOWN] == expected["l2", "output", READ_UP]
        assert after["dram", "output"][UPDATES] == expected["dram", "output", UPDATES]


@pytest.mark.parametrize("name", sorted(set(CASES) - set(DIFFERENT)))
def test_bytes_differ_by_what_finished_sums_are_narrower(name: str) -> None:
    """Where sums come back ZigZag moves the last visit as wide as the others; our arrays finish it first."""
    case = CASES[name]
    bits, narrow = GOLDEN["bits"], outputs(case)
    wide, elements = theirs(case, "two levels", "bytes"), theirs(case, "two levels", "elements")
    for place, count in ours(even(name), "bytes", wide).items():
        if place in apart(case):
            continue
        saved = 0
        if place[1] == "output" and place[2] in (UPDATES, READ_UP) and elements[place]:
            widths = {8 * wide[place] // elements[place]}
            assert widths <= {bits["sums"], bits["output"]}
            saved = narrow * (bits["sums"] - bits["output"]) // 8 * (widths == {bits["sums"]})
        assert count == wide[place] - saved, place


@pytest.mark.parametrize("name", ["one tile", "outputs stay, mnk", "inputs stay, nmk"])
def test_registers_are_counted_apart(name: str) -> None:
    """ZigZag reads what stays once a product. Of sums that stay the Program says nothing."""
    case = CASES[name]
    counts = theirs(case, "two levels", "elements")
    got = even(name)
    place = "array.registers", case["stays"]
    if case["stays"] == "output":
        assert counts[(*place, UPDATES)] == products(case) and place not in got
    else:
        assert counts[(*place, READ_DOWN)] == products(case)
        assert 0 < got[place]["elements"][READ_DOWN] < products(case)


@pytest.mark.parametrize(
    "name", ["weights stay, mnk", "weights stay, knm: sums come back", "convolution, outputs stay"]
)
def test_a_vector_unit_that_finishes_sums_reads_and_writes_them_once_more(name: str) -> None:
    case = CASES[name]
    program = program_of(case, (*EVEN, "units.array.fused_epilogue=false"))
    got, finishing = moved(program, TREE, "layer")
    count, bits = outputs(case), GOLDEN["bits"]
    assert list(finishing) == [("output_buffer", "output")]
    (found,) = finishing.values()
    assert found["elements"] == {**NOTHING, READ_DOWN: count, UPDATES: count}
    assert found["bytes"] == {
        **NOTHING,
        READ_DOWN: count * bits["sums"] // 8,
        UPDATES: count * bits["output"] // 8,
    }
    expected = theirs(case, "two levels", "elements")
    mine = ours(got, "elements", expected)
    assert all(mine[place] == expected[place] for place in set(expected) - apart(case))
    sums = "output_buffer", "output", UPDATES  # all as wide as ZigZag's now
    assert got["output_buffer", "output"]["bytes"][UPDATES] == expected[sums] * bits["sums"] // 8


@pytest.mark.parametrize("name", ["weights stay, nmk", "convolution, channels in parts"])
def test_sums_may_have_accumulators_of_their_own(name: str) -> None:
    """Then what ZigZag moves in the output buffer is split: sums there, finished outputs in the buffer."""
    case, own = CASES[name], "array.accumulators"
    settings = (*EVEN, "units.array.accumulator.location=column")
    got, _ = moved(program_of(case, settings), (TREE[0], (*BUFFERS, own), TREE[2]), "layer")
    expected = theirs(case, "two levels", "elements")
    sums, codes = (got[memory, "output"]["elements"] for memory in (own, "output_buffer"))
    assert codes == {**NOTHING, UPDATES: outputs(case), READ_UP: outputs(case)}
    for way in DIRECTIONS:
        assert sums[way] + codes[way] == expected["output_buffer", "output", way]


@pytest.mark.parametrize("name", ["weights stay, mkn: sums come back", "convolution, groups"])
def test_bursts_add_bytes_off_chip_alone(name: str) -> None:
    """ZigZag moves what is asked for; a transfer of ours moves whole bursts."""
    whole, _ = moved(program_of(CASES[name], ()), TREE, "layer")
    assert set(even(name)) == set(whole)
    more = 0
    for place, counts in whole.items():
        assert counts["elements"] == even(name)[place]["elements"]
        for way in DIRECTIONS:
            added = counts["bytes"][way] - even(name)[place]["bytes"][way]
            assert added == 0 or (place[0] == "dram" and added > 0)
            more += added
    assert more > 0


@pytest.mark.parametrize("name", ["weights stay, kmn: sums come back", "inputs stay, nmk"])
def test_energy_is_charged_for_what_is_held_here(name: str) -> None:
    """The bits that account() prices are these counts."""
    work = work_of(program_of(CASES[name]), Instant())
    bits = dict.fromkeys(((m, side) for m in work.memories for side in (True, False)), 0)
    for (memory, _), counts in even(name).items():
        for way in DIRECTIONS:
            bits[memory, way in (READ_DOWN, READ_UP)] += 8 * counts["bytes"][way]
    for row, memory in enumerate(work.memories):
        assert work.read[row].sum() == bits[memory, True]
        assert work.written[row].sum() == bits[memory, False]
    assert any(bits.values())


@dataclass(frozen=True)
class Instant:
    """A Timeline of no length."""

    seconds: float = 0.0


@pytest.mark.parametrize("tree", ["two levels", "three levels", "at home in L2"])
@pytest.mark.parametrize("name", CASES)
def test_golden_figures_agree_with_each_other(name: str, tree: str) -> None:
    """What a level gives the next one takes, and what lies below an L2 does not know of it."""
    case = CASES[name]
    counts, two = theirs(case, tree, "elements"), theirs(case, "two levels", "elements")
    for operand in ("input", "weight", "output"):
        way = [
            memory
            for memory in ("dram", "l2", f"{operand}_buffer")
            if (memory, operand, FILLS) in counts
        ]
        for above, below in pairwise(way):
            assert counts[above, operand, READ_DOWN] == counts[below, operand, FILLS]
            assert counts[above, operand, UPDATES] == counts[below, operand, READ_UP]
        near = [place for place in two if place[1] == operand and place[0] != "dram"]
        assert near and all(counts[place] == two[place] for place in near)
        assert not any(counts[way[0], operand, outside] for outside in (FILLS, READ_UP))
