"""A run of a Program's rows in their order, which computes every value (execute.py).

A pass reads the operand regions that stand in its row and adds into the sums region that stands
in it; requantisation, vector work and stores likewise. The workload says only what an operator's
lowering and element-wise function are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip
from accelsim.formats import FORMAT_NAMES, Format, Integer, get
from accelsim.mapping.rows.vector_tiles import read_inputs
from accelsim.numerics.accuracy import real_vector
from accelsim.numerics.crossbars import CrossbarRun
from accelsim.numerics.float_network import RealValues
from accelsim.numerics.gemm import exact_matmul, largest
from accelsim.numerics.lowering import lower_input, raise_output, weight_matrix
from accelsim.numerics.network import Network, has_arithmetic, sizes_of
from accelsim.numerics.tiles import Boxes, boxes_of, merged
from accelsim.numerics.vector import elementwise, pool
from accelsim.program.opcodes import Flag, Opcode
from accelsim.program.table import Program
from accelsim.units.mac_arithmetic import fit
from accelsim.units.mac_array import MacArray
from accelsim.workload import MacOperator, VectorOperator, Workload
from accelsim.workload.vector_kinds import VECTOR_KINDS

Ints = NDArray[np.int64]
#: kinds whose own arithmetic leaves codes on their scale


@dataclass(slots=True)
class Execution:
    """tensors: codes of every tensor as stored off chip. macs: multiply-accumulates executed.
    activity: per-command columns: "zero_products" and "cell_charge" for energy, "repeated" (vectors
    that crossbars read again) for time too.
    clipped: by operator on crossbars, conversions at a converter's end, and all of them. notes: what was
    chosen and assumed where weights stand in cells."""

    tensors: dict[str, Ints]
    macs: int = 0
    clipped: dict[str, tuple[int, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    activity: dict[str, NDArray[np.float64]] = field(default_factory=dict)


class Run:
    """The operators of a Program computed one after another."""

    def __init__(
        self,
        program: Program,
        workload: Workload,
        chip: Chip,
        inputs: Mapping[str, Ints],
        network: Network,
        activity: bool,
    ) -> None:
        self.program, self.workload, self.network = program, workload, network
        self.chip = chip
        self.crossbars = CrossbarRun(program, chip, network) if chip.crossbar is not None else None
        self.sums_in = (0, "")  # of the operator at hand: bits of sums, what they do beyond
        self.stored: dict[str, Ints] = {
            name: np.asarray(codes, self.number(name)) for name, codes in inputs.items()
        }
        self.result = Execution(self.stored)
        self.whole: dict[str, Ints] = {}  # the last operator that was computed as a whole
        self.makers = {op.output: op for op in workload.operators}
        self.lowered: dict[str, NDArray[np.generic]] = {}
        self.computed: dict[str, Ints] = {}  # second operands that are no weights, (groups, k, n)
        self.matrices: dict[str, Ints] = {}  # output codes on chip, (groups, m, n)
        self.off_chip: dict[str, tuple[MacOperator, Ints]] = {}  # output -> (groups, m, n)
        self.sums: dict[int, Ints] = {}  # by tensor row
        self.fits = False
        self.buffers: dict[str, Ints] = {}  # vector results on chip
        if activity:
            self.result.activity["zero_products"] = np.zeros(len(program))
        if self.crossbars is not None:
            self.result.activity["cell_charge"] = self.crossbars.charge
            if self.crossbars.retries:
                self.result.activity["repeated"] = self.crossbars.repeated

    def number(self, name: str) -> type:
        """What a tensor's codes are stored as: float64 where values stand for them."""
        return np.float64 if isinstance(self.network.activations[name], RealValues) else np.int64

    def tensor(self, name: str) -> Ints:
        """A stored tensor in its own shape, flattened ones resolved."""
        if name in self.off_chip:
            op, matrix = self.off_chip[name]
            if name not in self.stored:
                self.stored[name] = np.asarray(raise_output(op, matrix), self.number(name))
            return self.stored[name]
        if name not in self.stored:
            made = self.makers[name]
            if isinstance(made, VectorOperator) and made.is_view:
                source = self.tensor(made.inputs[0])
                return (
                    source.transpose(made.order)
                    if made.order
                    else source.reshape(made.output_shape)
                )
            self.stored[name] = np.zeros(made.output_shape, self.number(name))
            if isinstance(made, VectorOperator) and made.kind == "append":
                cache = self.tensor(made.inputs[0])
                self.stored[name][tuple(slice(size) for size in cache.shape)] = cache
        return self.stored[name]

    def finish(self) -> None:
        """Every tensor in its own shape, flattened ones too (nothing moves for them)."""
        for op in self.workload.operators:
            self.stored[op.output] = self.tensor(op.output)
        if self.crossbars is not None:
            self.result.notes = self.crossbars.notes()
        for name, clipped, all_ in self.crossbars.seen() if self.crossbars is not None else ():
            before = self.result.clipped.get(name, (0, 0))
            self.result.clipped[name] = (before[0] + clipped, before[1] + all_)

    def part(self, number: int, rows: Ints) -> None:
        """A run of rows of one operator, in order; what an earlier run of it read may have grown since."""
        op = self.workload.operators[number]
        self.lowered, self.computed, self.whole = {}, {}, {}
        if isinstance(op, VectorOperator):
            self.vector(op, rows)
            return
        opcode = self.program.commands.opcode[rows]
        matmuls = rows[(opcode == Opcode.MATMUL) | (opcode == Opcode.MVM)]
        breaks = (
            (opcode == Opcode.ACCUMULATE) | (opcode == Opcode.REQUANTIZE) | (opcode == Opcode.STORE)
        )
        if len(matmuls):
            analog = self.program.commands.opcode[matmuls[0]] == Opcode.MVM
            unit = self.chip.crossbar if analog else self.array
            assert unit is not None
            accumulator: Any = unit.accumulator
            self.sums_in = accumulator.bits, getattr(accumulator, "overflow", "saturate")
            self.passes(op, matmuls, rows[breaks])

    # -- MAC operators -------------------------------------------------------------------------

    def operands(self, op: MacOperator) -> tuple[NDArray[np.generic], Ints]:
        """Lowered input and weight codes of an operator."""
        if op.name not in self.lowered:
            self.lowered.clear()
            x = self.tensor(op.input)
            zero = self.network.activations[op.input].zero
            self.lowered[op.name] = lower_input(op, _small(x), zero, self.crossbars is None)
            if not self.workload.is_stored(op.weight):
                codes = np.asarray(weight_matrix(op, self.tensor(op.weight)), np.int64)
                self.computed = {op.name: codes}
        if op.name in self.computed:
            return self.lowered[op.name], self.computed[op.name]
        return self.lowered[op.name], self.network.weights[op.name]

    def weight_sizes(self, op: MacOperator, b: Ints) -> tuple[int, int]:
        """sizes_of() of the second operand, once a network where it is stored."""
        return sizes_of(b) if op.name in self.computed else self.network.weight_sizes(op.name)

    def passes(self, op: MacOperator, matmuls: Ints, others: Ints) -> None:
        a, b = self.operands(op)
        boxes = boxes_of(self.program, matmuls)
        self.result.macs += boxes.macs
        matrix = self.matrices.setdefault(
            op.name, np.zeros((op.groups, op.m, op.n), self.number(op.output))
        )
        if self.program.commands.opcode[matmuls[0]] == Opcode.MVM:
            assert self.crossbars is not None
            self.analog(op, boxes if self.crossbars.retries else merged(boxes), a, others, matrix)
            return
        if "zero_products" in self.result.activity:
            self.count_zeros(boxes, a, b)
        bits = self.array.accumulator.bits
        top, (weight, column) = largest(a), self.weight_sizes(op, b)
        self.fits = top * column < 1 << (
            bits - 1
        )  # so that no sum, in any order, leaves the accumulator
        free = self.array.accumulator.overflow == "wrap" or self.fits
        if free:
            boxes = merged(boxes)
        wide = _float_operands(a, b, top * weight)
        order = np.concatenate([boxes.first_row, others])
        steps = np.argsort(order, kind="stable")
        # A merged box stands at its first row; what reads its sums stands after its last row.
        for step in steps.tolist():
            if step < len(boxes):
                self.one_pass(op, boxes, step, wide, (a, b), free, matrix)
            else:
                self.follow(op, int(others[step - len(boxes)]), matrix)

    @cached_property
    def array(self) -> MacArray:
        return self.chip.array

    def analog(
        self, op: MacOperator, boxes: Boxes, a: NDArray[np.generic], others: Ints, matrix: Ints
    ) -> None:
        """Products on crossbars: each box is a run of vectors against a row block or a pack of groups."""
        assert self.crossbars is not None
        order = np.argsort(np.concatenate([boxes.first_row, others]), kind="stable")
        for step in order.tolist():
            if step >= len(boxes):
                self.follow(op, int(others[step - len(boxes)]), matrix)
                continue
            (g, m0, n0, k0), (p, m, n, k) = boxes.low[step].tolist(), boxes.size[step].tolist()
            sums = self.sums_of(int(boxes.sums[step]), matrix.shape)
            found = self.crossbars.multiply(
                op,
                g,
                k0,
                k,
                a[g : g + p, m0 : m0 + m, k0 : k0 + k],
                m0,
                slice(n0, n0 + n),
                int(boxes.first_row[step]),
            )
            sums[g : g + p, m0 : m0 + m, n0 : n0 + n] = fit(found, *self.sums_in)

    def one_pass(
        self,
        op: MacOperator,
        boxes: Boxes,
        index: int,
        wide: tuple[NDArray[np.generic], NDArray[np.generic], int],
        codes: tuple[NDArray[np.generic], Ints],
        free: bool,
        matrix: Ints,
    ) -> None:
        (g, m0, n0, k0), (_, m, n, k) = boxes.low[index].tolist(), boxes.size[index].tolist()
        flags = int(boxes.flags[index])
        rows, columns, depth = slice(m0, m0 + m), slice(n0, n0 + n), slice(k0, k0 + k)
        first, last = bool(flags & Flag.FIRST_K), bool(flags & Flag.FUSED)
        single = first and last
        sums = None if single else self.sums_of(int(boxes.sums[index]), matrix.shape)
        bits, overflow = self.array.accumulator.bits, self.array.accumulator.overflow
        if free:
            left, right, bound = wide
            total = exact_matmul(left[g, rows, depth], right[g, depth, columns], bound)
            if not first and sums is not None:
                total += sums[g, rows, columns]
            if not self.fits:
                total = fit(total, bits, overflow)
        else:
            before = None if first or sums is None else sums[g, rows, columns]
            shape = self.program.commands.shape[boxes.first_row[index]]
            number, code = self.program.shapes.extents[shape, 3:5].tolist()
            rate = self.array.rate(*formats_of(self.program, int(shape)))
            total = self.array.execute(
                np.ascontiguousarray(codes[0][g, rows, depth], np.int64),
                codes[1][g, depth, columns],
                before,
                number=number,
                rate=rate,
                code=code,
            )
        if last:
            matrix[g, rows, columns] = self.network.requantizers[op.name][g].apply(total, n0)
        if sums is not None:
            sums[g, rows, columns] = total

    def sums_of(self, tensor: int, shape: tuple[int, ...]) -> Ints:
        if tensor not in self.sums:
            self.sums[tensor] = np.zeros(shape, np.int64)
        return self.sums[tensor]

    def follow(self, op: MacOperator, row: int, matrix: Ints) -> None:
        """ACCUMULATE, REQUANTIZE or STORE: the row's own regions."""
        opcode = int(self.program.commands.opcode[row])
        entry = int(self.program.operands.start[row])
        offset, extent = self.program.operands.offset, self.program.operands.extent
        if opcode == Opcode.ACCUMULATE:
            last = int(self.program.operands.start[row + 1]) - 1
            target = self.sums_of(int(self.program.operands.tensor[last]), matrix.shape)
            to = region_of(offset[last], extent[last])
            for i in range(entry, last):
                source = self.sums_of(int(self.program.operands.tensor[i]), matrix.shape)
                target[to] = fit(
                    target[to] + source[region_of(offset[i], extent[i])], *self.sums_in
                )
        elif opcode == Opcode.REQUANTIZE:
            source = self.sums_of(int(self.program.operands.tensor[entry]), matrix.shape)
            of = region_of(offset[entry], extent[entry])
            to = region_of(offset[entry + 1], extent[entry + 1])
            g, n0 = int(offset[entry, 0]), int(offset[entry, 2])
            for i, sums in enumerate(source[of]):
                matrix[to][i] = self.network.requantizers[op.name][g + i].apply(sums, n0)
        elif self.program.tensors[int(self.program.operands.tensor[entry])].view == "matrix":
            whole = self.stored_matrix(op)
            box = region_of(offset[entry], extent[entry])
            whole[box] = matrix[box]

    def stored_matrix(self, op: MacOperator) -> Ints:
        """The output off chip in its matrix view; tensor() gives it its own shape when read."""
        if op.output not in self.off_chip:
            self.off_chip[op.output] = (
                op,
                np.zeros((op.groups, op.m, op.n), self.number(op.output)),
            )
        self.stored.pop(op.output, None)
        return self.off_chip[op.output][1]

    def count_zeros(self, boxes: Boxes, a: NDArray[np.generic], b: Ints) -> None:
        """Products with a zero operand in each pass: all products less pairs of nonzeros."""
        column = self.result.activity["zero_products"]
        live_a = np.cumsum(a != 0, axis=1, dtype=np.int32)
        live_b = np.cumsum(b != 0, axis=2, dtype=np.int32)
        for row, low, size in zip(
            boxes.first_row.tolist(), boxes.low.tolist(), boxes.size.tolist(), strict=True
        ):
            (g, m0, n0, k0), (_, m, n, k) = low, size
            depth = slice(k0, k0 + k)
            left = live_a[g, m0 + m - 1, depth] - (live_a[g, m0 - 1, depth] if m0 else 0)
            right = live_b[g, depth, n0 + n - 1] - (live_b[g, depth, n0 - 1] if n0 else 0)
            column[row] = m * n * k - int(left.astype(np.int64) @ right.astype(np.int64))

    # -- vector operators ----------------------------------------------------------------------

    @cached_property
    def floats(self) -> Format | None:
        """The floats that the chip file says its vector unit computes in."""
        stated = self.chip.vector_format
        return None if stated is None or isinstance(get(stated), Integer) else get(stated)

    def arithmetic(self, op: VectorOperator) -> bool:
        """Whether an operator is computed region by region: not where it moves codes between two scales, nor
        where the vector unit computes in floats."""
        acts = self.network.activations
        if any(np.size(acts[name].scale) > 1 for name in op.inputs):
            return (
                op.is_view or op.kind == "append"
            )  # sums that are an output too: a scale a channel
        own = has_arithmetic(op)
        if (
            op.kind != "append"
            and own
            and (
                self.floats is not None
                or any(isinstance(acts[name], RealValues) for name in (*op.inputs, op.output))
            )
        ):
            return False
        if own and VECTOR_KINDS[op.kind].shares_scale:
            before, after = acts[op.inputs[0]], acts[op.output]
            return bool(before.scale == after.scale) and before.zero == after.zero
        return own

    def evaluated(self, op: VectorOperator) -> Ints:
        """Codes of an operator that is computed in float between its scales, as a whole: rounded to the vector
        unit's floats, if it has any, and then to the output's codes."""
        if op.name not in self.whole:
            acts = self.network.activations
            real = [acts[name].decode(self.tensor(name)) for name in op.inputs]
            made = real_vector(op, real) if has_arithmetic(op) else None
            made = self.network.evaluate(op, real) if made is None else made
            made = made if self.floats is None else self.floats.quantize(made)
            self.whole = {op.name: acts[op.output].encode(made)}
        return self.whole[op.name]

    def vector(self, op: VectorOperator, rows: Ints) -> None:
        commands, o = self.program.commands, self.program.operands
        names = [op.inputs[which] for which in read_inputs(op)]
        quants = [self.network.activations[name] for name in names]
        out = self.network.activations[op.output]
        inputs = [_four(self.tensor(name)) for name in names]
        whole = None if self.arithmetic(op) else _four(self.evaluated(op))
        buffer = self.buffers.setdefault(op.name, np.zeros_like(_four(self.tensor(op.output))))
        target = _four(self.tensor(op.output))
        for row in rows.tolist():
            opcode = int(commands.opcode[row])
            entry = int(o.start[row])
            if opcode == Opcode.VECTOR:
                last = entry + len(inputs)
                boxes = [
                    _box4(o.offset[entry + i], o.extent[entry + i]) for i in range(len(inputs))
                ]
                to = _box4(o.offset[last], o.extent[last])
                parts = [x[box] for x, box in zip(inputs, boxes, strict=True)]
                if whole is not None:
                    buffer[to] = whole[to]
                elif op.kind == "append":
                    same = quants[0] is out
                    buffer[to] = parts[0] if same else out.encode(quants[0].decode(parts[0]))
                elif op.kind in ("max_pool", "average_pool", "global_average_pool"):
                    low = o.offset[entry]
                    buffer[to] = pool(
                        op,
                        parts[0],
                        int(low[2]),
                        int(low[3]),
                        int(o.offset[last, 2]),
                        int(o.extent[last, 2]),
                        quants[0].zero,
                    )
                else:
                    buffer[to] = elementwise(op, parts, quants, out)
            elif opcode == Opcode.STORE:
                box = _box4(o.offset[entry], o.extent[entry])
                target[box] = buffer[box]


