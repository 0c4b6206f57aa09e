"""Operators over units of two kinds: on which they run, and that one Program holds them all."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, fields, replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from accelsim.api import Prepared, load_chip, load_workload, run
from accelsim.chip import Chip
from accelsim.chip.cores import Template
from accelsim.config.mapping_file import load_mapping_file
from accelsim.errors import InputError
from accelsim.explore.homes import plan_at_home
from accelsim.explore.units import chosen_units, knapsack
from accelsim.mapping import compile_program, plan
from accelsim.mapping.crossbars import CrossbarMapping
from accelsim.mapping.units import CHEAPER, DATA, DEARER, FULL, GIVEN, ONLY, Choice, choices_of
from accelsim.program.validate import validate
from accelsim.reports.explanation import explanation
from accelsim.results.files import save
from accelsim.results.inputs import load
from accelsim.results.load import load_run
from accelsim.results.result import Result
from accelsim.results.units import used_units
from accelsim.timing import simulate
from accelsim.timing.bounds import check_bounds
from accelsim.workload import VectorOperator
from tests.mapping.mixed_cases import random_mixed_case
from tests.mapping.test_counted import held_against_the_stream, held_against_the_table

ROOT = Path(__file__).parents[2]
ARRAY, TILES = "digital.array", "pcm.tiles"
FEW, MANY = 12, 100
ONE_TILE = ["cores.pcm.units.tiles.count=1"]


def hybrid(*sets: str):
    return load_chip("hybrid_edge", list(sets))


# -- sides -----------------------------------------------------------------------------------------


def test_a_side_is_a_unit_and_what_serves_it() -> None:
    chip = hybrid()
    assert [*chip.sides] == [ARRAY, TILES]
    digital, pcm = chip.sides.values()
    assert [*digital.units] == [ARRAY, "digital.vector", "digital.dma"] and digital.crossbar is None
    assert [*pcm.units] == [TILES, "pcm.vector", "pcm.dma"] and pcm.mac_array is None
    assert (digital.weights, pcm.weights) == ("cold", "resident")
    assert digital.memories == pcm.memories == chip.memories
    large = load_chip("pcm_large")
    assert [side.vector_unit.name for side in large.sides.values()] == ["vector"] * 2
    for name in ("int8_edge", "pcm_8level", "rapid_like"):
        chip = load_chip(name)
        assert [*chip.sides.values()] == [chip]


# -- which unit ------------------------------------------------------------------------------------


def test_the_knapsack_is_the_best_of_all_choices() -> None:
    rng = np.random.default_rng(5)
    for _ in range(300):
        many = int(rng.integers(0, 8))
        sizes, room = rng.integers(1, 9, many).tolist(), int(rng.integers(0, 30))
        worth = rng.uniform(0.1, 5.0, many).tolist()
        found = knapsack(sizes, worth, room)
        assert found == sorted(set(found)) and sum(sizes[i] for i in found) <= room
        best = max(
            sum(w * x for w, x in zip(worth, some, strict=True))
            for some in product((0, 1), repeat=many)
            if sum(s * x for s, x in zip(sizes, some, strict=True)) <= room
        )
        assert sum(worth[i] for i in found) == pytest.approx(best)


@pytest.mark.parametrize("homes", ["off_chip", "on_chip"])
def test_no_choice_of_units_takes_fewer_joules(homes: str) -> None:
    """Neither all on one unit nor any mixture, each planned whole."""
    chip, work = hybrid(), load_workload("digits_cnn")
    chosen = plan_at_home(chip, work, None, homes)
    macs = ["conv1", "conv2", "fc"]
    joules = {}
    for units in product((ARRAY, TILES), repeat=3):
        on = dict(zip(macs, units, strict=True))
        joules[units] = run(chip, work, on=on, homes=homes).joules
    mine = tuple(chosen.on[name].unit for name in macs)
    assert joules[mine] <= 1.001 * min(joules.values())
    assert joules[mine] < 0.95 * joules[ARRAY, ARRAY, ARRAY] and joules[mine] < 0.6 * max(
        joules.values()
    )
    vectors = [chosen.on[op.name] for op in work.operators if isinstance(op, VectorOperator)]
    assert {choice.why for choice in vectors} == {DATA}
    assert [choice.unit for choice in vectors] == [mine[0], mine[1], mine[1]]


def test_what_finds_no_crossbars_and_what_none_can_hold() -> None:
    chip = hybrid(*ONE_TILE)
    chosen = plan_at_home(chip, load_workload("digits_cnn"), None, "off_chip")
    assert (chosen.on["conv2"].why, chosen.on["fc"].why) == (CHEAPER, FULL)
    saved = {n: chosen.on[n].digital - chosen.on[n].analog for n in ("conv2", "fc")}
    assert saved["conv2"] > saved["fc"] > 0
    work = load_workload("dlrm")
    chosen = plan_at_home(hybrid(), work)
    assert chosen.on["products"] == Choice(ARRAY, ONLY)
    with pytest.raises(
        InputError, match=r"pcm\.tiles does not run products; write one of: digital\.array"
    ):
        choices_of(chip, work, {"products": TILES})


def test_dear_converters_leave_crossbars_empty() -> None:
    """Where every operator is dearer on crossbars, none holds a weight, and the run says so."""
    dear = hybrid("technology.constants.pcm.tiles/conversions=1 uJ")
    work = load_workload("digits_mlp")
    result = run(dear, work)
    assert {choice.why for choice in result.plan.on.values() if choice.digital} == {DEARER}
    assert not any(isinstance(one, CrossbarMapping) for one in result.plan.mappings.values())
    said = "\n".join(result.assumptions)
    assert (
        "fc1, fc2 (more joules on crossbars)" in said and "0 of 48 crossbars hold weights" in said
    )


def test_operators_that_share_weights_share_a_unit() -> None:
    chip, work = hybrid(), load_workload("speech_lstm")
    by: dict[str, set[str]] = {}
    for name, choice in chosen_units(chip, work, (), {}).items():
        weight = next(op.weight for op in work.operators if op.name == name)
        by.setdefault(weight, set()).add(choice.unit)
    assert max(map(len, by.values())) == 1 and len(set().union(*by.values())) == 2


# -- one Program -----------------------------------------------------------------------------------


def hold(seed: int, count: int) -> Counter[str]:
    """Random chips of two kinds of units: the table, counts, rows that pass and the SimPy reference agree in every
    command, tick, byte and joule; the table is valid and within its bounds."""
    rng, seen = np.random.default_rng([18, seed]), Counter[str]()
    for _ in range(count):
        chip, work, chosen = random_mixed_case(rng)
        held_against_the_table(chip, work, chosen)
        held_against_the_stream(chip, work, chosen)
        program = compile_program(chip, work, chosen=chosen)
        validate(program, work)
        times = [simulate(program, chip, engine) for engine in ("plain", "simpy")]
        for item in (item for item in fields(times[0]) if item.name != "engine"):
            np.testing.assert_array_equal(*(getattr(time, item.name) for time in times), item.name)
        check_bounds(program, times[0])
        kinds = {type(one).__name__ for one in chosen.mappings.values()}
        cores = "cores" if chip.templates else "core"
        seen.update([cores, "linked" if chip.links else "unlinked", "&".join(sorted(kinds))])
        seen.update(["at home"] * bool(chosen.homes.at))
        units = {chosen.on[op.name].unit for op in work.operators if isinstance(op, VectorOperator)}
        seen.update(["vectors on both"] * (len(units) > 1))
    return seen


def test_random_chips_of_both_kinds() -> None:
    seen = hold(0, FEW)
    assert (
        seen["cores"] and seen["core"] and seen["CrossbarMapping&Mapping"] >= 4 and seen["at home"]
    )


@pytest.mark.full
@pytest.mark.parametrize("seed", range(1, 1 + MANY // 25))
def test_more_chips_of_both_kinds(seed: int) -> None:
    seen = hold(seed, 25)
    assert len(seen) >= 7, seen


# -- values ----------------------------------------------------------------------------------------


def digits(chip: Chip, name: str, prepared: Prepared | None = None, **how) -> Result:
    """A run on 16 digits, with codes of every tensor kept."""
    with np.load(ROOT / "workloads" / "digits.npz") as file:
        x = file["images"][:16] / 16
    work = load_workload(name, batch=16)
    shape = next(spec.shape for spec in work.tensors.values() if spec.role == "input")
    inputs = {next(n for n, s in work.tensors.items() if s.role == "input"): x.reshape(shape)}
    return run(chip, work, inputs, keep=True, prepared=prepared, **how)


def codes(result: Result) -> dict[str, np.ndarray]:
    assert result.values is not None and result.values.kept is not None
    return {name: np.asarray(codes) for name, codes in result.values.kept.tensors.items()}


@pytest.mark.parametrize("name", ["digits_cnn", "digits_mlp"])
def test_each_side_computes_as_a_chip_of_its_kind(name: str) -> None:
    """All on the array: the codes of int8_edge. All on crossbars: those of pcm_projected. Some on each: operators up
    to the first on crossbars have int8_edge's codes, whatever comes later."""
    chip, work = hybrid(), load_workload(name)
    macs = [op.name for op in work.operators if not isinstance(op, VectorOperator)]
    whole = {
        side: codes(digits(chip, name, on=dict.fromkeys(macs, side))) for side in (ARRAY, TILES)
    }
    for side, other in ((ARRAY, "int8_edge"), (TILES, "pcm_projected")):
        alone = codes(digits(load_chip(other), name))
        assert alone.keys() == whole[side].keys()
        for tensor, found in alone.items():
            np.testing.assert_array_equal(whole[side][tensor], found, f"{side} {tensor}")
    last = codes(digits(chip, name, on={**dict.fromkeys(macs, ARRAY), macs[-1]: TILES}))
    differ = [tensor for tensor in last if (last[tensor] != whole[ARRAY][tensor]).any()]
    assert differ == [work.operators[-1].output]


