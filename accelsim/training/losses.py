"""Losses by name: the tensor that a network's output is held against, its mean over the batch, and the first error."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from accelsim.workload import TensorSpec
from accelsim.workload.backward import Backward, Path
from accelsim.workload.integers import INDEX_FORMAT

TARGETS = "targets"  # what the output is held against: an input of the step
LOSS = "loss"  # its mean over the batch, [1, 1]


def cross_entropy(output: str, back: Backward) -> None:
    """Scores (..., classes) against the label of every row, (rows, 1) integers."""
    shape = back.shape(output)
    rows = prod(shape[:-1])
    labels = TensorSpec(TARGETS, (rows, 1), "input", INDEX_FORMAT, "integers")
    _of_rows("softmax_cross_entropy", output, (rows, shape[-1]), labels, back)


def mean_square_error(output: str, back: Backward) -> None:
    """Half the squares of what the first dimension's rows miss, without a factor 2 in the error."""
    shape = back.shape(output)
    wanted = (shape[0], prod(shape[1:]))
    _of_rows("square_error", output, wanted, TensorSpec(TARGETS, wanted, "input"), back)


def _of_rows(
    kind: str, output: str, shape: tuple[int, int], targets: TensorSpec, back: Backward
) -> None:
    back.tensors[TARGETS] = targets
    forward = Path(back, LOSS, output, "forward")
    scores = forward.reshape(output, shape)
    each = forward.vector(kind, [scores, TARGETS], (shape[0], 1))
    back.rename(forward.reduce(each, (0,), "reduce_mean"), LOSS)
    path = Path(back, LOSS, output, "backward_data")
    path.give(path.vector(f"{kind}_gradient", [scores, TARGETS], shape))


LOSSES: dict[str, Callable[[str, Backward], None]] = {
    "cross_entropy": cross_entropy,
    "mean_square_error": mean_square_error,
}
