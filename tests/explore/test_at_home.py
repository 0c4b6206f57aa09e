"""Homes asked for: by option, job, mapping file and Python; saved, searched, run back to back, explained."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import accelsim
from accelsim import Job, api, verbs
from accelsim.cli.main import cli
from accelsim.config.mapping_file import load_mapping_file
from accelsim.errors import InputError
from accelsim.explore import homes as homes_module
from accelsim.explore import planned, search_plan
from accelsim.explore.homes import plan_at_home
from accelsim.explore.steady import alone, steady, stream
from accelsim.explore.what_if import what_if
from accelsim.mapping import plan
from accelsim.mapping.homes import DEFAULT, MODES, SHARES, homes_of
from accelsim.program.validate import validate
from accelsim.results import files
from accelsim.results.homes import in_words, stood
from accelsim.results.inputs import dump, load
from accelsim.results.load import load_run
from accelsim.sweeps.evaluate import Evaluator
from accelsim.sweeps.file import load_sweep
from accelsim.sweeps.space import points
from accelsim.timing import simulate

CHIP, WORK = "int8_edge", "small_cnn"


def test_every_way_to_ask(tmp_path: Path) -> None:
    """The mapping file says off_chip; the option stands above it; nobody says: on chip."""
    written = tmp_path / "mapping.yaml"
    written.write_text("homes: off_chip\n")
    asked = [
        (Job(chip=(CHIP,), workload=WORK, homes="off_chip"), False),
        (Job(chip=(CHIP,), workload=WORK, mapping=str(written)), False),
        (Job(chip=(CHIP,), workload=WORK, mapping=str(written), homes="on_chip"), True),
        (Job(chip=(CHIP,), workload=WORK), True),
    ]
    plans = [verbs.run(job).plan for job, _ in asked]
    assert [bool(one.homes.at) for one in plans] == [on_chip for _, on_chip in asked]
    assert plans[0] == plans[1] and plans[2] == plans[3]
    chip, work = api.load_chip(CHIP), api.load_workload(WORK)
    assert plans[0] == plan(chip, work) and plans[3] == plan_at_home(chip, work)


@pytest.mark.parametrize("homes", MODES)
def test_every_verb_stands_tensors_alike(
    homes: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """compare, sensitivity, explain, report and sweep run as run does, by default and asked for."""
    asked: dict[str, Any] = {"homes": homes} if homes != DEFAULT else {}
    chip, work = api.load_chip(CHIP), api.load_workload("digits_mlp")
    right = api.run(chip, work, **asked)
    assert bool(right.plan.homes.at) == (homes == "on_chip")
    figures, seen = (right.makespan, right.joules), []

    def run(*given: Any, **more: Any) -> accelsim.Result:
        seen.append(once(*given, **more))
        return seen[-1]

    once = api.run
    monkeypatch.setattr(api, "run", run)
    given = Job(chip=(CHIP,), workload="digits_mlp", input="digits", **asked)
    verbs.sensitivity(given)
    assert len(seen) == 4 and {bool(one.plan.homes.at) for one in seen} == {homes == "on_chip"}
    both = replace(given, chip=(CHIP, "int4_edge"), input=None)
    for found in (verbs.compare(both), accelsim.compare([chip, "int4_edge"], work, **asked)):
        assert (found.sides[0].main.makespan, found.sides[0].main.joules) == figures
        assert (
            found.sides[1].main.makespan == once(api.load_chip("int4_edge"), work, **asked).makespan
        )
    folder, words = str(tmp_path / "run"), ["run", CHIP, "digits_mlp", "--out"]
    assert (
        CliRunner()
        .invoke(cli, [*words, folder, *(f"--{k}={v}" for k, v in asked.items())])
        .exit_code
        == 0
    )
    assert load_run(folder).plan == right.plan
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text(f"{{name: s, bases: {{b: {{chip: {CHIP}}}}}, workloads: [digits_mlp]}}")
    spec = load_sweep(sweep, job=Job(sweep=str(sweep), **asked))
    (point,) = points(spec)
    m = Evaluator(spec).evaluate(point).measures
    assert (m["cycles"], m["energy_chip_joules"]) == (
        right.cycles,
        pytest.approx(right.joules, rel=1e-13),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("homes: l2\n", "mapping.yaml:1:8: homes: "),
        ("homes: [on_chip]\n", "mapping.yaml:1:8: homes: "),
        ("home: on_chip\n", "mapping.yaml:1:1: home: "),
        ("images: 2\n", "mapping.yaml:1:9: images: small_cnn does not run in groups of 2 images"),
        ("homes: on_chip\nimages: none\n", "mapping.yaml:2:9: images: "),
        ("images: 0\n", "mapping.yaml:1:9: images: "),
        ("{}\n", "operators: is missing"),
    ],
)
def test_wrong_homes_of_a_mapping_file(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_mapping_file(path, api.load_chip(CHIP), api.load_workload(WORK))
    assert said in str(caught.value)


def test_given_tiles_keep_their_room() -> None:
    """Mappings whose tiles take most of a small input buffer: homes leave every operator what its tiles need, and
    would leave them less if they did not know."""
    chip = api.load_chip(CHIP, ["memories.input_buffer.size=16 KiB"])
    work = api.load_workload("mobilenet_v2")
    far = plan(chip, work)
    needs = homes_module._needs(chip, work, far, far.mappings)  # type: ignore[arg-type]
    assert max(need.get("input_buffer", 0) for need in needs.values()) > 12 << 10
    for share in SHARES:
        found = homes_of(chip, work, far.formats, far.on, needs, (share, True))
        for name, need in needs.items():
            for memory, _, size in found.room(name).parts:
                here = memory == chip.array.input and found.room(name).here
                assert size >= need.get(memory, 0) or here, (share, name)
    blind = homes_of(chip, work, far.formats, far.on, {}, (0.75, True))
    known = homes_of(chip, work, far.formats, far.on, needs, (0.75, True))
    assert known.at and known != blind
    chosen = plan_at_home(chip, work, far.mappings, "on_chip")  # type: ignore[arg-type]
    assert chosen.homes.at and chosen.mappings == far.mappings


def test_a_word_that_is_no_choice_is_refused() -> None:
    chip, work = api.load_chip(CHIP), api.load_workload(WORK)
    with pytest.raises(
        InputError, match="'nonsense' is no choice of homes; write one of off_chip, on_chip"
    ):
        api.run(chip, work, homes="nonsense")
    with pytest.raises(
        InputError, match="'cylces' is no choice of search; write one of cycles, energy, edp"
    ):
        api.run(chip, work, search="cylces")


@pytest.mark.parametrize(
    ("homes", "said"), [("off_chip", "nothing is at home in l2"), ("on_chip", "passes l2 by")]
)
def test_a_level_that_is_passed_by_is_named(homes: str, said: str) -> None:
    result = api.run(api.load_chip("int8_edge_l2"), api.load_workload("resnet18"), homes=homes)
    assert any(said in note for note in result.assumptions)


def test_a_run_without_a_table_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is listed of a run whose table was not made is left to explain, which makes it."""
    monkeypatch.setattr(planned, "LISTED", 10)
    result = verbs.run(Job(chip=(CHIP,), workload=WORK, homes="on_chip"))
    assert result.planned.form == planned.SUMS and result.plan.homes.at
    assert "homes" not in files.to_dict(result)
    assert in_words(result) == [
        "where tensors between operators stood is not listed: explain reads the table of all commands"
    ]
    assert len(stood(result)) == 4


