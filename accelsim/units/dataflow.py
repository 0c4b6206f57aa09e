"""The dataflows of a MAC array."""

from __future__ import annotations

from enum import IntEnum


class Dataflow(IntEnum):
    """Which operand stays in the elements during a pass."""

    OUTPUT_STATIONARY = 0  # rows hold m, columns hold n, k streams
    WEIGHT_STATIONARY = 1  # rows hold k, columns hold n, m streams
    INPUT_STATIONARY = 2  # rows hold k, columns hold m, n streams


DATAFLOW_NAMES = tuple(flow.name.lower() for flow in Dataflow)
