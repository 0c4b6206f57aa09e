"""Seeded values: stated distributions, the same bits for a seed, signal to noise of networks without values."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from accelsim import Job, api, verbs
from accelsim.errors import InputError
from accelsim.numerics.seeded import marked, seed_of, seeded_inputs, seeded_tensors
from accelsim.results import files
from accelsim.results.load import load_run
from accelsim.workload import VectorOperator
from tests.job.models import rated

#: a transformer's layer at a small scale, every kind of tensor in it
LAYER = """name: layer
batch: 1
tokens: 6
inputs: {tokens: [6]}
constants: {words: [50, 32]}
operators:
  - {name: x, kind: gather, input: [words, tokens], shape: [6, 32]}
  - {name: n1, kind: layer_norm, input: x}
  - {name: q, kind: gemm, input: n1, n: 32, bias: true}
  - {name: k, kind: gemm, input: n1, n: 32, bias: true}
  - {name: v, kind: gemm, input: n1, n: 32, bias: true}
  - {name: turned, kind: rotary, input: q}
  - {name: qs, kind: reshape, input: turned, shape: [6, 4, 8]}
  - {name: qh, kind: transpose, input: qs, order: [1, 0, 2]}
  - {name: ks, kind: reshape, input: k, shape: [6, 4, 8]}
  - {name: kh, kind: transpose, input: ks, order: [1, 0, 2]}
  - {name: vs, kind: reshape, input: v, shape: [6, 4, 8]}
  - {name: vh, kind: transpose, input: vs, order: [1, 0, 2]}
  - {name: scores, kind: gemm, input: qh, n: 6, weight: kh, weight_transposed: true}
  - {name: weights, kind: softmax, input: scores}
  - {name: mix, kind: gemm, input: weights, n: 8, weight: vh}
  - {name: back, kind: transpose, input: mix, order: [1, 0, 2]}
  - {name: joined, kind: reshape, input: back, shape: [6, 32]}
  - {name: out, kind: gemm, input: joined, n: 32, bias: true}
  - {name: sum, kind: add, input: [out, x]}
  - {name: n2, kind: rms_norm, input: sum}
  - {name: up, kind: gemm, input: n2, n: 64, bias: true, activation: relu}
  - {name: down, kind: gemm, input: up, n: 32}
  - {name: last, kind: slice, input: down, shape: [1, 32]}
  - {name: logits, kind: gemm, input: last, n: 50, weight: words, weight_transposed: true}
