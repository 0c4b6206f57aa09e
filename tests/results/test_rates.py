"""Inferences and tokens of a run by the workload's own batch; labels; what a template and a diff say."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from accelsim import api
from accelsim.cli.main import cli
from accelsim.config.writer import workload_yaml
from accelsim.errors import InputError
from accelsim.results.files import to_dict
from accelsim.results.labels import told_apart
from accelsim.sweeps.measures import basic


def invoke(*words: str) -> str:
    done = CliRunner().invoke(cli, words, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.output


def test_an_inference_is_the_workloads_batch() -> None:
    """A trace of 128 rows of one inference: energy an inference is that of the run, not 1/128."""
    chip, work = api.load_chip("int8_edge"), api.load_workload("small_gemm")
    one = api.run(chip, dataclasses.replace(work, batch=1, tokens=64))
    many = api.run(chip, work)  # batch: 64
    for result, batch, tokens in ((one, 1, 64), (many, 64, 0)):
        whole = to_dict(result)
        assert whole["energy_per_inference_joules"] == result.joules / batch
        assert whole["inferences_per_second"] == batch / result.seconds
        assert whole.get("tokens_per_second", 0.0) == tokens / result.seconds
        found = basic(
            chip, result.makespan, result.tick_hz, result.energy, work.macs, batch, tokens
        )
        assert found["energy_per_inference_joules"] == pytest.approx(
            result.joules / batch, rel=1e-9, abs=0.0
        )
        assert found.get("tokens_per_second", 0.0) == pytest.approx(
            tokens / result.seconds, rel=1e-9, abs=0.0
        )


@pytest.mark.parametrize(
    ("name", "batch", "tokens"),
    [
        ("bert_base", 1, 128),
        ("resnet18", 1, 0),
        ("speech_dnn", 256, 0),
        ("gpt2_decode", 1, 1),
        ("transformer_base", 1, 64),
        ("dlrm", 128, 0),
    ],
)
def test_shipped_traces_state_their_batch(name: str, batch: int, tokens: int) -> None:
    work = api.load_workload(name)
    assert (work.batch, work.tokens, work.inferences) == (batch, tokens, batch)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bert_base", "has no batch to replace"),
        ("speech_lstm", "has no batch to replace"),
        ("gpt2_decode", "does not reach word"),
    ],
)
def test_a_batch_that_does_not_reach_every_tensor_is_refused(name: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        api.load_workload(name, 8)
    assert len(caught.value.problems) == 1
    assert (
        api.load_workload(name, api.load_workload(name).inferences).macs
        == api.load_workload(name).macs
    )


@pytest.mark.parametrize(
    "name", ["small_cnn", "digits_residual", "resnet18", "speech_dnn", "small_gemm"]
)
def test_a_batch_scales_everything(name: str) -> None:
    one = api.load_workload(name)
    more = api.load_workload(name, 3 * one.inferences)
    assert more.macs == 3 * one.macs and more.inferences == 3 * one.inferences
    assert more.parameters == one.parameters


def test_a_converted_trace_keeps_its_batch(tmp_path: Path) -> None:
    path = tmp_path / "again.yaml"
    path.write_text(workload_yaml(api.load_workload("bert_base")))
    again = api.load_workload(path)
    assert (again.batch, again.tokens) == (1, 128)


def test_a_trace_without_a_batch_says_what_it_takes(tmp_path: Path) -> None:
    path = tmp_path / "rows.yaml"
    path.write_text(
        "name: rows\ninputs: {x: [16, 8]}\noperators:\n- {name: fc, kind: gemm, input: x, n: 4}\n"
    )
    text = invoke("run", "int8_edge", str(path), "--throughput")
    assert "an inference is a row of x [16, 8]: the workload states no batch" in text
    rates = [
        float(x.replace(",", ""))
        for x in re.findall(r"a run, ([\d.,e+]+) inferences a second", text)
    ]
    assert len(rates) == 2 and rates[1] >= rates[0]
    micro = float(re.search(r"([\d.,]+) uJ an inference", text).group(1))  # type: ignore[union-attr]
    result = api.run(api.load_chip("int8_edge"), api.load_workload(path))
    assert micro == pytest.approx(1e6 * result.joules / 16, rel=1e-3, abs=0.0)


def test_names_that_are_equal_are_told_apart() -> None:
    assert told_apart(["a", "a", "b"], ["x/one.yaml", "x/two.y", ""]) == [
        "a (one.yaml)",
        "a (two.y)",
        "b",
    ]
    assert told_apart(["a", "a"], ["x/one.yaml", "y/one.yaml"]) == [
        "a (x/one.yaml)",
        "a (y/one.yaml)",
    ]
    assert told_apart(["a", "a"], ["one.yaml", "one.yaml"]) == [
        "a (one.yaml) #1",
        "a (one.yaml) #2",
    ]


def test_a_new_sweep_has_no_answer(tmp_path: Path) -> None:
    invoke("init", str(tmp_path / "mine"), "--template", "sweep")
    text = (tmp_path / "mine.yaml").read_text()
    assert "answer" not in text and "question:" in text
    assert "array_size" not in invoke("check", str(tmp_path / "mine.yaml")).split("sweep")[0]
