"""The same job by options, by a file and in Python gives the same bytes, for every verb that takes one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from accelsim import Job, load_job, verbs
from accelsim.cli.main import cli
from accelsim.job import VERBS, job_yaml
from accelsim.results import files
from accelsim.store.export import write_points
from accelsim.sweeps.asked import How
from tests.job.models import rated

SWEEP = """
name: two
bases: {edge: {chip: int8_edge}}
workloads:
  - digits_mlp
vary: [{key: units.array.rows, values: [8, 16]}]
measures: [latency, energy, signal_to_noise_db]
"""


def by_command(folder: Path, *words: str) -> str:
    done = CliRunner().invoke(cli, list(words), standalone_mode=False)
    assert done.exception is None, (words, done.output, done.exception)
    return done.output


def contents(folder: Path) -> dict[str, bytes]:
    """Files of a result, but those that name the time and the command."""
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if path.suffix in (".json", ".csv", ".npz", ".yaml") and "points" not in path.name
    }


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("in") / "few.npz"
    images = np.linspace(0, 1, 4 * 64).reshape(4, 64)
    np.savez(path, x=images, labels=np.arange(4))
    return str(path)


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory, inputs: str) -> str:
    folder = tmp_path_factory.mktemp("trace")
    by_command(
        folder,
        "run",
        "int8_edge",
        "digits_mlp",
        "--input",
        inputs,
        "--save-trace",
        str(folder / "t"),
    )
    return str(folder / "t")


def three_ways(
    folder: Path,
    verb: str,
    words: list[str],
    job: Job,
    python: Callable[[Job], dict[str, bytes]],
) -> None:
    """Files by options, by the job's file and by the Python function are equal."""
    (folder / "job.yaml").write_text(job_yaml(job))
    out = ["--out", str(folder / "a")]
    by_command(folder, verb, *words, *out)
    first = contents(folder / "a")
    by_command(folder, verb, "--job", str(folder / "job.yaml"), "--out", str(folder / "b"))
    assert contents(folder / "b") == first
    made = python(load_job(folder / "job.yaml"))
    assert {name: made[name] for name in first} == first
    assert load_job(folder / "a/job.yaml") == job


def test_run(tmp_path: Path, inputs: str) -> None:
    job = Job(
        chip="pcm_8level",
        workload="digits_mlp",
        input=inputs,
        bits={"fc1": "8"},
        set={"units.tiles.seed": 3},
        calibrate="mse",
        seed=2,
        weights="cold",
    )
    words = ["pcm_8level", "digits_mlp", "--input", inputs, "--bits", "fc1=8", "--calibrate", "mse"]
    words += ["--set", "units.tiles.seed=3", "--seed", "2", "--weights", "cold"]
    three_ways(tmp_path, "run", words, job, lambda one: files.contents(verbs.run(one)))


def test_compare(tmp_path: Path, inputs: str) -> None:
    job = Job(
        chip=("int8_edge", "pcm_8level"),
        workload="digits_mlp",
        input=inputs,
        ages="20 s,1 h",
        programmings=2,
        match="memory",
        rounding="gemmlowp",
    )
    words = ["int8_edge", "pcm_8level", "-w", "digits_mlp", "--input", inputs, "--ages", "20 s,1 h"]
    words += ["--programmings", "2", "--match", "memory", "--rounding", "gemmlowp"]

    def python(one: Job) -> dict[str, bytes]:
        return {**contents(tmp_path / "a"), **verbs.compared_files(verbs.compare(one), one)}

    three_ways(tmp_path, "compare", words, job, python)


def test_sensitivity(tmp_path: Path, inputs: str) -> None:
    job = Job(chip="int8_edge", workload="digits_mlp", input=inputs, to=3, calibrate="percentile")
    words = ["int8_edge", "digits_mlp", "--input", inputs, "--to", "3", "--calibrate", "percentile"]

    def python(one: Job) -> dict[str, bytes]:
        return verbs.listed_files(verbs.sensitivity(one), one)

    three_ways(tmp_path, "sensitivity", words, job, python)


def test_replay(tmp_path: Path, trace: str) -> None:
    job = Job(chip="int8_128", workload=trace, layers=("fc*",), weights="resident")
    words = ["int8_128", trace, "--layer", "fc*", "--weights", "resident"]

    def python(one: Job) -> dict[str, bytes]:
        return verbs.replayed_files(verbs.replay(one), one)

    three_ways(tmp_path, "replay", words, job, python)


