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
    reader = _Reader(str(path))
    for number, line in enumerate(read_text(path).splitlines(), 1):
        reader.line(number, line)
        if len(reader.operators) > MOST_LINES:
            reader.wrong("size", number, 1, f"is line {MOST_LINES + 1}", "split the table")
            break
    if not reader.operators and not reader.problems:
        reader.wrong("empty", 1, 1, "holds no products", "write lines of M, N, K")
    notes = {
        "format": "table",
        "assumed": ["products are independent of one another"],
        "unused": [],
    }
    operators, text = tuple(reader.operators), f"products of {Path(path).name}"
    made = Workload(
        Path(path).stem, operators, reader.tensors, text, None, reader.source, notes, batch=1
    )
    if made.macs > MOST_MACS:
        what = f"asks for {made.macs} multiply-accumulates"
        reader.wrong("size", 1, 1, what, "use smaller products")
    if reader.problems:
        raise InputError(reader.problems)
    return made


class _Reader:
    """header: names of the columns, none before it was met."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self.operators: list[Gemm] = []
        self.tensors: dict[str, TensorSpec] = {}
        self.header: list[str] = []

    def wrong(self, code: str, line: int, column: int, message: str, fix: str) -> None:
        if len(self.problems) < 20:
            place = {"file": self.source, "line": line, "column": column}
            self.problems.append(Problem(f"table.{code}", message, fix, **place))  # type: ignore[arg-type]

    def line(self, number: int, line: str) -> None:
        """A product, a header, or nothing."""
        found = re.finditer(r"[^\s,;]+", line.split("#")[0])
        cells = [(match.start() + 1, match.group()) for match in found]
        words = [text.lower() for _, text in cells]
        first = not self.operators and not self.header
        if first and sorted(w for w in words if w in "mnk") == ["k", "m", "n"]:
            self.header = words
            return
        keys = self.header or (["name"] if len(cells) == 4 else []) + ["m", "n", "k"]
        if cells and len(cells) != len(keys):
            what = f"has {len(cells)} columns, not {len(keys)}"
            self.wrong("columns", number, 1, what, "write name, M, N, K")
        elif cells:
            self.product(number, dict(zip(keys, cells, strict=True)))

    def product(self, number: int, cells: dict[str, tuple[int, str]]) -> None:
        """cells: (column, text) by key."""
        row: dict[str, int] = {}
        name = f"product{len(self.operators) + 1}"
        for key, (column, text) in cells.items():
            if key not in ("m", "n", "k"):
                name = text
            elif not text.isdecimal() or not 1 <= int(text[:12]) <= LARGEST:
                what, fix = (
                    f"{key.upper()} is {text[:20]!r}",
                    f"write a whole number from 1 to {LARGEST}",
                )
                self.wrong("number", number, column, what, fix)
            else:
                row[key] = int(text)
        if len(row) < 3:
            return
        while f"{name}.input" in self.tensors:
            name += "_"
        read, weight, made = (f"{name}.{role}" for role in ("input", "weight", "output"))
        op = Gemm(name, read, weight, made, row["m"], row["k"], row["n"])
        self.operators.append(op)
        for tensor, shape, role in (
            (op.input, op.input_shape, "input"),
            (op.weight, op.weight_shape, "weight"),
            (op.output, op.output_shape, "output"),
        ):
            self.tensors[tensor] = TensorSpec(tensor, shape, role)
