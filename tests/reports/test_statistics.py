"""Means and intervals, fronts and shares of variance against second opinions."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.reports.sweeps.base import View
from accelsim.reports.sweeps.statistics import (
    designs_of,
    front_of,
    groups_of,
    mean_and_half,
    spread_cells,
    student_t,
)
from accelsim.reports.sweeps.table import Table, Words, table_of
from accelsim.reports.sweeps.variance import between, effects
from accelsim.store import Point, Record
from tests.reports import synthetic


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(1, 12.7062), (2, 4.30265), (4, 2.77645), (9, 2.26216), (29, 2.04523), (1000, 1.96234)],
)
def test_students_t_as_in_tables(freedom: int, quantile: float) -> None:
    """Two-sided 95 %, from the tables of the NIST/SEMATECH handbook."""
    assert student_t(freedom) == pytest.approx(quantile, rel=2e-6)


def test_an_interval_holds_the_mean_19_times_of_20() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(3.0, 2.0, 4000 * 3)
    mean, half = mean_and_half(values, np.repeat(np.arange(4000), 3), 4000)
    assert 0.94 < (np.abs(mean - 3.0) < half).mean() < 0.96


def test_means_leave_out_what_is_missing() -> None:
    values = np.array([1.0, np.nan, 3.0, np.nan, 5.0])
    mean, half = mean_and_half(values, np.array([0, 0, 0, 1, 2]), 3)
    assert mean[0] == 2.0 and np.isnan(mean[1]) and mean[2] == 5.0
    assert half == pytest.approx([student_t(1) * 1.0, 0.0, 0.0])


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=40))
def test_front_is_what_nothing_beats(points: list[tuple[int, int]]) -> None:
    x, y = (np.array([p[i] for p in points], float) for i in (0, 1))
    beaten = [any((a <= p and b <= q) and (a, b) != (p, q) for a, b in points) for p, q in points]
    assert front_of(x, y).tolist() == [not one for one in beaten]


def test_front_leaves_out_missing() -> None:
    assert front_of(np.array([np.nan, 1.0]), np.array([0.0, 1.0])).tolist() == [False, True]
    assert front_of(np.array([]), np.array([])).tolist() == []


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from([1, 2, None])), min_size=1, max_size=20
    )
)
def test_groups_are_equal_rows(rows: list[tuple[str, int | None]]) -> None:
    columns = [Words.of([row[i] for row in rows]) for i in (0, 1)]
    group = groups_of(columns, len(rows))
    seen: dict[tuple[str, int | None], int] = {}
    assert group.tolist() == [seen.setdefault(row, len(seen)) for row in rows]


def test_groups_of_very_many_columns() -> None:
    """More combinations than an int64 can number."""
    rng = np.random.default_rng(0)
    columns = [Words.of(rng.integers(0, 1000, 50).tolist()) for _ in range(9)]
    assert len(set(groups_of(columns, 50).tolist())) == 50
    assert groups_of([c.take(np.array([3, 3, 4])) for c in columns], 3).tolist() == [0, 0, 1]


def test_designs_are_means_over_seeds() -> None:
    records = list(synthetic.records())
    points = table_of(records, synthetic.ANALOG)
    designs = designs_of(points)
    mine = [
        r
        for r in records
        if r.point.base == "pcm"
        and r.point.work == "resnet18"
        and dict(r.point.sets)["units.tiles.adc.bits"] == 6
        and dict(r.point.sets)["units.tiles.rows"] == 256
    ]
    assert len(mine) == 3
    row = next(n for n in range(len(designs)) if designs.point(n) == mine[0].point)
    top1 = [r.measures["top1"] for r in mine]
    assert designs.measures["top1"][row] == pytest.approx(np.mean(top1))
    mean = float(np.mean(top1))
    assert designs.spread["top1"][:, row] == pytest.approx([mean - min(top1), max(top1) - mean])
    noise = [r.measures["latency_seconds"] for r in mine]
    half = student_t(2) * np.std(noise, ddof=1) / np.sqrt(3)
    assert designs.spread["latency_seconds"][:, row] == pytest.approx([half, half])
    assert designs.repeats[row] == 3 and designs.parts["cells"][row] == pytest.approx(
        mine[0].parts["cells"]
    )
    aged = designs.aged
    late = (aged.row == row) & (aged.age == synthetic.AGES[-1])
    assert late.sum() == 1
    assert aged.measures["top1"][late] == pytest.approx(np.mean([r.aged[-1]["top1"] for r in mine]))  # type: ignore[arg-type]


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=5), st.floats(0.5, 1.0))
def test_a_share_and_its_bars_stay_within_0_and_1(top1: list[float], scale: float) -> None:
    """Three seeds of 100, 100 and 97 %: Student's interval reaches 103.3 %."""
    aged = [
        {"age_s": 20.0, "temperature_K": 300.0, "top1": value, "signal_to_noise_db": 1.0}
        for value in top1
    ]
    measures = [{"top1": value, "latency_seconds": scale * value} for value in top1]
    records = [
        Record(str(n), "m", Point("a", "w", (), None, n), measures[n], {}, [aged[n]])
        for n in range(len(top1))
    ]
    designs = designs_of(table_of(records, {"a": True}))
    for table, values in (
        (designs.spread["top1"], designs.measures["top1"]),
        (designs.aged.spread["top1"], designs.aged.measures["top1"]),
    ):
        below, above = table[:, 0]
        assert values[0] - below == pytest.approx(min(top1), abs=1e-12)
        assert values[0] + above == pytest.approx(max(top1), abs=1e-12)
        cells = spread_cells("top1", float(values[0]), table[:, 0])
        assert cells == pytest.approx([min(top1), max(top1)], abs=1e-12)


