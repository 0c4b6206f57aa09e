"""Which vector operators a layer trace says in full, so that a replay needs no model file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import InputError
from accelsim.importers.vector_values import by_kind
from accelsim.numerics.accuracy import real_vector
from accelsim.numerics.float_network import FloatNetwork
from accelsim.numerics.network import has_arithmetic
from accelsim.numerics.vector import elementwise, pool
from accelsim.results.result import Kept
from accelsim.workload import VectorOperator

POOLS = ("max_pool", "average_pool", "global_average_pool")


def says_all(op: VectorOperator, kept: Kept) -> bool:
    """Whether an operator's kind and parameters alone give the codes that its model gave in this run.
    Attributes of a model's node (a slope, an axis, how padding counts) are in no layer trace."""
    if op.is_view or (has_arithmetic(op) and not isinstance(kept.network, FloatNetwork)):
        return True
    try:
        found = _computed(replace(op, node=""), kept)
    except (InputError, ArithmeticError, LookupError, ValueError):
        return False
    return found.shape == op.output_shape and bool((found == kept.tensors[op.output]).all())


def _computed(op: VectorOperator, kept: Kept) -> NDArray[np.generic]:
    quants = [kept.network.activations[name] for name in op.inputs]
    out = kept.network.activations[op.output]
    codes = [kept.tensors[name] for name in op.inputs]
    if not isinstance(kept.network, FloatNetwork) and has_arithmetic(op):
        if op.kind in POOLS:
            return pool(op, codes[0], 0, 0, 0, op.output_shape[2], quants[0].zero)
        return elementwise(op, list(codes), quants, out)
    values = [quant.decode(x) for quant, x in zip(quants, codes, strict=True)]
    found = real_vector(op, values) if isinstance(kept.network, FloatNetwork) else None
    if found is None:
        found = by_kind(op, values, kept.stored)
    return np.asarray(out.encode(found))
