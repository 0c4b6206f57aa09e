"""Chips made alike: memory, area and latency, for any pair, key by key; ratios with bands;
payback."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest

import accelsim
from accelsim import api, shipped
from accelsim.chip import Chip
from accelsim.chip.routes import chain
from accelsim.cli.main import main
from accelsim.config import load_chip
from accelsim.config.writer import chip_yaml
from accelsim.energy.bands import ratio as ratio_of
from accelsim.energy.bands import within
from accelsim.errors import InputError
from accelsim.matching import changes, made_alike, model_of
from accelsim.matching.area import square_metres, with_area
from accelsim.matching.latency import with_latency
from accelsim.matching.memory import weight_bytes, with_memories
from accelsim.reports.comparison import shown
from accelsim.results.comparison import to_dict
from accelsim.units.sram import Sram

SHIPPED = {name: api.load_chip(name) for name in shipped.names("chip")}
CHIPS = [name for name, chip in SHIPPED.items() if not (chip.templates or chip.links)]
BUFFER = ("size", "banks", "width", "ports", "buffering")


def buffer(chip: Chip, role: str) -> Sram:
    found = chip.memories[getattr(chip.core, role)]
    assert isinstance(found, Sram)
    return found


@pytest.mark.parametrize(("one", "other"), list(permutations(CHIPS, 2)))
def test_any_chip_takes_any_others_memories(one: str, other: str, tmp_path: Path) -> None:
    work = api.load_workload("digits_mlp")
    chip, model = api.load_chip(one), api.load_chip(other)
    made = with_memories(chip, model, work)
    assert made.weights == model.weights
    assert replace(made.dram, name="") == replace(model.dram, name="")
    for role in ("input", "output", "weight"):
        if not (hasattr(chip.core, role) and hasattr(model.core, role)):
            continue
        given, own = buffer(model, role), buffer(made, role)
        copies = model.core.count if given.scope == "private" != own.scope else 1
        assert own.size == given.size * copies and own.banks == given.banks * copies
        assert all(getattr(own, key) == getattr(given, key) for key in BUFFER[2:])
        assert own.clock == buffer(chip, role).clock
        behind, wanted = (
            [
                replace(here.memories[name], name="", behind="", clock="")
                for name in chain(here, of.name)[1:-1]
            ]  # type: ignore[call-arg, type-var]
            for here, of in ((made, own), (model, given))
        )
        assert behind == wanted
    if hasattr(chip.core, "weight") and not hasattr(model.core, "weight"):
        need = weight_bytes(chip, work)
        assert buffer(made, "weight").size >= need
        assert buffer(made, "weight").size in (
            buffer(chip, "weight").size,
            1 << (need - 1).bit_length(),
        )
    keys = [change.key for change in changes(chip, made)]
    assert all(key.partition(".")[0] in ("weights", "memories", "units") for key in keys)
    assert not changes(made, with_memories(made, model, work))
    path = tmp_path / "made.yaml"
    path.write_text(chip_yaml(made))
    assert load_chip(path).digest == made.digest


@pytest.mark.parametrize(("name", "path"), [("rapid_like", "cores"), ("tpu_v4i_like", "links")])
def test_memories_of_cores_and_on_links_go_to_no_other_chip(name: str, path: str) -> None:
    work = api.load_workload("digits_mlp")
    chips = SHIPPED[name], SHIPPED["int8_edge"]
    for pair in (chips, chips[::-1]):
        with pytest.raises(InputError, match="only memories of one core") as caught:
            with_memories(*pair, work)
        assert caught.value.problems[0].path == path


def test_a_shared_buffer_is_shared_there_too() -> None:
    """A model with one buffer for everything gives one; a chip with one gets several of a model
    with several."""
    chip, work = api.load_chip("int8_edge"), api.load_workload("digits_mlp")
    shared = {key: "input_buffer" for key in ("input", "weight", "output")}
    units = {
        name: replace(unit, **{key: value for key, value in shared.items() if hasattr(unit, key)})
        for name, unit in chip.units.items()
    }
    memories = {name: chip.memories[name] for name in ("dram", "input_buffer")}
    one = replace(chip, units=units, memories=memories)
    joined = with_memories(chip, one, work)
    assert {
        joined.array.input,
        joined.array.weight,
        joined.array.output,
        joined.vector_unit.output,
    } == {"input_buffer"}
    assert set(joined.memories) == {"dram", "input_buffer"}
    apart = with_memories(one, chip, work)
    assert len({apart.array.input, apart.array.weight, apart.array.output}) == 3
    assert (
        apart.vector_unit.input == apart.array.input
        and apart.vector_unit.output == apart.array.output
    )
    assert buffer(apart, "output").size == buffer(chip, "output").size
    for made in (joined, apart):
        assert api.run(made, work).joules > 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("int8_edge", "pcm_8level"),
        ("pcm_projected", "pcm_8level"),
        ("pcm_8level", "int8_edge"),
        ("tpu_v1_like", "int8_128"),
        ("int4_edge", "int8_edge"),
    ],
)
def test_area_is_met(one: str, other: str) -> None:
    chip, target = api.load_chip(one), square_metres(api.load_chip(other))
    made = with_area(chip, target)
    assert square_metres(made) == pytest.approx(target, rel=5e-3, abs=0.0)
    if chip.mac_array is not None:
        assert made.array.rows / chip.array.rows == pytest.approx(
            made.array.columns / chip.array.columns, rel=0.05, abs=0.0
        )
    assert square_metres(with_area(chip, square_metres(chip))) == pytest.approx(
        square_metres(chip), rel=1e-3, abs=0.0
    )


def test_latency_is_met_and_only_clocks_and_bandwidth_move() -> None:
    work = api.load_workload("digits_cnn", 100)
    chip = api.load_chip("int8_edge")

    def run(one: Chip) -> float:
        return api.run(one, work).seconds

    for times in (0.4, 3.0):
        target = run(chip) * times
        made = with_latency(chip, target, run)
        assert run(made) == pytest.approx(target, rel=5e-3, abs=0.0)
        assert {change.key for change in changes(chip, made)} == {
            "clocks.core",
            "memories.dram.bandwidth",
        }


def test_a_latency_out_of_reach_is_said() -> None:
    """A chip whose time is another's at any clock."""
    chips = [api.load_chip("int8_edge"), api.load_chip("int4_edge")]
    ((one, other),) = made_alike(
        chips,
        ["latency"],
        api.load_workload("digits_cnn"),
        lambda chip: 2.0 if chip is chips[0] else 1.0,
    )
    assert one.chip is chips[0] and not one.changes and not one.reached
    reached, aimed = (float(word) for word in other.reached[0].split() if word[0].isdigit())
    assert (reached, aimed) == (1000, 2000)


