"""--save-trace and --reference of `accelsim run`, and how differences are said."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim.errors import InputError, Problem

if TYPE_CHECKING:
    from accelsim.results.result import Result


def refuse_without_values(
    folder: str | None, reference: str | None, valued: bool, reports: str | None, force: bool
) -> None:
    """InputError when no values will be computed, or the folder cannot become the trace's."""
    from accelsim.results.files import refuse_occupied

    option = "--reference" if folder is None else "--save-trace"
    if not valued or reports is not None:
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
    from accelsim.traces.tables import plain

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