def test_report(tmp_path: Path) -> None:
    job = Job(chip="int8_edge", workload="small_cnn", batch=2)
    words = ["--chip", "int8_edge", "--workload", "small_cnn", "--batch", "2"]

    def python(one: Job) -> dict[str, bytes]:
        folder = tmp_path / "c"
        folder.mkdir()
        verbs.report([one], folder)
        page = (folder / "report.html").read_bytes()
        assert page == (tmp_path / "a/report.html").read_bytes()
        assert page == (tmp_path / "b/report.html").read_bytes()
        return contents(folder)

    three_ways(tmp_path, "report", words, job, python)


def test_explain(tmp_path: Path) -> None:
    job = Job(chip="int8_edge", workload="small_cnn", batch=2, search="cycles", budget=2)
    (tmp_path / "job.yaml").write_text(job_yaml(job))
    words = ["--chip", "int8_edge", "-w", "small_cnn", "--batch", "2", "--search", "cycles"]
    first = by_command(tmp_path, "explain", *words, "--budget", "2")
    assert first == by_command(tmp_path, "explain", "--job", str(tmp_path / "job.yaml"))
    assert first == by_command(tmp_path, "explain", str(tmp_path / "job.yaml"))
    assert first == verbs.explain(load_job(tmp_path / "job.yaml"))
    assert "what lowers time most" in first


def test_sweep(tmp_path: Path, inputs: str) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(SWEEP)
    job = Job(sweep=str(path), input=inputs, calibrate="mse", edges=8, set={"repeats": 1})
    (tmp_path / "job.yaml").write_text(job_yaml(job))
    words = [
        str(path),
        "--input",
        inputs,
        "--calibrate",
        "mse",
        "--edges",
        "8",
        "--set",
        "repeats=1",
    ]
    common = ["--executor", "serial"]
    for name, said in (("a", words), ("b", ["--job", str(tmp_path / "job.yaml")])):
        out = ["--store", str(tmp_path / name), "--export", str(tmp_path / f"{name}.csv")]
        by_command(tmp_path, "sweep", *said, *common, *out)
    done = verbs.sweep(
        load_job(tmp_path / "job.yaml"), How(store=str(tmp_path / "c"), executor="serial")
    )
    assert done.run.columns is not None
    write_points(tmp_path / "c", done.run.columns, str(tmp_path / "c.csv"), set(done.run.keys))
    first = (tmp_path / "a.csv").read_bytes()
    assert first == (tmp_path / "b.csv").read_bytes() == (tmp_path / "c.csv").read_bytes()
    assert first.count(b"\n") == 3 and b"signal_to_noise_db" in first


def test_every_verb_is_here() -> None:
    assert {f"test_{verb}" for verb in VERBS} <= set(globals())


def test_an_onnx_job(tmp_path: Path) -> None:
    """Dimensions from the arrays, an input fixed at a number, bits of one layer."""
    path, arrays = rated(tmp_path)
    job = Job(chip="int8_edge", workload=path, input=arrays, value={"sr": 16000.0}, edges=8)
    words = ["int8_edge", path, "--input", arrays, "--value", "sr=16000", "--edges", "8"]
    three_ways(tmp_path, "run", words, job, lambda one: files.contents(verbs.run(one)))
    for verb, more in (("compare", {"chip": ("int8_edge", "int8_128")}), ("sensitivity", {})):
        (tmp_path / verb).mkdir()
        changed: dict[str, Any] = {"chip": "int8_edge", **more}
        asked = Job(workload=path, input=arrays, value={"sr": 16000.0}, **changed)
        chips = ["int8_edge", "int8_128"] if verb == "compare" else ["int8_edge"]
        place = ["-w", path] if verb == "compare" else [path]

        def python(one: Job, verb: str = verb) -> dict[str, bytes]:
            if verb == "compare":
                old = contents(tmp_path / verb / "a")
                return {**old, **verbs.compared_files(verbs.compare(one), one)}
            return verbs.listed_files(verbs.sensitivity(one), one)

        words = [*chips, *place, "--input", arrays, "--value", "sr=16000"]
        three_ways(tmp_path / verb, verb, words, asked, python)
