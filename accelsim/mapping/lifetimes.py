"""From which operator to which each tensor between operators is needed, and addresses that follow from that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from accelsim.formats import get
from accelsim.workload import Operator, VectorOperator, Workload
from accelsim.workload.aliases import aliases


class Life(NamedTuple):
    """A tensor with all its views. first, last: numbers of the operators that write it and read it last. size:
    bytes. memories: where it may be at home, the best first."""

    name: str
    first: int
    last: int
    size: int
    memories: tuple[str, ...]


def roots(workload: Workload) -> dict[str, str]:
    """The tensor that each tensor shares its bytes with: views, and caches that grow."""
    known = aliases(workload)

    def root(name: str) -> str:
        while name in known:
            name = known[name].of
        return name

    return {name: root(name) for name in workload.tensors}


def lives(workload: Workload, formats: Mapping[str, str]) -> Iterator[tuple[Life, list[int]]]:
    """Tensors that operators write for one another, in the order in which they are written, with the operators that
    read each; caches that grow are none."""
    operators, tensors, root = workload.operators, workload.tensors, roots(workload)
    outside = {root[name] for name, spec in tensors.items() if spec.role != "intermediate"}
    readers: dict[str, list[int]] = {}
    for number, op in enumerate(operators):
        if isinstance(op, VectorOperator) and op.kind == "append":
            outside.add(root[op.output])
        for name in inputs_of(op) if moves(op) else ():
            readers.setdefault(root[name], []).append(number)
    for number, op in enumerate(operators):
        name = op.output
        if root[name] == name and name not in outside and moves(op):
            size = get(formats[name]).bytes_for(tensors[name].elements)
            mine = readers.get(name, [number])
            if size:
                yield Life(name, number, mine[-1], size, ()), mine


def inputs_of(op: Operator) -> tuple[str, ...]:
    """Tensors that an operator reads, weights too."""
    return op.inputs if isinstance(op, VectorOperator) else (op.input, op.weight)


def side_by_side(
    workload: Workload, formats: Mapping[str, str], but: Iterable[str], alignment: int
) -> tuple[dict[str, int], int]:
    """Addresses of tensors between operators in one memory, each the lowest that is free from its writer to its last
    reader; bytes that they take in all. but: tensors that stand elsewhere."""
    elsewhere, at, end = set(but), dict[str, int](), 0
    there: list[tuple[Life, tuple[int, int]]] = []
    for life, _ in lives(workload, formats):
        if life.name in elsewhere:
            continue
        there = [(other, taken) for other, taken in there if other.last >= life.first]
        size = -(-life.size // alignment) * alignment
        free = gaps_of((taken for _, taken in there), 1 << 62)
        low = next(low for low, high in free if high - low >= size)
        at[life.name] = low
        there.append((life, (low, low + size)))
        end = max(end, low + size)
    return at, end


def moves(op: Operator) -> bool:
    """Whether an operator has any command."""
    return not (isinstance(op, VectorOperator) and op.is_view)


def gaps_of(taken: Iterable[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    """What ranges of bytes leave of a memory."""
    found, at = [], 0
    for low, high in sorted(taken):
        if low > at:
            found.append((at, low))
        at = max(at, high)
    if at < size:
        found.append((at, size))
    return found
