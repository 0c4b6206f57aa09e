"""What the vector unit can be asked to do: kinds of vector operator by name, from kinds/ and from installed
packages.

An operation is one add, multiply, compare or table look-up (exp, erf, sigmoid, 1/x, 1/sqrt, ...) of
one lane; docs/layer_traces.md lists the counts with their derivation. Moving an element from one
place to another takes one too.
"""

from __future__ import annotations

from collections.abc import Mapping

from accelsim.offered import modules_of, offered
from accelsim.workload import kinds as here
from accelsim.workload.vector_kind import Access, VectorKind

GROUP = "accelsim.vector_kinds"


def _kinds() -> dict[str, VectorKind]:
    found: dict[str, VectorKind] = {}
    for module in modules_of(here):
        found |= module.KINDS
    for point in offered(GROUP):
        found.setdefault(point.name, point.load())
    return found


VECTOR_KINDS: Mapping[str, VectorKind] = _kinds()
POOLS = tuple(name for name, kind in VECTOR_KINDS.items() if kind.access == "window")

__all__ = ["POOLS", "VECTOR_KINDS", "Access", "VectorKind"]
