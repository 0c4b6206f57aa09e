"""Formats of the tensors between vector operators: as the vector unit states, else 16 bits around functions.

A tensor that a MAC operator reads has the array's format, one that the workload gives a format keeps it. The
others between vector operators have the format of the vector unit. Where the chip states none, they have the
array's, but in a chain of vector operators with one of ``FUNCTIONS``: there they have 16 bits, an integer with a
scale a tensor, or where the array multiplies floats ``FLOAT``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from accelsim.chip import Chip
from accelsim.formats import Integer, get
from accelsim.workload import VectorOperator, Workload

#: kinds whose 8-bit codes would lose most: logarithms, exponentials, quotients, norms, look-ups, recurrent cells
FUNCTIONS = frozenset(
    (
        "log",
        "exp",
        "divide",
        "reciprocal",
        "sqrt",
        "power",
        "erf",
        "sigmoid",
        "tanh",
        "softplus",
        "sin",
        "cos",
        "elu",
        "gelu",
        "silu",
        "mish",
        "softmax",
        "log_softmax",
        "layer_norm",
        "rms_norm",
        "lp_norm",
        "group_norm",
        "local_response_norm",
        "lstm_cell",
        "lstm_output",
        "gru_cell",
        "gru_reset",
        "gru_update",
    )
)
INTEGER = "int16"
#: what chips with 8-bit floats add and update in (Wang et al., NeurIPS 2018; Sun et al., NeurIPS 2019)
FLOAT = "fp16_169"
BITS = 16


def vector_format(chip: Chip, floats: bool) -> str:
    """The format of functions on a chip: its vector unit's, else 16 bits. floats: the array multiplies floats."""
    stated = chip.vector_unit.format
    if stated is not None:
        return stated
    own = get(chip.precision.input)
    if own.bits >= BITS and isinstance(own, Integer) != floats:
        return own.name
    return FLOAT if floats else INTEGER


def between(
    workload: Workload, chip: Chip, root: Callable[[str], str], taken: Iterable[str], floats: bool
) -> dict[str, str]:
    """Formats of tensors (roots of views) that vector operators read or make and that are not taken."""
    stated = chip.vector_unit.format is not None
    kept = set(taken)
    leader: dict[str, str] = {}
    chosen: set[str] = set()

    def lead(name: str) -> str:
        while leader.setdefault(name, name) != name:
            name = leader[name]
        return name

    outputs: set[str] = set()
    for op in workload.operators:
        if not isinstance(op, VectorOperator) or op.is_view or op.kind == "append":
            continue
        own = [root(name) for name in (*_read(op), op.output)]
        free = [
            name for name in own if name not in kept and workload.tensors[name].role != "output"
        ]
        for name in free[1:]:
            leader[lead(name)] = lead(free[0])
        if stated or op.kind in FUNCTIONS:
            chosen.update(free)
            if own[-1] not in kept and workload.tensors[own[-1]].role == "output":
                outputs.add(own[-1])
    leaders = {lead(name) for name in chosen}
    name_of = vector_format(chip, floats)
    return {
        name: name_of
        for name in (*leader, *chosen, *outputs)
        if name in outputs or lead(name) in leaders
    }


def _read(op: VectorOperator) -> tuple[str, ...]:
    """Tensors that are computed with; a table that rows are taken of keeps the weights' width."""
    return op.inputs[1:] if op.kind == "gather" and len(op.inputs) > 1 else op.inputs


def said(workload: Workload, chip: Chip) -> list[str]:
    """What a run takes for granted of these formats."""
    from accelsim.mapping.tensors import multiplies_floats

    unit: Any = chip.vector_unit
    kinds = {
        op.kind: None
        for op in workload.operators
        if isinstance(op, VectorOperator) and not op.is_view
    }
    name = vector_format(chip, multiplies_floats(workload, chip))
    if unit.format is not None:
        return (
            [
                f"vector operators in {name}, as units.{unit.name}.format says; what a MAC operator reads in "
                "its format"
            ]
            if kinds
            else []
        )
    listed = [kind for kind in kinds if kind in FUNCTIONS]
    if not listed:
        return []
    scale = " with a scale a tensor" if isinstance(get(name), Integer) else ""
    more = ", ..." if len(listed) > 4 else ""
    return [
        f"{', '.join(listed[:4])}{more} and the vector operators next to them in {name}{scale}, in their bytes "
        f"too (units.{unit.name} states no format); what a MAC operator reads in its format"
    ]