def test_the_faster_ones_become_as_slow_as_the_slowest_and_no_clock_is_raised() -> None:
    """Behind equal memories the PCM chip is faster than both digital ones, INT4 faster than INT8: these two take a
    lower clock, and each rule's figures stand beside those of the one before."""
    names = ["int8_edge", "int4_edge", "pcm_8level"]
    found = accelsim.compare(names, "resnet18", match="memory,latency")
    memory, latency = found.matched
    assert memory.by == ("memory",) and latency.by == ("memory", "latency")
    before, after = memory.comparison.sides, latency.comparison.sides
    slowest = max(side.main.seconds for side in before)
    assert before[0].main.seconds == slowest and not after[0].changed
    for side, given in zip(after, before, strict=True):
        assert side.main.seconds == pytest.approx(slowest, rel=5e-3, abs=0.0)
        assert side.chip.clocks["core"] <= given.chip.clocks["core"]
        if side is not after[0]:
            keys = {key for key, *_ in side.changed}
            assert keys == {"clocks.core", "memories.dram.bandwidth"} and side.reached
    assert [m["by"] for m in to_dict(found)["matched"]] == [["memory"], ["memory", "latency"]]
    bars = [(" ".join(rules), side.chip.name) for rules, side in shown(found)]
    assert bars == [
        ("memory", "int8_edge"),
        ("memory", "int4_edge"),
        ("memory latency", "int4_edge"),
        ("", "pcm_8level"),
        ("latency", "pcm_8level"),
    ]


def test_the_first_chip_that_computes_in_memory_is_the_model() -> None:
    chips = {
        name: api.load_chip(name)
        for name in ("int8_edge", "int4_edge", "pcm_8level", "pcm_projected")
    }
    assert model_of([chips["int8_edge"], chips["pcm_projected"], chips["pcm_8level"]]) == 1
    assert model_of([chips["int8_edge"], chips["int4_edge"]]) == 0
    work = api.load_workload("digits_mlp")
    with pytest.raises(InputError, match="memory, area, latency"):
        list(made_alike([*chips.values()], ["weight"], work, lambda chip: 1.0))


