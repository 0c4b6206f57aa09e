"""Which tensors of a model hold integers, by ONNX's types: indices, masks, lengths; not codes of reals."""

from __future__ import annotations

from dataclasses import replace

from accelsim.importers.onnx_build import Builder
from accelsim.workload import VectorOperator, Workload
from accelsim.workload.integers import with_integers

BOOL, UINT8, INT8 = 9, 2, 3
#: ONNX's element type -> format that holds it; 64-bit integers saturate at 32 bits (lengths, sentinels)
FORMATS = {
    BOOL: "uint8",
    UINT8: "uint8",
    INT8: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int32",
    12: "uint32",
    13: "uint32",
    21: "uint4",
    22: "int4",
}


def typed(b: Builder) -> dict[str, int]:
    """Element type of every tensor of the workload that holds integers which are no codes. Tensors of ours
    have their first input's."""
    found = {
        name: b.graph.types[name]
        for name in b.tensors
        if b.graph.types.get(name) in FORMATS and name not in b.codes
    }
    for op in b.operators:
        first = op.inputs[0] if isinstance(op, VectorOperator) else op.input
        if op.output not in b.graph.types and first in found:
            found[op.output] = found[first]
    return found


def mark_integers(b: Builder, workload: Workload) -> Workload:
    """The workload with what its tensors hold."""
    types = {name: kind for name, kind in typed(b).items() if name in workload.tensors}
    if any(kind in (7, 12, 13) for kind in types.values()):
        b.notes.append("integers of 64 bits are kept in 32")
    made = with_integers(
        workload,
        {name: FORMATS[kind] for name, kind in types.items()},
        {name for name, kind in types.items() if kind in (UINT8, INT8)},
    )
    stated = {
        name: replace(made.tensors[name], format=b.form(name))
        for name in b.stated
        if name in made.tensors
    }
    return replace(made, tensors={**made.tensors, **stated})
