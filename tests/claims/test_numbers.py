"""The claims on numbers: figures within their tolerances, against references of a few lines, at reduced size;
whole under the full mark."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from accelsim.claims import (
    chunked_inference,
    int4_inference,
    limited_precision,
    memory,
    stochastic_update,
    swamping,
)
from accelsim.claims.claim import Claim
from accelsim.claims.perceptron import Arithmetic, Network, Schedule, digits, train, with_ones
from accelsim.errors import InputError
from accelsim.numerics import Accumulation, matmul

BITS = {"fp16_169": 10, "bf16": 8, "fp16": 11}


def rounded(x: float, bits: int) -> float:
    """To nearest, ties to even, by Python's own rounding."""
    part, power = math.frexp(x)
    return math.ldexp(round(part * 2**bits), power - bits)


def drawn(claim: Claim, folder: Path) -> None:
    assert claim.draw is not None
    claim.draw(folder)
    for end in ("png", "svg"):
        assert (folder / f"{claim.name}.{end}").stat().st_size > 10_000


def test_stalls(tmp_path: Path) -> None:
    """The sums of each run as plain Python adds them; the stall points for several seeds."""
    claim = swamping.compute(0, chunks=(8,))
    found = claim.figures
    assert found["stall least"] == found["stall most"] == 4096 and found["ones, chunk 64"] == 65536
    for name, bits in BITS.items():
        total = 0.0
        while total != (more := rounded(total + 1.0, bits)):
            total = more
        assert found[f"ones {name}"] == total
    assert found["ones dlfloat16"] == 2048
    assert abs(found["nearest, chunk 64 mean error"]) < 1e-3
    assert 1e-4 < found["nearest, chunk 64 deviation"] < 6e-3
    assert 0.01 < found["stochastic deviation"] < 0.05 and abs(found["fp32 mean error"]) < 1e-6
    assert 1.0 <= found["chunk 8 over 2048"] < 1.05 and found["chunk 8 gained"] < 0.01
    drawn(claim, tmp_path)
    terms = swamping.uniform(16384, 2, 9)
    assert abs(terms.mean() - 1.0) < 0.02 and abs(terms.std() - 1.0) < 0.02
    for chunk, how in ((16384, Accumulation("fp16_169")), (64, Accumulation("fp16_169", chunk=64))):
        wanted = []
        for column in terms.T:
            total = 0.0
            for low in range(0, len(column), chunk):
                part = 0.0
                for x in column[low : low + chunk]:
                    part = rounded(part + float(x), 10)
                total = rounded(total + part, 10)
            wanted.append(total)
        assert swamping.running(terms, how, 16)[-1].tolist() == wanted
    assert wanted[0] > 15000


@pytest.mark.full
@pytest.mark.parametrize("seed", [0, 1])
def test_all_stalls(seed: int) -> None:
    found = swamping.compute(seed).figures
    assert found["stall least"] == found["stall most"] == 4096
    for chunk in swamping.CHUNKS:
        assert (
            abs(found[f"chunk {chunk} over 2048"] - 1.0) < 0.03
            and found[f"chunk {chunk} gained"] < 0.01
        )
    assert abs(found["nearest, chunk 64 mean error"]) < 1.5e-3


def test_chunked_inference(tmp_path: Path) -> None:
    claim = chunked_inference.compute(0, runs=1, turns=(20,), sums=("none", "64", "fp32"))
    found = claim.figures
    sigma = math.sqrt(0.25 / 500)  # of 500 images, at most
    for name, known in chunked_inference.PUBLISHED.items():
        assert abs(found[name] - known) < 2 * sigma + 0.01
    drawn(claim, tmp_path)
    x, labels = digits()[2:]
    equal = chunked_inference.shares(np.zeros((64, 10)), x[:50], labels[:50], ("none", "64"), 0)
    assert set(equal.values()) == {float((labels[:50] == 0).mean())}
    large = chunked_inference.enlarged(np.arange(64.0)[None])
    assert np.array_equal(
        large, np.kron(np.arange(64.0).reshape(8, 8), np.ones((8, 8))).reshape(1, -1)
    )


def test_adders_of_the_classifier() -> None:
    ones, found = np.ones((1, 1536)), {}
    for name in chunked_inference.SUMS:
        found[name] = matmul(ones, ones.T, chunked_inference.accumulation(name, 3))[0, 0]
    assert found.pop("none") == 1024
    assert abs(found.pop("stochastic") - 1536) < 150
    assert found.pop("1024") == 1536 and set(found.values()) == {1536}


