"""Analog products: exact where nothing disturbs them, and what disturbs them, one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from accelsim.analog import AnalogMatrix, Converter, Periphery, Wires
from accelsim.devices import Ideal, statistical
from accelsim.noise import Stream

YEAR = 365 * 86400.0
PERFECT = Periphery(None, None)


def operands(size: int = 64, batch: int = 50, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (batch, size)), rng.normal(0, 0.3, (size, size)).clip(-1, 1)


def error(found: np.ndarray, x: np.ndarray, w: np.ndarray) -> float:
    exact = x @ w
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def test_converters_have_their_codes() -> None:
    six = Converter(6, 1.0)
    assert six.top == 31 and len(np.unique(six.codes(np.linspace(-2, 2, 9999)))) == 63
    assert six.codes(np.array([0.5, 1.5, 2.5]) * six.step).tolist() == [0, 2, 2]  # ties to even
    assert six.codes(np.array([9.0, -9.0])).tolist() == [31, -31]
    assert six.clipped(np.array([1.0, 1.02])).tolist() == [False, True]
    for bits, bound in ((1, 1.0), (25, 1.0), (8, 0.0), (8, np.nan)):
        with pytest.raises(ValueError, match=r"bits|bound"):
            Converter(bits, bound)


def test_ideal_cells_and_wide_converters_are_the_integer_product() -> None:
    rng = np.random.default_rng(4)
    x, w = rng.integers(-127, 128, (20, 96)), rng.integers(-127, 128, (96, 40))
    w[0, 0] = 127
    x[:, 0] = 127
    wide = Periphery(Converter(8), Converter(24, 96.0 * 1.01), bound_management=False)
    matrix = AnalogMatrix.program(w / 127.0, Ideal(), wide, Stream(1))
    found = matrix.multiply(x / 127.0, 0.0) * 127 * 127
    assert (np.rint(found) == x @ w).all()
    perfect = AnalogMatrix.program(w / 127.0, Ideal(), PERFECT, Stream(1)).multiply(x / 127.0, 0.0)
    assert perfect * 127 * 127 == pytest.approx(x @ w, abs=1e-6)


def test_nothing_depends_on_the_batch() -> None:
    x, w = operands()
    noisy = Periphery(Converter(7), Converter(9, 12.0), 0.0)
    matrix = AnalogMatrix.program(w, statistical("pcm_like"), noisy, Stream(2))
    whole = matrix.multiply(x, 3600.0)
    assert (matrix.multiply(x[10:20], 3600.0) == whole[10:20]).all()
    again = AnalogMatrix.program(w, statistical("pcm_like"), noisy, Stream(2))
    assert (again.multiply(x, 3600.0) == whole).all()
    assert not (matrix.multiply(x, 3600.0, read=1) == whole).all()


def test_fewer_bits_older_cells_more_noise_more_error() -> None:
    x, w = operands(128)
    device = statistical("pcm_like")
    around = [Periphery(Converter(b), Converter(b, 12.0)) for b in (4, 6, 8, 10)]
    by_bits = [
        error(AnalogMatrix.program(w, Ideal(), p, Stream(3)).multiply(x, 0.0), x, w) for p in around
    ]
    assert by_bits == sorted(by_bits, reverse=True) and by_bits[-1] < 0.02
    matrix = AnalogMatrix.program(w, device, PERFECT, Stream(3))
    by_age = [error(matrix.multiply(x, age), x, w) for age in (0.0, 3600.0, 86400.0, YEAR)]
    assert by_age == sorted(by_age)
    loud = [
        error(
            AnalogMatrix.program(w, Ideal(), Periphery(None, None, n), Stream(3)).multiply(x, 0.0),
            x,
            w,
        )
        for n in (0.0, 0.06, 0.3)
    ]
    assert loud[0] < 1e-9 < loud[1] < loud[2]


def test_calibration_undoes_the_mean_of_the_drift() -> None:
    """Uncompensated error at a year, the fit's, and that 32 random reads survive 6-bit converters."""
    rng = np.random.default_rng(1)
    w, x = rng.uniform(-1, 1, (256, 256)), rng.uniform(-1, 1, (100, 256))
    for bits in (None, 8, 6):
        around = PERFECT if bits is None else Periphery(Converter(bits), Converter(bits, 12.0))
        matrix = AnalogMatrix.program(w, statistical("pcm_like"), around, Stream(6))
        plain = error(matrix.multiply(x, YEAR), x, w)
        fitted = matrix.calibrated(YEAR)
        assert 1.3 < float(fitted.gain[0]) < 2.5
        once = error(fitted.multiply(x, YEAR), x, w)
        column = error(matrix.calibrated(YEAR, 128, per_column=True).multiply(x, YEAR), x, w)
        assert once < 0.55 * plain
        assert column < plain
    assert once <= 0.20  # 6 and 6 bits at one year


def test_a_saturated_output_is_measured_again() -> None:
    x, w = np.ones((3, 64)), np.full((64, 8), 0.9)
    short = Periphery(Converter(8), Converter(8, 4.0))
    with_it = AnalogMatrix.program(w, Ideal(), short, Stream(1)).multiply(x, 0.0)
    without = AnalogMatrix.program(
        w, Ideal(), replace(short, bound_management=False), Stream(1)
    ).multiply(x, 0.0)
    assert error(with_it, x, w) < 0.05 < 0.9 < error(without, x, w)


def test_wires_lower_the_sums() -> None:
    x, w = operands(32)
    wired = Periphery(None, None, wires=Wires(1.0, 1.0, 50.0, 50.0))
    ideal = AnalogMatrix.program(w, Ideal(), PERFECT, Stream(1)).multiply(x, 0.0)
    lossy = AnalogMatrix.program(w, Ideal(), wired, Stream(1)).multiply(x, 0.0)
    loss = 1 - float((lossy * ideal).sum() / (ideal * ideal).sum())
    assert 0.005 < loss < 0.2


def test_weights_that_are_nothing_are_refused() -> None:
    for w in (np.zeros((3, 3)), np.full((3, 3), np.nan)):
        with pytest.raises(ValueError, match="finite and not all zero"):
            AnalogMatrix.program(w, Ideal(), PERFECT, Stream(1))