def test_a_plan_is_one_for_values_time_and_joules() -> None:
    """The Program of a run with values is that of one without, and holds what the plan says."""
    chip = hybrid()
    valued, bare = digits(chip, "digits_cnn"), run(chip, load_workload("digits_cnn", batch=16))
    assert valued.plan == bare.plan and valued.makespan == bare.makespan
    assert valued.program_digest == bare.program_digest


# -- said in a file, kept, explained ---------------------------------------------------------------


def mapped(tmp_path: Path, text: str):
    path = tmp_path / "mapping.yaml"
    path.write_text(text)
    return load_mapping_file(path, hybrid(), load_workload("digits_cnn"))


@pytest.mark.parametrize(
    ("named", "unit"),
    [
        ("digital", ARRAY),
        ("digital.array", ARRAY),
        ("mac_array", ARRAY),
        ("pcm", TILES),
        ("pcm.tiles", TILES),
        ("crossbar", TILES),
    ],
)
def test_units_cores_and_kinds_are_names(tmp_path: Path, named: str, unit: str) -> None:
    found = mapped(tmp_path, f"operators:\n  conv1: {{on: {named}}}\n")
    assert found.on == {"conv1": Choice(unit, GIVEN)} and not found.mappings
    chosen = plan_at_home(hybrid(), load_workload("digits_cnn"), on=found.on)
    assert isinstance(chosen.mappings["conv1"], CrossbarMapping) == (unit == TILES)


