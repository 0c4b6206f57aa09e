"""Quick deviates: normal, placed by element alone, plain and compiled alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim import jit
from accelsim.noise import Stream, exp, log
from accelsim.noise.quick import (
    LOW,
    ROUNDS,
    W0,
    W1,
    deviates,
    deviates_plain,
    philox_round,
    quick_normal,
    radius_of,
    turned,
)
from accelsim.noise.scalars import exp_one, log_one


def test_they_are_normal() -> None:
    z = quick_normal(Stream(1), (4_000_000,))
    se = 1 / np.sqrt(z.size)
    assert abs(z.mean()) < 4 * se and abs(z.var() - 1) < 4 * np.sqrt(2) * se + 1e-4
    assert (
        abs((z**3).mean()) < 4 * np.sqrt(15) * se
        and abs((z**4).mean() - 3) < 4 * np.sqrt(96) * se + 1e-3
    )
    for x, tail in ((1.0, 0.158655), (2.0, 0.0227501), (3.0, 0.00134990), (4.0, 3.16712e-5)):
        for side in (z > x, z < -x):
            assert side.mean() == pytest.approx(tail, abs=4 * np.sqrt(tail / z.size) + 0.01 * tail)
    assert np.abs(z).max() < 6.7 and np.corrcoef(z[:-1], z[1:])[0, 1] == pytest.approx(
        0, abs=4 * se
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 500), st.integers(1, 50))
def test_an_element_is_the_same_wherever_one_starts(first: int, count: int) -> None:
    whole = quick_normal(Stream(2), (600,))
    assert (quick_normal(Stream(2), (count,), first) == whole[first : first + count]).all()


def test_neither_place_nor_compilation_change_a_bit() -> None:
    key = np.array([5, 2**32 - 1, 0, 7], np.uint64)
    for first in (0, 2**32 - 2000, 2**38 + 1):  # over the end of a counter's word too
        plain, compiled, slow = (np.empty(n, np.float32) for n in (300_000, 300_000, 400))
        deviates_plain(key, np.uint64(first), plain)
        jit.compiled(deviates, (philox_round, radius_of, turned))(key, np.uint64(first), compiled)
        with np.errstate(over="ignore"):
            deviates(key, np.uint64(first), slow)
        assert (plain.view(np.int32) == compiled.view(np.int32)).all() and np.isfinite(plain).all()
        assert (plain[:400] == slow).all()
        assert len(np.unique(plain)) > 290_000


@pytest.mark.parametrize(
    "counter, key, words",
    [
        ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_philox_gives_its_authors_vectors(
    counter: list[int], key: list[int], words: list[int]
) -> None:
    state = tuple(np.uint64(word) for word in counter)
    k0, k1 = (np.uint64(word) for word in key)
    for _ in range(ROUNDS):
        state = philox_round(*state, k0, k1)
        k0, k1 = (k0 + W0) & LOW, (k1 + W1) & LOW
    assert [int(word) for word in state] == words


def test_ends_of_radius_and_angle() -> None:
    ends = [0, 1, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1]
    for word in ends:
        u = ((word >> 1) + 0.5) / 2**31
        expected = np.sqrt(max(-2 * np.log(u), 0))
        assert float(radius_of(np.uint64(word))) == pytest.approx(expected, abs=3e-4, rel=1e-6)
    with np.errstate(over="ignore"):
        for word in [
            *ends,
            2**29 - 1,
            2**29,
            3 * 2**29,
            5 * 2**29,
            7 * 2**29,
            7 * 2**29 - 1,
            2**30,
            3 * 2**30,
        ]:
            x, y = turned(np.float32(1.0), np.uint32(word).view(np.int32))
            angle = 2 * np.pi * word / 2**32
            assert (float(x), float(y)) == pytest.approx((np.cos(angle), np.sin(angle)), abs=2e-7)


def test_functions_of_one_number_have_the_bits_of_those_of_arrays() -> None:
    draw = np.random.default_rng(0)
    x = np.concatenate(
        [draw.uniform(-50, 50, 20_000), np.linspace(-760, 720, 20_001), [0.0, -745.1, 709.78]]
    )
    u = np.concatenate(
        [
            10 ** draw.uniform(-300, 300, 20_000),
            draw.uniform(0, 2, 20_000),
            [1.0, 0.5, 0.7071067811865476, 0.7071067811865475],
        ]
    )
    powers, logs = np.empty_like(x), np.empty_like(u)
    jit.compiled(each, (exp_one, log_one))(x, powers, u, logs)
    assert (powers == exp(x)).all() and (logs == log(u)).all()


def each(x: np.ndarray, powers: np.ndarray, u: np.ndarray, logs: np.ndarray) -> None:
    for i in range(len(x)):
        powers[i] = exp_one(x[i])
    for i in range(len(u)):
        logs[i] = log_one(u[i])
