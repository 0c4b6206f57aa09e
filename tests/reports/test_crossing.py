"""Crossover: ratios by boundary and break-even writes against plain loops."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from accelsim.reports.sweeps.base import View
from accelsim.reports.sweeps.crossing import crossing, side
from accelsim.reports.sweeps.library import own_plots
from accelsim.reports.sweeps.table import table_of
from accelsim.reports.sweeps.write import draw_all
from tests.reports import synthetic

UP, ACROSS = "units.tiles.adc.bits", "units.tiles.rows"


def good() -> View:
    return View(table_of(synthetic.records(), synthetic.ANALOG), synthetic.context(constraints=()))


def test_ratios_and_break_even_are_those_of_a_loop() -> None:
    view = good()
    d = view.designs
    work = d.work.where("resnet18") & d.ok
    writes = np.array([0.0, 1e-3, 1.0])
    found = crossing(
        view,
        side(view, work & d.base.where("int8")),
        side(view, work & d.analog),
        d.sets[ACROSS],
        d.sets[UP],
        writes,
    )
    for name in ("device", "core", "chip"):
        joules = d.measures[f"energy_{name}_joules"]
        digital = min(joules[n] for n in range(len(d)) if work[n] and d.base.at(n) == "int8")
        for i, bits in enumerate(d.sets[UP].values):
            for j, rows in enumerate(d.sets[ACROSS].values):
                mine = [
                    n
                    for n in range(len(d))
                    if work[n] and d.sets[UP].at(n) == bits and d.sets[ACROSS].at(n) == rows
                ]
                if mine:
                    assert found.ratio[name][i, j] == pytest.approx(
                        digital / min(joules[n] for n in mine)
                    )
                else:
                    assert np.isnan(found.ratio[name][i, j])
    for i, bits in enumerate(d.sets[UP].values):
        mine = [n for n in range(len(d)) if work[n] and d.sets[UP].at(n) == bits]
        stay = d.measures["energy_chip_joules"]
        once = d.measures["writing_joules"]
        for k, w in enumerate(writes):
            least = min(stay[n] + once[n] * w for n in mine)
            assert found.over_writes[i, k] == pytest.approx(digital / least)
        even = found.break_even[i]
        if even > 0:
            assert min(stay[n] + once[n] * even for n in mine) == pytest.approx(digital)


def test_batches_and_writes_paid_in_the_run_are_taken_out() -> None:
    """A run of 4 images that wrote its cells: joules an inference without the writing."""
    records = [r for r in synthetic.records() if r.point.base == "pcm" and r.failure is None][:6]
    for r in records:
        r.parts["writing"] = 1e-3
        r.measures["energy_chip_joules"] = 4e-4 + 1e-3
        r.measures["energy_per_inference_joules"] = r.measures["energy_chip_joules"] / 4
    view = View(table_of(records, synthetic.ANALOG), synthetic.context(constraints=()))
    assert side(view, view.good).resident["chip"] == pytest.approx(1e-4)


def test_unknown_writing_is_not_free() -> None:
    records = list(synthetic.records())
    for r in records:
        r.measures.pop("writing_joules", None)
    view = View(table_of(records, synthetic.ANALOG), synthetic.context(constraints=()))
    drawn = own_plots()["crossover"].draw(view)
    assert "writing is not measured" in drawn.answer
    assert {row[7] for row in drawn.rows} == {0.0}


def test_keys_of_both_technologies_must_match() -> None:
    """A bandwidth that both vary: PCM at 17 GB/s is never compared with digital at 4 GB/s."""
    records = []
    for r in synthetic.records():
        for bandwidth, factor in (("4 GB/s", 2.0), ("17 GB/s", 1.0)):
            point = type(r.point)(
                r.point.base,
                r.point.work,
                tuple(sorted([*r.point.sets, ("memories.dram.bandwidth", bandwidth)])),
                None,
                r.point.seed,
            )
            scale = factor if r.point.base != "pcm" else 1.0
            measures = {
                k: v * scale if k.startswith("energy") else v for k, v in r.measures.items()
            }
            records.append(type(r)(r.key, r.model, point, measures, r.parts, r.aged, r.failure))
    view = View(table_of(records, synthetic.ANALOG), synthetic.context(constraints=()))
    rows = own_plots()["crossover"].draw(view).rows
    chip = [
        row for row in rows if [row[n] for n in (0, 1, 4, 7)] == ["resnet18", "int8", "chip", 0.0]
    ]
    slow, fast = (
        {(row[5], row[6]): float(row[8]) for row in chip if row[3] == f"dram.bandwidth {text}"}
        for text in ("4 GB/s", "17 GB/s")
    )
    assert slow and slow.keys() == fast.keys()
    assert all(slow[key] == pytest.approx(2 * fast[key]) for key in slow)


def test_points_of_the_picture_are_its_csv(tmp_path: Path) -> None:
    (done,) = draw_all(good(), [(own_plots()["crossover"], ())], tmp_path)
    with (tmp_path / "crossover_points.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert done.drawn is not None and len(rows) == 1 + len(done.drawn.rows)
    assert float(rows[1][-1]) == done.drawn.rows[0][-1]


def test_precisions_are_not_mixed() -> None:
    """PCM of 8-bit weights stands against INT8 alone, once the precisions are known."""
    bases = {
        name: dataclasses.replace(
            note, precision="int4 x int4" if name == "int4" else "int8 x int8"
        )
        for name, note in synthetic.BASES.items()
    }
    view = View(good().points, synthetic.context(constraints=(), bases=bases))
    rows = own_plots()["crossover"].draw(view).rows
    assert {(row[1], row[2]) for row in rows} == {("int8", "pcm")}
    assert {row[1] for row in own_plots()["crossover"].draw(good()).rows} == {"int8", "int4"}