def test_tiles_are_the_arrays_and_vector_operators_go_where_they_are_sent(tmp_path: Path) -> None:
    text = "operators:\n  conv2: {on: digital, n: 8}\n  pool1: {on: pcm.vector}\n  fc: {k: 16}\n"
    found = mapped(tmp_path, text)
    assert found.mappings["conv2"].n == 8 and found.mappings["fc"].k == 16
    result = run(
        hybrid(),
        load_workload("digits_cnn"),
        mappings=found.mappings,
        on=found.on,
        fold=False,
        homes="off_chip",
    )
    units = {one.operator: (one.unit, one.why) for one in used_units(*_of(result))}
    assert units["conv2"] == (ARRAY, GIVEN) and units["fc"] == (ARRAY, GIVEN)
    assert units["pool1"] == ("pcm.vector", GIVEN)
    rows = result.program.commands
    kinds = {result.program.units[u].name for u in rows.unit[rows.operator == 1].tolist()}
    assert kinds == {"pcm.vector", "pcm.dma.input", "pcm.dma.output"}


def _of(result: Result):
    return result.chip, result.workload, result.plan


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("operators:\n  conv1: {on: analog}\n", "2:15: operators.conv1.on", "pcm.tiles"),
        ("operators:\n  conv1: {on: dma}\n", "2:15: operators.conv1.on", "write one of: digital"),
        (
            "operators:\n  pool1: {on: digital.array}\n",
            "2:15: operators.pool1.on",
            "digital.vector",
        ),
        ("operators:\n  conv1: {on: 3}\n", "2:15: operators.conv1.on", "text"),
        ("operators:\n  conv9: {on: pcm}\n", "2:3: operators.conv9", "conv1, pool1"),
        ("operators:\n  fc: {on: pcm, n: 3}\n", "2:7: operators.fc", "take no tiles"),
        ("operators:\n  pool1: {on: pcm, n: 3}\n", "2:20: operators.pool1.n", "no such key"),
        ("operators:\n  pool1: {}\n", "2:10: operators.pool1.on", "missing"),
    ],
)
def test_wrong_units_are_said_where_they_stand(
    tmp_path: Path, text: str, place: str, said: str
) -> None:
    with pytest.raises(InputError) as caught:
        mapped(tmp_path, text)
    (problem,) = caught.value.problems
    assert f"mapping.yaml:{place}" in str(problem) and said in str(problem)


