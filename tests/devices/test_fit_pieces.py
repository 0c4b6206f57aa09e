"""The pieces of a fit: ordinary least squares, deviations less their errors, held-out rows, by formulas."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log, sqrt

import numpy as np
import pytest

from accelsim.devices.fit import (
    Estimate,
    Fit,
    Measurements,
    _bootstrap,
    _completed,
    _deviation,
    _has_lines,
    _line,
    _mean,
    _residual,
    _rms,
    _Slope,
    fit,
)
from accelsim.noise import Stream

READ = 250e-9


def rows_of(cells: list[list[tuple[float, float]]], target: float = 10e-6) -> Measurements:
    """Measurements of cells: (time, siemens) of each read."""
    flat = [(number, t, g) for number, cell in enumerate(cells) for t, g in cell]
    number, t, g = (np.array(column) for column in zip(*flat, strict=True))
    return Measurements(
        np.full(len(flat), target),
        g.astype(float),
        t.astype(float),
        np.full(len(flat), 298.15),
        number.astype(np.int64),
    )


def span_of(data: Measurements) -> np.ndarray:
    return np.log((data.t + READ) / (2 * READ))


# -- one cell --------------------------------------------------------------------------------------


def test_a_line_is_that_of_ordinary_least_squares() -> None:
    """ln g = a - nu ln(t / t0): slope and intercept by sums, their errors from n - 2 rests; Q of each rest over
    its own span."""
    draw = np.random.default_rng(3)
    t = [20.0, 35.0, 90.0, 1e3, 7e4]
    cell = [(x, 9e-6 * x**-0.06 * exp(draw.normal(0, 0.03))) for x in t]
    data = rows_of([[(20.0, 1e-6)], cell])
    level, nu, q, level_error, nu_error = _line(data, 1, 20.0, span_of(data))
    x, y = np.log(np.array(t) / 20.0), np.log([g for _, g in cell])
    sxx = ((x - x.mean()) ** 2).sum()
    slope = ((x - x.mean()) * (y - y.mean())).sum() / sxx
    start = y.mean() - slope * x.mean()
    rest = y - start - slope * x
    s2 = (rest**2).sum() / 3
    assert (level, nu) == pytest.approx((exp(start), -slope), rel=1e-9)
    assert level_error == pytest.approx(sqrt(s2 * (1 / 5 + x.mean() ** 2 / sxx)), rel=1e-6)
    assert nu_error == pytest.approx(sqrt(s2 / sxx), rel=1e-6)
    assert q == pytest.approx(
        sqrt((rest**2 / np.log((np.array(t) + READ) / (2 * READ))).sum() / 3), rel=1e-6
    )


def test_two_reads_have_a_line_without_a_rest_and_none_is_below_nothing() -> None:
    data = rows_of([[(20.0, 8e-6), (2e4, 4e-6)], [(20.0, -1e-6), (2e4, -1e-6)]])
    level, nu, q, *_ = _line(data, 0, 20.0, span_of(data))
    assert (level, nu) == pytest.approx((8e-6, log(2) / log(1000)), rel=1e-9)
    assert q == pytest.approx(0.0, abs=1e-9)
    level, nu, *_ = _line(data, 1, 20.0, span_of(data))
    assert (level, nu) == pytest.approx((1e-12, 0.0), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("cell", "lines"),
    [
        ([(20, 1.0), (30, 0.9), (40, 0.8)], True),
        ([(20, 1.0), (20, 1.1), (40, 0.8)], True),
        ([(20, 1.0), (20, 0.9), (20, 1.1)], False),
        ([(20, 1.0), (40, 0.9)], False),
        ([(20, 1.0), (30, 0.0), (40, 0.8)], False),
        ([(20, 1.0), (30, -0.1), (40, 0.8)], False),
        ([(20, 1.0), (30, 1e-6), (40, 0.8)], True),
    ],
)
def test_which_cells_have_a_line_of_their_own(cell: list[tuple[float, float]], lines: bool) -> None:
    """Three reads at two times, all above 0; one cell without is enough for none."""
    micro = [(t, g * 1e-6) for t, g in cell]
    sound = [(20.0, 2e-6), (50.0, 2e-6), (90.0, 1e-6), (99.0, 1e-6)]
    for cells in ([sound, micro], [micro, sound], [sound, micro, sound]):
        data = rows_of(cells)
        assert _has_lines(data, np.arange(len(data.g))) == lines
        only = np.flatnonzero(data.cell != (1 if cells[1] is micro else 0))
        assert _has_lines(data, only)


# -- many cells ------------------------------------------------------------------------------------


def test_a_deviation_is_less_by_the_cells_own_errors() -> None:
    """Sum of squares over n - 1, less the mean square of the errors, never below 0."""
    values, errors = np.array([1.0, 4.0, 6.0, 9.0]), np.array([0.5, 1.0, 1.5, 2.0])
    square = sum((v - 5.0) ** 2 for v in values) / 3
    assert _deviation(np.stack([values, errors])) == pytest.approx(
        sqrt(square - 7.5 / 4), rel=1e-12
    )
    assert _deviation(np.stack([values, 0 * errors])) == pytest.approx(sqrt(square), rel=1e-12)
    assert _deviation(np.stack([values, 9 * errors])) == 0.0
    assert _mean(np.stack([values, errors])) == 5.0
    assert _rms(np.array([[3.0, 4.0, 5.0]])) == pytest.approx(sqrt(50 / 3), rel=1e-12)


def test_the_drift_of_a_mean_has_each_times_own_number_of_reads() -> None:
    """Exact powers, 1, 5, 2 and 3 reads at four times: the exponent is exact; values below 0 are cut off."""
    times = np.array([1.0, 10.0, 50.0, 4000.0])
    reads = np.array([[1.0, 2.0, 1.0, 0.0], [0.0, 3.0, 1.0, 3.0]])
    for nu in (-0.02, 0.0, 0.07):
        found = _Slope(np.log(times))(np.stack([reads * 8e-6 * times**-nu, reads]))
        assert found == pytest.approx(nu, abs=1e-9)
    two = _Slope(np.log(times[:2]))(np.array([[[4e-6, -1e-6]], [[1.0, 1.0]]]))
    assert two == pytest.approx(log(4e-6 / 1e-12) / log(10.0), rel=1e-9)
    empty = _Slope(np.log(times[:2]))(np.array([[[4e-6, 0.0]], [[1.0, 0.0]]]))
    assert empty == pytest.approx(log(4e-6 / 1e-12) / log(10.0), rel=1e-9)


def test_an_interval_is_that_of_the_mean_of_cells() -> None:
    """400 cells: 1.96 standard errors to either side, from 200 resamplings of cells."""
    values = Stream(1).normal((2, 400)) * 3.0 + 10.0
    found = _bootstrap(values, _mean, Stream(2))
    error = values[0].std() / 20
    assert found.value == values[0].mean()
    assert found.low == pytest.approx(found.value - 1.96 * error, abs=0.5 * error)
    assert found.high == pytest.approx(found.value + 1.96 * error, abs=0.5 * error)


def exact(value: float) -> Estimate:
    return Estimate(value, value, value)


def test_held_out_rows_in_units_of_the_models_deviation() -> None:
    """Mean target e^(-nu L); variance of programming, of drift, of the read, of which only one is there."""
    data = rows_of([[(20.0, 11e-6), (2000.0, 7e-6)], [(20.0, 1.0)]])
    plain = Fit(10e-6, 20.0, [0.0, 1.0], *([exact(0.0)] * 2 for _ in range(4)), 0.0, 3, 2, [])
    age, span = log(100.0), span_of(data)
    held = np.array([0])
    made = replace(plain, programming=[exact(0.5)] * 2)
    assert _residual(made, data, held, span) == pytest.approx(sqrt((2.0**2 + 6.0**2) / 2), rel=1e-9)
    made = replace(made, drift_mean=[exact(0.05)] * 2)
    faded = exp(-0.05 * age)
    second = (7 - 10 * faded) / (0.5 * faded)
    assert _residual(made, data, held, span) == pytest.approx(sqrt((4 + second**2) / 2), rel=1e-9)
    made = replace(
        plain, drift_mean=[exact(0.05)] * 2, drift_sd=[exact(0.02)] * 2, read=[exact(0.1)] * 2
    )
    first = (11 - 10) / (10 * 0.1 * sqrt(span[0]))
    wide = 10 * faded * sqrt((age * 0.02) ** 2 + 0.1**2 * span[1])
    assert _residual(made, data, held, span) == pytest.approx(
        sqrt((first**2 + ((7 - 10 * faded) / wide) ** 2) / 2), rel=1e-9
    )
    assert np.isnan(_residual(plain, data, held[:0], span))
    assert _residual(plain, rows_of([[(20.0, 10.5e-6)]]), held, span[:1]) == pytest.approx(
        500.0, rel=1e-6
    )


def test_what_one_target_cannot_say_the_nearest_says() -> None:
    class One:
        def __init__(self, mean: Estimate | None) -> None:
            self.mean, self.why = mean, {"mean": "no reads"}

    told = [One(None), One(exact(1.0)), One(None), One(None), One(exact(2.0))]
    notes: list[str] = []
    found = _completed(told, [0.1, 0.2, 0.3, 0.8, 1.0], 1e-5, "mean", notes)  # type: ignore[arg-type]
    assert [e.value for e in found] == [1.0, 1.0, 1.0, 2.0, 2.0]
    assert notes == [
        "drift at 1, 3 uS cannot be told (no reads): that of 2 uS is taken",
        "drift at 8 uS cannot be told (no reads): that of 10 uS is taken",
    ]
    found = _completed([One(None)], [1.0], 1e-5, "mean", notes)  # type: ignore[list-item]
    assert found == [exact(0.0)] and notes[-1].endswith("none is taken")


# -- what is refused, and what is held out ---------------------------------------------------------


def table(cells: int, targets: tuple[float, ...] = (10e-6,)) -> Measurements:
    """Exact lines of cells at 20, 200 and 2,000 s, one drift a cell."""
    parts = [
        (i * cells + j, t, goal, goal * (t / 20.0) ** -(0.01 * (j + 1)))
        for i, goal in enumerate(targets)
        for j in range(cells)
        for t in (20.0, 200.0, 2000.0)
    ]
    cell, t, target, g = (np.array(column) for column in zip(*parts, strict=True))
    return Measurements(target, g, t, np.full(len(g), 298.15), cell.astype(np.int64))


def test_every_fifth_of_ten_cells_is_held_out() -> None:
    for cells, held in ((4, 0), (9, 0), (10, 2), (11, 3)):
        found = fit(table(cells), READ)
        assert (found.rows, found.held_out) == (3 * cells, 3 * held)
        rates = [0.01 * (j + 1) for j in range(cells) if not held or j % 5]
        assert found.drift_mean[0].value == pytest.approx(np.mean(rates), rel=1e-6)
        assert found.drift_sd[0].value == pytest.approx(np.std(rates, ddof=1), rel=1e-6)
        assert found.programming[0].value == pytest.approx(0.0, abs=1e-5)
        assert (found.g_max, found.reference, found.x) == (10e-6, 20.0, [1.0])


def test_too_little_is_refused() -> None:
    data = table(6)
    fit(data, 19.9)
    fit(replace(data, temperature=data.temperature + np.where(data.cell == 0, 5.0, 0.0)), READ)
    hot = data.temperature + np.where(data.cell == 0, 5.01, 0.0)
    for wrong, read_s, said in (
        (replace(data, target=data.target * 0), READ, "targets above 0"),
        (replace(data, t=data.t - 20.0), READ, "times after programming"),
        (data, 20.0, "shorter than a read"),
        (data, 0.0, "shorter than a read"),
        (data, -1.0, "shorter than a read"),
        (replace(data, temperature=hot), READ, "several temperatures"),
        (table(3), READ, "has 3 cells"),
    ):
        with pytest.raises(ValueError, match=said):
            fit(wrong, read_s)
    assert len(fit(table(4), READ).x) == 1
