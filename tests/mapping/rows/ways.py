"""The ways to run a nest, and how their rows compare."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from accelsim.mapping.rows import record
from accelsim.mapping.rows.record import Nest, Segment, written


def assert_equal(a: Segment, b: Segment) -> None:
    """The same rows, number by number."""
    for name in ("styles", "commands", "start", "operands"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), name)


def every_way(make: Callable[[], Nest], monkeypatch: pytest.MonkeyPatch) -> Segment:
    """The rows in machine code at one go, once they are seen to be the same in plain Python, and in
    rooms where few tiles have place."""
    segments = [written(make(), fast=True), written(make(), fast=False)]
    with monkeypatch.context() as patch:
        patch.setattr(record, "ROOM", 0)
        segments += [written(make(), fast=True), written(make(), fast=False)]
    for other in segments[1:]:
        assert_equal(segments[0], other)
    return segments[0]
