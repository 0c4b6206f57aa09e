"""Single terms of a crossbar's values, each against the definition or the circuit that it stands for."""

from __future__ import annotations

from dataclasses import replace
from math import erf, exp, sqrt

import numpy as np
import pytest

from accelsim.analog import Adc, Block, Drive, Scheme, Tile
from accelsim.analog.converters import Converter
from accelsim.analog.managed import managed
from accelsim.analog.read_noise import Shares, shares
from accelsim.analog.scheme import targets
from accelsim.analog.sums import (
    COARSE,
    LONG,
    SHORT,
    TELL,
    Driven,
    on_coarse_grid,
    on_fine_grid,
    short,
    squares,
    variance_on_grid,
)
from accelsim.analog.tile import _deviates, _Pick
from accelsim.devices import device_named, physical
from accelsim.devices.base import BOLTZMANN
from accelsim.devices.flicker import Flicker
from accelsim.jit_dot import TILE
from accelsim.noise import Stream
from accelsim.noise.quick import quick_normal

IDEAL = device_named("ideal")


def block(tile: Tile, weights: np.ndarray, input_top: int = 127, one_sided: bool = False) -> Block:
    return Block(tile, weights, 127, input_top, one_sided, Stream(tile.seed, ("terms",)))


# -- sums ------------------------------------------------------------------------------------------


