"""Tables as plain text."""

from __future__ import annotations

from accelsim.escaping import visible


def table_lines(head: list[str], rows: list[list[str]], left: tuple[int, ...] = (0,)) -> list[str]:
    """The lines of a table; columns in ``left`` stand to the left, the others to the right."""
    lines = [[visible(cell) for cell in line] for line in [head, *rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return [
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
