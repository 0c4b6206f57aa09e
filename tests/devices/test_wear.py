"""Wear: lifetimes as the table says, failed cells counted by programming, charged and seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from accelsim import load_chip, load_workload, run
from accelsim.analog import Adc, Block, Tile, Use
from accelsim.devices import device_named, evenly_spaced
from accelsim.devices.pulses import program_and_verify, pulses_named
from accelsim.devices.wear import wear_named, wear_names
from accelsim.noise import Stream

MAIN = wear_named("mainstream")


@pytest.mark.parametrize("name", wear_names())
def test_failed_cells_are_the_closed_share(name: str) -> None:
    wear, shape = wear_named(name), (400, 500)
    for share in (0.01, 0.2, 0.5, 0.9):
        cycles = wear.cycles_until(share)
        assert wear.failed_share(cycles) == pytest.approx(share, rel=1e-9)
        low, high = wear.failed(shape, cycles, Stream(1))
        error = 4 * np.sqrt(share * (1 - share) / low.size)
        assert np.mean(low | high) == pytest.approx(share, abs=error)
        assert np.mean(high) == pytest.approx(share * wear.stuck_high, abs=error)
        assert not (low & high).any()


def test_published_figures_hold() -> None:
    """Three bits a cell were held after 10^6 cycles; cells stand 10^7 to 10^8."""
    for name in wear_names():
        assert wear_named(name).failed_share(1e6) < 1e-6
        assert 0.4 < wear_named(name).failed_share(wear_named(name).median) < 0.6
    assert wear_named("early").median == 1e7 and MAIN.median == 1e8
    assert MAIN.failed_share(0.0) == 0.0


def test_failed_cells_stay_failed_and_stay_where_they_are() -> None:
    before = np.zeros((50, 50), bool), np.zeros((50, 50), bool)
    for cycles in (3e7, 6e7, 1e8, 1e9):
        now = MAIN.failed((50, 50), cycles, Stream(2))
        for old, new in zip(before, now, strict=True):
            assert (new | ~old).all()
        before = now
    assert (before[0] | before[1]).all()


def test_programming_counts_failed_cells() -> None:
    """Failed cells hold their conductance, take every pulse and stand in ``failed``; the others are what
    they were."""
    device, pulses = device_named("pcm_like"), pulses_named("iterative")
    goal = np.full(20_000, 12e-6)
    fresh = program_and_verify(pulses, device, goal, Stream(3))
    used = program_and_verify(pulses, device, goal, Stream(3), wear=MAIN, cycles=8e7)
    share = MAIN.failed_share(8e7)
    low, high = MAIN.failed(goal.shape, 8e7, Stream(3).of("wear"))
    worn = low | high
    assert worn.mean() == pytest.approx(share, abs=0.02)
    assert used.failed[worn].all() and used.failed.sum() == worn.sum() + fresh.failed[~worn].sum()
    assert (used.pulses[worn] == pulses.iterations).all()
    assert (used.cells.conductance[high] == device.g_max).all()
    assert (used.cells.conductance[low] == device.g_min).all()
    assert (used.cells.conductance[~worn] == fresh.cells.conductance[~worn]).all()
    assert used.joules > fresh.joules and used.seconds > fresh.seconds


def test_products_see_worn_cells() -> None:
    weights = np.full((200, 50), 127)
    tile = Tile(device_named("ideal"), adc=Adc(bits=0), wear=Use(8e7))
    plus, minus = Block(tile, weights, 127, 127, True, Stream(1)).conductances[0]
    share = MAIN.failed_share(8e7)
    assert np.mean(plus == 0.0) == pytest.approx(share / 2, abs=0.02)
    assert np.mean(minus == tile.device.g_max) == pytest.approx(share / 2, abs=0.02)
    new = Block(replace(tile, wear=Use(1e3)), weights, 127, 127, True, Stream(1)).conductances[0]
    assert (new[0] == tile.device.g_max).all() and (new[1] == 0.0).all()


@pytest.mark.parametrize("stated", [True, False])
def test_writing_worn_crossbars_costs_more_and_is_said(stated: bool) -> None:
    """Stated: failed cells take all 30 pulses. Computed: what pulses do to cells that are all stuck."""
    work = load_workload("digits_mlp", batch=4)
    base = ["weights=cold"]
    if stated:
        base += ["units.tiles.writing.pulses=stated", "units.tiles.writing.iterations=8"]
    wear = [*base, "units.tiles.wear={cycles: 7e7}"]
    fresh, used = (run(load_chip("pcm_8level", keys), work) for keys in (base, wear))

    def pulses(result: object) -> float:
        return sum(r.count for r in result.energy.rows if r.action == "pulses")  # type: ignore[attr-defined]

    share, more = MAIN.failed_share(7e7), (30 - 8) / 8
    if not stated:
        device, record = device_named("pcm_like"), pulses_named("iterative")
        goal = np.repeat(evenly_spaced(8, device.g_max), 4000)
        new = program_and_verify(record, device, goal, Stream(5))
        dead = program_and_verify(record, device, goal, Stream(5), wear=MAIN, cycles=1e30)
        assert dead.failed.mean() > 0.8
        more = (dead.pulses + dead.resets).mean() / (new.pulses + new.resets).mean() - 1.0
    assert pulses(used) == pytest.approx(
        pulses(fresh) * (1 + share * more), rel=1e-9 if stated else 0.01
    )
    assert used.cycles > fresh.cycles
    note = next(note for note in used.assumptions if note.startswith("wear"))
    assert f"{100 * share:.3g} %" in note and "low confidence" in note
    assert not any(note.startswith("wear") for note in fresh.assumptions)
