"""What makes the rows of every operator of a workload, and what is resident at the start and the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip, Machine, machine
from accelsim.chip.machine import all_of
from accelsim.errors import InputError, Problem
from accelsim.formats import get
from accelsim.mapping.bursts import BURSTS, Transfers, in_bursts
from accelsim.mapping.cores import gathers, sending
from accelsim.mapping.crossbars import CrossbarMapping, blocks_of, packs_of
from accelsim.mapping.homes import OFF_CHIP, Homes
from accelsim.mapping.lifetimes import side_by_side
from accelsim.mapping.mapping import Mapping, array_for, geometry_of, sum_format
from accelsim.mapping.placement import place
from accelsim.mapping.programs import Placed
from accelsim.mapping.rows.crossbar import crossbar_nest
from accelsim.mapping.rows.mac_record import mac_nest
from accelsim.mapping.rows.record import Fast, Local, Nest, Rows, again, written
from accelsim.mapping.rows.shapes import NUMBER, number_shapes
from accelsim.mapping.rows.vector import shares_weights, vector_nest
from accelsim.mapping.tensors import (
    ALIGNMENT,
    Home,
    TensorTable,
    build_tensors,
    check_room,
    never_spilled,
    operator_formats,
    vector_formats,
)
from accelsim.mapping.units import Choice, side_of
from accelsim.program.table import ResidentRow
from accelsim.units.base import instance_names
from accelsim.workload import MacOperator, VectorOperator, Workload
from accelsim.workload.images import of_group

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Plan:
    """What was decided for each operator: its mapping (None for vector operators), its unit where the chip has
    several that multiply, and where tensors are at home, all off chip by default."""

    mappings: Dict[str, Mapping | CrossbarMapping]
    formats: Dict[str, str]
    homes: Homes = OFF_CHIP
    on: Dict[str, Choice] = field(default_factory=dict)

    def side(self, chip: Chip, operator: str) -> Chip:
        """The chip as an operator on its unit sees it."""
        return side_of(chip, self.on, operator)

    def group(self, workload: Workload) -> Workload:
        """What the mappings are of: the workload of a group of images, or of the whole batch."""
        return of_group(workload, self.homes.images)

    def turns(self, workload: Workload) -> int:
        """Groups of images that a run takes one after another."""
        return workload.inferences // self.homes.images if self.homes.images else 1


@dataclass(slots=True)
class Part:
    """One operator: what makes its rows, by a key that equal ones share; tensors: rows of its local ones.
    same_as: its output is another name of that tensor, and there are no rows. alike: the key, but for
    addresses of weights that stay."""

    number: int
    name: str
    key: object = None
    make: Callable[[], Nest] | None = None
    tensors: list[int] = field(default_factory=list)
    same_as: str | None = None
    alike: object = None


class Parts:
    """The operators of a workload in order, and what stays resident. commands: of each, about, by
    name. turns: groups of images, for each of which all of them come once."""

    def __init__(
        self,
        chip: Chip,
        workload: Workload,
        chosen: Plan,
        table: TensorTable,
        sums: Dict[str, int],
        commands: Dict[str, int],
    ) -> None:
        self.commands = commands
        self.fast = Fast(sum(commands.values()), (in_bursts, BURSTS), (number_shapes, NUMBER))
        self.chip, self.table, self.chosen, self.sums = chip, table, chosen, sums
        self.machine = machine(chip)
        self.residents = _at_home(table)
        self.workload, self.turns = workload, chosen.turns(workload)
        self.weight_at: dict[
            tuple[int, int, int], int
        ] = {}  # (weight's row, tile n, tile k) -> address
        self.weight_end = 0
        self.in_cells: set[int] = set()
        self._nests: dict[object, Nest] = {}
        operators = chosen.group(workload).operators
        self.list = [self._part(number, op) for number, op in enumerate(operators)]
        if self.weight_end and self.weight_end > chip.memories[chip.array.weight].size:
            raise no_room(chip, workload, self.weight_end)

    def nest(self, part: Part) -> Nest:
        """What writes the rows of a part, ready to write; parts of one key share what it reads."""
        made = self._nests.get(part.key)
        if made is None:
            assert part.make is not None
            made = self._nests[part.key] = part.make()
        return Nest(made.rows, made.helpers, made.op, again(made.state), made.styles, made.most)

    @property
    def named(self) -> dict[str, int]:
        """Rows of the workload's tensors, by name."""
        index = self.table.index
        return {name: index[name] for name in self.workload.tensors if name in index}

    def local(self, part: Part, turn: int) -> Local:
        """The tensors of a part, for a group of images."""
        return Local([number for row in part.tensors for number in self.table.local(row, turn)])

    def visits(self) -> Iterator[tuple[Part, int]]:
        """Parts that have rows, in the order of these: all of them for a group of images, then for the next."""
        for turn in range(self.turns):
            for part in self.list:
                if part.same_as is None:
                    yield part, turn

    def segments(self) -> tuple[list[Placed], Transfers, bool]:
        """The rows of all parts; what they move off chip; and whether machine code writes them all."""
        fast = all(self.fast(self.nest(part)) for part in self.list if part.same_as is None)
        transfers = Transfers(self.table, self.workload, self.chip.dram.burst, fast)
        placed, operands = [], 0
        for part, turn in self.visits():

            def note(rows: Rows, before: int) -> None:
                transfers.note(rows, operands + before)  # noqa: B023

            count = self.commands.get(part.name, 0) // self.turns
            made = written(self.nest(part), fast, self.local(part, turn), count, note)
            operands += len(made.operands)
            placed.append(Placed(made, part.number, turn))
        return placed, transfers, fast

    def _part(self, number: int, op: MacOperator | VectorOperator) -> Part:
        if isinstance(op, VectorOperator):
            return self._vector(number, op)
        chip, formats = self.chosen.side(self.chip, op.name), self.chosen.formats
        triple = (*operator_formats(op, chip), formats[op.output])
        mapping, geometry = self.chosen.mappings[op.name], geometry_of(op)
        tensors = _locals(self.table, op, self.sums[op.name])
        room = self.chosen.homes.room(op.name)
        parity = number % 2
        if isinstance(mapping, CrossbarMapping):
            return self._on_crossbars(chip, number, op, mapping, triple, tensors)
        where = None
        if chip.weights == "resident":
            parity = 1
            if self.workload.is_stored(op.weight):
                where = self._kept(chip, op, mapping, triple)

        def make() -> Nest:
            return mac_nest(chip, self.machine, geometry, mapping, triple, parity, where, room)

        key = (geometry, triple, mapping, parity, room, self.workload.is_stored(op.weight))
        alike = (key, self._homes(tensors))
        return Part(number, op.name, (*key, where), make, tensors, alike=alike)

    def _homes(self, tensors: list[int]) -> tuple[Home | None, ...]:
        """Where tensors are at home on chip, None for those that are not."""
        homes = (self.table.home[row] for row in tensors)
        return tuple(home if home.on_chip else None for home in homes)

    def _kept(
        self, chip: Chip, op: MacOperator, mapping: Mapping, triple: tuple[str, str, str]
    ) -> int:
        """Address of weights that stay in their buffer; operators that share them share it."""
        layout = (self.table.index[f"{op.name}/weight"], mapping.n, mapping.k)
        if layout not in self.weight_at:
            self.weight_at[layout] = self.weight_end
            size = place(chip, geometry_of(op), mapping, triple, 1, 0).weight_area.size
            self.residents += _resident(self.machine, chip, self.table, op, self.weight_end, size)
            self.weight_end += size
        return self.weight_at[layout]

    def _on_crossbars(
        self,
        chip: Chip,
        number: int,
        op: MacOperator,
        mapping: CrossbarMapping,
        triple: tuple[str, str, str],
        tensors: list[int],
    ) -> Part:
        cold = chip.weights == "cold" or mapping.reprogrammed
        weight = self.table.index[f"{op.name}/weight"]
        if not cold and weight not in self.in_cells:
            self.residents += _in_cells(self.machine, chip, self.table, op, mapping, triple[1])
            self.in_cells.add(weight)

        room = self.chosen.homes.room(op.name)

        def make() -> Nest:
            parity = number % 2
            return crossbar_nest(
                chip, self.machine, geometry_of(op), mapping, triple, parity, cold, room
            )

        return Part(number, op.name, op.name, make, tensors, alike=op.name)

    def _vector(self, number: int, op: VectorOperator) -> Part:
        if op.is_view:
            return Part(number, op.name, same_as=op.inputs[0], alike="view")
        kinds = vector_formats(op, self.chosen.formats)
        chip, room = self.chosen.side(self.chip, op.name), self.chosen.homes.room(op.name)
        beside = shares_weights(chip)
        parity = 1 if beside else number % 2
        twice = tuple(op.inputs.index(name) for name in op.inputs)
        key = (
            op.kind,
            op.input_shapes,
            op.output_shape,
            op.kernel,
            op.stride,
            op.padding,
            twice,
            kinds,
            parity,
            room,
            chip.vector_unit.name,
        )
        tensors = [self.table.index[name] for name in (*op.inputs, op.output)]

        def make() -> Nest:
            kept = self.weight_end if beside else 0
            return vector_nest(chip, self.machine, op, kinds, parity, kept, room)

        alike = (key, self._homes(tensors))
        return Part(number, op.name, key, make, tensors, alike=alike)


