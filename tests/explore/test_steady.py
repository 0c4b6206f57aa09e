"""Runs back to back: bounds, closed forms, energy, and that what is proved goes on so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from accelsim import load_chip, load_workload, run
from accelsim.cli.main import cli
from accelsim.errors import InputError
from accelsim.explore import steady as module
from accelsim.explore.homes import plan_at_home
from accelsim.explore.steady import Alone, alone, steady, stream
from accelsim.mapping.homes import DEFAULT, MODES
from accelsim.program.opcodes import Access, Opcode
from accelsim.program.validate import validate
from accelsim.timing import simulate
from tests.mapping.random_networks import random_network

CHIP = "pcm_8level"


def lone(
    name: str, work: str, keys: tuple[str, ...] = (), batch: int = 1, homes: str = DEFAULT
) -> Alone:
    chip, workload = load_chip(name, list(keys)), load_workload(work, batch)
    return alone(chip, workload, plan_at_home(chip, workload, homes=homes))


@pytest.mark.parametrize("work", ["digits_mlp", "digits_cnn"])
def test_layers_on_crossbars_take_the_busiest_crossbars_time(work: str) -> None:
    """From one image's result to the next: the intervals of the crossbar with the most vectors, no tick more."""
    chip, workload = load_chip(CHIP), load_workload(work, 1)
    one, unit = lone(CHIP, work), chip.crossbar
    assert unit is not None
    c, shapes = one.program.commands, one.program.shapes
    vectors = np.bincount(c.unit, np.where(c.opcode == Opcode.MVM, shapes.extents[c.shape, 0], 0))
    busiest = vectors.max() * unit.cycles(unit.interval_seconds) / chip.clocks["core"]
    found = steady(chip, workload, plan_at_home(chip, workload))
    assert found.proved and found.seconds == pytest.approx(busiest, rel=1e-12, abs=0.0)
    assert found.seconds < 0.4 * one.timeline.seconds <= found.first


@pytest.mark.parametrize("work", ["digits_mlp", "digits_cnn"])
def test_every_layer_works_on_another_image(work: str) -> None:
    one, workload = lone(CHIP, work), load_workload(work, 1)
    made = stream(one, 8, True, one.slots).program
    validate(made, workload)
    timelines = [simulate(made, one.chip, engine) for engine in ("plain", "simpy")]
    for column in ("issue", "end", "why"):
        assert (getattr(timelines[1], column) == getattr(timelines[0], column)).all()
    c, t = made.commands, timelines[0]
    rows = np.flatnonzero(c.opcode == Opcode.MVM)
    overlapping = 0
    for row in rows.tolist():
        inside = (t.issue[rows] < t.end[row]) & (t.end[rows] > t.issue[row])
        others = (c.request[rows] != c.request[row]) & (c.operator[rows] != c.operator[row])
        overlapping += int((inside & others).any())
    assert overlapping > len(rows) // 2


CHIPS = (
    (CHIP, ()),
    (CHIP, ("memories.output_buffer.size=4 KiB", "memories.input_buffer.size=2 KiB")),
    (CHIP, ("weights=cold",)),
    ("int8_edge", ()),
    ("int8_edge", ("weights=resident",)),
    ("ibm_quad_like", ("weights=resident",)),
)


@pytest.mark.parametrize(("name", "keys"), CHIPS)
def test_random_networks(name: str, keys: tuple[str, ...]) -> None:
    """Not above the busiest unit's rate and not below a lone run's; joules at most a lone run's, of products
    just those. A first run with slots of its own may wait less for addresses of tensors at home than one alone."""
    chip, quicker = load_chip(name, list(keys)), 0
    for seed in range(8):
        work, homes = random_network(np.random.default_rng(seed)), MODES[seed % 2]
        chosen = plan_at_home(chip, work, homes=homes)
        one, found, single = (
            alone(chip, work, chosen),
            steady(chip, work, chosen),
            run(chip, work, homes=homes),
        )
        hz = one.program.tick_hz
        assert one.timeline.makespan == single.makespan
        assert one.pace / hz <= found.seconds * (1 + 1e-12)
        assert found.seconds <= min(single.seconds, found.first * (1 + 1e-12))
        if not chosen.homes.at:
            assert single.seconds <= found.first * (1 + 1e-12)
        quicker += found.seconds < 0.9 * single.seconds
        assert found.energy.total <= single.joules
        of = [
            {
                k: v
                for k, v in report.by("unit", "action").items()
                if not str(k[1]).endswith("second")
            }
            for report in (found.energy, single.energy)
        ]
        assert of[0] == of[1]
    assert quicker >= 5 or keys == ("weights=cold",)


