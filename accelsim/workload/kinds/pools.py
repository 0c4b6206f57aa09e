"""Windows, and whole planes."""

from accelsim.workload.vector_kind import VectorKind

_KEYS = ("kernel", "stride", "padding")
KINDS = {
    "max_pool": VectorKind("window", per="window", keys=_KEYS, shares_scale=True),
    "average_pool": VectorKind("window", per="window", keys=_KEYS, shares_scale=True),
    "global_average_pool": VectorKind("reduce", 1, per="input", shares_scale=True),
}