@pytest.mark.full
def test_all_chunks() -> None:
    found = chunked_inference.compute(1).figures
    for name, known in chunked_inference.PUBLISHED.items():
        images = math.sqrt(known * (1 - known) / 500)
        assert abs(found[name] - known) < 2 * math.hypot(found[f"{name} deviation"], images)
    assert (
        found["none"] < found["none, 100 turns"] < found["none, 500 turns"] < found["64, 500 turns"]
    )


def test_stochastic_update(tmp_path: Path) -> None:
    claim = stochastic_update.compute(0, 1, Schedule(hidden=100, rate=0.01, batch=64, passes=10))
    found = claim.figures
    assert found["float"] > 0.6 and abs(found["stochastic"] - found["float"]) < 0.06
    assert found["nearest"] < found["float"] - 0.3
    assert 0 < found["nearest moved"] < 0.05 < found["stochastic moved"] < found["float moved"]
    drawn(claim, tmp_path)
    made = train(stochastic_update.WAYS["nearest"], Schedule(100, 0.01, 64, 1), 0)
    values = np.unique(np.abs(made.weights[0]))
    part = np.frexp(values)[0] * 64  # a leading one and five bits
    assert np.array_equal(part, np.round(part)) and len(values) > 50


@pytest.mark.full
def test_all_updates() -> None:
    """Stochastic as float; nearest far below, within two deviations of what is known."""
    found = stochastic_update.compute(0).figures
    known = stochastic_update.PUBLISHED
    assert abs(found["stochastic"] - found["float"]) < 0.01
    for name in known:
        images = math.sqrt(known[name] * (1 - known[name]) / 500)
        assert abs(found[name] - known[name]) < 2 * math.hypot(found[f"{name} deviation"], images)


