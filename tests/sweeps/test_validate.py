"""Chips of a sweep are built before anything runs: which ones, and where a wrong one points."""

from __future__ import annotations

import json
import time
from itertools import combinations as pairs_of
from pathlib import Path
from typing import Any

import pytest

from accelsim.config import chip_variants
from accelsim.config.sweep_combinations import MOST_POINTS
from accelsim.errors import InputError
from accelsim.sweeps import space
from accelsim.sweeps.validate import MOST_ALL, MOST_PAIRS, check, checked_sweep

ROWS, COLUMNS, LANES = "units.array.rows", "units.array.columns", "units.vector.lanes"
LATENCY, VOLTS = "units.vector.latency", "technology.voltage"


def written(folder: Path, **more: Any) -> Path:
    path = folder / "sweep.yaml"
    whole = {"name": "s", "bases": {"int8": "int8_edge"}, "workloads": ["small_gemm"], **more}
    path.write_text(json.dumps(whole, indent=1))
    return path


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Sets of every chip that is built."""
    found: list[dict[str, Any]] = []
    plain = chip_variants.Variants.chip

    def chip(self: Any, sets: Any = ()) -> Any:
        listed = list(sets)
        found.append({key: node.plain() for key, node in listed})
        return plain(self, listed)

    monkeypatch.setattr(chip_variants.Variants, "chip", chip)
    return found


def test_few_chips_are_all_built_once(tmp_path: Path, built: list[dict[str, Any]]) -> None:
    path = written(
        tmp_path,
        workloads=["small_gemm", "small_cnn"],
        vary=[
            {"key": ROWS, "range": {"from": 1, "to": 20, "step": 1}},
            {"key": LANES, "values": [1, 2, 3]},
            {"key": "search", "values": ["none", "edp"]},
            {"key": "batch", "values": [1, 2]},
        ],
    )
    spec, checked = checked_sweep(path)
    assert (checked.points, checked.designs) == (480, 240)
    wanted = {
        json.dumps(dict(pair for pair in p.sets if pair[0] != "batch")) for p in space.points(spec)
    }
    assert {json.dumps(sets) for sets in built} == wanted and len(wanted) == 60


def test_of_many_chips_every_pair_of_steps_is_built(
    tmp_path: Path, built: list[dict[str, Any]]
) -> None:
    steps = {ROWS: 7, COLUMNS: 8, LANES: 9, LATENCY: 10}
    path = written(
        tmp_path,
        vary=[
            {"key": key, "range": {"from": 1, "to": number, "step": 1}}
            for key, number in steps.items()
        ],
    )
    _, checked = checked_sweep(path)
    assert checked.points == checked.designs == 7 * 8 * 9 * 10 > MOST_ALL
    assert checked.built == len(built) < 7 * 8 + 7 * 9 + 7 * 10 + 8 * 9 + 8 * 10 + 9 * 10 + 34
    for (one, few), (other, more) in pairs_of(steps.items(), 2):
        assert {(sets[one], sets[other]) for sets in built} == {
            (a, b) for a in range(1, few + 1) for b in range(1, more + 1)
        }


def test_of_very_many_chips_a_bounded_number_is_built(tmp_path: Path) -> None:
    span = {"from": 1, "to": 1500, "step": 1}
    path = written(tmp_path, vary=[{"key": key, "range": span} for key in (ROWS, LANES)])
    begin = time.process_time()
    _, checked = checked_sweep(path)
    assert checked.points == 2_250_000 <= MOST_POINTS
    assert 3000 < checked.built < 2 * 1500 + MOST_PAIRS + 2
    assert time.process_time() - begin < 5


def test_a_wrong_pair_among_many_is_found_and_placed(tmp_path: Path) -> None:
    """A converter's range above the rows, in 2,700 combinations; the file's line and the combination."""
    path = written(
        tmp_path,
        bases={"pcm": "pcm_8level"},
        vary=[
            {"key": "units.tiles.rows", "range": {"from": 16, "to": 160, "step": 16}},
            {"key": "units.tiles.adc.range", "range": {"from": 1.0, "to": 17.0, "step": 1.0}},
            {"key": VOLTS, "range": {"from": "0.6 V", "to": "0.8 V", "step": "0.01 V"}},
        ],
    )
    with pytest.raises(InputError) as refused:
        checked_sweep(path)
    (problem,) = refused.value.problems
    assert problem.code == "crossbar.adc_range" and problem.file == str(path)
    assert "range" in path.read_text().splitlines()[problem.line - 1]
    assert "units.tiles.rows 16" in problem.message and "base pcm" in problem.message


def test_an_excluded_pair_is_not_built(tmp_path: Path) -> None:
    vary = [
        {"key": "units.tiles.rows", "values": [16, 32]},
        {"key": "units.tiles.adc.range", "values": [8.0, 20.0]},
    ]
    wrong = {"units.tiles.rows": 16, "units.tiles.adc.range": 20.0}
    only = {"bases": {"pcm": "pcm_8level"}, "vary": vary}
    with pytest.raises(InputError, match="20 full columns are more than 16 rows"):
        checked_sweep(written(tmp_path, **only))
    assert checked_sweep(written(tmp_path, **only, exclude=[wrong]))[1].designs == 3
    # excluded for one workload only: the chip still runs the other
    both = {
        **only,
        "workloads": ["small_gemm", "small_cnn"],
        "exclude": [{**wrong, "workload": "small_gemm"}],
    }
    with pytest.raises(InputError, match="20 full columns"):
        checked_sweep(written(tmp_path, **both))


def test_weights_that_do_not_fit_are_an_answer(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        bases={"pcm": "pcm_8level"},
        workloads=["resnet18"],
        vary=[{"key": "units.tiles.count", "values": [1, 800]}],
    )
    assert checked_sweep(path)[1].built == 2


def test_samples_are_built(tmp_path: Path, built: list[dict[str, Any]]) -> None:
    path = written(
        tmp_path,
        sample={"random": 100, "seed": 2},
        vary=[
            {"key": ROWS, "range": {"from": 1, "to": 64}},
            {"key": VOLTS, "range": {"from": "0.5 V", "to": "1 V"}},
        ],
    )
    spec, checked = checked_sweep(path)
    assert checked.built == checked.designs == checked.points == len(built)
    assert [dict(p.sets) for p in space.points(spec)] == built


def test_no_more_than_twenty_problems_are_listed(tmp_path: Path) -> None:
    path = written(tmp_path, measures=[f"m{i}" for i in range(50)])
    with pytest.raises(InputError, match="and 30 more") as refused:
        checked_sweep(path)
    assert len(refused.value.problems) == 21 and refused.value.problems[-1].code == "sweep.more"


def test_samples_that_exclusions_leave_nothing_of(tmp_path: Path) -> None:
    empty = 0
    for rule in (8, 16):
        path = written(
            tmp_path,
            sample={"random": 1},
            vary=[{"key": ROWS, "values": [8, 16]}],
            exclude=[{ROWS: rule}],
        )
        try:
            checked_sweep(path)
        except InputError as error:
            empty += [problem.code for problem in error.problems] == ["sweep.empty"]
    assert empty == 1


def test_sobol_without_scipy_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    path = written(
        tmp_path, sample={"sobol": 7, "seed": 11}, vary=[{"key": ROWS, "values": [8, 16]}]
    )
    with pytest.raises(InputError, match=r"accelsim\[sampling\]"):
        checked_sweep(path)


def test_check_counts_what_points_lists(tmp_path: Path) -> None:
    spec, checked = checked_sweep(Path(__file__).parents[1] / "config/sweep.yaml")
    assert checked.points == len(list(space.points(spec))) == check(spec).points == 112
