"""Altered inputs never crash, hang or trace: a few of each loader here, a tenth of `make soak` in test-full."""

from __future__ import annotations

import pytest

from tests.fuzz.soak import KINDS, commit_seed, soak

FEW, TENTH = 40, 500


@pytest.mark.parametrize("kind", KINDS)
def test_altered_inputs_are_read_or_refused(kind: str) -> None:
    assert not soak(kind, FEW, 0)


@pytest.mark.full
@pytest.mark.parametrize("kind", KINDS)
def test_a_tenth_of_the_soak_chosen_by_the_commit(kind: str) -> None:
    assert not soak(kind, TENTH, commit_seed())
