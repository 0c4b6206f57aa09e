"""Whole-workload search and what-if: against runs made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accelsim import api
from accelsim.chip import Chip
from accelsim.explore import plan_search, search_plan
from accelsim.explore.what_if import advice, changes, what_if
from accelsim.mapping import plan
from accelsim.mapping.mapping import Mapping
from accelsim.mapping.tilings.search import Found
from accelsim.mapping.tilings.setting import Task


def slow(chip: str = "int8_edge") -> Chip:
    return api.load_chip(chip, ["memories.dram.bandwidth=2 GB/s"])


def test_mappings_that_are_worse_together_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    chip, work = api.load_chip("int8_edge"), api.load_workload("digits_cnn", 8)
    bad = plan(chip, work).mappings

    def poor(task: Task, *more: object) -> Found:
        small = replace(bad[task.name], n=1, batch=1)
        return Found(small, 1.0, 1.0, 2.0, 2.0, 1.0, 1, 1, True)

    monkeypatch.setattr(plan_search, "search_operator", poor)
    found, report = search_plan(chip, work)
    assert report.kept_default and found.mappings == bad
    assert report.cycles == report.default_cycles


def test_a_seed_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    chip, work = slow(), api.load_workload("small_gemm")
    best, report = search_plan(chip, work, budget=500)
    default = plan(chip, work).mappings["product"]
    tried: list[Mapping] = []
    measure_of = plan_search.measure_of

    def watched(*arguments: object) -> object:
        inner = measure_of(*arguments)  # type: ignore[arg-type]

        def measure(mapping: Mapping) -> tuple[float, float]:
            tried.append(mapping)
            return inner(mapping)

        return measure

    monkeypatch.setattr(plan_search, "measure_of", watched)
    odd = replace(default, height=7)
    search_plan(chip, work, budget=1, seeds={"product": odd})
    assert odd in tried
    assert report.cycles <= report.default_cycles and best.mappings


@pytest.mark.parametrize("name", ["int8_edge", "mixed_quad", "ibm_quad_like"])
def test_what_if_equals_runs_made_by_hand(name: str) -> None:
    chip, work = api.load_chip(name), api.load_workload("digits_cnn", 8)
    base, found = what_if(chip, work, dict(plan(chip, work).mappings))
    whole = api.run(chip, work)
    assert (base.seconds, base.joules) == (whole.seconds, whole.joules)
    by_text = {item.text: item for item in found}
    assert len(by_text) >= 8
    for text, changed in changes(chip):
        if text in by_text:
            by_hand = api.run(changed, work)
            assert (by_text[text].seconds, by_text[text].joules) == (
                by_hand.seconds,
                by_hand.joules,
            )


def test_advice_is_sorted_and_only_what_helps() -> None:
    work = api.load_workload("digits_mlp", 4)
    best = advice(slow(), work, None, "cycles")
    assert best[0].text == "weights resident on the chip" or "bandwidth" in best[0].text
    base = api.run(slow(), work)
    assert all(item.seconds < base.seconds for item in best)
    assert [item.seconds for item in best] == sorted(item.seconds for item in best)
