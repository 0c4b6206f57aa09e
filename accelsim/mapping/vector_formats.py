"""Formats of the tensors between vector operators: as the vector unit states, else 16 bits around functions.

A tensor that a MAC operator reads has the array's format, one that the workload gives a format keeps it.
The others between vector operators have the format of the vector unit. Where the chip states none, they have
the array's, but in a chain of vector operators with a kind that is ``wide``: there they have 16 bits, an integer
with a scale a tensor. Where the array multiplies floats, and in chains with a logarithm, it is a float: what a
logarithm reads spans decades, of which an integer's even steps hold the uppermost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from accelsim.chip import Chip
from accelsim.formats import Integer, get
from accelsim.workload import VectorOperator, Workload
from accelsim.workload.vector_kinds import VECTOR_KINDS

INTEGER = "int16"
#: what chips with 8-bit floats add and update in (Wang et al., NeurIPS 2018; Sun et al., NeurIPS 2019)
FLOAT = "fp16_169"
BITS = 16


def vector_format(chip: Chip, floats: bool) -> str:
    """The format of functions on a chip: its vector unit's, else of 16 bits, a float where asked for."""
    stated = chip.vector_format
    if stated is not None:
        return stated
    own = get(chip.precision.input)
    if own.bits >= BITS and isinstance(own, Integer) != floats:
        return own.name
    return FLOAT if floats else INTEGER


def between(
    workload: Workload, chip: Chip, root: Callable[[str], str], taken: Iterable[str], floats: bool
) -> dict[str, str]:
    """Formats of tensors (roots of views) that vector operators read or make and that are not taken. root: what
    a tensor is a view of. taken: roots that have a format. floats: the array multiplies floats."""
    stated = chip.vector_format is not None
    kept = set(taken)
    leader: dict[str, str] = {}

    def lead(name: str) -> str:
        while leader.setdefault(name, name) != name:
            name = leader[name]
        return name

    named: dict[str, str] = {}  # the first of a function's tensors -> its format
    for op in workload.operators:
        if not isinstance(op, VectorOperator) or op.is_view or op.kind == "append":
            continue
        own = [name for name in map(root, (*_read(op), op.output)) if name not in kept]
        chosen = stated or VECTOR_KINDS[op.kind].wide
        if not chosen:  # an output of the network keeps the partial sums' width
            own = [name for name in own if workload.tensors[name].role != "output"]
        for name in own:
            leader[lead(name)] = lead(own[0])
        if own and chosen and named.get(own[0]) != FLOAT:
            named[own[0]] = vector_format(chip, floats or VECTOR_KINDS[op.kind].decades)
    found: dict[str, str] = {}
    for name, made in named.items():
        if found.get(lead(name)) != FLOAT:
            found[lead(name)] = made
    return {name: found[lead(name)] for name in leader if lead(name) in found}


def _read(op: VectorOperator) -> tuple[str, ...]:
    """Tensors that are computed with; a table that rows are taken of keeps the weights' width."""
    return op.inputs[1:] if op.kind == "gather" and len(op.inputs) > 1 else op.inputs
