"""Outcomes as text, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from math import isfinite
from typing import Any

from accelsim.validation.measures import MEASURES
from accelsim.validation.outcomes import Outcome, Summary

HEAD = ["chip", "figure", "tier", "published", "computed", "error", "status"]
TOTALS = ["tier", "figures", "chips", "median", "90 %", "worst", "signed median"]
LONGEST = 48


def in_unit(one: Outcome, value: float) -> float:
    """A computed value in the unit in which it was published."""
    return value / MEASURES[one.figure.compute].units[one.figure.unit]


def said(one: Outcome) -> str:
    """What was computed, and its range by assumed numbers, in the published unit."""
    low, value, high = (
        f"{in_unit(one, each):.4g}" if isfinite(each) else "-"
        for each in (one.low, one.computed, one.high)
    )
    return value if low == value == high else f"{value} ({low} to {high})"


def percent(share: float) -> str:
    """With a sign, one digit behind the point: "+3.1 %"."""
    return f"{100 * share:+.1f} %" if isfinite(share) else "-"


def rows(found: list[Outcome]) -> list[list[str]]:
    """A line a figure."""
    made = []
    for one in found:
        figure = one.figure
        made.append(
            [
                *(one.chip, figure.name[:LONGEST], figure.tier),
                f"{figure.value:.6g} {figure.unit}",
                said(one),
                *(percent(one.error), one.failed or one.status),
            ]
        )
    return made


def total_rows(totals: list[Summary]) -> list[list[str]]:
    """A line a tier."""
    return [
        [
            *(one.tier, str(one.figures), str(one.chips)),
            *(f"{100 * share:.1f} %" for share in (one.median, one.most, one.worst)),
            percent(one.signed),
        ]
        for one in totals
    ]


def notes(found: list[Outcome], totals: list[Summary]) -> Iterator[str]:
    """How many figures count, and what is missing where one is further off than most of its tier."""
    counted = [one for one in found if one.counted]
    yield f"{len(counted)} of {len(found)} figures are counted"
    most = {one.tier: one.most for one in totals}
    for one in counted:
        if abs(one.error) >= most[one.figure.tier] and one.figure.missing:
            yield f"  {one.chip}, {one.figure.name}: {one.figure.missing}"


def plain(one: Outcome) -> dict[str, Any]:
    """A figure with all that is known of it."""
    figure = one.figure
    return {
        "chip": one.chip,
        "figure": figure.name,
        "tier": figure.tier,
        "published": figure.value,
        "unit": figure.unit,
        "condition": figure.condition,
        "kind": figure.kind,
        "confidence": figure.confidence,
        "computed": _number(in_unit(one, one.computed)),
        "low": _number(in_unit(one, one.low)),
        "high": _number(in_unit(one, one.high)),
        "moved_by": one.moved_by,
        "error": _number(one.error),
        "status": one.status,
        "failed": one.failed,
        "missing": figure.missing,
    }


def _number(value: float) -> float | None:
    return value if isfinite(value) else None


def as_json(found: list[Outcome], totals: list[Summary]) -> bytes:
    """Figures and tiers."""
    tiers = {one.tier: {name: getattr(one, name) for name in Summary.__slots__} for one in totals}
    whole = {"figures": [plain(one) for one in found], "tiers": tiers}
    return (json.dumps(whole, indent=1) + "\n").encode()


def as_csv(found: list[Outcome]) -> bytes:
    """A line a figure."""
    out = io.StringIO(newline="")
    lines = [plain(one) for one in found]
    writer = csv.DictWriter(out, list(lines[0]) if lines else ["chip"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue().encode()
