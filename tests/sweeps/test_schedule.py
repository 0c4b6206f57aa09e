"""Chunks: every point once, neighbours together, about a second each; progress in words."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.sweeps.executors import Outcome
from accelsim.sweeps.progress import LineProgress
from accelsim.sweeps.schedule import AIM, Schedule


@settings(deadline=None, max_examples=100)
@given(
    st.integers(0, 400),
    st.integers(1, 9),
    st.booleans(),
    st.randoms(use_true_random=False),
    st.floats(1e-6, 10.0),
)
def test_every_point_is_handed_out_once(
    count: int, slots: int, backwards: bool, pick: st.DataObject, cost: float
) -> None:
    schedule = Schedule(count, slots, backwards)
    found: list[int] = []
    open_slots = list(range(slots))
    while open_slots:
        slot = pick.choice(open_slots)  # type: ignore[attr-defined]
        chunk = schedule.next(slot, lambda number: False)
        if not chunk:
            open_slots.remove(slot)
            continue
        assert len(chunk) == 1 or len(chunk) * cost <= 1.01 * max(AIM, cost)
        step = -1 if backwards else 1
        assert chunk == list(range(chunk[0], chunk[0] + step * len(chunk), step))
        schedule.note(len(chunk), cost * len(chunk))
        found += chunk
    assert sorted(found) == list(range(count)) and schedule.left == 0


def test_what_is_done_or_dead_is_left_out_or_handed_out_again() -> None:
    schedule = Schedule(10, 1)
    schedule.repeat([3, 4])
    assert schedule.next(0, lambda number: number == 3) == [4]
    found: list[int] = []
    while chunk := schedule.next(0, lambda number: number % 2 == 0):
        found += chunk
    assert found == [1, 3, 5, 7, 9]


def test_progress_says_a_line_every_ten_seconds() -> None:
    said: list[str] = []
    now = [0.0]
    progress = LineProgress(1000, 100, ("energy_chip_joules", "-top1"), said.append, lambda: now[0])
    for second in range(1, 31):
        now[0] = float(second)
        progress.note(
            Outcome(str(second), "", True, (float(40 - second), 0.5)), lambda: f"point {now[0]:g}"
        )
        progress.tick()
    assert len(said) == 3
    assert said[-1] == (
        "130 of 1,000 points, 100 of them from the store, 1 a second, 14 min left; "
        "best energy_chip_joules 10 (point 30); best top1 0.5 (point 1)"
    )
    progress.note(Outcome("x", "mapping.fits", False, (None, None)), str)
    progress.note(Outcome("y", "internal", True, (None, None)), str)
    assert "1 failed, 1 do not fit" in progress.line()
