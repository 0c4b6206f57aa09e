"""execute() for chips whose arrays add floats: the same rows, with values in the place of codes.

A chunk that a pass leaves unfinished stays beside its total and is taken up by the next pass, so that
each output adds its products in ascending k, in chunks counted from k = 0, whatever the tiles.
Sums that several arrays formed of parts of K are rounded together by ACCUMULATE.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import ConservationError
from accelsim.formats import get
from accelsim.numerics.accuracy import real_vector
from accelsim.numerics.execution import Run, formats_of, region_of
from accelsim.numerics.float_network import FloatNetwork
from accelsim.numerics.lowering import lower_input, weight_matrix
from accelsim.numerics.tiles import boxes_of, merged
from accelsim.program.opcodes import Flag, Opcode
from accelsim.units.accumulation import Adder, accumulate, closed
from accelsim.units.accumulation_steps import odd_sum
from accelsim.units.exact_groups import Operand, accumulate_groups
from accelsim.units.finished_sums import finished_sums
from accelsim.workload import MacOperator, VectorOperator

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(slots=True)
class Sums:
    """Totals of finished chunks, sums of unfinished ones, products so far; all (groups, m, n)."""

    total: Floats
    chunk: Floats
    reached: Ints


class FloatRun(Run):
    """Values of every tensor, float64."""

    network: FloatNetwork

    def operands(self, op: MacOperator) -> tuple[Floats, Floats]:  # type: ignore[override]
        """Lowered input and weight values of an operator."""
        if op.name not in self.lowered:
            self.lowered.clear()
            self.lowered[op.name] = lower_input(op, np.asarray(self.tensor(op.input), np.float64))
            if not self.workload.is_stored(op.weight):
                self.second = np.asarray(weight_matrix(op, self.tensor(op.weight)), np.float64)
        stored = self.network.real_weights.get(op.name)
        return np.asarray(
            self.lowered[op.name], np.float64
        ), self.second if stored is None else stored

    def passes(self, op: MacOperator, matmuls: Ints, others: Ints) -> None:
        a, b = self.operands(op)
        boxes = boxes_of(self.program, matmuls)
        self.result.macs += boxes.macs
        matrix = self.matrices.setdefault(op.name, np.zeros((op.groups, op.m, op.n)))  # type: ignore[arg-type]
        if "zero_products" in self.result.activity:
            self.count_zeros(boxes, a, b)  # type: ignore[arg-type]
        shape = int(self.program.commands.shape[boxes.first_row[0]])
        found = self.array.adder(self.array.rate(*formats_of(self.program, shape)))
        assert found is not None
        self.unit, self.group = found
        boxes = merged(boxes)
        order = np.argsort(np.concatenate([boxes.first_row, others]), kind="stable")
        for step in order.tolist():
            if step >= len(boxes):
                self.follow(op, int(others[step - len(boxes)]), matrix)
                continue
            (g, m0, n0, k0), (_, m, n, k) = boxes.low[step].tolist(), boxes.size[step].tolist()
            where = (slice(g, g + 1), slice(m0, m0 + m), slice(n0, n0 + n))
            sums = self.state(int(boxes.sums[step]), matrix.shape)
            if int(boxes.flags[step]) & Flag.FIRST_K:
                sums.total[where] = sums.chunk[where] = 0.0
                sums.reached[where] = k0
            depth = slice(k0, k0 + k)
            self.one_box(op, sums, where, a[g, m0 : m0 + m, depth], b[g, depth, n0 : n0 + n], k0)
            if int(boxes.flags[step]) & Flag.FUSED:
                matrix[where] = self.finished(op, where, self.settled(op, sums, where))

    def one_box(
        self, op: MacOperator, sums: Sums, where: tuple[slice, ...], a: Floats, b: Floats, k0: int
    ) -> None:
        """One (merged) pass: whole chunks at once, what is left of others by itself."""
        if (sums.reached[where] != k0).any():
            raise ConservationError(f"passes of {op.name} are not in ascending k")
        size, end, k = self.unit.how.chunk, k0 + a.shape[1], k0
        total, chunk = sums.total[where][0], sums.chunk[where][0]
        place = self.place(op, where)
        while k < end:
            whole = (end - k) // size * size if size and k % size == 0 else 0
            stop = k + whole if whole else min(end, (k // size + 1) * size) if size else end
            part = slice(k - k0, stop - k0)
            if whole:
                total = self.added(self.unit, a[:, part], b[part], total, k, place)
            else:
                chunk = self.added(self.carrying, a[:, part], b[part], chunk, k, place)
                if size and stop % size == 0:
                    total = closed(self.unit, total, chunk, stop, *place)
                    chunk = np.zeros_like(chunk)
            k = stop
        sums.total[where], sums.chunk[where], sums.reached[where] = total, chunk, end

    @property
    def carrying(self) -> Adder:
        """The adder inside a chunk."""
        return replace(self.unit, how=replace(self.unit.how, chunk=0))

    def added(
        self, unit: Adder, a: Floats, b: Floats, start: Floats, first: int, place: tuple[int, int]
    ) -> Floats:
        index, columns = place
        if self.group == 1:
            return accumulate(a, b, unit, start=start, first=first, index=index, columns=columns)
        left, right = Operand(a, unit.operands[0]), Operand(b, unit.operands[1])
        return accumulate_groups(
            left, right, unit, self.group, start=start, first=first, index=index, columns=columns
        )

    def place(self, op: MacOperator, where: tuple[slice, ...]) -> tuple[int, int]:
        """(number of the box's first output, outputs a row)."""
        return (where[0].start * op.m + where[1].start) * op.n + where[2].start, op.n

    def state(self, tensor: int, shape: tuple[int, ...]) -> Sums:
        """The sums of a tensor row, made when first asked for."""
        if not hasattr(self, "states"):
            self.states: dict[int, Sums] = {}
        if tensor not in self.states:
            self.states[tensor] = Sums(np.zeros(shape), np.zeros(shape), np.zeros(shape, np.int64))
        return self.states[tensor]

    def settled(self, op: MacOperator, sums: Sums, where: tuple[slice, ...]) -> Floats:
        """Totals with what is left of the last chunk, (1, m, n)."""
        at = int(sums.reached[where].max())
        return closed(
            self.unit, sums.total[where][0], sums.chunk[where][0], at, *self.place(op, where)
        )[None]

    def finished(self, op: MacOperator, where: tuple[slice, ...], sums: Floats) -> Floats:
        """Bias, ReLU and the one rounding of a box (1, m, n) to the output's format."""
        bias = self.network.biases.get(op.name)
        if bias is not None:
            sums = odd_sum(sums, bias[where[0].start, where[2]] + np.zeros_like(sums))
        if op.activation == "relu":
            sums = np.where(sums > 0, sums, np.where(np.isnan(sums), sums, 0.0))
        record = get(self.network.activations[op.output].format)
        return finished_sums(sums[0], record, self.unit.how, *self.place(op, where))[None]

    def follow(self, op: MacOperator, row: int, matrix: Ints) -> None:
        """ACCUMULATE, REQUANTIZE or STORE: the row's own regions."""
        opcode = int(self.program.commands.opcode[row])
        o = self.program.operands
        entry, last = int(o.start[row]), int(o.start[row + 1]) - 1
        if opcode == Opcode.ACCUMULATE:
            target = self.state(int(o.tensor[last]), matrix.shape)
            to = region_of(o.offset[last], o.extent[last])
            total = self.settled(op, target, to)[0]
            for i in range(entry, last):
                source = self.state(int(o.tensor[i]), matrix.shape)
                part = self.settled(op, source, region_of(o.offset[i], o.extent[i]))[0]
                total = closed(self.unit, total, part, op.k + 1 + i - entry, *self.place(op, to))
            target.total[to], target.chunk[to] = total, 0.0
        elif opcode == Opcode.REQUANTIZE:
            source = self.state(int(o.tensor[entry]), matrix.shape)
            found = self.settled(op, source, region_of(o.offset[entry], o.extent[entry]))
            to = region_of(o.offset[entry + 1], o.extent[entry + 1])
            matrix[to] = self.finished(op, to, found)
        else:
            super().follow(op, row, matrix)

    def arithmetic(self, op: VectorOperator) -> bool:
        return op.kind == "append"

    def evaluated(self, op: VectorOperator) -> Ints:
        """Values of a vector operator as a whole, rounded to the output's format."""
        if op.name not in self.whole:
            inputs = [np.asarray(self.tensor(name), np.float64) for name in op.inputs]
            found = real_vector(op, inputs)
            if found is None:
                found = self.network.evaluate(op, inputs)
            found = found if self.floats is None else self.floats.quantize(found)
            self.whole = {op.name: self.network.activations[op.output].encode(found)}
        return self.whole[op.name]
