"""Nothing moves: the input under another shape."""

from accelsim.workload.vector_kind import VectorKind

KINDS = {
    "flatten": VectorKind("view", 0, moves=True, carries=True, shares_scale=True),
    "reshape": VectorKind("view", 0, shaped=True, moves=True, carries=True),
}