def _summands(chip: Chip, workload: Workload, chosen: Plan) -> dict[str, int]:
    """Partial sums that are kept apart, by operator: of arrays that split k, of row blocks."""
    found = {}
    for op in workload.operators:
        if isinstance(op, VectorOperator):
            continue
        mapping = chosen.mappings[op.name]
        if isinstance(mapping, CrossbarMapping):
            assert chip.crossbar is not None
            found[op.name] = blocks_of(chip.crossbar, geometry_of(op))[0]
        else:
            array = array_for(chip.array, mapping.split, mapping.arrays)
            found[op.name] = array.count if array.split == "k" else 1
    return found


def _sent_home(chip: Chip, workload: Workload, chosen: Plan) -> set[str]:
    """Operators whose sums of other cores go by way of home."""
    found = set()
    for op in workload.operators:
        mapping = None if isinstance(op, VectorOperator) else chosen.mappings[op.name]
        if isinstance(mapping, Mapping):
            side = chosen.side(chip, op.name)
            array = array_for(side.array, mapping.split, mapping.arrays)
            if gathers(side, array) and not sending(side, array.count):
                found.add(op.name)
    return found


def _in_cells(
    machine: Machine,
    chip: Chip,
    table: TensorTable,
    op: MacOperator,
    mapping: CrossbarMapping,
    weight: str,
) -> tuple[ResidentRow, ...]:
    """Every block of an operator's weights, in the cells of its crossbar."""
    crossbar, geometry = chip.crossbar, geometry_of(op)
    assert crossbar is not None
    tensor, names = table.index[f"{op.name}/weight"], machine.memory_index
    rows, columns = blocks_of(crossbar, geometry)
    instances = instance_names(crossbar.name, crossbar.count)
    found = []
    packs = packs_of(crossbar, geometry)
    for number in range(mapping.replicas * packs * rows * columns):
        groups = min(
            mapping.pack, geometry.groups - number // (rows * columns) % packs * mapping.pack
        )
        r, c = number // columns % rows, number % columns
        k = min(crossbar.rows, geometry.k - r * crossbar.rows)
        n = min(crossbar.outputs, geometry.n - c * crossbar.outputs)
        instance = instances[mapping.first + number]
        size = get(weight).bytes_for(groups * k * n)
        found.append(ResidentRow(tensor, names[f"{instance}.cells"], 0, size, True, True))
    return tuple(found)


