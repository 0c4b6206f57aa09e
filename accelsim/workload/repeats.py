"""Operators that repeat: equal layers one after another, and the workload with some of them left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from accelsim.workload.operators import Operator, VectorOperator, Workload

CANDIDATES = 8  # lengths of a layer that are tried


@dataclass(frozen=True, slots=True)
class Layers:
    """``count`` equal layers of ``length`` operators each, from operator ``first`` on."""

    first: int
    length: int
    count: int


def reads_of(op: Operator) -> tuple[str, ...]:
    """The tensors that an operator reads and that may come from another operator."""
    return op.inputs if isinstance(op, VectorOperator) else (op.input, op.weight)


def equal_layers(workload: Workload, keys: Sequence[object]) -> Layers | None:
    """The equal layers that cover most operators; None when nothing comes twice.

    keys: one an operator, equal for operators of which only the names differ. Layers are equal when their
    operators' keys are, and each reads what the same operator of its own layer, or of a layer so many
    before, gave; or tensors that no operator gave.
    """
    numbers: dict[object, int] = {}
    kind = [numbers.setdefault(key, len(numbers)) for key in keys]
    last: dict[int, int] = {}
    distances: Counter[int] = Counter()
    for at, number in enumerate(kind):
        if number in last:
            distances[at - last[number]] += 1
        last[number] = at
    given = {op.output: at for at, op in enumerate(workload.operators)}
    reads = [[given.get(name, -1) for name in reads_of(op)] for op in workload.operators]
    best = Layers(0, 1, 1)
    for length, _ in distances.most_common(CANDIDATES):
        first = 0
        for at in range(len(kind) - length + 1):
            if (
                at + length < len(kind)
                and kind[at] == kind[at + length]
                and _same(reads[at], reads[at + length], length)
            ):
                continue
            found = Layers(first, length, (at - first) // length + 1)
            if found.count > 1 and found.count * length > best.count * best.length:
                best = found
            first = at + 1
    return best if best.count > 1 else None


def _same(early: list[int], late: list[int], length: int) -> bool:
    """Whether each reads what came as far before it, or what no operator gave."""
    return all(a == b < 0 or (a >= 0 and b - a == length) for a, b in zip(early, late, strict=True))


def shortened(workload: Workload, layers: Layers, kept: int) -> Workload | None:
    """The workload with so many of the equal layers, the last one among them; None where what follows
    them reads a layer that is not near it."""
    left_out = (layers.count - kept) * layers.length
    low = layers.first + (kept - 1) * layers.length  # the operators low .. high go
    high = low + left_out
    operators = workload.operators
    given = {op.output: at for at, op in enumerate(operators)}
    names: dict[str, str] = {}
    for op in operators[high:]:
        for name in reads_of(op):
            at = given.get(name, -1)
            if layers.first <= at < high:
                if at < low or at - left_out < layers.first:
                    return None
                names[name] = operators[at - left_out].output
    kept_ones = (*operators[:low], *(_reading(op, names) for op in operators[high:]))
    used: set[str] = set()
    for op in kept_ones:
        used.update((*reads_of(op), op.output))
        used.update(
            op.parameters if isinstance(op, VectorOperator) else [op.bias] if op.bias else []
        )
    tensors = {name: spec for name, spec in workload.tensors.items() if name in used}
    return replace(workload, operators=kept_ones, tensors=tensors, values=None)


def _reading(op: Operator, names: dict[str, str]) -> Operator:
    """The operator with other names for what it reads."""
    if isinstance(op, VectorOperator):
        return replace(op, inputs=tuple(names.get(name, name) for name in op.inputs))
    return replace(op, input=names.get(op.input, op.input), weight=names.get(op.weight, op.weight))