def test_numbers_that_just_fit_sixteen_and_thirty_two_bits() -> None:
    for value, fits in ((SHORT, True), (-SHORT, True), (SHORT + 1, False), (-SHORT - 1, False)):
        found = short(np.array([[value * 2.0**-COARSE]]), 1, COARSE)
        assert (found is not None) == fits
        assert found is None or found[0, 0] == value
    assert (
        short(np.ones((2, 1)), SHORT, 0) is not None
        and short(np.ones((2, 1)), SHORT + 1, 0) is None
    )
    for top in (1, 127, 255):
        most = LONG // top
        rows = most // SHORT + 2
        values = np.full((rows, 1), most // rows, float)
        values[: most % rows] += 1
        assert short(values, top, 0) is not None
        values[-1] += 1
        assert short(values, top, 0) is None


def test_grids_of_a_sum() -> None:
    """The fine one leaves 4 bits and those of codes and rows; the coarse one is 2^-14, where it moves no sum by
    more than an eighth of a step."""
    draw = np.random.default_rng(0)
    for rows, bits in ((1, 8), (127, 8), (128, 4), (512, 12)):
        values = draw.uniform(-1, 1, (rows, 3))
        grid = 2.0 ** -(53 - bits - int(np.ceil(np.log2(rows + 1))) - 4)
        found = on_fine_grid(values, bits)
        assert np.array_equal(found / grid, np.rint(values / grid))
    values = (np.arange(6)[:, None] + 0.25) * 2.0**-COARSE
    found = on_coarse_grid(values, 127, 1.0)
    assert found is not None and (found * 2.0**COARSE).ravel().tolist() == [0, 1, 2, 3, 4, 5]
    moved = 6 * 0.25 * 2.0**-COARSE
    assert on_coarse_grid(values, 127, moved / TELL) is not None
    assert on_coarse_grid(values, 127, moved / TELL * 0.999) is None


def test_variances_lie_on_the_finest_grid_that_fits() -> None:
    """Largest sum rounded up everywhere times the top code fits 32 bits, the largest value 16."""
    draw = np.random.default_rng(1)
    for rows, top, size in (
        (300, 4095, 1.0),
        (300, 16129, 1e-3),
        (4, 1, 0.7),
        (4, 32767, 2.0),
        (40, 900, 30.0),
    ):
        values = draw.uniform(0, size, (rows, 4))
        found = variance_on_grid(values, top)
        assert found is not None
        grid, bits = found
        assert np.array_equal(grid, np.rint(values * 2.0**bits) * 2.0**-bits)

        def fits(
            fraction: int, values: np.ndarray = values, rows: int = rows, top: int = top
        ) -> bool:
            sums = values.sum(axis=0).max() * 2.0**fraction + rows
            return bool(top * sums <= LONG and values.max() * 2.0**fraction <= SHORT)

        assert fits(bits) and not fits(bits + 1)


def test_a_grid_of_variances_leaves_room_for_every_value_rounded_up() -> None:
    """400 rows: half a step each is 0.6 % of a sum that fits but for 0.3 %."""
    values = np.where(np.arange(400) < 271, 82, 81)[:, None] / 128
    assert 1.002 < LONG / 32767 / 2**8 / values.sum() < 1.004
    found = variance_on_grid(values, 32767)
    assert found is not None and found[1] == 7 and np.array_equal(found[0], values)


def test_squares_of_codes_fit_fifteen_bits() -> None:
    for top, shift in ((1, 0), (127, 0), (181, 0), (182, 1), (255, 1), (256, 2), (4095, 9)):
        codes = np.array([[0, 1, top // 2, top, -top]])
        found, by = squares(codes, top)
        assert by == shift and found.max() < 1 << 15
        assert np.array_equal(found, (codes * codes + ((1 << shift) >> 1)) // (1 << shift))


@pytest.mark.parametrize("outputs", [1, TILE, TILE + 1, 3 * TILE - 1])
def test_ranges_of_outputs_of_short_sums(outputs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every range of a matrix whose width is any part of a tile."""
    monkeypatch.setattr("accelsim.jit.COMPILE_ABOVE", -1)
    draw = np.random.default_rng(2)
    values = draw.integers(-9, 9, (5, outputs)) * 2.0**-COARSE
    codes = draw.integers(-127, 128, (3, 5))
    shorts, driven = short(values, 127, COARSE), Driven(codes)
    for low in range(outputs):
        for high in range(low + 1, outputs + 1):
            sums, one = driven.sums(values, shorts, COARSE, slice(low, high))
            assert np.array_equal(sums * one, codes @ values[:, low:high]), (low, high)


# -- converters and managed reads ------------------------------------------------------------------


def test_codes_at_the_ends_of_converters() -> None:
    made = Converter(4, 7.0)
    assert (made.top, made.step) == (7, 1.0)
    values = np.array([-9.0, -7.6, -7.4, 0.5, 1.5, 7.4, 7.5, 7.6])
    assert made.codes(values).tolist() == [-7, -7, -7, 0, 2, 7, 7, 7]
    beyond = [True, True, False, False, False, False, True, True]
    assert made.clipped(values).tolist() == beyond


@pytest.mark.parametrize("retries", [0, 1, 2, 5])
def test_a_vector_is_read_once_and_as_often_more_as_allowed(retries: int) -> None:
    """Columns that always clip: halves of the input until none is left over, and each read counted once."""
    made = block(
        Tile(IDEAL, drive=Drive(retries=retries, scale="vector"), columns=3), np.full((4, 5), 127)
    )
    seen: list[tuple[int, int, list[float]]] = []

    def read(
        codes: np.ndarray, chosen: np.ndarray, retry: int, part: slice
    ) -> tuple[np.ndarray, np.ndarray]:
        seen.append((retry, part.start, codes[:, 0].tolist()))
        sums = codes[:, :1].astype(float) * np.ones((1, part.stop - part.start))
        return sums, np.array([n < 2 for n in chosen.tolist()])

    x = np.array([[64] * 4, [127, 0, 0, 0], [8] * 4])
    found = managed(made, x, slice(0, 5), read, True)
    assert [(retry, start) for retry, start, _ in seen] == [
        (retry, start) for start in (0, 3) for retry in range(retries + 1)
    ]
    assert seen[0][2] == [127, 127, 127]  # each vector's largest takes the whole range
    assert made.seen.repeated == 2 * 2 * retries and made.seen.clipped == 2 * 2
    assert found[2] == pytest.approx(np.full(5, 8.0))
    halves = [round(127 / 2**retry / 1.0) * 2.0**retry / 127 for retry in range(retries + 1)]
    assert found[0] == pytest.approx(np.full(5, 64 * halves[-1]), rel=0.1)


def test_every_retry_has_noise_of_its_own() -> None:
    """Of its vector's place: a part of the vectors has the deviates that all would have."""
    stream = Stream(3, ("noise",))
    for retry in (0, 1, 2):
        own = stream.of(retry) if retry else stream
        whole = quick_normal(own, (6, 5), 40 * 5)
        for chosen in ([0, 1, 2, 3, 4, 5], [1], [0, 2, 5]):
            pick = _Pick(6, np.array(chosen), retry)
            assert np.array_equal(_deviates(stream, len(chosen), 5, 40, pick), whole[chosen])
    assert np.array_equal(_deviates(stream, 6, 5, 40, None), quick_normal(stream, (6, 5), 200))


# -- cells -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ideal", "projected"])
@pytest.mark.parametrize("levels", [0, 5, 8])
def test_where_values_of_a_slice_lie(name: str, levels: int) -> None:
    """A pair: from the smallest conductance upwards on either side. A cell: about the middle of its range, or
    the level there; the nearest level of each."""
    device = device_named(name)
    low, span = device.g_min, device.g_max - device.g_min
    part = np.array([-0.9, -0.6, 0.0, 0.2, 0.95])
    ladder = low + span * np.arange(levels) / max(1, levels - 1)

    def placed(goal: np.ndarray) -> np.ndarray:
        return (
            np.array([min(ladder, key=lambda level, g=g: (abs(level - g), level)) for g in goal])
            if levels
            else goal
        )

    pair = targets(part, device, Scheme(levels=levels))
    for found, side in zip(pair, (np.maximum(part, 0), np.maximum(-part, 0)), strict=True):
        assert found == pytest.approx(placed(low + span * side), rel=1e-9, abs=1e-15)
    (cell,) = targets(part, device, Scheme(sign="offset", levels=levels))
    zero = ladder[(levels - 1) // 2] if levels else low + span / 2
    assert cell == pytest.approx(np.minimum(placed(zero + span / 2 * part), device.g_max), rel=1e-9)


@pytest.mark.parametrize(
    ("sign", "phases"),
    [
        ("differential", 1),
        ("differential", 2),
        ("differential", 4),
        ("offset", 1),
        ("offset", 4),
        ("flipped", 2),
    ],
)
def test_johnson_and_read_noise_of_every_matrix(sign: str, phases: int) -> None:
    """sqrt(2 k T G / t) over V span: of both cells of a pair read together, of each where
    they are read apart; of a cell and its reference, whose difference counts twice."""
    tile = Tile(
        physical("plain"),
        Scheme(sign=sign),
        Drive(phases=phases),
        johnson=True,  # type: ignore[arg-type]
        age=50.0,
        temperature=310.0,
    )
    made = block(tile, np.random.default_rng(6).integers(-127, 128, (9, 4)))
    span = tile.device.g_max - tile.device.g_min
    sums = [g.sum(axis=0) for g in made.conductances[0]]
    seen = [(made.reader.read_sigma(side[0], 50.0, 310.0) / span) ** 2 for side in made.cells[0]]
    if sign != "differential":
        hanging, variance = (
            [4 * (sums[0][:-1] + sums[0][-1])],
            [4 * (seen[0][:, :-1] + seen[0][:, -1:])],
        )
    elif phases < 4:
        hanging, variance = [sums[0] + sums[1]], [seen[0] + seen[1]]
    else:
        hanging, variance = sums, seen
    scale = 2 * BOLTZMANN * 310.0 / tile.drive.pulse
    wanted = [np.sqrt(scale * g) / (tile.drive.voltage * span) for g in hanging]
    assert len(made.thermal[0]) == len(wanted) == len(made.weights[0])
    for found, right in zip(made.thermal[0], wanted, strict=True):
        assert found == pytest.approx(right, rel=1e-9)
    for found, right in zip(made.variance_of_reads[0], variance, strict=True):
        assert found == pytest.approx(right, rel=1e-9)
    assert made.row_conductance == pytest.approx(
        sum(g.sum(axis=1) for g in made.conductances[0]), rel=1e-9
    )


@pytest.mark.parametrize("phases", [1, 2, 4])
@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("mode", ["pulse_width", "bit_serial"])
def test_ranges_of_converters(phases: int, one_sided: bool, mode: str) -> None:
    """Six deviations beyond the mean of the widest column, inputs by mean and rms: both signs, a half of
    them, or one; bits are half ones. Never more than any input gives."""
    drive = Drive(phases=phases, mode=mode, mean=0.3, rms=0.4)  # type: ignore[arg-type]
    made = block(Tile(IDEAL, drive=drive), np.full((1, 1), 1), one_sided=one_sided)
    for rows, size in ((400, 1.0), (3, 1.0), (400, 0.01)):
        matrix = size * np.random.default_rng(7).uniform(-1, 1, (rows, 6))
        mean, square = 0.3, 0.16
        if not one_sided:
            mean, square = (0.0, square) if phases == 1 else (0.15, 0.08)
        spread = square - mean**2
        if mode == "bit_serial":
            mean, spread = (0.5 if mean else 0.0), 0.25
        both = phases == 1 and not one_sided
        widest = 0.0
        for column in matrix.T:
            most = (
                np.abs(column).sum()
                if both
                else max(column[column > 0].sum(), -column[column < 0].sum())
            )
            wanted = abs(column.sum()) * mean + 6 * sqrt((column**2).sum() * spread)
            widest = max(widest, min(wanted, most))
        assert made.full_scale(matrix) == pytest.approx(widest, rel=1e-9)
    fixed = block(Tile(IDEAL, drive=drive, adc=Adc(range=3.25)), np.full((1, 1), 1))
    assert fixed.full_scale(np.ones((9, 9))) == 3.25 and made.full_scale(np.zeros((3, 3))) == 1e-6


@pytest.mark.parametrize("bits", [4, 8])
def test_codes_that_drive_rows(bits: int) -> None:
    """As they are where the converter has as many, else scaled, rounded and cut off at its ends."""
    for one_sided in (False, True):
        for input_top in (7, 15, 127, 255):
            made = block(
                Tile(IDEAL, drive=Drive(bits=bits)), np.full((1, 1), 1), input_top, one_sided
            )
            most = 2**bits - 1 if one_sided else 2 ** (bits - 1) - 1
            top = min(most, input_top)
            assert made.drive_top == top
            x = np.arange(-input_top - 2, input_top + 3)[:, None]
            wanted = np.clip(np.rint(x * (top / input_top)), -top, top)
            assert np.array_equal(made.drive_codes(x), wanted)
            assert np.array_equal(made.drive_codes(x[2:-2]), wanted[2:-2])
            halved = np.clip(np.rint(x * (top / 5.0)), -top, top)
            assert np.array_equal(made.drive_codes(x, np.full(len(x), 5.0)), halved)


# -- noise in time ---------------------------------------------------------------------------------


def test_parts_of_a_reads_variance() -> None:
    """Frozen: all of it, at any distance; fresh: in one read only; followed: each mode by its own time."""
    assert [shares("frozen", IDEAL, 1.0, 1e-6).covariance(lag) for lag in (0, 1, 9)] == [
        1.0,
        1.0,
        1.0,
    ]
    assert [shares("fresh", IDEAL, 1.0, 1e-6).covariance(lag) for lag in (0, 1, -1)] == [
        1.0,
        0.0,
        0.0,
    ]
    made = Shares(0.2, 0.5, 0.3, (4.0, 20.0), 2.0)
    for lag in (0, 1, -3, 8):
        followed = (exp(-abs(lag) * 2 / 4) + exp(-abs(lag) * 2 / 20)) / 2
        assert made.covariance(lag) == pytest.approx(
            0.2 + 0.5 * followed + (0.3 if lag == 0 else 0.0), rel=1e-9
        )
    device = device_named("pcm_like")
    found = shares("flicker", device, 3600.0, 1e-3)
    noise = Flicker.up_to(device.read_time, device.noise_span(3600.0))
    assert found.frozen + found.live + found.fresh == pytest.approx(1.0)
    assert found.fresh == sum(t < 1e-5 for t in noise.times) / noise.modes
    assert found.frozen == sum(t > 100 * 1e-3 * (1 << 20) for t in noise.times) / noise.modes
    assert len(found.times) == round(found.live * noise.modes) and found.covariance(
        0
    ) == pytest.approx(1.0)


def test_noise_of_every_vector_beside_a_fixed_sum() -> None:
    """Output noise, read noise drawn anew: variances of the sums over 4,000 vectors of one input."""
    tile = Tile(
        replace(physical("plain"), drift_spread=0.0),
        adc=Adc(0),
        output_noise=0.02,
        read_noise="fresh",
        weight_noise=0.01,
        age=10.0,
    )
    made = block(tile, np.random.default_rng(8).integers(-127, 128, (30, 3)), one_sided=True)
    x = np.full((4000, 30), 100)
    found = made.raw(x, 0) / made.split.factors[0] / made.input_top
    variance = 0.02**2 + (made.variance_of_reads[0][0] + 0.01**2).sum(axis=0) * (100 / 127) ** 2
    assert found.var(axis=0) == pytest.approx(variance, rel=0.12)
    assert np.abs(found - found.mean(axis=0)).max() < 6 * sqrt(variance.max())
    assert erf(1 / sqrt(2)) == pytest.approx(
        np.mean(np.abs(found - found.mean(axis=0)) < np.sqrt(variance)), abs=0.02
    )


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("bits", [0, 8])
def test_the_variance_of_sums_is_that_of_squared_codes(
    bits: int, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exact beside ideal converters; beside real ones, squares of 255 lose a bit and sums less than 1 %."""
    if compiled:
        monkeypatch.setattr("accelsim.jit.COMPILE_ABOVE", -1)
    tile = Tile(physical("plain"), adc=Adc(bits), read_noise="fresh", weight_noise=0.01, age=10.0)
    draw = np.random.default_rng(9)
    made = block(tile, draw.integers(-127, 128, (64, 5)), 255, one_sided=True)
    assert (made.read_variance[0][0][1] is not None) == (bits > 0)
    codes = draw.integers(0, 256, (7, 64))
    sigma, variance, square = made._noise(Driven(codes), 0, 0, slice(1, 5))
    assert sigma is not None and not sigma.any()
    wanted = (codes * codes) @ (made.variance_of_reads[0][0] + 0.01**2)[:, 1:5]
    assert variance * square == pytest.approx(wanted, rel=0.01 if bits else 1e-7)
