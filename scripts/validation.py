"""make validation: computes every published figure anew and writes validation/lock.csv, the tables of
docs/validation.md and reports/validation.png; says what moved.

A test fails where an error has moved from the lock: run this on purpose, and look at the difference.

python scripts/validation.py [--check]
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from accelsim.validation import load_cases, outcomes
from accelsim.validation.lock import NAME, Locked, locked, moved, read_lock, text_of
from accelsim.validation.outcomes import COUNTED, summed
from accelsim.validation.record import Case
from accelsim.validation.table import TOTALS, percent, total_rows
from accelsim.validation.tiers import TIERS

ROOT = Path(__file__).parent.parent
LOCK, PAGE = ROOT / "validation" / NAME, ROOT / "docs" / "validation.md"
PICTURE = ROOT / "reports" / "validation.png"
BLOCK = re.compile(r"(<!-- validation -->\n).*?(<!-- end -->)", re.DOTALL)


def main(words: list[str]) -> int:
    from accelsim.validation.picture import draw

    cases = load_cases([])
    found = [one for case in cases for one in outcomes(case)]
    lines = moved(found, read_lock() if LOCK.is_file() else [])
    print(*lines, sep="\n")
    if "--check" in words:
        return int(bool(lines))
    lock = [locked(one) for one in found]
    LOCK.write_text(text_of(lock), "utf-8")
    PAGE.write_text(page(PAGE.read_text("utf-8"), lock, cases), "utf-8")
    draw(found, PICTURE)
    return 0


def page(text: str, lock: Sequence[Locked], cases: Sequence[Case]) -> str:
    """docs/validation.md with the tables of a lock."""
    made = "\n".join(["", *tables(lock, cases), ""])
    return BLOCK.sub(lambda found: found[1] + made + found[2], text)


def tables(lock: Sequence[Locked], cases: Sequence[Case]) -> Iterator[str]:
    """Of the tiers, of every figure, and of what is missing where an error is beyond its tier's 90 %."""
    totals = summed((one.tier, one.chip, one.error / 100) for one in lock if one.status == COUNTED)
    yield from markdown(TOTALS, total_rows(totals))
    counted = sum(one.status == COUNTED for one in lock)
    yield from ("", f"{counted} of {len(lock)} figures are counted.")
    for tier in TIERS:
        mine = [one for one in lock if one.tier == tier]
        if mine:
            yield from ("", f"**{tier.capitalize()}**", "")
            yield from markdown(
                ["chip", "figure", "published", "computed", "error", "status"],
                [
                    [
                        *(one.chip, one.figure, one.published, one.computed),
                        *(percent(one.error / 100), one.status),
                    ]
                    for one in mine
                ],
            )
    most = {one.tier: one.most for one in totals}
    missing = {(case.name, each.name): each.missing for case in cases for each in case.figures}
    yield from ("", "Further off than 90 % of their tier:", "")
    for one in lock:
        if one.status == COUNTED and abs(one.error / 100) >= most[one.tier]:
            why = missing[one.chip, one.figure]
            yield f"- {one.chip}, {one.figure} ({percent(one.error / 100)}): {why}"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of a table."""
    for row in (head, ["---"] * len(head), *rows):
        yield "| " + " | ".join(row) + " |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
