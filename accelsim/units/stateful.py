"""Stateful units: their times depend on what they served before, so the engine asks on issue.

Contract of a server: ``serve(state, base, address, size, write, now) -> (interval, first, last)``
in ticks, 0 <= first, interval <= last; it may change state[base:] of its own unit only, with
integers; it must compile (plain loops over an int64 array). ``now`` never decreases.
"""

from __future__ import annotations

from typing import Any

#: words of state that one unit owns
STATE_WORDS = 64
NONE, OPEN_PAGE = 0, 1
SERVERS = {"": NONE, "open_page": OPEN_PAGE}


def serve_open_page(
    state: Any, base: int, address: int, size: int, write: int, now: int
) -> tuple[int, int, int]:
    """A one-bank memory with an open row: a hit costs state[base + 3] ticks, a miss
    state[base + 4]; state[base]: open row + 1; state[base + 1]: bytes a row; state[base + 2]:
    ticks a byte. A banked DRAM with refresh comes later, behind the same contract."""
    row = address // state[base + 1] + 1
    delay = state[base + 3]
    if state[base] != row:
        delay = state[base + 4]
        state[base] = row
    busy = size * state[base + 2]
    return busy, delay, delay + busy


def serve(
    server: int, state: Any, base: int, address: int, size: int, write: int, now: int
) -> tuple[int, int, int]:
    """Ask server number ``server``."""
    if server == OPEN_PAGE:
        return serve_open_page(state, base, address, size, write, now)
    return 0, 0, 0
