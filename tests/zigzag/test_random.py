"""Random loop nests against ZigZag (random.jsonl, made by make_random.py): equal in elements, or different by as
much as three reasons say, which are computed for each nest."""

from __future__ import annotations

import json
from math import ceil, prod
from pathlib import Path
from typing import Any

import pytest

from tests.zigzag.moved import moved
from tests.zigzag.nests import TREE, TREE_L2, outputs, program_at_home, program_of
from tests.zigzag.test_equal import READ_DOWN, UPDATES, Place, apart, ours, places

NESTS = [
    json.loads(line) for line in (Path(__file__).parent / "random.jsonl").read_text().splitlines()
]


def passes(case: dict[str, Any], of: str) -> tuple[int, int]:
    """Passes that a tile takes along k or m, ours and ZigZag's: ours lays channels x taps, or images x rows x columns
    of outputs, side by side along the array; ZigZag one tap, one row of outputs at a time."""
    loops = {"k": ("C", "FX", "FY"), "m": ("B", "OY", "OX")}[of]
    limits = {
        "weight": {"k": case["rows"]},
        "input": {"k": case["rows"], "m": case["columns"]},
        "output": {"m": case["rows"]},
    }[case["stays"]]
    if of not in limits:
        return 1, 1
    tile, o = case["tile"], case["operator"]
    size = tile["k"]
    if of == "m":
        width = (o["width"] - o["kernel"]) // o["stride"] + 1 if o["kind"] == "conv" else 1
        size = tile["m"] if o["kind"] == "gemm" else tile["batch"] * tile["height"] * width
    theirs = prod(count for d, count in case["nest"]["inside a tile"] if d in loops)
    return ceil(size / limits[of]), theirs


def predicted(case: dict[str, Any], theirs: dict[Place, int]) -> dict[Place, int]:
    """Ours from ZigZag's. Sums leave the elements after each pass along k of each tile, also where ZigZag lets one stay
    over tiles; what streams past rows of outputs is read once a pass of them."""
    found = dict(theirs)
    tiles = prod(count for d, count in case["nest"]["over tiles"] if d in ("C", "FX", "FY"))
    visits = tiles * passes(case, "k")[0]
    found["output_buffer", "output", UPDATES] = visits * outputs(case)
    found["output_buffer", "output", READ_DOWN] = (visits - 1) * outputs(case)
    mine, other = passes(case, "m")
    streamed = "weight_buffer", "weight", READ_DOWN
    found[streamed] = theirs[streamed] * mine // other
    return found


@pytest.mark.parametrize("case", NESTS, ids=lambda case: case["name"])
def test_elements_equal_zigzags_but_for_three_reasons(case: dict[str, Any]) -> None:
    expected = predicted(case, places(case["two levels"]))
    got, finishing = moved(program_of(case), TREE, "layer")
    mine = ours(got, "elements", expected)
    assert not finishing
    assert {place: mine[place] for place in set(expected) - apart(case)} == {
        place: expected[place] for place in set(expected) - apart(case)
    }


@pytest.mark.parametrize("case", NESTS[::4], ids=lambda case: case["name"])
def test_an_l2_changes_where_from_alone(case: dict[str, Any]) -> None:
    """What is moved off chip without it is moved at the L2 where input and result stand there, sums aside."""
    far, _ = moved(program_of(case), TREE, "layer")
    near, _ = moved(program_at_home(case), TREE_L2, "layer")
    sums = near.pop(("dram", "output"), None)
    for memory, operand in far:
        there = near[("l2" if memory == "dram" and operand != "weight" else memory, operand)]
        for way, count in far[memory, operand]["elements"].items():
            back = sums["elements"][way] if sums and (memory, operand) == ("dram", "output") else 0
            assert there["elements"][way] + back == count
    assert len(near) == len(far)


def test_most_are_equal() -> None:
    """How many need none of the reasons."""
    equal = [
        predicted(case, places(case["two levels"])) == places(case["two levels"]) for case in NESTS
    ]
    assert sum(equal) > len(equal) / 2