def _locals(table: TensorTable, op: MacOperator, summands: int) -> list[int]:
    keys = [
        op.input,
        f"{op.name}/lowered",
        f"{op.name}/weight",
        f"{op.name}/weight",
        op.output,
        f"{op.name}/matrix",
        f"{op.name}/sums",
    ]
    keys += [f"{op.name}/sums.{i}" for i in range(1, summands)]
    return [table.index[key] for key in keys]


def _at_home(table: TensorTable) -> tuple[ResidentRow, ...]:
    """What lies at home before and after: inputs, weights, outputs; and what is at home on chip in between."""
    rows = []
    caches = {row.view_of for row in table.rows if row.view == "cache" and row.role == "input"}
    for number, row in enumerate(table.rows):
        if row.view_of >= 0:
            continue
        grown, home = number in caches, table.home[number]
        at_end = row.role in ("input", "weight", "output") or grown
        if at_end or home.on_chip:
            at_start = at_end and (row.role != "output" or grown)
            span = table.at_home(number)
            rows.append(ResidentRow(number, home.memory, home.address, span, at_start, at_end))
    return tuple(rows)


def _resident(
    machine: Machine, chip: Chip, table: TensorTable, op: MacOperator, address: int, size: int
) -> tuple[ResidentRow, ...]:
    tensor = table.index[f"{op.name}/weight"]
    return tuple(
        ResidentRow(tensor, machine.memory_index[name], address, size, True, True)
        for name in all_of(chip, chip.array.weight)
    )


def parts_of(
    chip: Chip,
    workload: Workload,
    chosen: Plan,
    commands: Dict[str, int] | None = None,
) -> Parts:
    """What makes the rows of every operator. InputError when something does not fit."""
    group = chosen.group(workload)
    sums = _summands(chip, group, chosen)
    kept = never_spilled(group, chosen.mappings) - _sent_home(chip, group, chosen)
    memories = machine(chip).memory_index
    on_chip = {
        name: Home(memories[stand.memory], stand.address, 1)
        for name, stand in chosen.homes.at.items()
    }
    wide = {
        op.name: sum_format(chosen.side(chip, op.name).core)
        for op in workload.operators
        if not isinstance(op, VectorOperator)
    }
    table = build_tensors(workload, chip, chosen.formats, sums, kept, on_chip, wide=wide)
    if (
        table.end > chip.dram.size
    ):  # addresses of tensors that nobody reads any more are given again
        shared = side_by_side(workload, chosen.formats, on_chip, ALIGNMENT)
        table = build_tensors(workload, chip, chosen.formats, sums, kept, on_chip, shared, wide)
    check_room(table, chip, workload)
    if group is not workload:
        table.in_turns(build_tensors(group, chip, chosen.formats, sums, kept))
    return Parts(chip, workload, chosen, table, sums, commands or {})


def no_room(chip: Chip, workload: Workload, total: int) -> InputError:
    room = chip.memories[chip.array.weight].size
    return InputError(
        Problem(
            "mapping.resident",
            f"the weights of {workload.name} take {total} bytes, {chip.array.weight} has {room}",
            "write weights: cold, or make the buffer larger",
            path="weights",
            file=chip.source,
        )
    )