def test_crossbars_that_are_asked_for_too_much(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="take 2 crossbars") as caught:
        plan_at_home(
            hybrid(*ONE_TILE),
            load_workload("digits_cnn"),
            on={name: Choice(TILES, GIVEN) for name in ("conv2", "fc")},
        )
    assert caught.value.problems[0].path == "cores.pcm.units.tiles.count"


def test_units_are_saved_loaded_and_explained(tmp_path: Path) -> None:
    work = load_workload("digits_cnn")
    result = run(hybrid(), work, on={"conv2": "digital", "pool1": "pcm"}, homes="on_chip")
    save(result, tmp_path / "made")
    again = load_run(tmp_path / "made")
    assert again.plan == result.plan and again.program_digest == result.program_digest
    whole = json.loads((tmp_path / "made" / "result.json").read_text())
    assert whole["on"] == [asdict(one) for one in used_units(*_of(result))]
    assert whole["weights"] == {"digital": "cold", "pcm": "resident"}
    text = explanation(again)
    for line in ("conv2     digital.array   as given", "fc        pcm.tiles", "hold weights"):
        assert line in text
    place = tmp_path / "made" / "inputs.json"
    broken = json.loads(place.read_text())
    broken["on"]["conv2"]["unit"] = "pcm.vector"
    with pytest.raises(InputError, match="are not units of this chip and workload"):
        load(broken, "inputs.json")


# -- what no mapping uses --------------------------------------------------------------------------


def two_of(chip: Chip, name: str, other: str) -> Chip:
    """The chip with a second unit like one, by another name."""
    return replace(chip, units={**chip.units, other: replace(chip.units[name], name=other)})  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("change", "path", "said"),
    [
        (
            lambda c: two_of(c, ARRAY, "pcm.array"),
            "cores.pcm.units.array",
            "2 units of part mac_array",
        ),
        (
            lambda c: two_of(c, "pcm.vector", "pcm.second"),
            "cores.pcm.units.second",
            "no mapping uses more than one",
        ),
        (
            lambda c: replace(c, units={k: v for k, v in c.units.items() if k != "pcm.dma"}),
            "cores.pcm.units.tiles",
            "has no dma in its core",
        ),
        (
            lambda c: replace(
                c,
                units={
                    **c.units,
                    "pcm.vector": replace(c.units["pcm.vector"], format="fp16"),  # type: ignore[call-arg]
                },
            ),
            "cores.pcm.units.vector.format",
            "several formats",
        ),
        (
            lambda c: replace(c, templates={**c.templates, "pcm": Template("pcm", 2)}),
            "cores.pcm.units.tiles",
            "over cores of crossbars",
        ),
    ],
)
def test_what_no_mapping_uses(change, path: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        plan(change(hybrid()), load_workload("digits_mlp"))
    assert path in [problem.path for problem in caught.value.problems]
