"""--batch of a layer trace: the inputs that it stands in are scaled, and all that is made from them must be."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from accelsim.config.yaml_source import Node
from accelsim.errors import InputError, Problem
from accelsim.workload import VectorOperator, Workload

Read = Callable[[int | None, Collection[str]], Workload]


def with_batch(read: Read, root: Node, batch: int | None) -> Workload:
    """The Workload of a trace for so many inferences a run (None: as it is written).

    read(batch, names): the trace with ``batch`` as the first dimension of those inputs. The inputs that carry
    the batch are those whose first dimension is the trace's own. InputError where there is none, or where a
    shape that is written out does not follow.
    """
    written = read(None, ())
    own = written.inferences
    if batch is None or batch == own:
        return written
    inputs = {name: spec.shape for name, spec in written.tensors.items() if spec.role == "input"}
    names = [name for name, shape in inputs.items() if shape[0] == own]
    if not names:
        shapes = ", ".join(f"{name} {list(shape)}" for name, shape in list(inputs.items())[:3])
        raise InputError(
            Problem(
                "batch.none",
                f"the trace has no batch to replace: it is {own} inference"
                f"{'s' * (own != 1)}, and no input begins with that dimension ({shapes})",
                "leave --batch out",
                "batch",
                root.place.file,
            )
        )
    made = read(batch, names)
    _reaches(written, made, batch, names, root)
    return replace(made, batch=batch, tokens=written.tokens * batch // own)


def _reaches(
    written: Workload, made: Workload, batch: int, names: Collection[str], root: Node
) -> None:
    """InputError for the first operator whose output does not scale with the inputs that carry the batch."""
    carried = set(names)
    lines = root.value["operators"][1].value
    for line, before, after in zip(lines, written.operators, made.operators, strict=True):
        read = (
            before.inputs if isinstance(before, VectorOperator) else (before.input, before.weight)
        )
        if carried.isdisjoint(read):
            continue
        carried.add(before.output)
        old, new = written.tensors[before.output], made.tensors[after.output]
        if new.elements * written.inferences != old.elements * batch:
            raise InputError(
                Problem(
                    "batch.reach",
                    f"--batch {batch} of {', '.join(names)} does not reach {before.output}, of "
                    f"{list(old.shape)}, which would be {list(new.shape)}",
                    "leave --batch out: the trace's shapes are written for its own",
                    "batch",
                    line.place.file,
                    line.place.line,
                    line.place.column,
                )
            )
