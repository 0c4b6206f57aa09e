"""SCALE-Sim's topology files: one layer a line, convolutions or (M, N, K) products.

Layers are independent there, so each gets an input of its own. Output sizes are rounded up, as
there: where the stride does not divide, the last window reaches past the edge, which becomes
padding at the bottom and right here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from accelsim.config.scalesim_cfg import read_text, whole_number
from accelsim.errors import InputError, Problem
from accelsim.workload import Conv2d, Gemm, MacOperator, TensorSpec, Workload
from accelsim.workload.validity import LARGEST_WINDOW

CONV = (
    "IFMAP height",
    "IFMAP width",
    "filter height",
    "filter width",
    "channels",
    "filters",
    "strides",
)
GEMM = ("M", "N", "K")
#: what a header may call the columns, letters only, without a plural's s
TITLES = {
    "ifmapheight": 0,
    "ifmapwidth": 1,
    "filterheight": 2,
    "filterwidth": 3,
    "channel": 4,
    "numfilter": 5,
    "filter": 5,
    "stride": 6,
    "strideheight": 6,
    "stridewidth": 7,
}
STRIDE_WIDTH = 7
MOST_LAYERS = 20_000
MOST_PROBLEMS = 50
LARGEST = 1 << 24
SIZES = (0, 1, 4, 5)  # numbers of a convolution that are no window's: its input, channels, filters


@dataclass(slots=True)
class _Line:
    number: int
    cells: list[str]
    columns: list[int]


def load_topology(path: str | Path, gemm: bool = False) -> Workload:
    """Read a topology CSV. gemm: lines are name, M, N, K. notes["unused"] has what of the file has
    no meaning here. InputError with line and column."""
    reader = _Reader(str(path), gemm)
    return reader.read(read_text(path))


class _Reader:
    def __init__(self, source: str, gemm: bool) -> None:
        self.source, self.gemm = source, gemm
        self.names: tuple[str, ...] = GEMM if gemm else CONV
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self.operators: list[MacOperator] = []
        self.tensors: dict[str, TensorSpec] = {}
        self.used: dict[str, int] = {}
        self.batches, self.batch = False, 1
        self.columns = list(range(1, len(self.names) + 1))  # of the numbers, in the order of names

    def wrong(self, code: str, message: str, fix: str, line: _Line, cell: int = 0) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            column = line.columns[cell] if cell < len(line.columns) else 1
            path = self.names[cell - 1] if 0 < cell <= len(self.names) else ""
            self.problems.append(
                Problem(f"topology.{code}", message, fix, path, self.source, line.number, column)
            )

    def read(self, text: str) -> Workload:
        lines = list(_lines(text))
        if lines:
            self.header(lines[0])
        for line in lines[1:]:
            if len(self.operators) >= MOST_LAYERS or len(self.problems) >= MOST_PROBLEMS:
                self.wrong("length", f"has more than {MOST_LAYERS} layers", "split the file", line)
                break
            self.layer(line)
        if not self.operators and not self.problems:
            self.problems.append(
                Problem(
                    "topology.empty",
                    "has no layers after its header line",
                    "write a header, then lines of: name, " + ", ".join(self.names),
                    file=self.source,
                )
            )
        if self.problems:
            raise InputError(self.problems)
        name = Path(self.source).stem
        return Workload(
            name,
            tuple(self.operators),
            self.tensors,
            f"SCALE-Sim topology {name}",
            source=self.source,
            notes={"unused": self.notes},
            batch=self.batch,
        )

    def header(self, line: _Line) -> None:
        """The first line is never a layer; what it names decides about columns' order, a stride for each axis
        and a batch column."""
        titles = [cell.lower() for cell in line.cells]
        if not self.gemm and len([t for t in titles if t]) == 4 and titles[1:4] == ["m", "n", "k"]:
            self.wrong("kind", "has M, N, K lines", "add --gemm", line)
        self.batches = "batch size" in titles[8:]
        if not self.gemm:
            letters = ["".join(c for c in title if c.isalpha()).rstrip("s") for title in titles]
            found = {
                TITLES[word]: place
                for place, word in enumerate(letters)
                if word in TITLES and place
            }
            named = sum(word in TITLES for word in letters[1:])
            if named == len(found) and set(found) >= set(range(len(CONV))):  # each column once
                self.columns = [found[number] for number in sorted(found)]
                if STRIDE_WIDTH in found:
                    self.names = (*CONV[:-1], "stride height", "stride width")

    def layer(self, line: _Line) -> None:
        cells = list(line.cells)
        while cells and not cells[-1]:
            cells.pop()
        if not cells or (len(cells) == 1 and cells[0]):
            if cells:
                self.notes.append(f"line {line.number}: {cells[0]!r} is a title, no layer")
            return
        need = max(self.columns) + 1
        if len(cells) < need:
            self.wrong(
                "cells",
                f"has {len(cells) - 1} numbers, a layer needs {len(self.columns)}",
                "write name, " + ", ".join(self.names),
                line,
            )
            return
        numbers = []
        for place, cell in enumerate(self.columns):
            most = LARGEST if self.gemm or place in SIZES else LARGEST_WINDOW
            value = whole_number(cells[cell], 1, most)
            if value is None:
                self.wrong(
                    "number",
                    f"{cells[cell][:40]!r} is not a whole number from 1 to {most}",
                    "write a number like 64",
                    line,
                    cell,
                )
                return
            numbers.append(value)
        batch = self.extra(line, cells[need:])
        name = self.unique(cells[0] or f"layer{len(self.operators)}")
        if self.gemm:
            m, n, k = numbers
            self.add(Gemm(name, f"{name}.input", f"{name}.weight", f"{name}.output", m, k, n))
        else:
            self.convolution(line, name, numbers, batch)

    def extra(self, line: _Line, more: list[str]) -> int:
        """What follows the numbers: N:M sparsity, a batch size; everything else is noted."""
        batch = 1
        for place, cell in enumerate(more):
            if not cell or cell.startswith("#"):
                continue
            if ":" in cell:
                self.notes.append(
                    f"line {line.number}: sparsity {cell} is not modelled, the layer "
                    "is simulated dense"
                )
            elif self.batches and place == 0 and (found := whole_number(cell, 1, 65536)):
                self.batch = max(self.batch, batch := found)
            else:
                self.notes.append(f"line {line.number}: {cell!r} after the strides has no meaning")
        return batch

    def convolution(self, line: _Line, name: str, numbers: list[int], batch: int) -> None:
        height, width, tall, wide, channels, filters, *strides = numbers
        stride = (strides[0], strides[-1])
        for size, kernel, cell in ((height, tall, 3), (width, wide, 4)):
            if kernel > size:
                self.wrong(
                    "filter",
                    f"a filter of {kernel} is larger than its input of {size}",
                    "write a filter no larger than the input",
                    line,
                    cell,
                )
                return
        past = tuple(
            (-(-(size - kernel) // step)) * step + kernel - size
            for size, kernel, step in ((height, tall, stride[0]), (width, wide, stride[1]))
        )
        groups = channels if "DP" in name else 1
        self.add(
            Conv2d(
                name,
                f"{name}.input",
                f"{name}.weight",
                f"{name}.output",
                batch,
                channels,
                height,
                width,
                filters * groups,
                (tall, wide),
                stride,
                (0, 0, past[0], past[1]),
                groups=groups,
            )
        )

    def add(self, op: MacOperator) -> None:
        self.operators.append(op)
        for tensor, shape, role in (
            (op.input, op.input_shape, "input"),
            (op.weight, op.weight_shape, "weight"),
            (op.output, op.output_shape, "output"),
        ):
            self.tensors[tensor] = TensorSpec(tensor, shape, role)

    def unique(self, name: str) -> str:
        """Files repeat names; later ones get a number."""
        count = self.used[name] = self.used.get(name, 0) + 1
        made = name if count == 1 else f"{name}_{count}"
        if count > 1 and made in self.used:
            return self.unique(made)
        self.used.setdefault(made, 1)
        return made


def _lines(text: str) -> list[_Line]:
    """Lines that are not empty, split at commas (at tabs where a line has no comma)."""
    found = []
    for number, raw in enumerate(text.splitlines(), 1):
        cut = "," if "," in raw else "\t"
        cells, columns, at = [], [], 0
        for part in raw.split(cut):
            columns.append(at + len(part) - len(part.lstrip()) + 1)
            cells.append(part.strip())
            at += len(part) + 1
        if any(cells):
            found.append(_Line(number, cells, columns))
    return found
