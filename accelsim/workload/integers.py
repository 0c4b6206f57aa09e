"""Which tensors hold integers that index, compare or count: they are never quantised.

Two kinds, told apart by ``TensorSpec.holds``:

- "integers": token ids, masks, lengths, positions. Their codes are the values. They follow from the types
  that a model states and from what reads or makes a tensor (``declared``, ``by_readers``).
- "fine": reals computed from such integers and constants alone (a position times a frequency, 1 - mask), as
  long as only such computations read them. They get 32 bits and a scale that is a power of two, so that
  what is a whole number stays one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from accelsim.workload.operators import VectorOperator, Workload
from accelsim.workload.vector_kinds import VECTOR_KINDS

INDEX_FORMAT = "int32"


def by_readers(workload: Workload) -> dict[str, str]:
    """tensor -> format of every tensor that indexes or selects, of what it was moved from, and of results of
    comparisons. Of a tensor that a MAC operator makes or reads nothing is said."""
    macs = {
        name
        for mac in workload.operators
        if not isinstance(mac, VectorOperator)
        for name in (mac.input, mac.weight, mac.output)
    }
    found: dict[str, str] = {}
    vectors = [each for each in workload.operators if isinstance(each, VectorOperator)]
    for op in vectors:
        kind = VECTOR_KINDS[op.kind]
        if kind.holds:
            found[op.output] = kind.holds
        found |= {
            op.inputs[i]: found.get(op.inputs[i], INDEX_FORMAT)
            for i in kind.indices
            if i < len(op.inputs) and len(op.inputs) > 1
        }
    for op in reversed(vectors):
        kind = VECTOR_KINDS[op.kind]
        if op.output in found and kind.moves:
            sources = op.inputs if kind.gathers_all else op.inputs[:1]
            found |= {name: found.get(name, found[op.output]) for name in sources}
    for op in vectors:
        if op.is_view and op.inputs[0] in found:
            found.setdefault(op.output, found[op.inputs[0]])
    return {name: form for name, form in found.items() if name not in macs}


def classes_of(workload: Workload) -> dict[str, int]:
    """How many classes there are for the labels of a loss, by tensor of labels."""
    return {
        op.inputs[1]: op.input_shape[-1]
        for op in workload.operators
        if isinstance(op, VectorOperator) and op.kind == "softmax_cross_entropy"
    }


def with_integers(
    workload: Workload, declared: Mapping[str, str] | None = None, samples: Collection[str] = ()
) -> Workload:
    """The workload whose tensors say what they hold. declared: tensor -> integer format of those whose type
    says that they are integers; None: what by_readers finds. samples: those of them that are measured, such
    as a picture's bytes: what is computed from them is quantised."""
    integers = by_readers(workload) if declared is None else declared
    if not integers:
        return workload
    tensors = dict(workload.tensors)
    macs = _read_by_macs(workload)
    for name, form in integers.items():
        spec = tensors[name]
        tensors[name] = replace(
            spec, holds="integers", format=spec.format if name in macs else form
        )
    for name in _fine(workload, set(integers) - set(samples), set(samples), macs):
        tensors[name] = replace(tensors[name], holds="fine")
    return replace(workload, tensors=tensors)


def _read_by_macs(workload: Workload) -> set[str]:
    """Operands of MAC operators, and what they are views of: the array's formats hold for them."""
    found = {
        name
        for op in workload.operators
        if not isinstance(op, VectorOperator)
        for name in (op.input, op.weight)
    }
    for op in reversed(workload.operators):
        if (
            isinstance(op, VectorOperator)
            and (op.is_view or op.kind == "append")
            and op.output in found
        ):
            found.add(op.inputs[0])
    return found


def _fine(workload: Workload, integers: set[str], samples: set[str], macs: set[str]) -> set[str]:
    """Reals that only integers and constants decide, and that only operators of the same sort read. Rows
    looked up in a table of reals are reals."""
    stored = {
        name for name, spec in workload.tensors.items() if spec.role in ("weight", "bias")
    } - integers
    decided, real = set(integers), set(stored)
    for op in workload.operators:
        looked_up = (
            isinstance(op, VectorOperator)
            and op.kind in ("gather", "scatter")
            and (op.inputs[0] in stored)
        )
        if (
            isinstance(op, VectorOperator)
            and all(name in decided or name in stored for name in op.inputs)
            and not (set(op.inputs) <= stored or looked_up)
        ):
            real |= {op.output} - integers
            decided.add(op.output)
    read = set()
    for op in workload.operators:  # what anything else reads meets reals there
        if isinstance(op, VectorOperator):
            read |= set(op.inputs)
            real -= set() if op.output in decided else set(op.inputs)
    real = {
        name for name in real & read - macs - samples if workload.tensors[name].role != "output"
    }
    for op in reversed(workload.operators):  # a view has the format of what it is a view of
        if isinstance(op, VectorOperator) and op.is_view and op.output not in real | integers:
            real.discard(op.inputs[0])
    for op in workload.operators:
        if isinstance(op, VectorOperator) and op.is_view and op.inputs[0] not in real:
            real.discard(op.output)
    return real