@pytest.mark.parametrize(
    ("name", "keys", "work", "homes"),
    [
        ("int8_edge", (), "digits_cnn", DEFAULT),
        ("int8_edge", (), "digits_mlp", DEFAULT),
        ("int8_edge", (), "digits_mlp", "off_chip"),  # what repeats is two requests
        ("int8_edge", ("weights=resident",), "digits_residual", DEFAULT),
        ("ibm_quad_like", (), "digits_cnn", DEFAULT),
        (CHIP, (), "digits_cnn", DEFAULT),
    ],
)
def test_what_is_proved_goes_on(name: str, keys: tuple[str, ...], work: str, homes: str) -> None:
    """Sixty requests more take sixty intervals, within one."""
    one = lone(name, work, keys, homes=homes)
    seen = 0
    for free, slots in ((False, None), (False, one.slots), (True, one.slots)):
        short = module._settled(one, free, slots)
        if short.proved and len(short.ends) < 80:
            ends = stream(one, 100, free, slots).ends
            inside = min(one.inside, 20)
            last = 99 - inside
            assert abs(ends[last] - ends[last - 60] - 60 * short.interval) <= short.interval
            seen += 1
    assert seen >= 1


def test_weights_lie_in_their_buffer_once() -> None:
    """Resident: no request loads any, none is there twice, and runs follow one another sooner than alone."""
    keys = ("weights=resident",)
    one = lone("int8_edge", "digits_cnn", keys)
    chip, work = one.chip, load_workload("digits_cnn", 1)
    for free, slots in ((False, None), (True, one.slots)):
        made = stream(one, 6, free, slots).program
        o, places = made.operands, [memory.name for memory in made.memories]
        near = o.memory == places.index("weight_buffer")
        assert near.any() and (o.access[near] == Access.READ).all()
        assert len({tensor for tensor in o.tensor[near].tolist()}) == 3  # of conv1, conv2, fc
        assert (o.address + o.span)[near].max() <= max(r.address + r.span for r in made.residents)
    found = steady(chip, work, plan_at_home(chip, work))
    cold = load_chip("int8_edge")
    assert found.seconds < run(chip, work).seconds
    assert found.energy.total < 0.6 * steady(cold, work, plan_at_home(cold, work)).energy.total
    with pytest.raises(InputError, match="resnet18 take"):
        large = load_workload("resnet18")
        steady(chip, large, plan_at_home(chip, large))


def test_what_is_not_proved_is_a_mean_and_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    chip, work = load_chip("int8_edge"), load_workload("digits_mlp", 1)
    chosen = plan_at_home(chip, work)
    proved = steady(chip, work, chosen)
    monkeypatch.setattr(module, "MOST_ROWS", 300)
    monkeypatch.setattr(module, "MORE_RUNS", 4)
    found = steady(chip, work, chosen)
    assert not found.proved and found.runs == 4 and found.measured >= 1
    assert found.seconds == pytest.approx(proved.seconds, rel=0.1, abs=0.0)
    result = run(chip, work)
    result.steady = found
    assert f"back to back: the mean of {found.measured} of 4 runs" in result.assumptions
    result.steady = replace(found, proved=True)
    assert not any(note.startswith("back to back") for note in result.assumptions)


def test_no_interval_is_longer_than_a_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for the end of a run before the next one has that."""
    chip, work = load_chip("int8_edge"), load_workload("digits_cnn", 1)
    settled = module._settled

    def slow(*arguments: object) -> module.Stream:
        made = settled(*arguments)  # type: ignore[arg-type]
        return replace(made, interval=1e12)

    monkeypatch.setattr(module, "_settled", slow)
    found, single = steady(chip, work, plan_at_home(chip, work)), run(chip, work)
    assert (found.seconds, found.first, found.runs) == (single.seconds, single.seconds, 1)
    assert found.energy.total == pytest.approx(single.joules, rel=1e-12, abs=0.0)


def test_runs_that_memory_does_not_hold_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    one = lone("int8_edge", "digits_cnn")
    monkeypatch.setenv("ACCELSIM_MEMORY", str(100 << 20))
    with pytest.raises(InputError, match="in 7 runs back to back"):
        module._settled(one, False, None)


def test_a_run_prints_and_saves_it(tmp_path: Path) -> None:
    words = [
        "run",
        CHIP,
        "digits_mlp",
        "--batch",
        "2",
        "--throughput",
        "--out",
        str(tmp_path / "a"),
    ]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    chip, work = load_chip(CHIP), load_workload("digits_mlp", 2)
    found = steady(chip, work, plan_at_home(chip, work))
    whole = json.loads((tmp_path / "a" / "result.json").read_text())
    assert whole["steady_state_seconds"] == found.seconds
    assert whole["steady_state_inferences_per_second"] == 2 / found.seconds
    assert whole["steady_state_energy_per_inference_joules"] == found.energy.total / 2
    assert whole["steady_state_first_result_seconds"] == found.first
    assert whole["steady_state_measured_runs"] is None
    assert f"and then one every {found.seconds * 1e3:.4g} ms" in done.output