def test_a_saved_run_is_made_again_at_home(tmp_path: Path) -> None:
    result = verbs.run(Job(chip=(CHIP,), workload=WORK, homes="on_chip"))
    files.save(result, tmp_path / "run")
    again = load_run(tmp_path / "run")
    assert again.plan == result.plan and again.cycles == result.cycles
    whole = json.loads((tmp_path / "run" / "result.json").read_text())
    assert [one["tensor"] for one in whole["homes"]] == ["conv1", "pool1", "conv2", "pool"]
    plain = json.loads(json.dumps(dump(result.chip, result.workload, result.plan)))
    for change in ({"memory": "nowhere"}, {"address": -1}, {"span": 1 << 40}, {"address": 0.5}):
        wrong = json.loads(json.dumps(plain))
        wrong["homes"]["at"]["conv1"] |= change
        with pytest.raises(InputError, match="are not homes of this chip and workload"):
            load(wrong, "inputs.json")
    wrong = json.loads(json.dumps(plain))
    wrong["homes"]["rooms"]["nobody"] = wrong["homes"]["rooms"]["conv1"]
    with pytest.raises(InputError, match="are not homes of this chip and workload"):
        load(wrong, "inputs.json")


def test_groups_of_images_are_asked_for_saved_and_said(tmp_path: Path) -> None:
    """The mapping file gives the group and mappings of it; the folder keeps both; run and explain say so."""
    written, folder = tmp_path / "mapping.yaml", str(tmp_path / "run")
    written.write_text("homes: on_chip\nimages: 2\noperators: {conv1: {batch: 2, n: 8}}\n")
    options = ["--batch", "6", "--mapping", str(written), "--out", folder]
    ran = CliRunner().invoke(cli, ["run", CHIP, WORK, *options])
    said = "the batch of 6 runs in groups of 2, one after another"
    assert ran.exit_code == 0 and said in ran.output
    again = load_run(folder)
    assert again.plan.homes.images == 2 and again.plan.homes.at
    assert again.plan.mappings["conv1"].batch == 2  # type: ignore[union-attr]
    assert f"{again.cycles:,} cycles" in ran.output
    one = {each.tensor: each for each in stood(again)}["conv1"]
    assert one.filled == 3 * one.size and one.saved == 6 * one.size
    layer = CliRunner().invoke(cli, ["explain", folder, "--layer", "conv1"])
    assert "loop nest of conv1, for each of 3 groups of 2 images" in layer.output
    plain = json.loads((tmp_path / "run" / "inputs.json").read_text())
    for images in (4, 5, -1, True, "2"):
        plain["homes"]["images"] = images
        with pytest.raises(InputError, match="are not homes of this chip and workload"):
            load(plain, "inputs.json")
    written.write_text("images: 2\noperators: {conv1: {batch: 3}}\n")
    with pytest.raises(InputError, match=r"a tile of 3 is outside 1\.\.2"):
        load_mapping_file(written, api.load_chip(CHIP), api.load_workload(WORK, 6))