def test_one_failed_seed_leaves_the_design() -> None:
    designs = designs_of(table_of(synthetic.records(), synthetic.ANALOG))
    broken = designs.repeats[designs.ok & designs.analog]
    assert broken.min() == 3 and designs.ok.sum() == 82 and (~designs.fits).sum() == 2


# -- shares of variance --------------------------------------------------------------------------


def grid(function: object, sizes: tuple[int, ...] = (4, 3, 5)) -> tuple[Table, np.ndarray]:
    records = []
    for values in product(*(range(size) for size in sizes)):
        point = Point("a", "w", tuple((f"k{n}", v) for n, v in enumerate(values)))
        records.append(Record("0", "m", point, {"y": float(function(*values))}))  # type: ignore[operator]
    table = table_of(records, {})
    return table, table.measures["y"]


def shares_of(function: object, grid_kind: bool = True) -> dict[str, tuple[float, float]]:
    table, y = grid(function)
    found, whole = effects(table, np.arange(len(table)), ["k0", "k1", "k2"], y, grid_kind)
    return {key: (effect.main / whole, effect.total / whole) for key, effect in found.items()}


def test_of_a_sum_each_part_has_its_own_variance() -> None:
    found = shares_of(lambda a, b, c: 3 * a - 2 * b)
    va, vb = 9 * np.var(range(4)), 4 * np.var(range(3))
    assert found["k0"] == pytest.approx((va / (va + vb),) * 2)
    assert found["k1"] == pytest.approx((vb / (va + vb),) * 2)
    assert found["k2"] == pytest.approx((0.0, 0.0), abs=1e-12)


def test_of_a_product_about_zero_all_is_interaction() -> None:
    """(a - mean)(b - mean): nothing alone, all of it together (Sobol' 1993)."""
    found = shares_of(lambda a, b, c: (a - 1.5) * (b - 1.0))
    assert found["k0"] == pytest.approx((0.0, 1.0), abs=1e-12)
    assert found["k1"] == pytest.approx((0.0, 1.0), abs=1e-12)
    assert found["k2"] == pytest.approx((0.0, 0.0), abs=1e-12)


def test_main_never_exceeds_total_on_a_grid() -> None:
    rng = np.random.default_rng(3)
    noise = rng.standard_normal((4, 3, 5))
    for main, total in shares_of(lambda a, b, c: noise[a, b, c]).values():
        assert 0 <= main <= total <= 1


def test_samples_give_the_same_shares_within_chance() -> None:
    """3 a + b + noise-free c of 4,000 random designs: shares 0.9, 0.1, 0 for independent uniform keys."""
    rng = np.random.default_rng(5)
    x = rng.integers(0, 64, (4000, 3))
    points = [Point("a", "w", tuple((f"k{n}", int(v)) for n, v in enumerate(row))) for row in x]
    table = table_of([Record("0", "m", point) for point in points], {})
    y = 3.0 * x[:, 0] + x[:, 1]
    found, whole = effects(table, np.arange(4000), ["k0", "k1", "k2"], y, False)
    assert found["k0"].main / whole == pytest.approx(0.9, abs=0.03)
    assert found["k1"].main / whole == pytest.approx(0.1, abs=0.03)
    assert found["k2"].total / whole < 0.03


def test_between_is_the_variance_of_means() -> None:
    values = np.array([1.0, 3.0, 10.0, 12.0])
    assert between(values, np.array([0, 0, 1, 1])) == pytest.approx(4 * 4.5**2)


def test_keys_of_an_axis_that_do_not_determine_each_other_are_one_factor() -> None:
    """Buffer and weights change together in three steps: one column; rows and columns are tied: none."""
    steps = [("256 KiB", "cold"), ("16 MiB", "cold"), ("16 MiB", "resident")]
    records = [
        Record(
            "0",
            "m",
            Point("a", "w", (("rows", n), ("size", size), ("tied", 2 * n), ("weights", w))),
            {"energy_chip_joules": 1.0 + n},
        )
        for n in (1, 2)
        for size, w in steps
    ]
    view = View(
        table_of(records, {}), synthetic.context(axes=(("size", "weights"), ("rows", "tied")))
    )
    assert view.varied() == ["size+weights", "rows"]
    column = view.designs.sets["size+weights"]
    assert list(column.values) == ["256 KiB, cold", "16 MiB, cold", "16 MiB, resident"]
    assert [view.designs.point(n) for n in range(6)] == [record.point for record in records]
