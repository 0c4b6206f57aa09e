"""The tilings near the best: the kernel that passes over the others against the estimate of all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from accelsim import jit
from accelsim.mapping.tilings.default import choose_mapping
from accelsim.mapping.tilings.near import CYCLES, Limits, Near, Rates
from accelsim.mapping.tilings.search import variants
from accelsim.mapping.tilings.tables import CLOSE, Tilings
from tests.mapping.test_estimate import cases

RATES = (CYCLES, Rates(2e-10, 1e-12, 3e-9))


def sets(seed: int, wanted: int) -> Iterator[Tilings]:
    """Sets of tilings of random operators on random chips, coarse and fine."""
    rng = np.random.default_rng(seed)
    for task, _ in cases(seed, wanted):
        known = variants(task.chip)
        for at in rng.permutation(len(known))[:3].tolist():
            yield Tilings(task, known[at], more=bool(rng.integers(2)))


def both(tilings: Tilings, limits: Limits, rates: Rates) -> tuple[Near, Near]:
    with jit.only("plain"):
        plain = tilings.near(limits, rates)
    with jit.only("compiled"):
        return plain, tilings.near(limits, rates)


@pytest.mark.parametrize("rates", RATES)
def test_the_kernel_finds_what_the_estimate_of_all_says(rates: Rates) -> None:
    counted = 0
    for tilings in sets(31, 8):
        every = both(tilings, Limits(), rates)
        assert len(every[0].number) == int(tilings.columns.fits.sum())
        best = every[0].value.min(initial=np.inf)
        cases = [Limits(), Limits(close=1 + CLOSE), Limits(close=1.25)]
        cases += [Limits(best * 1.2), Limits(best * 1.5, beaten=best * 1.1), Limits(best * 0.9)]
        for limits in cases:
            plain, compiled = both(tilings, limits, rates)
            for one, two in zip(plain, compiled, strict=True):
                assert np.array_equal(one, two)
            assert (plain.value <= min(limits.ceiling, limits.close * best)).all()
            assert (plain.bound < limits.beaten).all()
            counted += len(plain.number)
    assert counted > 1000


def test_the_default_is_the_same_by_either() -> None:
    for task, _ in cases(32, 12):
        with jit.only("plain"):
            plain = choose_mapping(task)
        with jit.only("compiled"):
            assert choose_mapping(task) == plain