def test_what_is_said_adds_up() -> None:
    """Bytes written at home are those that operators make; what that saved is what off_chip moves more, but for
    halos and bursts."""
    near = verbs.run(Job(chip=(CHIP,), workload=WORK))
    found = {one.tensor: one for one in stood(near)}
    sizes = {op.output: near.workload.tensors[op.output].elements for op in near.workload.operators}
    for name, one in found.items():
        assert one.size == one.filled == sizes[name] and one.memory == "input_buffer"
        assert one.saved == 2 * one.size and one.read >= one.size
    far = verbs.run(Job(chip=(CHIP,), workload=WORK, homes="off_chip"))
    assert stood(far) == []
    moved = [
        sum(row.dram_read_bytes + row.dram_written_bytes for row in run.operators)
        for run in (far, near)
    ]
    saved = sum(one.saved for one in found.values())
    assert saved <= moved[0] - moved[1] <= 1.1 * saved
    assert any("at home in input_buffer" in note for note in near.assumptions)
    assert not any("at home" in note for note in far.assumptions)


def test_run_and_explain_say_where_tensors_stood(tmp_path: Path) -> None:
    folder = str(tmp_path / "run")
    ran = CliRunner().invoke(cli, ["run", CHIP, WORK, "--out", folder])
    assert "at home in input_buffer: 4 tensors of 22.0 KiB in all" in ran.output
    explained = CliRunner().invoke(cli, ["explain", folder])
    line = [text for text in explained.output.splitlines() if text.startswith("pool1 ")][-1]
    assert line.split()[:4] == ["pool1", "input_buffer", "4,096", "4,096"]
    layer = CliRunner().invoke(cli, ["explain", folder, "--layer", "conv2"])
    assert "the input at home in input_buffer, read there" in layer.output
    far = CliRunner().invoke(cli, ["run", CHIP, WORK, "--homes", "off_chip"])
    assert "at home" not in far.output


def test_searched_mappings_get_homes_of_their_own() -> None:
    chip, work = api.load_chip(CHIP), api.load_workload(WORK)
    found, report = search_plan(chip, work, "cycles", 2, homes="on_chip")
    assert found.homes.at and report.cycles <= report.default_cycles
    result = api.run(chip, work, search="cycles", budget=2, homes="on_chip")
    assert result.plan == found and abs(result.cycles - report.cycles) < 1


def test_back_to_back_runs_stand_at_home_each() -> None:
    """Every request's tensors have homes of their own version, in slots of their own where there is room."""
    chip, work = api.load_chip(CHIP), api.load_workload("digits_cnn", 4)
    result = api.run(chip, work, homes="on_chip")
    one = alone(chip, work, result.plan)
    for free, slots in ((False, None), (False, one.slots), (True, one.slots)):
        program = stream(one, 4, free, slots).program
        validate(program, work)
        homes = [
            (program.tensors[r.tensor].version, r.address)
            for r in program.residents
            if not (r.at_start or r.at_end) and program.tensors[r.tensor].name == "conv1"
        ]
        assert [version for version, _ in homes] == [0, 1, 2, 3]
        assert len({address for _, address in homes}) == (1 if slots is None else 3)
    found = steady(chip, work, result.plan)
    assert found.seconds <= result.seconds and found.energy.total <= result.joules


def test_what_if_starts_from_the_run() -> None:
    chip, work = api.load_chip(CHIP), api.load_workload(WORK)
    result = api.run(chip, work, homes="on_chip")
    base, changed = what_if(chip, work, result.plan.mappings, result.plan.homes)  # type: ignore[arg-type]
    assert base.seconds == result.seconds and base.joules == pytest.approx(result.joules, rel=1e-12)
    dear = {change.text: change for change in changed}
    assert all(change.joules < 2 * base.joules for change in dear.values())


def test_addresses_off_chip_are_given_again_where_they_must() -> None:
    """A memory too small for all tensors at once takes those that are needed at once: the same times, values apart."""
    chip, work = api.load_chip(CHIP), api.load_workload("digits_cnn")
    whole = api.run(chip, work, homes="off_chip")
    used = max(
        int(end)
        for end in (whole.program.operands.address + whole.program.operands.span)[
            whole.program.operands.memory
            == [memory.name for memory in whole.program.memories].index("dram")
        ]
    )

    def within(size: int) -> accelsim.Result:
        dram = replace(chip.dram, size=size)
        return api.run(
            replace(chip, memories={**chip.memories, "dram": dram}), work, homes="off_chip"
        )

    tight = within(used - 64)
    validate(tight.program, work)
    assert tight.program_digest != whole.program_digest
    assert simulate(tight.program, tight.chip).makespan <= 1.05 * whole.makespan
    assert np.array_equal(within(used).program.operands.address, whole.program.operands.address)
    with pytest.raises(InputError, match="the tensors of digits_cnn take"):
        within(6000)
