"""hybrid_edge with half the crossbars that layers allowed on them need: what is used, what it costs, what it loses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from accelsim.api import load_chip, load_workload, run
from accelsim.chip import Chip
from accelsim.config.mapping_file import load_mapping_file
from accelsim.explore.homes import plan_at_home
from accelsim.explore.measured import Run
from accelsim.job import Job
from accelsim.mapping import Plan, geometry_of
from accelsim.mapping.crossbars import CrossbarMapping, crossbars_of
from accelsim.mapping.units import CHEAPER, DEARER, FULL, LISTED, WHOLE, Choice
from accelsim.results.units import units_in_words, used_units
from accelsim.sensitivities import listing_json
from accelsim.verbs import sensitivity
from accelsim.workload import VectorOperator, Workload

ROOT = Path(__file__).parents[2]
ARRAY, TILES = "digital.array", "pcm.tiles"
#: crossbars of the digits networks, and layers that a sensitivity list names
SMALL = [f"cores.pcm.units.tiles.{side}=64" for side in ("rows", "columns")]
CASES = {
    "digits_cnn": (SMALL, ("conv1",)),
    "digits_residual": (SMALL, ("conv1",)),
    "resnet18": ([], ("conv1", "fc")),
}
#: its own survey's converter, and what a measured chip takes around a column (FACTS: HERMES)
OWN, HERMES = "", "technology.constants.pcm.tiles/conversions=46 pJ"


class Half(NamedTuple):
    """A workload on hybrid_edge with half the crossbars, and with enough for all of it."""

    work: Workload
    chip: Chip
    enough: Chip
    listed: dict[str, Choice]

    @property
    def macs(self) -> list[str]:
        return [op.name for op in self.work.operators if not isinstance(op, VectorOperator)]

    def on(self, side: str) -> Plan:
        """All operators on one side."""
        chip = self.enough if side == TILES else self.chip
        return plan_at_home(
            chip, self.work, None, "off_chip", {n: Choice(side, "given") for n in self.macs}
        )


def half(name: str, converter: str) -> Half:
    sets, listed = CASES[name]
    sets, work = [*sets, *filter(None, [converter])], load_workload(name)
    unit = load_chip("hybrid_edge", sets).crossbar
    assert unit is not None
    sizes = {
        op.name: crossbars_of(unit, geometry_of(op))
        for op in work.operators
        if not isinstance(op, VectorOperator)
    }
    need = sum(size for op, size in sizes.items() if op not in listed)
    chips = [
        load_chip("hybrid_edge", [*sets, f"cores.pcm.units.tiles.count={count}"])
        for count in (need // 2, sum(sizes.values()))
    ]
    return Half(work, *chips, {op: Choice(ARRAY, LISTED) for op in listed})


def used(plan: Plan) -> int:
    """Crossbars that hold a first copy of weights."""
    return sum(one.size for one in plan.mappings.values() if isinstance(one, CrossbarMapping))


@pytest.mark.parametrize("converter", [OWN, HERMES])
@pytest.mark.parametrize("name", CASES)
def test_half_the_crossbars_are_used_where_that_is_cheaper(name: str, converter: str) -> None:
    """At least 80 % of them, by layers that cost less there; listed layers are on the array, and joules lie between
    those of all on one side and all on the other."""
    case = half(name, converter)
    plan = plan_at_home(case.chip, case.work, None, "off_chip", case.listed)
    crossbar = case.chip.crossbar
    assert crossbar is not None and used(plan) >= 0.8 * crossbar.count
    for op in case.macs:
        choice = plan.on[op]
        if op in case.listed:
            assert choice == case.listed[op]
        elif choice.why != WHOLE:
            assert (choice.unit == TILES) == (choice.why == CHEAPER)
            assert (choice.digital > choice.analog) == (choice.why in (CHEAPER, FULL))
    digital = Run(case.chip, case.work, case.on(ARRAY)).joules
    hybrid = Run(case.chip, case.work, plan).joules
    pcm = Run(case.enough, case.work, case.on(TILES)).joules
    assert pcm < hybrid < digital
    (line, filled) = units_in_words(case.chip, case.work, plan)
    assert "(the sensitivity list names it)" in line
    assert filled.startswith(f"{used(plan)} of {crossbar.count} crossbars hold weights")


@pytest.mark.parametrize("name", CASES)
def test_none_is_used_where_all_are_dearer(name: str) -> None:
    case = half(name, "technology.constants.pcm.tiles/conversions=1 uJ")
    plan = plan_at_home(case.chip, case.work, None, "off_chip", case.listed)
    assert used(plan) == 0
    assert {plan.on[op].why for op in case.macs} == {DEARER, LISTED}
    line, filled = units_in_words(case.chip, case.work, plan)
    assert "(more joules on crossbars)" in line and filled.startswith("0 of ")
    joules = {one.operator: (one.digital, one.analog) for one in used_units(*_(case, plan))}
    assert all(a < b for n, (a, b) in joules.items() if n in case.macs and n not in case.listed)


def _(case: Half, plan: Plan) -> tuple[Chip, Workload, Plan]:
    return case.chip, case.work, plan


def test_a_dearer_converter_keeps_fewer_layers_on_crossbars() -> None:
    """With what HERMES takes around a column a layer of few rows goes back to the array, and joules rise."""
    own, hermes = (half("resnet18", converter) for converter in (OWN, HERMES))
    plans = [
        plan_at_home(one.chip, one.work, None, "off_chip", one.listed) for one in (own, hermes)
    ]
    whys = [[plan.on[op].why for op in own.macs] for plan in plans]
    assert DEARER not in whys[0] and DEARER in whys[1]
    joules = [
        Run(one.chip, one.work, plan).joules for one, plan in zip((own, hermes), plans, strict=True)
    ]
    assert joules[0] < joules[1]


@pytest.mark.parametrize("name", ["digits_cnn", "digits_mlp", "digits_residual"])
def test_noise_lies_between_all_digital_and_all_analog(name: str, tmp_path: Path) -> None:
    """A sensitivity list from the chip itself keeps the layers that lose most on the array; the run's output has a
    signal to noise between those of all on either side, and as many digits right as either but two in a hundred."""
    found = sensitivity(Job(chip="hybrid_edge", workload=name, input="digits"))
    lines = {line.layer: line for line in found.lines}
    base, worst = (
        lines[""],
        max((line for line in found.lines[1:-1]), key=lambda line: lines[""].snr_db - line.snr_db),
    )
    (tmp_path / "list.json").write_bytes(listing_json(found))
    loss = base.snr_db - worst.snr_db - 0.5
    (tmp_path / "mapping.yaml").write_text(f"sensitive: {{file: list.json, loss: {loss}}}\n")
    with np.load(ROOT / "workloads" / "digits.npz") as file:
        images, labels = file["images"] / 16, file["labels"]
    work, chip = load_workload(name, batch=len(images)), load_chip("hybrid_edge")
    x = {"x": images.reshape(work.tensors["x"].shape)}
    given = load_mapping_file(tmp_path / "mapping.yaml", chip, work)
    named = {line.layer for line in found.lines[1:-1] if base.snr_db - line.snr_db > loss}
    assert worst.layer in named and given.on == dict.fromkeys(named, Choice(ARRAY, LISTED))
    result = run(chip, work, x, labels=labels, on=given.on)
    assert {n for n, choice in result.plan.on.items() if choice.why == LISTED} == named
    assert used(result.plan) > 0 and result.values is not None
    noise = result.values.signal_to_noise_db[list(result.values.outputs)[-1]]
    assert lines["*"].snr_db < noise < base.snr_db
    tops = [line.top1 for line in (base, lines["*"])]
    assert all(abs(result.values.scores["top1"] - (top or 0)) < 0.02 for top in tops)


def test_lists_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text(json.dumps({"lines": [{"layer": "conv1"}]}))
    path = tmp_path / "mapping.yaml"
    for text, place in (
        ("sensitive: {file: list.json, loss: 1}\n", "1:19: sensitive.file"),
        ("sensitive: {file: none.json, loss: 1}\n", "1:19: sensitive.file"),
        ("sensitive: {file: list.json, loss: -1}\n", "1:36: sensitive.loss"),
        ("sensitive: {file: list.json}\n", "1:12: sensitive.loss"),
    ):
        path.write_text(text)
        with pytest.raises(Exception, match=rf"mapping\.yaml:{place}"):
            load_mapping_file(path, load_chip("hybrid_edge"), load_workload("digits_cnn"))


@pytest.mark.parametrize("name", ["vgg16", "bert_base"])
def test_pcm_large_holds_all_weights_of_a_network(name: str) -> None:
    """As they are: products of two computed tensors on the array, all else but what is dearer there on crossbars."""
    chip, work = load_chip("pcm_large"), load_workload(name)
    result = run(chip, work)
    unit = chip.crossbar
    assert unit is not None and 0.5 * unit.count < used(result.plan) <= unit.count
    whys = {op.name: result.plan.on[op.name] for op in work.operators}
    for op in work.operators:
        if not isinstance(op, VectorOperator) and not work.is_stored(op.weight):
            assert whys[op.name].unit == "array" and whys[op.name].why == "only"
        elif not isinstance(op, VectorOperator):
            assert whys[op.name].why in (CHEAPER, DEARER)
    assert result.workload.macs > 1e9 and result.joules > 0
