"""What of an imported workload runs where."""

from __future__ import annotations

from accelsim.workload import Conv2d, VectorOperator, Workload


def placed(work: Workload) -> str:
    """A line for every operator, a total for every place, and what was assumed."""
    rows = [("operator", "kind", "runs on", "MACs", "element operations", "shape")]
    totals: dict[str, int] = {}
    for op in work.operators:
        if isinstance(op, VectorOperator):
            where = "addresses only" if op.is_view else "vector unit"
            rows.append((op.name, op.kind, where, "-", f"{op.work:,}", _shape(op.output_shape)))
        else:
            where = (
                "MAC array or crossbars" if work.is_stored(op.weight) else "MAC array, two tensors"
            )
            sizes = f"{op.groups} x " if op.groups > 1 else ""
            size = f"{sizes}m {op.m} k {op.k} n {op.n}"
            if isinstance(op, Conv2d):
                size += f", kernel {op.kernel[0]} x {op.kernel[1]}"
            rows.append((op.name, op.kind, where, f"{op.macs:,}", "-", size))
        totals[where] = totals.get(where, 0) + 1
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                row[1].ljust(widths[1]),
                row[2].ljust(widths[2]),
                row[3].rjust(widths[3]),
                row[4].rjust(widths[4]),
                row[5],
            ]
        ).rstrip()
        for row in rows
    ]
    inside = [f"{name}: {kind}, part of {op}" for name, kind, op in work.notes.get("absorbed", [])]
    counted = ", ".join(f"{count} {where}" for where, count in totals.items())
    head = (
        f"workload {work.name}: {len(work.operators)} operators, {work.macs:,} multiply-accumulates, "
        f"{work.parameters:,} parameters"
    )
    assumed = [f"assumes: {note}" for note in work.notes.get("assumed", [])]
    return "\n  ".join([head, *lines, *inside, counted, *assumed])


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
