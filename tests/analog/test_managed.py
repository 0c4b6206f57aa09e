"""Vectors scaled to their largest element and read again where they clip: as the field's model has it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from accelsim.analog import Adc, AnalogMatrix, Block, Converter, Drive, Periphery, Scheme, Tile
from accelsim.devices import device_named
from accelsim.noise import Stream

IDEAL = device_named("ideal")
FORMAT = Scheme(scaling="format")


def block(tile: Tile, weights: np.ndarray, one_sided: bool = False) -> Block:
    return Block(tile, weights, 127, 127, one_sided, Stream(tile.seed, ("managed",)))


@pytest.mark.parametrize("bound, retries", [(12.0, 0), (12.0, 6), (2.0, 1), (2.0, 6), (0.5, 6)])
def test_equals_the_fields_model(bound: float, retries: int) -> None:
    """analog/matrix.py has the same in reals: DAC, ADC, scale by max|x|, halve while any output clips."""
    draw = np.random.default_rng(1)
    weights = draw.integers(-127, 128, (60, 24))
    weights[0, 0] = 127
    x = np.rint(
        draw.normal(0, 40, (80, 60)).clip(-127, 127) * draw.uniform(0.01, 1, (80, 1))
    ).astype(np.int64)
    x[3] = 0
    around = Periphery(
        Converter(8), Converter(8, bound), bound_management=retries > 0, retries=retries
    )
    model = AnalogMatrix.program(weights / 127.0, IDEAL, around, Stream(1))
    wanted = model.multiply(x / 127.0, 0.0) * 127.0 * 127.0
    tile = Tile(IDEAL, FORMAT, Drive(scale="vector", retries=retries), Adc(8, range=bound))
    made = block(tile, weights)
    found = made.raw(x, 0)
    assert np.isclose(found, wanted, rtol=1e-9, atol=1e-6).mean() > 0.95
    # the rest are ties (half of the largest code always is one) that round the other way in other units
    assert np.linalg.norm(found - wanted) < 1e-2 * np.linalg.norm(wanted)
    assert (made.seen.repeated > 0) == (retries > 0 and bound < 12.0)


def test_small_vectors_keep_their_bits() -> None:
    """An input of a hundredth of the range loses nearly all to four bits, unless it is scaled first."""
    draw = np.random.default_rng(2)
    weights, x = draw.integers(-127, 128, (64, 16)), draw.integers(0, 3, (40, 64))
    ideal = (x @ weights).astype(float)

    def error(**drive: object) -> float:
        tile = Tile(IDEAL, drive=Drive(bits=4, **drive), adc=Adc(bits=0))  # type: ignore[arg-type]
        return float(
            np.linalg.norm(block(tile, weights, True).raw(x, 0) - ideal) / np.linalg.norm(ideal)
        )

    assert error() == 1.0
    assert error(scale="vector") < 0.1


def test_reading_again_ends_clipping_at_the_price_of_steps() -> None:
    weights = np.full((64, 4), 127)
    x = np.vstack([np.full((3, 64), 127), np.full((5, 64), 2)])
    tile = Tile(IDEAL, drive=Drive(retries=4), adc=Adc(8, range=8.0))
    clipping, made = block(replace(tile, drive=Drive()), weights), block(tile, weights)
    assert clipping.multiply(x)[0, 0] < (x @ weights)[0, 0] / 7
    found, ideal = made.multiply(x), x @ weights
    assert np.abs(found / ideal - 1).max() < 0.02
    # 64 full rows against a range of 8: halved three times and once more, because 63.5 / 127 * 64 > 8
    assert made.seen.repeated == 3 * 4 and made.seen.clipped == 0
    assert clipping.seen.clipped == 3 * 4
    # 127, then 64, 32, 16, 8 (halves rounded to even) of 127 on 64 rows of 4 pairs at g_max
    one = (
        3 * (64 + 32 + 16 + 8) / 127 * 64 * 4 * IDEAL.g_max * tile.drive.voltage * tile.drive.pulse
    )
    assert made.seen.repeated_charge == pytest.approx(one, rel=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_parts_have_the_bits_of_the_whole(seed: int) -> None:
    """Crossbars of five columns decide each for itself; neither batching nor the outputs asked for
    change a bit."""
    draw = np.random.default_rng(seed)
    weights, x = draw.integers(-127, 128, (40, 12)), draw.integers(-127, 128, (9, 40))
    tile = Tile(
        device_named("pcm_like"),
        Scheme(levels=8, slices=2),
        Drive(phases=2, scale="vector", retries=3),
        Adc(7, range=2.0),
        output_noise=0.05,
        age=3600.0,
        compensation="column",
        columns=5,
        read_noise=("frozen", "fresh", "flicker")[seed % 3],
    )
    whole = block(tile, weights)
    all_ = whole.multiply(x)
    assert whole.seen.repeated
    for m0, n0, n in ((0, 0, 12), (2, 3, 4), (5, 7, 5), (8, 11, 1)):
        assert (
            block(tile, weights).multiply(x[m0:], m0, slice(n0, n0 + n)) == all_[m0:, n0 : n0 + n]
        ).all()


def test_crossbars_repeat_alone() -> None:
    """Only the crossbar whose outputs clip is read again."""
    weights = np.concatenate([np.full((64, 4), 127), np.full((64, 4), 1)], axis=1)
    x = np.full((10, 64), 127)
    tile = Tile(IDEAL, FORMAT, Drive(retries=5), Adc(8, range=10.0), columns=4)
    made = block(tile, weights)
    made.multiply(x, 0, slice(4, 8))
    assert made.seen.repeated == 0
    made.multiply(x, 0, slice(0, 4))
    assert made.seen.repeated == 10 * 3  # 64 -> 32 -> 16 -> 8 full columns