def formats_of(program: Program, shape: int) -> tuple[str, str]:
    shapes = program.shapes
    return FORMAT_NAMES[int(shapes.format_a[shape])], FORMAT_NAMES[int(shapes.format_b[shape])]


def region_of(offset: Ints, extent: Ints) -> tuple[slice, ...]:
    """The region of a matrix view (groups, m, n) that an operand names."""
    return _box4(offset, extent)[:3]


def _box4(offset: Ints, extent: Ints) -> tuple[slice, ...]:
    """The region of a tensor of up to four dimensions that an operand names."""
    return tuple(
        slice(int(low), int(low + size)) for low, size in zip(offset[:4], extent[:4], strict=True)
    )


def _four(x: Ints) -> Ints:
    """A tensor with four axes, trailing ones added or leading ones merged; a view."""
    if x.ndim > 4:
        return x.reshape(-1, *x.shape[-3:])
    return x.reshape((*x.shape, 1, 1, 1, 1)[:4])


def _small(x: Ints) -> NDArray[np.generic]:
    """Codes in the narrowest signed type that holds them, so that lowering moves fewer bytes."""
    peak = largest(x)
    return x.astype(np.int8 if peak < 128 else np.int16 if peak < 1 << 15 else np.int64)


def _float_operands(
    a: NDArray[np.generic], b: Ints, bound: int
) -> tuple[NDArray[np.generic], NDArray[np.generic], int]:
    """Operands in the type that exact_matmul will use, and the largest product: bound."""
    kind = (
        np.float32
        if bound * min(a.shape[2], 64) < 1 << 24
        else (np.float64 if bound < 1 << 49 else np.int64)
    )
    return a.astype(kind), b.astype(kind), bound
