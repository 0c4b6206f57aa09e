"""A training step by what its operators are for: products, cycles, joules and bytes that add up to the step's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from accelsim.results.rounding import column, decimals_of
from accelsim.workload import Workload
from accelsim.workload.operators import OPERATOR_ROLES

if TYPE_CHECKING:
    from accelsim.results.result import OperatorRow


@dataclass(frozen=True, slots=True)
class RoleRow:
    """What all operators of a role add up to; cycles are of the array's clock, each counted once (OperatorRow).

    joules: of its operators, and its part of what the whole run draws (leakage, background) by its cycles, which is
    whole_run_joules."""

    role: str
    operators: int
    macs: int
    cycles: int
    dram_read_bytes: int
    dram_written_bytes: int
    joules: float
    whole_run_joules: float


def by_role(workload: Workload, rows: Sequence[OperatorRow], joules: float) -> list[RoleRow]:
    """Rows of the roles that a workload has, in the order of a step. rows: of its operators. joules: of the run."""
    mine: dict[str, list[OperatorRow]] = {}
    for op, row in zip(workload.operators, rows, strict=True):
        mine.setdefault(op.role, []).append(row)
    shared = joules - sum(row.joules for row in rows)
    cycles = sum(row.cycles for row in rows)
    found = []
    for role in OPERATOR_ROLES:
        of = mine.get(role, [])
        took = sum(row.cycles for row in of)
        part = shared * took / cycles if cycles else 0.0
        if of:
            found.append(
                RoleRow(
                    role,
                    len(of),
                    sum(row.macs for row in of),
                    took,
                    sum(row.dram_read_bytes for row in of),
                    sum(row.dram_written_bytes for row in of),
                    sum(row.joules for row in of) + part,
                    part,
                )
            )
    return found


def table(rows: Sequence[RoleRow]) -> tuple[list[str], list[list[str]]]:
    """Head and lines for people; each column adds up, as printed, to what is printed of the run."""
    head = ["role", "operators", "MACs", "cycles", "DRAM KiB", "uJ"]
    traffic = column(
        [Fraction(row.dram_read_bytes + row.dram_written_bytes, 1024) for row in rows], 1
    )
    total = 1e6 * sum(row.joules for row in rows)
    micro = column([1e6 * row.joules for row in rows], decimals_of(total))
    lines = [
        [
            row.role,
            f"{row.operators:,}",
            f"{row.macs:,}" if row.macs else "-",
            f"{row.cycles:,}",
            kib,
            joules,
        ]
        for row, kib, joules in zip(rows, traffic[:-1], micro[:-1], strict=True)
    ]
    return head, lines
