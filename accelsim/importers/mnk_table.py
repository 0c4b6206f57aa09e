"""A plain table of products: lines of M, N, K, with or without names and a header."""

from __future__ import annotations

import re
from pathlib import Path

from accelsim.config.yaml_source import read_text
from accelsim.errors import InputError, Problem
from accelsim.workload import Gemm, TensorSpec, Workload
from accelsim.workload.validity import MOST_MACS

SUFFIXES = (".txt", ".mnk", ".tsv")
LARGEST = 1 << 24
MOST_LINES = 20_000


def load_table(path: str | Path) -> Workload:
    """The Workload of a table: independent products, one a line.

    Columns are split by commas, blanks or tabs; # starts a comment. A header names the columns in any
    order; without one they are M, N, K, behind a name if there are four. InputError with line and column.
    """
    source = str(path)
    problems: list[Problem] = []
    operators: list[Gemm] = []
    tensors: dict[str, TensorSpec] = {}
    order = ["m", "n", "k"]
    header = False

    def wrong(code: str, line: int, column: int, message: str, fix: str) -> None:
        if len(problems) < 20:
            problems.append(
                Problem(f"table.{code}", message, fix, file=source, line=line, column=column)
            )

    for number, line in enumerate(read_text(path).splitlines(), 1):
        cells = [
            (found.start() + 1, found.group())
            for found in re.finditer(r"[^\s,;]+", line.split("#")[0])
        ]
        if not cells:
            continue
        words = [text.lower() for _, text in cells]
        if (
            not operators
            and not header
            and sorted(w for w in words if w in "mnk") == ["k", "m", "n"]
        ):
            order, header = words, True
            continue
        width = len(order) if header else (4 if len(cells) == 4 else 3)
        if len(cells) != width:
            wrong(
                "columns",
                number,
                1,
                f"has {len(cells)} columns, not {width}",
                "write name, M, N, K",
            )
            continue
        keys = order if header else (["name", *order] if len(cells) == 4 else order)
        row: dict[str, int] = {}
        name = f"product{len(operators) + 1}"
        for key, (column, text) in zip(keys, cells, strict=True):
            if key not in ("m", "n", "k"):
                name = text
            elif not text.isdecimal() or not 1 <= int(text[:12]) <= LARGEST:
                wrong(
                    "number",
                    number,
                    column,
                    f"{key.upper()} is {text[:20]!r}",
                    f"write a whole number from 1 to {LARGEST}",
                )
            else:
                row[key] = int(text)
        if len(row) < 3:
            continue
        while f"{name}.input" in tensors:
            name += "_"
        op = Gemm(
            name, f"{name}.input", f"{name}.weight", f"{name}.output", row["m"], row["k"], row["n"]
        )
        operators.append(op)
        for tensor, shape, role in (
            (op.input, op.input_shape, "input"),
            (op.weight, op.weight_shape, "weight"),
            (op.output, op.output_shape, "output"),
        ):
            tensors[tensor] = TensorSpec(tensor, shape, role)
        if len(operators) > MOST_LINES:
            wrong("size", number, 1, f"is line {MOST_LINES + 1}", "split the table")
            break
    if not operators and not problems:
        wrong("empty", 1, 1, "holds no products", "write lines of M, N, K")
    notes = {
        "format": "table",
        "assumed": ["products are independent of one another"],
        "unused": [],
    }
    made = Workload(
        Path(path).stem,
        tuple(operators),
        tensors,
        f"products of {Path(path).name}",
        None,
        source,
        notes,
        batch=1,
    )
    if made.macs > MOST_MACS:
        wrong("size", 1, 1, f"asks for {made.macs} multiply-accumulates", "use smaller products")
    if problems:
        raise InputError(problems)
    return made
