"""Wrong job files: each problem at its line and column, exit status 2, nothing written."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from accelsim import Job, verbs
from accelsim.cli.main import cli
from accelsim.errors import InputError
from tests.fuzz.mutate import edited
from tests.job.models import rated

HEAD = "chip: int8_edge\nworkload: small_cnn\n"
#: verb, document, "line:column: key: words of the message"
CASES = [
    ("run", "workload: small_cnn\n", "1:1: chip: is missing; add chip: int8_edge"),
    ("run", "chip: int8_edge\n", "1:1: workload: is missing"),
    ("run", HEAD + "bach: 2\n", "3:1: bach: there is no such key here; did you mean batch?"),
    ("run", HEAD + "batch: 0\n", "3:8: batch: 0 is outside 1..1048576"),
    ("run", HEAD + "batch: many\n", "3:8: batch: must be a whole number, not 'many'"),
    ("run", HEAD + "batch: [1, 2]\n", "3:8: batch: must be a whole number, not a list"),
    ("run", "chip: int8_egde\nworkload: small_cnn\n", "1:7: chip: int8_egde is neither a file"),
    ("run", "chip: int8_edge\nworkload: smal_cnn\n", "2:11: workload: smal_cnn is neither"),
    ("run", "chip: [int8_edge, int8_128]\nworkload: small_cnn\n", "1:7: chip: are 2 chips; run"),
    ("run", "chip: {a: 1}\nworkload: small_cnn\n", "1:7: chip"),
    ("run", "chip: int8_edge\nworkload: 7\n", "2:11: workload: must be text, not 7"),
    ("run", HEAD + "dims: {n: 2}\n", "3:11: dims.n: binds dimensions of ONNX model and ONNXim"),
    ("run", HEAD + "dims: {n: 0}\n", "3:11: dims.n: must be a whole number from 1 to"),
    ("run", HEAD + "dims: 3\n", "3:7: dims: must hold keys, not 3"),
    ("run", HEAD + "value: {sr: fast}\n", "3:13: value.sr: must be a number, not 'fast'"),
    ("run", HEAD + "value: {x: 1}\n", "value.x: fixes inputs of ONNX model"),
    ("run", HEAD + "set: {units.array.row: 8}\n", "3:24: set.units.array.row: there is no"),
    ("run", HEAD + "set: {unit.array.rows: 8}\n", "3:24: set.unit.array.rows: there is no key"),
    ("run", HEAD + "set: {units.array.rows: 0}\n", "3:25: set.units.array.rows: 0 is outside"),
    ("run", HEAD + "set: [1]\n", "3:6: set: must hold keys, not a list"),
    ("run", HEAD + "point: warp\n", "3:8: point: no operating point 'warp'"),
    ("run", HEAD + "engine: fast\n", "3:9: engine: 'fast' is not a choice here"),
    ("run", HEAD + "weights: warm\n", "3:10: weights: 'warm' is not a choice here"),
    ("run", HEAD + "search: time\n", "3:9: search: 'time' is not a choice here"),
    ("run", HEAD + "budget: 0\n", "3:9: budget: 0 is outside 1..100000"),
    ("run", HEAD + "fold: 1\n", "3:7: fold: must be true or false, not 1"),
    ("run", HEAD + "seed: -1\n", "3:7: seed: -1 is outside 0..999999999"),
    ("run", HEAD + "rounding: up\n", "3:11: rounding: 'up' is not a choice here"),
    ("run", HEAD + "calibrate: mse\n", "3:12: calibrate: needs inputs to compute"),
    ("run", HEAD + "input: digits\ncalibrate: best\n", "4:12: calibrate: 'best' is no method"),
    ("run", HEAD + "input: no.npz\n", "3:8: input: no.npz"),
    ("run", HEAD + "input: digits\npercentile: 99\n", "4:13: percentile: is the percentile of"),
    ("run", HEAD + "bits: {conv9: 4}\n", "3:15: bits.conv9: matches no operator"),
    ("run", HEAD + "bits: {conv1: 9}\n", "3:7: bits"),
    ("run", HEAD + "bits: {conv1: [4]}\n", "3:15: bits.conv1: must be text, not a list"),
    ("run", HEAD + "edges: 1\n", "3:8: edges: 1 is outside 2..16"),
    ("run", HEAD + "image_mean: [0, 0, 0]\n", "image"),
    ("run", HEAD + "mapping: none.yaml\n", "3:10: mapping: none.yaml"),
    ("run", HEAD + "match: memory\n", "3:8: match: is not of run: of several chips"),
    ("run", HEAD + "format: 2\n", "3:9: format: is 2: a newer accelsim wrote this file"),
    ("run", HEAD + "parameters: {context: -1}\n", "3:23: parameters.context: must be a whole"),
    ("run", "- 1\n", "1:1: must hold keys, not a list"),
    ("run", HEAD + "batch: 2\nbatch: 3\n", "4:1"),
    ("run", HEAD + "values: random\n", "3:9: values: 'random' is not a choice here"),
    ("run", HEAD + "values: given\n", "3:9: values: are given by nothing"),
    ("compare", HEAD + "ages: 20 apples\n", "3:7: ages"),
    ("compare", HEAD + "match: weight\n", "3:8: match: there is no way to match by 'weight'"),
    ("compare", HEAD + "programmings: 0\n", "3:15: programmings: 0 is outside 1..1000"),
    (
        "sensitivity",
        HEAD + "to: 4\n",
        "1:1: input: is missing; add input: FILE.npz, or values: seeded",
    ),
    ("sensitivity", HEAD + "input: digits\nto: 9\n", "4:5: to: 9 is outside 2..8"),
    ("replay", HEAD + "batch: 4\n", "3:8: batch: is not of replay: the trace recorded it"),
    ("replay", "chip: int8_edge\nworkload: none\n", "2:11: workload: none"),
    ("sweep", HEAD + "sweep: array_size\n", "1:7: chip: is not of sweep: the sweep file says it"),
    ("sweep", "batch: 2\n", "1:1: sweep: is missing; add sweep: array_size"),
    ("sweep", "sweep: array_siz\n", "1:8: sweep: array_siz is neither a file nor a shipped"),
    ("explain", HEAD + "to: 5\n", "3:5: to: is not of explain"),
]


@pytest.mark.parametrize(("verb", "text", "said"), CASES, ids=[case[2][:40] for case in CASES])
def test_wrong_job_files(
    verb: str, text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("job.yaml").write_text(text)
    done = CliRunner().invoke(cli, [verb, "--job", "job.yaml"], standalone_mode=False)
    assert isinstance(done.exception, InputError), (done.output, done.exception)
    lines = [str(problem) for problem in done.exception.problems]
    wanted = f"job.yaml:{said}"
    assert any(line.startswith(wanted) or (said in line and "job" in line) for line in lines), lines
    assert [path.name for path in tmp_path.iterdir()] == ["job.yaml"]


def test_enough_of_them() -> None:
    assert len({(verb, text) for verb, text, _ in CASES}) >= 40


def test_exit_status(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(HEAD + "batch: 0\n")
    done = subprocess.run(
        [sys.executable, "-m", "accelsim.cli.main", "run", "--job", "job.yaml"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and done.stderr.startswith("job.yaml:3:8: batch: 0 is outside")


def test_python_jobs_are_held_to_the_same_rules() -> None:
    for made, said in (
        (Job(chip="int8_edge", workload="small_cnn", batch=0), "batch: 0 is outside"),
        (Job(chip="int8_edge", workload="small_cnn", dims={"n": -1}), "dims.n: must be a whole"),
        (Job(chip="int8_edge"), "workload: is missing"),
        (Job(chip="int8_edge", workload="small_cnn", to=5), "to: is not of run"),
    ):
        with pytest.raises(InputError, match=said):
            verbs.run(made)


def test_a_problem_of_a_model_is_at_the_key_that_asks_for_it(tmp_path: Path) -> None:
    path, arrays = rated(tmp_path)
    (tmp_path / "job.yaml").write_text(
        f"chip: int8_edge\nworkload: {path}\ninput: {arrays}\nvalue: {{sir: 3}}\n"
    )
    done = CliRunner().invoke(
        cli, ["run", "--job", str(tmp_path / "job.yaml")], standalone_mode=False
    )
    assert isinstance(done.exception, InputError)
    (problem,) = done.exception.problems
    assert (problem.line, problem.column) == (4, 8) and "has no input 'sir'" in problem.message


def test_a_file_beside_the_job_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from accelsim import load_job

    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    for place in (".", "sub"):
        np.savez(f"{place}/x.npz", x=np.ones((1, 64)))
    Path("sub/job.yaml").write_text("chip: int8_edge\nworkload: digits_mlp\ninput: x.npz\n")
    assert load_job("sub/job.yaml").input == "sub/x.npz"
    assert load_job("sub/job.yaml").workload == "digits_mlp"


def test_options_stand_above_the_file(tmp_path: Path) -> None:
    from accelsim.cli.job_options import items_of
    from accelsim.job import merged

    job = Job(chip="int8_edge", batch=2, dims={"a": 1}, set={"units.array.rows": 8})
    sets = ("units.array.rows=16", "units.array.columns=4", "workload.context=7")
    made = merged(job, items_of({"batch": 4, "dims": ("b=2",), "set": sets}))
    assert made == Job(
        chip="int8_edge",
        batch=4,
        dims={"a": 1, "b": 2},
        set={"units.array.rows": 16, "units.array.columns": 4},
        parameters={"context": 7},
    )


def test_the_table_of_options_is_what_the_parsers_take() -> None:
    root = Path(__file__).parents[2]
    sys.path.insert(0, str(root / "scripts"))
    from options import PAGE, with_tables  # type: ignore[import-not-found]

    page = PAGE.read_text("utf-8")
    assert with_tables(page) == page, "python scripts/options.py"


def test_each_verb_parses_the_options_of_the_record() -> None:
    from importlib import import_module

    from accelsim.job import VERBS, options

    for verb in VERBS:
        params = import_module(f"accelsim.cli.{verb}_command").command.params
        given = {name for item in params for name in item.opts}
        for name, option in options().items():
            if option.option and name not in ("layers",):
                assert (option.option in given) == (verb in option.verbs()), (verb, name)


def test_altered_jobs_and_traces_raise_nothing_else(tmp_path: Path) -> None:
    """Any edit of a job file or of a trace with parameters is read or refused, and what is read is written back."""
    from accelsim import api, load_job
    from accelsim.job import job_yaml
    from tests.workload.test_parameters import TRACE

    rng = random.Random(17)
    job = Job(
        chip=("int8_edge", "int8_128"),
        workload="small_cnn",
        dims={"n": 2},
        value={"sr": 1.5},
        parameters={"context": 4, "contexts": [1, 2]},
        bits={"conv*": "w4a8"},
        set={"units.array.rows": 8, "memories.dram.bandwidth": "8 GB/s"},
        layers=("a", "b"),
        ages="20 s,1 h",
        fold=False,
    )
    path = tmp_path / "altered.yaml"
    path.write_text(job_yaml(job))
    assert load_job(path) == job
    sources = [yaml.safe_load(text) for text in (job_yaml(job), TRACE)]
    read = 0
    for number in range(400):
        path.write_text(json.dumps(edited(sources[number % 2], rng)))
        try:
            if number % 2:
                api.load_workload(path)
                continue
            made = load_job(path)
        except InputError as error:
            assert error.problems
            continue
        read += 1
        path.write_text(job_yaml(made))
        assert load_job(path) == made
    assert read > 20