"""


def test_marks() -> None:
    assert seed_of(marked(7)) == 7
    assert [seed_of(text) for text in (None, "x.npz", "seeded:", "seeded:x", "7")] == [None] * 5


def test_distributions_are_those_that_are_stated() -> None:
    work = api.load_workload("resnet18")
    values = seeded_tensors(work, 3)
    assert set(values) == {n for n, s in work.tensors.items() if s.role in ("weight", "bias")}
    for op in work.operators:
        if isinstance(op, VectorOperator):
            continue
        weight = values[op.weight].astype(np.float64)
        right = np.sqrt((2.0 if op.activation == "relu" else 1.0) / op.k)
        few = 4 / np.sqrt(weight.size)  # four standard errors
        assert abs(weight.std() / right - 1) < few and abs(weight.mean()) < few * right
        assert abs(np.mean((weight / weight.std()) ** 4) - 3) < 12 * few  # a normal's fourth moment
    ((name, image),) = seeded_inputs(work, 3).items()
    assert image.shape == work.tensors[name].shape and abs(image.std() - 1) < 0.02


def test_bits_are_a_function_of_seed_and_name_alone(tmp_path: Path) -> None:
    work = api.load_workload("small_cnn")
    first, again, other = (seeded_tensors(work, seed) for seed in (5, 5, 6))
    assert all((first[name] == again[name]).all() for name in first)
    assert not any((first[name] == other[name]).all() for name in first)
    digest = hashlib.sha256(b"".join(first[name].tobytes() for name in sorted(first)))
    larger = api.load_workload("small_cnn", batch=4)
    same = seeded_tensors(larger, 5)
    assert (
        digest.digest()
        == hashlib.sha256(b"".join(same[name].tobytes() for name in sorted(same))).digest()
    )
    one, four = seeded_inputs(work, 5)["image"], seeded_inputs(larger, 5)["image"]
    assert (four[:1] == one).all()  # more images are more elements


@pytest.mark.parametrize("chip", ["int8_edge", "int4_edge", "fp8_64"])
def test_a_transformers_layer_has_signal_to_noise(chip: str, tmp_path: Path) -> None:
    (tmp_path / "layer.yaml").write_text(LAYER)
    job = Job(chip=chip, workload=str(tmp_path / "layer.yaml"), values="seeded", seed=4)
    result = verbs.run(job)
    assert result.values is not None
    noise = result.values.signal_to_noise_db
    least = {"int8_edge": 15, "int4_edge": 0, "fp8_64": 5}[chip]
    assert least < noise["logits"] < 60 and np.isfinite(noise["scores"])
    tokens = seeded_inputs(result.workload, 4)["tokens"]
    assert tokens.min() >= 0 and tokens.max() < 50 and len(set(tokens.tolist())) > 1
    text = " ".join(result.assumptions)
    assert "weights and missing inputs are seeded:4" in text
    files.save(result, tmp_path / "run")
    assert load_run(tmp_path / "run").workload == result.workload
    again = verbs.run(Job(chip=chip, workload=job.workload, values="seeded", seed=4))
    assert files.contents(again) == {**files.contents(result)}


def test_what_is_given_stays(tmp_path: Path) -> None:
    """A workload's own values and given inputs are kept; what is missing is seeded."""
    own = verbs.run(Job(chip="int8_edge", workload="digits_mlp", values="seeded"))
    assert own.values is not None and str(own.workload.values).endswith("digits_mlp.npz")
    path, arrays = rated(tmp_path)
    state = np.load(arrays)["state"]
    np.savez(tmp_path / "part.npz", state=state, other=state)
    job = Job(
        chip="int8_edge",
        workload=path,
        input=str(tmp_path / "part.npz"),
        value={"sr": 8000},
        values="seeded",
    )
    result = verbs.run(job)
    assert result.values is not None and result.values.checked is not None
    assert result.values.checked.tensors > 0  # onnxruntime computed the same of the seeded x
    with pytest.raises(InputError, match="no values for the input tensor 'x'"):
        verbs.run(
            Job(chip="int8_edge", workload=path, input=str(tmp_path / "part.npz"), value={"sr": 1})
        )


def test_none_computes_no_values(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.ones((4, 64)))
    job = Job(chip="int8_edge", workload="digits_mlp", input=str(tmp_path / "x.npz"), values="none")
    result = verbs.run(job)
    assert result.values is None and result.workload.inferences == 4


def test_other_verbs_take_seeded_values() -> None:
    found = verbs.compare(
        Job(chip=("int8_edge", "pcm_8level"), workload="small_cnn", values="seeded")
    )
    assert all(side.aged and np.isfinite(side.aged[0].decibels[0]) for side in found.sides)
    first, *_, last = verbs.sensitivity(
        Job(chip="int8_edge", workload="small_cnn", values="seeded", to=3)
    ).lines
    assert first.snr_db > last.snr_db + 10


def test_other_seeds_are_other_values() -> None:
    noise = [
        verbs.run(Job(chip="int4_edge", workload="small_cnn", values="seeded", seed=seed))
        for seed in (0, 1)
    ]
    codes = [next(iter(one.values.outputs.values())) for one in noise if one.values is not None]
    assert (codes[0] != codes[1]).any()


@pytest.mark.full
def test_resnet18_has_signal_to_noise() -> None:
    result = verbs.run(Job(chip="int8_edge", workload="resnet18", values="seeded"))
    assert result.values is not None
    assert 20 < result.values.signal_to_noise_db["fc"] < 60
