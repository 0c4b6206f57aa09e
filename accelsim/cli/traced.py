"""--save-trace and --reference of `accelsim run`, and how differences are said."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim.errors import InputError, Problem

if TYPE_CHECKING:
    from accelsim.results.result import Result
    from accelsim.traces import Difference


def refuse_without_values(
    folder: str | None, reference: str | None, inputs: str | None, reports: str | None, force: bool
) -> None:
    """InputError when no values will be computed, or the folder cannot become the trace's."""
    from accelsim.results.files import refuse_occupied

    option = "--reference" if folder is None else "--save-trace"
    if inputs is None or reports is not None:
        raise InputError(
            Problem(
                "record.values",
                "needs values, which need --input"
                if reports is None
                else "--reports computes no values",
                "give --input FILE.npz" if reports is None else "leave --reports out",
                file=option,
            )
        )
    if folder is not None:
        refuse_occupied(Path(folder), force, option)
    if reference is not None:
        from accelsim.traces import load_trace

        load_trace(reference)


def compared_with(result: Result, reference: str) -> tuple[str, dict[str, Any]]:
    """A run against a trace: a line, and the same as plain values."""
    from accelsim.traces import compare_run, first_difference, load_trace

    rows = compare_run(result, load_trace(reference))
    first = first_difference(rows)
    made = [row for row in rows if row.kind != "input"]
    if first is None:
        text = f"equal to {reference}: the outputs of {len(made)} operators, code for code"
    else:
        what = (
            f"the input {first.operator}"
            if first.kind == "input"
            else (f"operator {first.operator} ({first.kind})")
        )
        text = f"first that differs from {reference}: {what}: {first.said()}"
        others = [row for row in made if not row.equal and row is not first]
        text += f"; {len(others)} of {len(made)} further operators differ" if others else ""
    return text, {
        "compared": len(rows),
        "first": None if first is None else plain(first),
        "differences": [plain(row) for row in rows if not row.equal],
    }


def plain(row: Difference) -> dict[str, Any]:
    """A difference as JSON values."""
    noise = round(row.noise_db, 4) if math.isfinite(row.noise_db) else None
    return {
        "name": row.operator,
        "kind": row.kind,
        "elements": row.elements,
        "differing": row.differing,
        "largest": row.largest,
        "largest_codes": row.largest_codes,
        "signal_to_noise_db": noise,
    }