def test_limited_precision(tmp_path: Path) -> None:
    schedule = Schedule(hidden=100, rate=0.125, batch=64, passes=10, deviation=0.01)
    claim = limited_precision.compute(0, 1, schedule, (8,))
    found = claim.figures
    assert found["8 nearest_even"] < 0.2 and found["float"] > 0.8
    assert abs(found["8 stochastic"] - found["float"]) < 0.03
    drawn(claim, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("seed", [0, 5])
def test_all_of_limited_precision(seed: int) -> None:
    found = limited_precision.compute(seed).figures
    assert found["8 nearest_even"] < 0.2
    for fraction in limited_precision.FRACTIONS:
        assert abs(found[f"{fraction} stochastic"] - found["float"]) <= 0.005
    known = limited_precision.PUBLISHED["8 stochastic"]
    assert abs(found["8 stochastic"] - known) < 0.016  # two deviations of 500 images


def test_a_fixed_point_step_by_hand() -> None:
    """One step of a network against whole numbers: forward, errors, sums, shift, rounding, saturation."""
    how, schedule = (
        limited_precision.fixed(8, "nearest_even"),
        Schedule(100, 0.125, 64, 1, deviation=0.5),
    )
    network = Network(how, schedule, 3)
    x, labels = (part[:64] for part in digits()[:2])
    x = with_ones(x)

    def near(value: np.ndarray, shift: int = 0) -> np.ndarray:
        """Whole numbers over 2^shift to nearest even, then 16 bits."""
        half = value / 2**shift
        return np.clip(np.rint(half), -(2**15), 2**15 - 1).astype(np.int64)

    first, second = (np.rint(w * 256).astype(np.int64) for w in network.weights)
    pixels = np.rint(x * 256).astype(np.int64)
    hidden = np.maximum(near(pixels @ first, 8), 0)
    hidden = np.concatenate([hidden, np.full((64, 1), 256)], axis=1)
    scores = near(hidden @ second, 8)
    got_hidden, got_scores = network.forward(x)
    assert np.array_equal(got_hidden * 256, hidden) and np.array_equal(got_scores * 256, scores)
    raised = np.exp((scores - scores.max(axis=1, keepdims=True)) / 256)
    error = near((raised / raised.sum(axis=1, keepdims=True) - np.eye(10)[labels]) * 256)
    back = near(error @ second[:-1].T, 8) * (hidden[:, :-1] > 0)
    network.step(x, labels, schedule.rate)
    for number, (old, change) in enumerate(((first, pixels.T @ back), (second, hidden.T @ error))):
        wanted = near(old * 2**17 - change, 17)  # rate / batch is 2^-9
        assert np.array_equal(np.rint(network.weights[number] * 256), wanted)
        assert (wanted != old).any()


def test_small_updates() -> None:
    """Updates below half a spacing: to nearest none moves a weight, by chance some do, a spacing at most."""
    x, labels = (part[:64] for part in digits()[:2])
    for rounding, most in (("nearest_even", 0.0), ("stochastic", 0.5)):
        how = limited_precision.fixed(8, rounding)
        network = Network(how, Schedule(100, 0.125, 64, 1, deviation=0.01), 3)
        before = [w.copy() for w in network.weights]
        moved = network.step(with_ones(x), labels, 2.0**-10)
        steps = [np.abs(b - w) * 256 for b, w in zip(before, network.weights, strict=True)]
        assert moved == sum(float((s > 0).sum()) for s in steps) / sum(s.size for s in steps)
        assert max(float(s.max()) for s in steps) <= 1.0
        assert moved == 0 if most == 0 else 0 < moved < most


def test_seeds_and_parts() -> None:
    """The same seed gives the same bits, another one others; a network needs formats with a grid."""
    schedule = Schedule(100, 0.05, 64, 1)
    one, two, other = (
        train(Arithmetic("fp16_169"), schedule, seed, images=128).weights for seed in (0, 0, 1)
    )
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert not np.array_equal(one[0], other[0])
    with pytest.raises(InputError):
        train(Arithmetic("no_format"), schedule, 0)
    x, labels, seen, truth = digits()
    assert len(x) == len(labels) == 1297 and len(seen) == len(truth) == 500
    assert not {row.tobytes() for row in x} & {row.tobytes() for row in seen}


def test_int4_inference(tmp_path: Path) -> None:
    claim = int4_inference.compute(0, ("digits_mlp",), 200)
    found = {key.removeprefix("digits_mlp "): value for key, value in claim.figures.items()}
    quad = [
        {
            key.split()[-1]: value
            for key, value in found.items()
            if key.startswith(f"ibm_quad_like {form} ")
        }
        for form in ("fp16_169", "int8", "int4")
    ]
    for key in ("joules", "core", "cycles", "bytes"):
        values = [one[key] for one in quad]
        assert values == sorted(values, reverse=True) and values[-1] < 0.7 * values[0]
    parameters = 64 * 128 + 128 + 128 * 10 + 10
    assert [
        found[f"ibm_quad_like {form} weight bytes"] for form in ("fp16_169", "int8", "int4")
    ] == [2 * parameters, parameters, parameters / 2]
    assert (
        all(one["top1"] > 0.95 for one in quad) and abs(quad[1]["top1"] - quad[1]["float"]) <= 0.005
    )
    drawn(claim, tmp_path)


def test_all_of_int4_inference() -> None:
    """The accuracies and bits of the runs that tests/numerics holds, from the same chips."""
    found = int4_inference.compute(0, ("digits_cnn",)).figures
    assert found["digits_cnn int8_edge int8 top1"] == found["digits_cnn ibm_quad_like int8 top1"]
    lost = found["digits_cnn int4_edge int4 float"] - found["digits_cnn int4_edge int4 top1"]
    assert 0 < lost <= 0.03
    wide, narrow = (
        found[f"digits_cnn ibm_quad_like {form} joules"] for form in ("fp16_169", "int4")
    )
    assert 3 < wide / narrow < 5


def test_memory(tmp_path: Path) -> None:
    """Every byte of the MLP counted by hand; a quarter where all is FP8."""
    claim = memory.compute(0)
    found = claim.figures
    first, last = 64 * 128 + 128, 128 * 10 + 10
    kept, errors = (64, 128, 10), (128, 10)
    assert found["digits_mlp fp32 bytes"] == 4 * (
        3 * (first + last) + 64 * (sum(kept) + sum(errors))
    )
    stored = 2 * (first + 2 * last) + 2 * 2 * (first + last)  # weights, gradients; master, momentum
    assert found["digits_mlp fp8 bytes"] == stored + 64 * 2 * (
        sum(kept) + sum(errors)
    )  # each at an end
    for name, _ in memory.NETWORKS:
        assert (
            found[f"{name} all in fp8"]
            == 0.25
            < found[f"{name} tensors"]
            < found[f"{name} whole"] + 0.25
        )
    assert found["resnet50 whole"] < 0.26 and found["speech_dnn whole"] > 0.4
    drawn(claim, tmp_path)
