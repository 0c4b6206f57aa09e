"""A block of weights in cells: exact where nothing disturbs, and disturbed as the equations say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.analog import Adc, Block, Drive, Lines, Scheme, Storage, Tile
from accelsim.devices import device_named
from accelsim.devices.base import BOLTZMANN
from accelsim.noise import Stream

IDEAL = device_named("ideal")


def block(
    tile: Tile,
    weights: np.ndarray,
    top: int = 127,
    input_top: int = 127,
    one_sided: bool = False,
    name: str = "test",
) -> Block:
    return Block(tile, weights, top, input_top, one_sided, Stream(tile.seed, (name,)))


schemes = st.builds(
    Scheme,
    sign=st.just("differential"),
    levels=st.sampled_from([0, 16, 256]),
    slices=st.integers(2, 4),
    devices=st.integers(1, 3),
    fill=st.sampled_from(["together", "in_turn"]),
    scaling=st.sampled_from(["column", "format"]),
) | st.builds(
    Scheme,
    sign=st.sampled_from(["differential", "offset", "flipped"]),
    devices=st.integers(1, 3),
    fill=st.sampled_from(["together", "in_turn"]),
    scaling=st.sampled_from(["column", "format"]),
)
drives = st.builds(
    Drive,
    mode=st.sampled_from(["pulse_width", "amplitude", "bit_serial"]),
    bits=st.just(8),
    phases=st.sampled_from([1, 2, 4]),
)


@settings(max_examples=120, deadline=None)
@given(schemes, drives, st.integers(1, 70), st.integers(1, 12), st.booleans(), st.integers(0, 999))
def test_ideal_cells_and_converters_give_the_integers(
    scheme: Scheme, drive: Drive, rows: int, outputs: int, one_sided: bool, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    weights = draw.integers(-127, 128, (rows, outputs))
    x = draw.integers(0 if one_sided else -127, 128, (4, rows))
    tile = Tile(IDEAL, scheme, drive, Adc(bits=0))
    assert (block(tile, weights, one_sided=one_sided).multiply(x) == x @ weights).all()


def test_wide_converters_give_the_integers() -> None:
    draw = np.random.default_rng(1)
    weights, x = draw.integers(-127, 128, (64, 9)), draw.integers(0, 256, (50, 64))
    tile = Tile(IDEAL, adc=Adc(bits=24, range=64.0))
    assert (block(tile, weights, input_top=255, one_sided=True).multiply(x) == x @ weights).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(0, 6), st.integers(1, 6), st.integers(0, 99))
def test_neither_batching_nor_column_blocks_change_a_bit(
    m0: int, n0: int, n: int, seed: int
) -> None:
    """Any part of the vectors and outputs, computed alone, has the bits that the whole gives it."""
    draw = np.random.default_rng(seed)
    weights, x = draw.integers(-127, 128, (40, 12)), draw.integers(-127, 128, (9, 40))
    tile = Tile(
        device_named("pcm_like"),
        Scheme(levels=8, slices=3),
        Drive(phases=2),
        Adc(8, gain_error=0.02),
        output_noise=0.05,
        johnson=True,
        age=3600.0,
        compensation="column",
        read_noise="flicker" if seed % 3 == 0 else "frozen",
    )
    if seed % 2:  # converters without errors take the fused path
        tile = replace(tile, adc=Adc(8))
    whole = block(tile, weights).multiply(x)
    part = block(tile, weights).multiply(x[m0 : m0 + 3], m0, slice(n0, n0 + n))
    assert (part == whole[m0 : m0 + 3, n0 : n0 + n]).all()
    alone = block(tile, weights).multiply(x[m0 : m0 + 3], m0)
    assert (alone == whole[m0 : m0 + 3]).all()


def test_seeds_and_names_change_the_cells() -> None:
    weights, x = np.full((30, 4), 77), np.full((2, 30), 50)
    tile = Tile(device_named("pcm_like"), age=60.0)
    first = block(tile, weights).multiply(x)
    assert (first == block(tile, weights).multiply(x)).all()
    assert (first != block(tile, weights, name="other").multiply(x)).any()


def test_slices_lower_the_error_of_few_levels() -> None:
    """Eight levels hold four bits with sign; three slices of them hold all eight exactly."""
    draw = np.random.default_rng(2)
    weights, x = draw.integers(-127, 128, (128, 32)), draw.integers(-127, 128, (20, 128))
    ideal = x @ weights

    def error(scheme: Scheme) -> float:
        found = block(Tile(IDEAL, scheme, adc=Adc(bits=0)), weights).multiply(x)
        return float(np.linalg.norm(found - ideal) / np.linalg.norm(ideal))

    one, three = error(Scheme(levels=8)), error(Scheme(levels=8, slices=3))
    assert three == 0.0
    # uniform rounding to 1/7 of the column's peak: step / sqrt(12) against the weights' own spread
    assert one == pytest.approx((127 / 7) / np.sqrt(12) / np.sqrt(np.mean(weights**2)), rel=0.1)


def test_johnson_noise_is_that_of_the_columns_conductance() -> None:
    weights = np.full((64, 1), 127)
    drive = Drive(pulse=50e-9, voltage=0.2)
    tile = Tile(IDEAL, drive=drive, adc=Adc(bits=0), johnson=True)
    x = np.zeros((20_000, 64), np.int64)
    found = block(tile, weights).raw(x, 0)[:, 0] / (127 * 127)  # in full columns
    expected = np.sqrt(2 * BOLTZMANN * tile.temperature * 64 * 25e-6 / drive.pulse) / (0.2 * 25e-6)
    assert found.std() == pytest.approx(expected, rel=0.03)


def test_column_compensation_takes_gain_errors_away() -> None:
    draw = np.random.default_rng(3)
    weights, x = draw.integers(-127, 128, (128, 64)), draw.integers(-127, 128, (40, 128))

    def error(compensation: str, **adc: float) -> float:
        drive = Drive(mean=0.0, rms=0.6)
        tile = Tile(
            IDEAL,
            drive=drive,
            adc=Adc(bits=12, **adc),  # type: ignore[arg-type]
            compensation=compensation,
        )  # type: ignore[arg-type]
        ideal = x @ weights
        return float(
            np.linalg.norm(block(tile, weights).multiply(x) - ideal) / np.linalg.norm(ideal)
        )

    assert error("none", gain_error=0.05) > 0.03
    assert error("column", gain_error=0.05) < 0.005
    assert error("affine", gain_error=0.05, offset_error=0.02) < error("column", offset_error=0.02)


def test_charge_is_what_the_cells_conduct() -> None:
    """V t sum |x| G, both cells of every pair, those that hold zero too."""
    device = device_named("projected")
    weights = np.zeros((16, 8), np.int64)
    weights[0, 0] = 127
    tile = Tile(device, drive=Drive(voltage=0.3, pulse=10e-9), adc=Adc(bits=0))
    x = np.full((5, 16), 127)
    made = block(tile, weights)
    total = 5 * 0.3 * 10e-9 * sum(float(g.sum()) for sides in made.conductances for g in sides)
    assert made.charge(x) == pytest.approx(total, rel=1e-12)
    least = 5 * 0.3 * 10e-9 * (2 * 16 * 8 - 1) * device.g_min * 0.8
    assert made.charge(x) > least > 0


def test_flipped_columns_draw_less_and_mean_the_same() -> None:
    weights, x = np.full((32, 4), 100), np.full((3, 32), 60)
    plain = block(Tile(IDEAL, Scheme(sign="offset"), adc=Adc(bits=0)), weights)
    flipped = block(Tile(IDEAL, Scheme(sign="flipped"), adc=Adc(bits=0)), weights)
    assert (plain.multiply(x) == flipped.multiply(x)).all()
    assert flipped.charge(x) < 0.5 * plain.charge(x)


def test_stuck_cells_hold_what_they_hold() -> None:
    weights = np.full((200, 50), 127)
    tile = Tile(IDEAL, adc=Adc(bits=0), stuck_low=0.1, stuck_high=0.2)
    plus, minus = block(tile, weights).conductances[0]
    assert np.mean(plus == 0.0) == pytest.approx(0.1, abs=0.01)
    assert np.mean(minus == IDEAL.g_max) == pytest.approx(0.2, abs=0.015)


def test_wires_weaken_far_cells() -> None:
    weights = np.full((32, 32), 127)
    tile = Tile(IDEAL, adc=Adc(bits=0), lines=Lines(word=5.0, bit=5.0))
    x = np.zeros((1, 32), np.int64)
    x[0, 0] = 127  # the row farthest from the bit lines' ends
    found = block(tile, weights).multiply(x)[0] / (127 * 127)
    assert found[-1] < found[0] < 1.0


def test_narrow_converters_clip_and_say_so() -> None:
    weights, x = np.full((64, 4), 127), np.full((10, 64), 127)
    made = block(Tile(IDEAL, adc=Adc(bits=8, range=8.0)), weights)
    found = made.multiply(x)
    assert made.seen.clipped == made.seen.conversions == 40
    assert (found < (x @ weights)).all()


def test_heat_in_storage_changes_what_is_read_later() -> None:
    """A day at 450 K crystallises; the same age at room temperature does not, and order does not matter."""
    device = device_named("projected")
    weights, x = np.full((20, 6), -90), np.full((2, 20), 100)

    def sums(*stays: tuple[float, float]) -> np.ndarray:
        profile = tuple(Storage(*stay) for stay in stays)
        tile = Tile(
            device.with_effects(False, True, False), adc=Adc(bits=0), age=90_000.0, profile=profile
        )
        return block(tile, weights).raw(x, 0)

    cool, none = sums((86_400.0, 298.15)), sums()
    assert cool == pytest.approx(none, rel=1e-6)
    warm = sums((86_400.0, 450.0), (3_000.0, 300.0))
    assert (np.abs(warm - none) > 1e-3 * np.abs(none)).all()
    assert warm == pytest.approx(sums((3_000.0, 300.0), (86_400.0, 450.0)), rel=1e-12)
