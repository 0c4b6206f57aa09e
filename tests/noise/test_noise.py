"""Deviates that are a pure function of where they stand, and functions true to the last bits."""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
from decimal import Decimal, getcontext
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest

from accelsim.noise import Stream, exp, log, normal_quantile, power

ROOT = Path(__file__).parents[2]
GOLDEN = "1d01bde728dea5c072747133c3e64e42fbc6f10930596a3550938eb6945f6d6f"


def test_values_depend_on_where_they_stand_alone() -> None:
    stream = Stream(7, ("programming", 3))
    whole = stream.normal(1000)
    for first, count in ((0, 1), (1, 5), (3, 90), (997, 3), (512, 100)):
        assert (stream.normal(count, first) == whole[first : first + count]).all()
    assert (stream.normal((10, 100)).ravel() == whole).all()
    assert (Stream(7, ("programming",)).of(3).normal(1000) == whole).all()
    for other in (
        Stream(8, ("programming", 3)),
        Stream(7, ("programming", 4)),
        Stream(7, ("programming", "3")),
        Stream(7, ("programming3",)),
    ):
        assert not (other.normal(1000) == whole).any()


def test_deviates_are_standard_normal() -> None:
    count = 1_000_000
    x = Stream(1, ("moments",)).normal(count)
    error = 4 / math.sqrt(count)
    for power_, expected, spread in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs(float(np.mean(x**power_)) - expected) < error * math.sqrt(spread)
    for level in (-3.0, -1.0, 0.5, 2.0):
        fraction = NormalDist().cdf(level)
        found = float(np.mean(x < level))
        assert abs(found - fraction) < 4 * math.sqrt(fraction * (1 - fraction) / count)
    assert abs(float(np.mean(x[1:] * x[:-1]))) < error  # neighbours are independent
    u = Stream(1, ("moments",)).uniform(count)
    assert u.min() > 0 and u.max() < 1


def test_quantiles_equal_a_reference_of_the_same_tables() -> None:
    p = np.concatenate(
        [
            Stream(2).uniform(20_000),
            10.0 ** -np.arange(1, 300, 7),
            1 - 10.0 ** -np.arange(1, 15),
            [0.075, 0.925, 0.5],
        ]
    )
    mine = normal_quantile(p)
    theirs = np.array([NormalDist().inv_cdf(x) for x in p])
    assert np.allclose(mine, theirs, rtol=2e-15, atol=1e-16)
    u = Stream(3).uniform(10_000)
    assert (normal_quantile(1.0 - u) == -normal_quantile(u)).all()  # 1 - u is exact


def test_exp_and_log_are_within_two_units_in_the_last_place() -> None:
    getcontext().prec = 40
    rng = np.random.default_rng(5)
    for x in np.concatenate([rng.uniform(-50, 50, 400), rng.uniform(-1e-3, 1e-3, 100), [0.0, 1.0]]):
        truth = Decimal(float(x)).exp()
        assert abs(Decimal(float(exp(np.array([x]))[0])) / truth - 1) < Decimal("4e-16")
    for x in np.concatenate([10.0 ** rng.uniform(-300, 300, 400), rng.uniform(0.5, 2, 200)]):
        truth = Decimal(float(x)).ln()
        mine = Decimal(float(log(np.array([x]))[0]))
        assert abs(mine - truth) <= max(abs(truth) * Decimal("3e-16"), Decimal("1e-16"))
    assert log(np.array([1.0]))[0] == 0.0 and log(np.array([0.0]))[0] == -np.inf
    assert exp(np.array([-1e5]))[0] == 0.0 and exp(np.array([1e5]))[0] == np.inf
    assert np.allclose(
        power(np.array([2.0, 10.0]), np.array([10.0, -3.0])), [1024.0, 1e-3], rtol=1e-14
    )


def digest() -> str:
    x = Stream(11, ("golden",)).normal(100_000)
    whole = np.concatenate([x, exp(x), log(np.abs(x)), power(np.abs(x) + 1e-3, x)])
    return hashlib.sha256(whole.astype("<f8").tobytes()).hexdigest()


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512_SKX"},
        {"NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F"},
    ],
)
def test_the_same_bits_on_other_cpu_types(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from tests.noise.test_noise import digest; print(digest())"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == GOLDEN
