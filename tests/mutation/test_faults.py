"""The list of seeded faults fits the sources: each text stands in its file, and would change it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutation.faults import FAULTS
from tests.mutation.run import survives

PACKAGE = Path(__file__).parents[2] / "accelsim"


@pytest.mark.parametrize("fault", FAULTS, ids=[fault[0] for fault in FAULTS])
def test_the_text_is_there(fault: tuple[str, str, str, str, str]) -> None:
    _, file, text, wrong, tests = fault
    assert text in (PACKAGE / file).read_text()
    assert text != wrong
    for test in tests.split():
        assert (PACKAGE.parent / test.split("::")[0]).exists(), test


def test_enough() -> None:
    assert len({fault[0] for fault in FAULTS}) == len(FAULTS) >= 40


@pytest.mark.full
@pytest.mark.parametrize("fault", FAULTS, ids=[fault[0] for fault in FAULTS])
def test_some_test_notices(fault: tuple[str, str, str, str, str]) -> None:
    assert not survives(fault)
