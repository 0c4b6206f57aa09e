"""--dim NAME=N: symbolic dimensions of ONNX models."""

from __future__ import annotations

from collections.abc import Sequence

from accelsim.errors import InputError, Problem


def dims_of(given: Sequence[str]) -> dict[str, int]:
    """The dimensions by name; InputError for anything else than NAME=N with N above 0."""
    found: dict[str, int] = {}
    for text in given:
        name, _, value = text.rpartition("=")
        if not name or not value.isdecimal() or len(value) > 10 or not 0 < int(value) < 1 << 31:
            raise InputError(
                Problem(
                    "onnx.dimension",
                    "is no dimension with its value",
                    "write --dim batch=1",
                    text,
                    "--dim",
                )
            )
        if name in found:
            raise InputError(
                Problem("onnx.dimension", "is given twice", "give it once", name, "--dim")
            )
        found[name] = int(value)
    return found
