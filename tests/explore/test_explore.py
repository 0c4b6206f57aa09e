"""Whole-workload search and what-if: against runs made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from accelsim import api
from accelsim.chip import Chip
from accelsim.explore import measured, plan_search, search_plan
from accelsim.explore.homes import plan_at_home
from accelsim.explore.what_if import advice, changes, what_if
from accelsim.mapping import Plan, plan
from accelsim.mapping.mapping import Mapping
from accelsim.mapping.tilings.search import Proposals
from accelsim.workload import VectorOperator, Workload


def slow(chip: str = "int8_edge") -> Chip:
    return api.load_chip(chip, ["memories.dram.bandwidth=2 GB/s"])


def test_mappings_that_are_worse_together_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    chip, work = api.load_chip("int8_edge"), api.load_workload("digits_cnn", 8)
    bad = plan_at_home(chip, work).mappings

    class Poor(Proposals):
        """One mapping, a bad one, which is said to add nothing."""

        def next(self, slack: float = 0.0) -> Mapping | None:
            left, self.value = self.value, 0.0
            self.best = replace(bad[self.task.name], n=1, batch=1)
            return self.best if left else None

    monkeypatch.setattr(plan_search, "Proposals", Poor)
    found, report = search_plan(chip, work)
    assert report.kept_default and found.mappings == bad
    assert report.cycles == report.default_cycles


def test_a_seed_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    chip, work = slow(), api.load_workload("small_gemm")
    best, report = search_plan(chip, work, budget=2)
    default = plan(chip, work).mappings["product"]
    tried: list[object] = []

    class Watched(measured.Run):
        """A run whose mapping is noted."""

        def __init__(self, chip: Chip, workload: Workload, chosen: Plan) -> None:
            super().__init__(chip, workload, chosen)
            tried.append(chosen.mappings["product"])

    monkeypatch.setattr(plan_search, "Run", Watched)
    assert isinstance(default, Mapping)
    odd = replace(default, height=7)
    search_plan(chip, work, budget=1, seeds={"product": odd})
    assert odd in tried
    assert report.cycles <= report.default_cycles and best.mappings


@pytest.mark.parametrize("objective", ["cycles", "energy"])
def test_what_operators_add_is_all_that_a_run_takes(objective: str) -> None:
    chip, work = api.load_chip("int8_edge"), api.load_workload("digits_residual", 4)
    run = measured.Run(chip, work, plan(chip, work))
    rates = plan_search.rates_of(chip, run, objective)
    figures = run.figures(rates)
    assert run.added.sum() == pytest.approx(run.cycles) and (run.added >= 0).all()
    vectors = [isinstance(op, VectorOperator) for op in work.operators]
    assert not figures[np.array(vectors) & (np.arange(len(vectors)) > 0)].any()
    joules = sum(row.joules for row in run.energy.rows if row.operator >= 0)
    whole = run.cycles if objective == "cycles" else joules + run.cycles * rates.cycle
    assert figures.sum() == pytest.approx(whole)


@pytest.mark.parametrize("name", ["int8_edge", "mixed_quad", "ibm_quad_like"])
def test_what_if_equals_runs_made_by_hand(name: str) -> None:
    chip, work = api.load_chip(name), api.load_workload("digits_cnn", 8)
    chosen = plan_at_home(chip, work)
    base, found = what_if(chip, work, dict(chosen.mappings), chosen.homes)  # type: ignore[arg-type]
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
    chosen = plan_at_home(slow(), work)
    best = advice(slow(), work, chosen.mappings, "cycles", homes=chosen.homes)  # type: ignore[arg-type]
    assert best[0].text == "weights resident on the chip" or "bandwidth" in best[0].text
    base = api.run(slow(), work)
    assert all(item.seconds < base.seconds for item in best)
    assert [item.seconds for item in best] == sorted(item.seconds for item in best)
