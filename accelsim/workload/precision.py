"""Precision by operator: rules such as conv1=8, layer3.*=4 or fc=w4a8 give MAC operators their formats."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from accelsim.errors import InputError, Problem
from accelsim.workload.operators import MacOperator, Operator, VectorOperator, Workload

BITS = (2, 3, 4, 5, 6, 7, 8, 12, 16)
RULE = re.compile(r"(?:w(?P<weight>\d+))?(?:a(?P<input>\d+))?|(?P<both>\d+)")


def with_bits(workload: Workload, rules: Sequence[str], edges: int | None = None) -> Workload:
    """The workload with formats by rules, later ones over earlier ones. A rule is PATTERN=8 (weights and
    inputs), PATTERN=w4 or PATTERN=w4a8; a pattern is an operator's name or has *, ? and [...]. edges: bits of
    the first and the last MAC operator, under the rules. InputError for rules that match nothing."""
    macs = [op.name for op in workload.operators if not isinstance(op, VectorOperator)]
    found: dict[str, tuple[int, int]] = {}  # (input, weight), 0: as it was
    if edges is not None and macs:
        found |= {macs[0]: (edges, edges), macs[-1]: (edges, edges)}
    problems = []
    for rule in rules:
        pattern, _, bits = rule.rpartition("=")
        parsed = RULE.fullmatch(bits)
        sizes = [int(parsed[key] or 0) for key in ("input", "weight", "both")] if parsed else []
        if (
            not pattern
            or not bits
            or any(size and size not in BITS for size in sizes)
            or not any(sizes)
        ):
            known = ", ".join(map(str, BITS))
            problems.append(
                Problem(
                    "bits.rule",
                    "is no rule of precision",
                    f"write OPERATOR=8 or OPERATOR=w4a8, bits of {known}",
                    rule,
                    "--bits",
                )
            )
            continue
        matched = [name for name in macs if fnmatchcase(name, pattern)]
        if not matched:
            problems.append(
                Problem(
                    "bits.nothing",
                    "matches no operator with weights",
                    f"write one of: {', '.join(macs[:12])}",
                    pattern,
                    "--bits",
                )
            )
        for name in matched:
            before = found.get(name, (0, 0))
            found[name] = (sizes[2] or sizes[0] or before[0], sizes[2] or sizes[1] or before[1])
    if problems:
        raise InputError(problems)
    if not found:
        return workload
    changed = tuple(_given(op, *found.get(op.name, (0, 0))) for op in workload.operators)
    return replace(workload, operators=changed)


def _given(op: Operator, inputs: int, weights: int) -> Operator:
    if isinstance(op, VectorOperator):
        return op
    made: MacOperator = op
    if inputs:
        made = replace(made, input_format=f"int{inputs}")
    return replace(made, weight_format=f"int{weights}") if weights else made
