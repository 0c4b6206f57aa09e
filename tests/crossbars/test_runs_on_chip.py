"""Runs of vectors of crossbars whose tensors stand on chip: the longest of those alike, and as many slots as fit."""

from __future__ import annotations

from typing import Any

import pytest

from accelsim import load_chip, load_workload
from accelsim.chip import Chip
from accelsim.explore.homes import plan_at_home
from accelsim.mapping import crossbars as module
from accelsim.mapping.crossbars import ALIKE, CrossbarMapping
from accelsim.mapping.rooms import Room
from accelsim.mapping.size import commands_of
from accelsim.units.crossbar import Crossbar

CHIP = "pcm_8level"


def test_the_longest_of_those_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """No run that is estimated to take within a hundredth of the least is longer than the chosen one."""
    tried: list[tuple[str, bool, float, CrossbarMapping]] = []
    estimate, tiled = module._estimate, module._tiled
    at: list[str] = []

    def noted(chip: Chip, unit: Crossbar, *rest: Any) -> float:
        cost = estimate(chip, unit, *rest)
        mapping, room = rest[2], rest[3]
        tried.append((at[-1], bool(room.on_chip), cost, mapping))
        return cost

    def named(chip: Chip, unit: Crossbar, want: Any, formats: Any, room: Room) -> CrossbarMapping:
        at.append(f"{want.op.name} {len(at)}")
        made = tiled(chip, unit, want, formats, room)
        mine = [one for one in tried if one[0] == at[-1]]
        least = min(cost for _, _, cost, _ in mine) * (ALIKE if mine[0][1] else 1.0)
        assert made.m == max(one.m for _, _, cost, one in mine if cost <= least)
        return made

    monkeypatch.setattr(module, "_estimate", noted)
    monkeypatch.setattr(module, "_tiled", named)
    chip, work = load_chip(CHIP), load_workload("resnet18")
    chosen = plan_at_home(chip, work)
    assert chosen.homes.at and {True, False} == {near for _, near, _, _ in tried}
    assert sum(commands_of(chip, work, chosen).values()) < 40_000  # 100,448 of the shortest ones


def test_slots_between_two_and_all_copies() -> None:
    """Of 632 copies as many work at once as there is room for slots of whole images; an image's bytes come once."""
    chip, work = load_chip(CHIP), load_workload("digits_cnn", batch=500)
    mapping = plan_at_home(chip, work).mappings["conv1"]
    assert isinstance(mapping, CrossbarMapping)
    assert 2 < mapping.slots < mapping.replicas and mapping.m > 8
    far = plan_at_home(chip, work, homes="off_chip").mappings["conv1"]
    assert isinstance(far, CrossbarMapping) and far.slots == far.replicas + 1
