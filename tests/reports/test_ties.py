"""A heat map's winner: boxed only where no other cell is as near as the spread."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from accelsim.reports.sweeps.base import View
from accelsim.reports.sweeps.context import BaseNote, Context
from accelsim.reports.sweeps.plots.heatmap import Heatmap, cells, tied
from accelsim.reports.sweeps.table import table_of
from accelsim.store import Point, Record

WHERE, PAIR = ("a", "w"), ("rows", "columns")


def view(values: list[list[list[float]]], measure: str) -> View:
    """values: of each seed by columns, then rows."""
    records = []
    for (i, row), seed in product(enumerate(values), range(len(values[0][0]))):
        for j, seeds in enumerate(row):
            point = Point("a", "w", (("columns", i), ("rows", j)), None, seed)
            records.append(Record(f"{i}{j}{seed}", "m", point, {measure: seeds[seed]}))
    objective = f"-{measure}" if measure == "top1" else measure
    context = Context(
        "t",
        objectives=(objective,),
        axes=(("rows",), ("columns",)),
        works={"w": ""},
        bases={"a": BaseNote("a", False)},
    )
    return View(table_of(records, {"a": False}), context)


def standing(seen: View) -> list[list[bool]]:
    objective = seen.context.objectives[0]
    table = cells(seen, "a", "w", PAIR, objective)
    found: list[list[bool]] = tied(seen, WHERE, PAIR, objective, table).tolist()
    return found


@pytest.mark.parametrize(
    ("values", "right"),
    [
        (
            [[[1.0], [1.003]], [[2.0], [1.2]]],
            [[True, True], [False, False]],
        ),  # 0.3 % apart: no winner
        ([[[1.0], [1.03]], [[2.0], [1.2]]], [[True, False], [False, False]]),  # 3 % apart: one
        (
            [[[1.0, 1.1, 1.2], [1.2, 1.3, 1.4]], [[3.0, 3.0, 3.0], [9.0, 9.0, 9.0]]],
            [[True, True], [False, False]],
        ),  # 18 % apart, seeds as far
    ],
)
def test_no_winner_inside_the_spread(
    values: list[list[list[float]]], right: list[list[bool]]
) -> None:
    seen = view(values, "latency_seconds")
    assert standing(seen) == right
    drawn = Heatmap().draw(seen)
    more = sum(map(sum, right)) - 1
    assert (f"and {more} more cells" in drawn.answer) == bool(more)
    boxes = [patch.get_linestyle() for patch in drawn.figure.axes[0].patches]
    assert set(boxes) == ({":"} if more else {"-"}) and len(boxes) == 2 * (1 + more)


def test_seeds_of_an_accuracy_overlap() -> None:
    """97.0 and 97.3 % of three seeds that lie 1 % apart are one."""
    seen = view(
        [[[0.96, 0.97, 0.98], [0.963, 0.973, 0.983]], [[0.5, 0.5, 0.5], [0.9, 0.9, 0.9]]], "top1"
    )
    assert standing(seen) == [[True, True], [False, False]]


def test_no_box_where_all_are_alike() -> None:
    seen = view([[[1.0], [1.001]], [[1.002], [1.003]]], "latency_seconds")
    assert np.all(standing(seen)) and not Heatmap().draw(seen).figure.axes[0].patches
