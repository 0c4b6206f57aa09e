"""Random loop nests against ZigZag (random.jsonl, made by make_random.py): equal in elements, or different by as
much as the reasons of predicted() say."""

from __future__ import annotations

import json
from math import ceil, prod
from pathlib import Path
from typing import Any

import pytest

from tests.zigzag.moved import moved
from tests.zigzag.nests import TREE, TREE_L2, outputs, program_at_home, program_of
from tests.zigzag.test_equal import FILLS, READ_DOWN, UPDATES, Place, apart, ours, places

NESTS = [
    json.loads(line) for line in (Path(__file__).parent / "random.jsonl").read_text().splitlines()
]


LOOPS = {"m": ("B", "OY", "OX"), "n": ("K",), "k": ("C", "FX", "FY")}
#: what lies along rows and columns of the array
ALONG = {"weight": "kn", "output": "mn", "input": "km"}


def tile_of(case: dict[str, Any]) -> dict[str, int]:
    """m, n and k of a tile."""
    tile, o = case["tile"], case["operator"]
    if o["kind"] == "gemm":
        return {letter: int(tile[letter]) for letter in "mnk"}
    width = (o["width"] - o["kernel"]) // o["stride"] + 1
    return {"m": tile["batch"] * tile["height"] * width, "n": tile["n"], "k": tile["k"]}


def passes(case: dict[str, Any]) -> tuple[dict[str, int], dict[str, int]]:
    """Passes of a tile along m, n, k, ours and ZigZag's: ours lays channels x taps, or images x rows x columns of
    outputs, side by side along the array; ZigZag one tap, one row of outputs at a time."""
    mine, theirs = dict.fromkeys("mnk", 1), dict.fromkeys("mnk", 1)
    for letter, side in zip(ALONG[case["stays"]], ("rows", "columns"), strict=True):
        mine[letter] = ceil(tile_of(case)[letter] / case[side])
        inside = case["nest"]["inside a tile"]
        theirs[letter] = prod(count for d, count in inside if d in LOOPS[letter])
    return mine, theirs


def predicted(case: dict[str, Any], theirs: dict[Place, int]) -> dict[Place, int]:
    """Ours from ZigZag's. Sums leave the elements after each pass along k of each tile, also where ZigZag lets one stay
    over tiles; what streams past rows of outputs is read once a pass of them; what stays in the elements is there
    until the next pass, over tiles too where a tile is one pass, which it may be to us alone."""
    found, (mine, other) = dict(theirs), passes(case)
    over = case["nest"]["over tiles"]
    visits = prod(count for d, count in over if d in LOOPS["k"]) * mine["k"]
    found["output_buffer", "output", UPDATES] = visits * outputs(case)
    found["output_buffer", "output", READ_DOWN] = (visits - 1) * outputs(case)
    streamed = "weight_buffer", "weight", READ_DOWN
    found[streamed] = theirs[streamed] * mine["m"] // other["m"]
    stays = case["stays"]
    if stays != "output":
        a, b = {"weight": "kn", "input": "mk"}[stays]
        stops = list(over)
        if prod(mine.values()) == 1:  # loops that turn another operand leave it where it is
            while stops and stops[0][0] not in (*LOOPS[a], *LOOPS[b], "G"):
                stops.pop(0)
        tile = tile_of(case)
        held = tile[a] * tile[b] * prod(count for _, count in stops)
        found["array.registers", stays, FILLS] = held
        found[f"{stays}_buffer", stays, READ_DOWN] = held
    return found


@pytest.mark.parametrize("case", NESTS, ids=lambda case: case["name"])
def test_elements_equal_zigzags_but_for_named_reasons(case: dict[str, Any]) -> None:
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


def test_every_reason_is_needed() -> None:
    """And nearly half of the nests need none."""
    differ = [
        {place for place, count in places(case["two levels"]).items() if found[place] != count}
        for case in NESTS
        for found in [predicted(case, places(case["two levels"]))]
    ]
    assert set().union(*differ) >= {
        ("output_buffer", "output", UPDATES),
        ("weight_buffer", "weight", READ_DOWN),
        ("array.registers", "input", FILLS),
    }
    assert differ.count(set()) == 29
