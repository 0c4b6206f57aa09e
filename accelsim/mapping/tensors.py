"""The tensor table of a Program: formats, versions, views, and addresses off chip."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

from accelsim.chip import Chip, machine
from accelsim.errors import InputError, Problem
from accelsim.formats import Integer, get
from accelsim.mapping.chips import path_of
from accelsim.mapping.crossbars import CrossbarMapping
from accelsim.mapping.mapping import Mapping as Tiles
from accelsim.mapping.mapping import sum_format
from accelsim.mapping.vector_formats import between, vector_format
from accelsim.program.table import TensorRow
from accelsim.workload import MacOperator, VectorOperator, Workload
from accelsim.workload.aliases import aliases
from accelsim.workload.vector_kinds import VECTOR_KINDS

RANK = 4  # axes of a region
ALIGNMENT = 64  # bytes, so that tensors start on a burst


class Home(NamedTuple):
    """Where a tensor stands from its writer to its last reader: number of a memory, address there, whether that
    is on chip."""

    memory: int
    address: int
    on_chip: int = 0


class Turn(NamedTuple):
    """What one group of images has of a tensor. axis, step: along which and by how much groups follow one another, 0
    and 0 where all read the same; size: bytes at home."""

    axis: int
    step: int
    size: int


@dataclass(slots=True)
class TensorTable:
    """Rows of Program.tensors, found by name, and where each is at home: off chip, in memory number ``far``,
    unless ``on_chip`` has its name. shared: addresses off chip of those that have bytes one after the other.
    end: bytes that are taken off chip. turns: of each row, where the batch runs in groups of images; else empty."""

    far: int
    on_chip: Mapping[str, Home] = field(default_factory=dict)
    shared: Mapping[str, int] = field(default_factory=dict)
    rows: list[TensorRow] = field(default_factory=list)
    home: list[Home] = field(default_factory=list)
    index: dict[object, int] = field(default_factory=dict)
    end: int = 0
    turns: list[Turn] = field(default_factory=list)

    def in_turns(self, group: TensorTable) -> None:
        """The batch runs in groups of images. group: the same rows for one of them."""
        for row, other in zip(self.rows, group.rows, strict=True):
            pairs = enumerate(zip(_four(row.shape), _four(other.shape), strict=True))
            axis, step = next(((n, b) for n, (a, b) in pairs if a != b), (0, 0))
            self.turns.append(Turn(axis, step, self.size_of(other)))

    def local(self, row: int, turn: int) -> tuple[int, ...]:
        """A tensor as Rows.local has it, for a group of images."""
        home = self.home[row]
        if not self.turns:
            return (row, *home, 0, 0, 0)
        axis, step, size = self.turns[row]
        address = home.address + turn * size * (step > 0 and not home.on_chip)
        return row, home.memory, address, home.on_chip, axis, turn * step, turn

    def at_home(self, row: int) -> int:
        """Bytes that a tensor takes at home: on chip one group's."""
        if self.turns and self.home[row].on_chip:
            return self.turns[row].size
        return self.size_of(self.rows[row])

    def add(self, row: TensorRow, key: str, stays: bool = False) -> int:
        """Append a row with its own space at home, or the space of what it is a view of. stays: it never leaves
        the units' tiles and needs none."""
        number = len(self.rows)
        if row.view_of >= 0:
            self.home.append(self.home[row.view_of])
        elif row.name in self.on_chip:
            self.home.append(self.on_chip[row.name])
        elif row.name in self.shared:
            self.home.append(Home(self.far, self.shared[row.name]))
        else:
            size = 0 if stays else self.size_of(row)
            self.home.append(Home(self.far, self.end))
            self.end += -(-size // ALIGNMENT) * ALIGNMENT
        self.rows.append(row)
        self.index[key] = number
        return number

    @staticmethod
    def size_of(row: TensorRow) -> int:
        """Bytes that a tensor, or a view of it, takes at home; partial sums are spilled in whole bytes."""
        record, elements = get(row.format), prod(row.shape)
        whole = row.view == "sums"
        return elements * -(-record.bits // 8) if whole else record.bytes_for(elements)

    def view(
        self,
        of: str,
        view: str,
        shape: tuple[int, ...],
        form: str,
        operator: int,
        name: str,
    ) -> int:
        """Append what operator ``name`` (of that number) sees of a tensor, as "<name>/<view>"."""
        origin = self.index[of]
        role = self.rows[origin].role
        row = TensorRow(of, shape, form, 0, origin, view, operator, role)
        return self.add(row, f"{name}/{view}")


def _four(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape as regions have it, of at most four axes: leading ones merged."""
    return shape if len(shape) <= RANK else (prod(shape[: 1 - RANK]), *shape[1 - RANK :])


def operator_formats(op: MacOperator, chip: Chip) -> tuple[str, str]:
    """Input and weight format of a MAC operator: its own, else the chip's."""
    return (op.input_format or chip.precision.input, op.weight_format or chip.precision.weight)


def multiplies_floats(workload: Workload, chip: Chip) -> bool:
    """Whether some MAC operator of the workload multiplies floats on the chip."""
    pairs = [
        operator_formats(op, chip)
        for op in workload.operators
        if not isinstance(op, VectorOperator)
    ]
    names = {name for pair in pairs for name in pair} or {chip.precision.input}
    return any(not isinstance(get(name), Integer) for name in names)


def tensor_formats(workload: Workload, chip: Chip) -> Mapping[str, str]:
    """The format every activation tensor is stored in.

    What the workload says; else what its first MAC consumer reads; network outputs keep the
    partial sums' format, so that nothing is lost after the last layer; reals that integers alone decide have
    32 bits; else what the vector unit computes in (vector_formats.py), or the chip's input format. A view of a
    tensor (flattened, a cache that rows are appended to) has its format.
    """
    formats: dict[str, str] = {}
    wanted: dict[str, tuple[str, str]] = {}
    alias = {
        op.output: op.inputs[0]
        for op in workload.operators
        if isinstance(op, VectorOperator) and (op.is_view or op.kind == "append")
    }

    def root(name: str) -> str:
        while name in alias:
            name = alias[name]
        return name

    problems = []
    for op in workload.operators:
        if isinstance(op, VectorOperator):
            continue
        for name, need in zip((op.input, op.weight), operator_formats(op, chip), strict=True):
            source = root(name)
            if name == op.weight and workload.is_stored(name):
                continue
            if source in wanted and wanted[source][0] != need:
                problems.append(
                    Problem(
                        "mapping.format.conflict",
                        f"{op.name} reads {name} as {need}, {wanted[source][1]} reads it as "
                        f"{wanted[source][0]}",
                        f"give both the same input format, as --bits {op.name}=w8a8 does",
                        path=op.name,
                    )
                )
            wanted.setdefault(source, (need, op.name))
    if problems:
        raise InputError(problems)
    constants = read_constants(workload)
    given = {
        root(name)
        for name, spec in workload.tensors.items()
        if spec.format or spec.holds != "reals"
    }
    vector = between(workload, chip, root, {*wanted, *given}, multiplies_floats(workload, chip))
    for name, spec in workload.tensors.items():
        if spec.role in ("weight", "bias") and name not in constants:
            continue
        if spec.format:
            formats[name] = spec.format
        elif root(name) in wanted:
            formats[name] = wanted[root(name)][0]
        elif spec.holds == "fine":
            formats[name] = "int32" if isinstance(get(chip.precision.input), Integer) else "fp32"
        elif root(name) in vector:
            formats[name] = vector[root(name)]
        elif spec.role == "output":
            formats[name] = widest_sums(chip)
        else:
            formats[name] = chip.precision.input
    return {name: formats[root(name)] for name in formats}


def read_constants(workload: Workload) -> set[str]:
    """Stored tensors that are read as inputs: tables, masks, states at the start."""
    return {
        name
        for op in workload.operators
        for name in (op.inputs if isinstance(op, VectorOperator) else (op.input,))
        if workload.tensors[name].role in ("weight", "bias")
    }


def vector_formats(op: VectorOperator, formats: Mapping[str, str]) -> tuple[str, ...]:
    """The format of each input of a vector operator, then of its output."""
    return tuple(formats[name] for name in (*op.inputs, op.output))


def widest_sums(chip: Chip) -> str:
    """The storage format of partial sums, of units of both kinds the wider one."""
    units = [side.core for side in chip.sides.values()]
    return max((sum_format(unit) for unit in units), key=lambda name: get(name).bits)


def shared_weights(workload: Workload) -> set[str]:
    """Stored weights that several MAC operators read, such as those of unrolled steps."""
    names = [op.weight for op in workload.operators if not isinstance(op, VectorOperator)]
    return {name for name, count in Counter(names).items() if count > 1}


def build_tensors(
    workload: Workload,
    chip: Chip,
    formats: Mapping[str, str],
    summands: Mapping[str, int] | None = None,
    kept: Collection[str] = (),
    on_chip: Mapping[str, Home] | None = None,
    reused: tuple[Mapping[str, int], int] = ({}, 0),
    wide: Mapping[str, str] | None = None,
) -> TensorTable:
    """All tensors of a workload with the views that its MAC operators read and write.

    Keys: the tensor's name; "<operator>/lowered", "/weight", "/matrix", "/sums" (and "/sums.1",
    ... for further partial sums that are kept apart). summands: how many there are, by operator,
    default 1. kept: operators whose partial sums are never spilled. on_chip: tensors at home there, by name.
    reused: addresses of tensors off chip, by name, in the first bytes, which several have one after the other; how
    many bytes. wide: formats of partial sums, by operator, where they are not those of all units.
    """
    table = TensorTable(machine(chip).memory_index[chip.far], on_chip or {}, reused[0])
    table.end = reused[1]
    _activations(table, workload, formats)
    common, widest = shared_weights(workload), widest_sums(chip)
    for number, op in enumerate(workload.operators):
        if isinstance(op, VectorOperator):
            continue
        groups, m, n, k = op.groups, op.m, op.n, op.k
        table.view(op.input, "lowered", (groups, m, k), formats[op.input], number, op.name)
        key, weight = f"{op.name}/weight", operator_formats(op, chip)[1]
        if not workload.is_stored(op.weight):
            table.view(op.weight, "weight", (groups, k, n), weight, number, op.name)
        elif op.weight in common and (op.weight, groups, k, n, weight) in table.index:
            table.index[key] = table.index[op.weight, groups, k, n, weight]
        else:
            owner = -1 if op.weight in common else number
            row = TensorRow(op.weight, (groups, k, n), weight, 0, -1, "weight", owner, "weight")
            table.index[op.weight, groups, k, n, weight] = table.add(row, key)
        table.view(op.output, "matrix", (groups, m, n), formats[op.output], number, op.name)
        for i in range((summands or {}).get(op.name, 1)):
            suffix = "sums" if i == 0 else f"sums.{i}"
            name, form = f"{op.output}.{suffix}", (wide or {}).get(op.name, widest)
            row = TensorRow(name, (groups, m, n), form, 0, -1, "sums", number, "intermediate")
            table.add(row, f"{op.name}/{suffix}", op.name in kept)
    return table


def _activations(table: TensorTable, workload: Workload, formats: Mapping[str, str]) -> None:
    """Rows of every tensor that is not a MAC operator's weight; views after what they are views of.

    A cache that rows are appended to is a view of the grown tensor, whose first bytes it is.
    """
    views = aliases(workload)
    constants = read_constants(workload)
    pending = [
        name
        for name, spec in workload.tensors.items()
        if spec.role not in ("weight", "bias") or name in constants
    ]
    while pending:
        later = []
        for name in pending:
            spec, (source, view) = workload.tensors[name], views.get(name, ("", ""))
            if source and source not in table.index:
                later.append(name)
                continue
            of = table.index[source] if source else -1
            table.add(TensorRow(name, spec.shape, formats[name], 0, of, view, -1, spec.role), name)
        pending = later


def check_room(table: TensorTable, chip: Chip, workload: Workload) -> None:
    """InputError when the tensors need more than the off-chip memory has."""
    name = chip.far
    if table.end > chip.dram.size:
        raise InputError(
            Problem(
                "mapping.dram",
                f"the tensors of {workload.name} take {table.end} bytes, "
                f"{name} has {chip.dram.size}",
                "make the memory larger",
                path=f"{path_of(name, 'memories')}.size",
                file=chip.source,
            )
        )


def never_spilled(workload: Workload, mappings: Mapping[str, Tiles | CrossbarMapping]) -> set[str]:
    """Operators whose partial sums stay on chip."""
    found = set()
    for op in workload.operators:
        if not isinstance(op, VectorOperator):
            mapping = mappings[op.name]
            if isinstance(mapping, CrossbarMapping) or mapping.order[2] == "k" or mapping.k >= op.k:
                found.add(op.name)
    return found


def formats_in_words(workload: Workload, chip: Chip) -> list[str]:
    """What a run takes for granted of the formats between vector operators."""
    operators = [
        op for op in workload.operators if isinstance(op, VectorOperator) and not op.is_view
    ]
    unit: Any = chip.parts("vector_unit")[0]
    if unit.format is not None:
        return (
            [
                f"vector operators in {unit.format}, as {path_of(unit.name, 'units')}.format says; what a "
                "MAC operator reads in its format"
            ]
            if operators
            else []
        )
    formats = tensor_formats(workload, chip)
    kinds: dict[str, dict[str, None]] = {}
    for op in operators:
        used = {formats[name] for name in (*op.inputs, op.output)} & {
            vector_format(chip, floats) for floats in (False, True)
        }
        for name in sorted(used) if VECTOR_KINDS[op.kind].wide and len(used) == 1 else ():
            kinds.setdefault(name, {})[op.kind] = None
    return [
        _sentence(name, list(found), path_of(unit.name, "units")) for name, found in kinds.items()
    ]


def _sentence(name: str, kinds: list[str], unit: str) -> str:
    scale = " with a scale a tensor" if isinstance(get(name), Integer) else ""
    more = ", ..." if len(kinds) > 4 else ""
    return (
        f"{', '.join(kinds[:4])}{more} and the vector operators next to them in {name}{scale}, in their "
        f"bytes too ({unit} states no format); what a MAC operator reads in its format"
    )