def test_resnet18_with_the_same_memories() -> None:
    """int8_edge with pcm_8level's memories and a weight buffer that holds the network: 3.0 to 3.3
    times the energy, not the 4 of weights fetched in every run against weights in place; 1.1 to 1.4 with every
    tensor off chip, which both then pay for."""
    found = accelsim.compare(["int8_edge", "pcm_8level"], "resnet18", match="memory")
    (far,) = accelsim.compare(
        ["int8_edge", "pcm_8level"], "resnet18", match="memory", homes="off_chip"
    ).matched
    ratio = far.comparison.ratio(far.comparison.sides[1], "chip")
    assert ratio is not None and 1.1 < ratio.value < 1.4
    (matched,) = found.matched
    first, other = matched.comparison.sides
    changed = {key: (before, after) for key, before, after in first.changed}
    assert changed["weights"] == ("cold", "resident")
    assert changed["memories.dram.bandwidth"] == ("17 GB/s", "25.6 GB/s")
    assert changed["memories.input_buffer.size"] == ("256 KiB", "512 KiB")
    assert changed["memories.output_buffer.banks"] == ("4", "64")
    assert changed["memories.weight_buffer.size"] == ("256 KiB", "16 MiB")
    assert not other.changed and other is found.sides[1]
    ratio = matched.comparison.ratio(other, "chip")
    assert ratio is not None and 3.0 < ratio.value < 3.3 and ratio.low < ratio.value < ratio.high
    # the off-chip memory that both share does not widen the band: with one of its own it would
    top, below = (within(side.main.energy, "chip") for side in (first, other))
    apart = ratio_of(top, replace(below, moves={f"own {k}": v for k, v in below.moves.items()}))
    assert ratio.low > apart.low * 1.1 and ratio.high < apart.high / 1.1
    whole = to_dict(found)
    assert whole["matched"][0]["to"] == "pcm_8level" and whole["matched"][0]["by"] == ["memory"]
    side = whole["matched"][0]["sides"][1]
    assert (
        side["ratio"]["chip"] == pytest.approx(ratio.value, rel=1e-9, abs=0.0)
        and side["ratio_band"]["chip"][0] == ratio.low
    )
    # like with like: gains of weights in place against weights in place
    gain = first.resident.joules - other.resident.joules  # type: ignore[union-attr]
    spent = other.writing[0] - (first.cold.joules - first.resident.joules)  # type: ignore[union-attr]
    assert side["resident"]["pays_back_after"] == pytest.approx(spent / gain, rel=1e-9, abs=0.0)
    assert side["cold"]["ratio"]["chip"] == pytest.approx(
        first.cold.joules / other.cold.joules, rel=1e-9, abs=0.0
    )  # type: ignore[union-attr]


def test_speech_dnn_with_the_same_memories() -> None:
    found = accelsim.compare(
        ["int8_edge", "pcm_8level"], api.load_workload("speech_dnn", 1), match="memory"
    )
    plain, alike = found.ratio(found.sides[1], "chip"), found.matched[0].comparison
    ratio = alike.ratio(alike.sides[1], "chip")
    assert plain is not None and plain.value > 100
    assert ratio is not None and 10 < ratio.value < 13
    # the same bytes pass both off-chip memories, at 8 pJ a bit and 150 mW: what is left is the chips'
    runs = [side.main for side in alike.sides]
    moved = [
        sum(op.dram_read_bytes + op.dram_written_bytes for op in run.operators) for run in runs
    ]
    assert moved[0] == moved[1]
    left = [run.energy.boundary("core") for run in runs]
    assert ratio.value < left[0] / left[1] < 40


def test_the_command_says_it_key_by_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    monkeypatch.setattr(
        "sys.argv",
        [
            "accelsim",
            "compare",
            "int8_edge",
            "pcm_8level",
            "-w",
            "digits_mlp",
            "--match",
            "memory,area",
            "--out",
            str(out),
        ],
    )
    main()
    said = capsys.readouterr().out
    for words in (
        "int8_edge: weights cold -> resident",
        "memories.dram.bandwidth 17 GB/s -> 25.6 GB/s",
        "made like pcm_8level by memory:",
        "made like pcm_8level by memory, area:",
        "x a second/mm2",
        "both resident uJ",
    ):
        assert words in said
    whole = json.loads((out / "comparison.json").read_text())
    first, other = whole["matched"][1]["sides"]
    assert first["area_m2"] == pytest.approx(other["area_m2"], rel=5e-3, abs=0.0)
    rate = other["throughput_per_s_and_m2"] / first["throughput_per_s_and_m2"]
    assert other["throughput_per_area_ratio"] == pytest.approx(rate, rel=1e-9, abs=0.0)
    assert other["energy_per_area_ratio"] == pytest.approx(
        first["joules_per_m2"] / other["joules_per_m2"], rel=1e-9, abs=0.0
    )
    for side in (*whole["sides"], first, other):
        for key in ("ratio_band", "throughput_per_area_ratio_band", "energy_per_area_ratio_band"):
            bands = side[key].values() if isinstance(side[key], dict) else [side[key]]
            assert all(high is None or low <= high for low, high in bands)  # None: no limit
    for stem in ("energy", "ratio_pcm_8level"):
        assert (out / f"{stem}.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("match", "said"),
    [("speed", "memory, area, latency"), ("area,area", "stands twice"), ("memory,,x", "'x'")],
)
def test_wrong_rules_are_refused(
    match: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    monkeypatch.setattr(
        "sys.argv",
        [
            "accelsim",
            "compare",
            "int8_edge",
            "pcm_8level",
            "-w",
            "digits_mlp",
            "--match",
            match,
            "--out",
            str(out),
        ],
    )
    with pytest.raises(SystemExit) as stop:
        main()
    error = capsys.readouterr().err
    assert stop.value.code == 2 and said in error and "Traceback" not in error and not out.exists()
