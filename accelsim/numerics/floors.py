"""Values so low that nothing behind them changes: masked scores, -inf, the least float. They get no codes.

A softmax turns what lies far below its row's logarithmic sum into 0, whatever it is; a maximum never sees
it. ``floors`` gives the value from which on downwards a tensor's reals do not matter to any reader, found
from the readers backwards. A range begins there, and what lies below saturates at its low end.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from accelsim.formats import get
from accelsim.workload import VectorOperator, Workload
from accelsim.workload.vector_kinds import VECTOR_KINDS

Floats = NDArray[np.float64]
MAXIMA = ("reduce_max", "max_pool")


def finite(values: Floats) -> Floats:
    """The elements that are numbers; one 0 where there are none."""
    kept = values[np.isfinite(values)]
    return kept if kept.size else np.zeros(1)


def softmax_floor(scores: Floats, shares: Floats, bits: int) -> float:
    """Below it, all of a row's elements together stay below half a code of the softmax's output: the least
    logarithmic sum of a row, less what makes 2^-(bits + 1) / row length of it. -inf where none is known."""
    scores, shares = scores.ravel(), shares.ravel()
    seen = (shares > 0) & np.isfinite(scores)
    rows = max(1.0, np.rint(float(shares.sum())))
    if not seen.any():
        return -np.inf
    total = scores[seen] - np.log(shares[seen])
    return float(total.min() - np.log(shares.size / rows) - (bits + 1) * np.log(2.0))


def floors(
    workload: Workload,
    tensors: Mapping[str, Floats],
    formats: Mapping[str, str],
    stored: Mapping[str, NDArray[np.generic]],
) -> dict[str, float]:
    """tensor -> its floor, of those that have one for every reader. tensors: real values. stored: constants
    that operators read."""
    whole: dict[str, Floats] = {
        **{k: np.asarray(v, np.float64) for k, v in stored.items()},
        **tensors,
    }
    wanted: dict[str, list[float]] = {}
    readers: dict[str, int] = {}
    for op in workload.operators:
        names = op.inputs if isinstance(op, VectorOperator) else (op.input, op.weight)
        for name in names:
            readers[name] = readers.get(name, 0) + 1
    for op in reversed(workload.operators):
        if not isinstance(op, VectorOperator):
            continue
        own = _all(wanted, readers, op.output, workload)
        for name, floor in _inputs(op, own, whole, formats).items():
            wanted.setdefault(name, []).extend([floor] * op.inputs.count(name))
    found = {name: _all(wanted, readers, name, workload) for name in wanted}
    return {name: floor for name, floor in found.items() if floor > -np.inf}


def _all(
    wanted: Mapping[str, list[float]], readers: Mapping[str, int], name: str, workload: Workload
) -> float:
    given = wanted.get(name, [])
    if len(given) < readers.get(name, 0) or not given or workload.tensors[name].role == "output":
        return -np.inf
    return min(given)


def _inputs(
    op: VectorOperator, own: float, whole: Mapping[str, Floats], formats: Mapping[str, str]
) -> dict[str, float]:
    """Floors that one operator allows its inputs. own: its output's."""
    if op.kind == "softmax":
        bits = get(formats[op.output]).bits if op.output in formats else 8
        return {
            op.inputs[0]: softmax_floor(
                np.asarray(whole[op.inputs[0]], np.float64),
                np.asarray(whole[op.output], np.float64),
                bits,
            )
        }
    if op.kind in MAXIMA:
        return {
            op.inputs[0]: max(own, float(finite(np.asarray(whole[op.output], np.float64)).min()))
        }
    if own == -np.inf or op.activation != "none":
        return {}
    if VECTOR_KINDS[op.kind].carries:
        return dict.fromkeys(op.inputs, own)
    if op.kind == "select":
        return dict.fromkeys(op.inputs[1:], own)
    if op.kind == "add" and len(op.inputs) == 2 and op.inputs[0] != op.inputs[1]:
        tops = [float(finite(np.asarray(whole[name], np.float64)).max()) for name in op.inputs]
        return {op.inputs[0]: own - tops[1], op.inputs[1]: own - tops[0]}
    return {}
