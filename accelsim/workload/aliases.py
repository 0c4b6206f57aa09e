"""Tensors that have no bytes of their own: views, and caches that rows are appended to."""

from __future__ import annotations

from typing import NamedTuple

from accelsim.errors import InputError, Problem
from accelsim.workload.operators import Operator, VectorOperator, Workload

FIX = "append to what has bytes of its own, or write kind: concat"


class Alias(NamedTuple):
    """Where a tensor's bytes are: in those of another, as a view of a kind ("flatten", "transpose", ...), or as a
    "cache", the first ones of what is grown from it."""

    of: str
    view: str


def aliases(workload: Workload) -> dict[str, Alias]:
    """Every tensor whose bytes are another's. InputError where they would have to be those of two."""
    found: dict[str, Alias] = {}
    problems = [
        Problem("workload.alias", message, FIX, op.name, workload.source)
        for op in workload.operators
        if (message := add(found, op))
    ]
    if problems:
        raise InputError(problems)
    return found


def add(found: dict[str, Alias], op: Operator) -> str:
    """Add what an operator makes a view or a cache, if it does; what is wrong with that, "" for nothing."""
    if not isinstance(op, VectorOperator) or not (op.is_view or op.kind == "append"):
        return ""
    if op.is_view:
        found[op.output] = Alias(op.inputs[0], op.kind)
        return ""
    cache, before = op.inputs[0], found.get(op.inputs[0])
    if before is None:
        found[cache] = Alias(op.output, "cache")
        return ""
    if before.view == "cache":
        return f"rows are appended to {cache} twice, for {before.of} and for {op.output}"
    return f"rows are appended to {cache}, a view of {before.of}"
