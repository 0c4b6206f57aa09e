"""A step of training as a part of a job: options, files, values, and everything that is wrong with it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import accelsim
from accelsim import Job, verbs
from accelsim.cli.main import cli
from accelsim.errors import InputError
from accelsim.job import load_job
from accelsim.results import files
from accelsim.training import Adam, Sgd, expand

CHIP = "fp8_64"


def said(*words: str) -> str:
    done = CliRunner().invoke(cli, ["run", CHIP, *words])
    assert isinstance(done.exception, InputError), done.output
    return str(done.exception)


def test_a_job_has_the_step_that_expand_makes() -> None:
    network = accelsim.load_workload("digits_mlp", batch=8)
    for asked, wanted in (
        (
            {"rate": 0.2, "momentum": 0.5, "decay": 0.01},
            expand(network, optimiser=Sgd(0.2, 0.5, 0.01)),
        ),
        (
            {"optimiser": "adam", "betas": [0.8, 0.9], "step": 3, "loss": "mean_square_error"},
            expand(network, "mean_square_error", Adam(betas=(0.8, 0.9), step=3)),
        ),
        ({"frozen": "fc1.*, fc2.bias"}, expand(network, frozen=["fc1.*", "fc2.bias"])),
        ({"frozen": ["fc1.*"]}, expand(network, frozen=["fc1.*"])),
    ):
        result = verbs.run(Job(chip=CHIP, workload="digits_mlp", batch=8, step=asked))
        assert result.workload.operators == wanted.operators


def test_options_files_and_python_are_one_job(tmp_path: Path) -> None:
    words = ["digits_mlp", "--batch", "8", "--step", "optimiser=adam", "--step", "betas=[0.8, 0.9]"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # long names leave pictures room
        done = CliRunner().invoke(cli, ["run", CHIP, *words, "--out", str(tmp_path / "run")])
    assert done.exit_code == 0, done.output
    job = load_job(tmp_path / "run/job.yaml")
    assert job.step == {"optimiser": "adam", "betas": [0.8, 0.9]}
    again = files.contents(verbs.run(job))
    assert again["result.json"] == (tmp_path / "run/result.json").read_bytes()
    more = CliRunner().invoke(
        cli, ["run", "--job", str(tmp_path / "run/job.yaml"), "--step", "rate=0.5", "--json"]
    )
    assert more.exit_code == 0 and '"roles"' in more.output


def test_values_of_a_step_of_digits() -> None:
    """Images and labels of the shipped file are a step's inputs; moments begin as zeros."""
    with np.load(str(accelsim.load_workload("digits_mlp").values)) as stored:
        before = dict(stored)
    # a second moment of small gradients falls below 1-6-9, so that Adam's steps are larger than they should be
    for asked, most in (({"rate": 0.1, "momentum": 0.9}, 0.05), ({"optimiser": "adam"}, 4.0)):
        result = verbs.run(Job(chip=CHIP, workload="digits_mlp", input="digits", step=asked))
        assert result.values is not None
        outputs = result.values.outputs
        assert 0.09 < float(outputs["loss"][0, 0]) < 0.1  # a trained network's, 0.0932 in float
        for name in before.keys() & {"fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"}:
            assert 0 < np.abs(outputs[f"{name}.next"] - before[name]).max() < most


def test_seeded_labels_are_classes() -> None:
    job = Job(
        chip=CHIP, workload="small_cnn", batch=64, values="seeded", step={"rate": 0.1}, seed=3
    )
    result = verbs.run(job)
    assert result.values is not None and result.values.outputs["loss"][0, 0] > 1.0


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (["loss=hinge"], ["--step: loss: is 'hinge'; write one of cross_entropy"]),
        (["optimiser=lion"], ["--step: optimiser: is 'lion'; write one of sgd, adam"]),
        (
            ["momentun=0.9", "rate=x"],
            ["momentun: is no key of sgd", "rate: is 'x'; write a number"],
        ),
        (["optimiser=adam", "momentum=0.9"], ["momentum: is no key of adam"]),
        (["optimiser=adam", "betas=0.9"], ["betas: is 0.9; write two numbers"]),
        (["optimiser=adam", "betas=[0.9, 2]"], ["betas: has betas [0.9, 2] and step 1"]),
        (["optimiser=adam", "step=1.5"], ["step: is 1.5; write a number"]),
        (["rate=0"], ["rate: is 0; write a number above 0"]),
        (["rate=-1", "decay=7"], ["rate: is -1", "decay: is 7"]),
        (["rate=true"], ["rate: is True; write a number"]),
        (["frozen=7"], ["'7' is no stored tensor"]),
        (["frozen=conv*"], ["'conv*' is no stored tensor"]),
        (["frozen=*"], ["depends on no tensor that is trained"]),
        (["rate"], ["rate: is no key with its value; write --step rate=0.1"]),
        (["rate=1", "rate=2"], ["rate: is given twice"]),
    ],
)
def test_wrong_steps(words: list[str], lines: list[str]) -> None:
    found = said("digits_mlp", *(part for word in words for part in ("--step", word)))
    assert all(line in found for line in lines), found


def test_wrong_keys_of_a_file_have_their_line(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(
        f"chip: {CHIP}\nworkload: digits_mlp\nstep:\n  rate: 0.1\n  lost: 3\n"
    )
    with pytest.raises(InputError, match=r"job.yaml:5:9: step.lost: is no key of sgd"):
        verbs.run(load_job(tmp_path / "job.yaml"))


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            {"labels": np.full(6, 10)},
            "targets: holds labels that are no class; give whole numbers from 0 to 9",
        ),
        ({"targets": np.full((6, 1), 0.5)}, "holds labels that are no class"),
        ({"labels": np.full(6, -1)}, "holds labels that are no class"),
        ({"labels": np.full(5, 1)}, "targets: are 5, the step reads 6"),
        ({"labels": None}, "targets: are none, the step reads 6"),
        ({"x": np.full((6, 64), np.nan)}, "x: holds NaN or infinity"),
    ],
)
def test_wrong_data(change: dict[str, Any], line: str, tmp_path: Path) -> None:
    arrays = {"x": np.zeros((6, 64)), "labels": np.arange(6)} | change
    np.savez(tmp_path / "d.npz", **{n: a for n, a in arrays.items() if a is not None})
    assert line in said("digits_mlp", "--input", str(tmp_path / "d.npz"), "--step", "rate=0.1")


def test_verbs_that_take_no_step() -> None:
    for verb, given in (("sensitivity", {"input": "digits"}), ("replay", {})):
        job = Job(chip=CHIP, workload="digits_mlp", step={"rate": 0.1}, **given)
        with pytest.raises(InputError, match="step"):
            verbs.job_for(verb, job)
