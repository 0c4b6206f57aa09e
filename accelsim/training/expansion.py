"""A network as one step of its training: a graph transformation of its workload."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from fnmatch import fnmatchcase

from accelsim.errors import InputError, Problem
from accelsim.training.losses import LOSS, LOSSES, TARGETS
from accelsim.training.optimisers import NEXT, Optimiser, Sgd
from accelsim.workload import Operator, VectorOperator, Workload
from accelsim.workload.backward import Backward, Path, gradients, reached, read_by
from accelsim.workload.operators import OPERATOR_ROLES


def expand(
    workload: Workload,
    loss: str = "cross_entropy",
    optimiser: Optimiser | None = None,
    frozen: Collection[str] = (),
) -> Workload:
    """One step of a network's training: its operators, those of the loss, those of all gradients and updates.

    loss: one of LOSSES, of the network's only output against the input ``targets`` (labels (rows, 1), or values).
    optimiser: Sgd() where none is given. frozen: names, or patterns with * and ?, of stored tensors that stay; all
    others of reals are trained. Every operator has a role of OPERATOR_ROLES; outputs are the network's, the mean loss
    and, under NAME.next, whatever the step changes. Moments of the optimiser are further stored tensors. A tensor is
    updated as soon as its gradient is whole and everything that reads it stands before.

    Raises InputError for a loss or a pattern that nothing bears, several outputs, and, all at once, kinds of operators
    without a gradient.
    """
    back = Backward(dict(workload.tensors))
    back.trained = _trained(workload, frozen)
    back.reached = reached(workload, back.trained)
    output = _check(workload, loss, back)
    known, passes = gradients(), []
    for op in workload.operators:
        training = getattr(known.get(op.kind), "training", None)
        if op.output in back.reached and training is not None:
            passes.append(training(op, back))
        else:
            back.append(op)
            passes.append(op)
    back.tensors |= workload.tensors  # append() knows shapes alone
    LOSSES[loss](output, back)
    _reverse(passes, back, optimiser or Sgd())
    return _finished(workload, back)


def _reverse(passes: list[Operator], back: Backward, optimiser: Optimiser) -> None:
    """Append gradients of operators, last to first, and updates of what no operator before reads."""
    known = gradients()
    first: dict[str, int] = {}
    for number, op in reversed(list(enumerate(passes))):
        first |= dict.fromkeys(read_by(op), number)
    for number, op in reversed(list(enumerate(passes))):
        error = back.gradient(op.output) if op.output in back.reached else None
        if error is not None:
            if op.activation == "relu":
                path = Path(back, op.name, op.output, "backward_data")
                error = path.vector("relu_gradient", [error, op.output], back.shape(op.output))
            known[op.kind].gradient(op, error, back)
        for name in dict.fromkeys(read_by(op)):
            if name in back.trained and first[name] == number:
                gradient = back.gradient(name)
                if gradient is not None:
                    optimiser.update(name, gradient, back)


def _trained(workload: Workload, frozen: Collection[str]) -> set[str]:
    """Stored tensors of reals that are read and not frozen. InputError for patterns that match none."""
    stored = {
        name
        for op in workload.operators
        for name in read_by(op)
        if workload.tensors[name].role in ("weight", "bias")
        and workload.tensors[name].holds == "reals"
    }
    problems = [
        Problem(
            "training.frozen",
            f"{pattern!r} is no stored tensor",
            "write one of: " + ", ".join(sorted(stored)[:8]),
            "frozen",
            workload.source,
        )
        for pattern in frozen
        if not any(fnmatchcase(name, pattern) for name in stored)
    ]
    if problems:
        raise InputError(problems)
    return {name for name in stored if not any(fnmatchcase(name, p) for p in frozen)}


def _check(workload: Workload, loss: str, back: Backward) -> str:
    """The output that the loss is of. InputError names everything that cannot be trained."""
    outputs = [name for name, spec in workload.tensors.items() if spec.role == "output"]
    problems = []

    def wrong(code: str, message: str, fix: str, path: str) -> None:
        problems.append(Problem(code, message, fix, path, workload.source))

    if loss not in LOSSES:
        wrong("training.loss", f"{loss!r} is no loss", f"write one of {', '.join(LOSSES)}", "loss")
    if len(outputs) != 1:
        wrong(
            "training.outputs",
            f"are {len(outputs)}, and the loss is of one",
            "give the trace one output",
            "outputs",
        )
    elif outputs[0] not in back.reached:
        wrong(
            "training.nothing",
            f"{outputs[0]} depends on no tensor that is trained",
            "freeze less",
            outputs[0],
        )
    for name in (TARGETS, LOSS):
        if name in workload.tensors:
            wrong("training.name", "is a tensor already", "rename it", name)
    roles = {op.role for op in workload.operators}
    if roles - {OPERATOR_ROLES[0]}:
        wrong("training.twice", "is a training step already", "expand the network", workload.name)
    for kind, names in _unknown(workload, back).items():
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        wrong(
            "training.kind",
            f"a {kind} has no gradient ({', '.join(names[:3])}{more})",
            "freeze what is before it, or add a file to accelsim/workload/gradients",
            names[0],
        )
    if problems:
        raise InputError(problems)
    return outputs[0]


def _unknown(workload: Workload, back: Backward) -> dict[str, list[str]]:
    """Kinds without a gradient that stand between what is trained and the loss, with the operators' names."""
    needed = {name for name, spec in workload.tensors.items() if spec.role == "output"}
    found: dict[str, list[str]] = {}
    for op in reversed(workload.operators):
        if op.output not in needed or op.output not in back.reached:
            continue
        needed |= set(read_by(op))
        if op.kind not in gradients() or not _says_all(op):
            found.setdefault(op.kind, []).append(op.name)
    return found


def _says_all(op: Operator) -> bool:
    """Whether an operator is the one that its kind's gradient is of: not one of a model's node with attributes that the
    operator does not have, nor one that leaves out what it reads."""
    if not isinstance(op, VectorOperator):
        return True
    if op.node and op.kind not in ("add", "multiply", "relu", "reshape", "flatten", "transpose"):
        return False
    return op.kind != "gather" or len(op.inputs) == 2


def _finished(workload: Workload, back: Backward) -> Workload:
    """The step, its outputs marked: what the network gives, the loss, and what stands for tensors in the next step."""
    ends = {n for n, spec in workload.tensors.items() if spec.role == "output"} | {LOSS}
    ends |= {op.output for op in back.operators if op.output.endswith(f".{NEXT}")}
    tensors = {
        name: replace(spec, role="output") if name in ends else spec
        for name, spec in back.tensors.items()
    }
    return replace(
        workload,
        name=f"{workload.name}_step",
        operators=tuple(back.operators),
        tensors=tensors,
        description=f"one step of training {workload.name}",
    )
