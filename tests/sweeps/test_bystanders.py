"""What a sweep's results are keyed by leaves out named parts of the package only, which are there."""

from __future__ import annotations

from pathlib import Path

import accelsim
from accelsim.sweeps.identity import BYSTANDERS, EVALUATION

PACKAGE = Path(accelsim.__file__).parent


def test_results_depend_on_all_but_named_parts_that_are_there() -> None:
    named = [*BYSTANDERS, *(f"sweeps/{name}" for name in EVALUATION)]
    assert all((PACKAGE / name).exists() for name in named)
