"""Ranges from values, precision by operator, what a layer costs, and inputs of every kind of file."""

from __future__ import annotations

import json
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from accelsim import api
from accelsim.cli.main import main
from accelsim.config.image_file import load_image
from accelsim.errors import InputError
from accelsim.numerics.quantize import affine, fixed_point, rescale_float32
from accelsim.numerics.ranges import SAWB, Calibration, clip, sawb, weight_clip
from accelsim.sensitivities import sensitivity
from accelsim.workload import VectorOperator
from accelsim.workload.precision import with_bits

ROOT = Path(__file__).parents[2]


def error(values: np.ndarray, low: float, high: float) -> float:
    quant = affine(low, high, "int4")
    return float(((quant.decode(quant.encode(values)) - values) ** 2).sum())


def test_methods_clip_as_they_say() -> None:
    values = np.abs(np.random.default_rng(3).normal(size=20_000)) ** 2
    ends = {
        how: clip(values, "int4", Calibration(how, percentile=99))
        for how in ("max", "percentile", "mse", "pact")
    }
    assert tuple(ends["max"]) == (values.min(), values.max())
    assert (values > ends["percentile"][1]).mean() == pytest.approx(0.01, abs=1e-3)
    assert ends["pact"][0] == 0 and ends["pact"][1] < values.max()
    for how in ("mse", "pact"):
        least = min(error(values, 0, share * values.max()) for share in np.linspace(0.1, 1, 91))
        assert error(values, *ends[how]) < 1.02 * least < error(values, *ends["max"])
    both = clip(values - 1, "int4", Calibration("pact"))  # no PACT clip below 0
    assert both[0] < 0 and tuple(both) == tuple(clip(values - 1, "int4", Calibration("mse")))


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_sawb_is_near_the_least_error(bits: int) -> None:
    """Its coefficients were fitted to that, over distributions like these."""
    weight = np.random.default_rng(5).normal(size=(4000, 4))
    first, second = SAWB[bits]
    alpha = sawb(weight, f"int{bits}")
    assert alpha == pytest.approx(
        first * np.sqrt((weight**2).mean()) + second * np.abs(weight).mean()
    )
    tops = {2: 1.0, 3: 3.0, 4: 7.0}[bits]

    def squared(high: float) -> float:
        scale = high / tops
        return float(((np.clip(np.rint(weight / scale), -tops, tops) * scale - weight) ** 2).mean())

    assert squared(alpha) < 1.35 * min(squared(high) for high in np.linspace(0.3, 5, 200))
    assert (weight_clip(weight, f"int{bits}", "sawb") == alpha).all()
    with pytest.raises(InputError, match="no coefficients"):
        sawb(weight, "int6")


def test_weight_clips_a_channel() -> None:
    weight = np.random.default_rng(5).normal(size=(500, 3)) * [1, 10, 100]
    assert (weight_clip(weight, "int4", "max") == np.abs(weight).max(axis=0)).all()
    found = weight_clip(weight, "int4", "mse")
    assert (found < np.abs(weight).max(axis=0)).all() and found[2] > 50 * found[0]


def test_float32_rescaling_is_two_roundings() -> None:
    rng = np.random.default_rng(2)
    sums = rng.integers(-(1 << 28), 1 << 28, 500)
    factor = np.float32(rng.uniform(1e-8, 1e-3, 500))
    multiplier, shift = fixed_point(factor.astype(np.float64))
    assert all(
        Fraction(int(m), 1 << int(s)) == Fraction(float(f))
        for m, s, f in zip(multiplier, shift, factor, strict=True)
    )
    assert (rescale_float32(sums, multiplier, shift) == np.rint(np.float32(sums) * factor)).all()


def test_rules_give_formats() -> None:
    work = api.load_workload("digits_cnn")
    made = with_bits(work, ["conv*=4", "conv2=w8", "fc=a8"], edges=6)
    macs = [op for op in made.operators if not isinstance(op, VectorOperator)]
    assert [(op.input_format, op.weight_format) for op in macs] == [
        ("int4", "int4"),
        ("int4", "int8"),
        ("int8", "int6"),
    ]
    assert with_bits(work, []) is work


def digits(count: int = 100) -> tuple[np.ndarray, np.ndarray]:
    with np.load(ROOT / "workloads/digits.npz") as file:
        return file["images"][:count, None] / 16, file["labels"][:count]


@pytest.mark.parametrize(
    ("activations", "weights"),
    [("max", ""), ("percentile", "mse"), ("mse", "max"), ("pact", "mse")],
)
def test_four_bits_stay_accurate(activations: str, weights: str) -> None:
    images, labels = digits()
    work = api.load_workload("digits_cnn", batch=50)
    made = api.run(
        api.load_chip("int4_edge"),
        work,
        {"x": images[:50]},
        labels=labels[:50],
        calibration=Calibration(activations, weights),
        samples={"x": images},
    )
    assert made.values is not None and made.values.scores["top1"] > 0.9
    assert any(activations in note for note in made.assumptions)


def test_wider_edges_and_pools_between_formats() -> None:
    """A pool whose input has 8 bits and whose output has 4 rescales."""
    images, labels = digits()
    found = sensitivity(
        api.load_chip("int8_edge"),
        api.load_workload("digits_cnn", batch=100),
        lambda chip, work, on: api.run(chip, work, {"x": images}, labels=labels, on=on),
    )
    lines, real = found.lines, found.top1_float
    assert [line.layer for line in (lines[0], lines[-1])] == ["", "*"] and real is not None
    assert {line.layer for line in lines[1:-1]} == {"conv1", "conv2", "fc"}
    assert all(lines[-1].snr_db < line.snr_db < lines[0].snr_db - 6 for line in lines[1:-1])
    assert lines[0].snr_db > 35 and all(line.snr_db > 15 for line in lines[1:-1])
    assert all(line.top1 is not None and line.top1 > 0.9 for line in lines)
    assert lines[1].top1 == min(line.top1 for line in lines[1:-1] if line.top1 is not None)


def test_pictures_are_resized_and_normalised(tmp_path: Path) -> None:
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = 255, 51
    path = tmp_path / "x.png"
    Image.fromarray(pixels).save(path)
    values = load_image(path, (1, 3, 8, 8), (0.5, 0.1, 0.0), (0.5, 0.1, 1.0))
    assert values.shape == (1, 3, 8, 8)
    assert values[0, :, 3, 3] == pytest.approx([1.0, 1.0, 0.0])
    assert load_image(path, (1, 1, 4, 4)).max() == pytest.approx((0.299 + 0.587 * 0.2), abs=0.01)


def call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["accelsim", *words])
    status = 0
    try:
        main()
    except SystemExit as stop:
        status = int(stop.code or 0)
    said = capsys.readouterr()
    return status, said.out, said.err


def test_files_of_every_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    images, _ = digits(1)
    np.save(tmp_path / "x.npy", images)
    np.savez(tmp_path / "x.npz", x=images)
    Image.fromarray((images[0, 0] * 255).round().astype(np.uint8)).save(tmp_path / "x.png")
    noise = []
    for name in ("x.npy", "x.npz", "x.png"):
        status, out, err = call(
            monkeypatch,
            capsys,
            "run",
            "int8_edge",
            "digits_cnn",
            "--input",
            str(tmp_path / name),
            "--json",
        )
        assert status == 0, err
        noise.append(json.loads(out)["values"]["signal_to_noise_db"]["conv1"])
    assert noise[0] == noise[1] and abs(noise[2] - noise[0]) < 6
    status, out, err = call(
        monkeypatch,
        capsys,
        "sensitivity",
        "int8_edge",
        "digits_mlp",
        "--input",
        "digits",
        "--out",
        str(tmp_path / "found"),
        "--json",
    )
    assert status == 0 and json.loads(out) == json.loads(
        (tmp_path / "found/sensitivity.json").read_text()
    )
    rows = (tmp_path / "found/layers.csv").read_text().splitlines()
    assert len(rows) == 5 and rows[0].startswith("layer,kind,parameters,narrow")


RUN = ("run", "int8_edge", "digits_cnn")
WRONG = {
    "no inputs": ((*RUN, "--calibrate", "max"), "needs inputs"),
    "unknown method": (
        (*RUN, "--input", "digits", "--calibrate", "median"),
        "write one of: max, percentile",
    ),
    "unknown clip": (
        (*RUN, "--input", "digits", "--weight-clip", "pact"),
        "write one of: max, mse, sawb",
    ),
    "percentile of max": (
        (*RUN, "--input", "digits", "--calibrate", "max", "--percentile", "9"),
        "percentile",
    ),
    "percentile beyond": (
        (*RUN, "--input", "digits", "--calibrate", "percentile", "--percentile", "101"),
        "101",
    ),
    "no coefficients": (
        (*RUN, "--input", "digits", "--weight-clip", "sawb", "--bits", "fc=w6"),
        "int6",
    ),
    "few samples": (
        (*RUN, "--input", "digits", "--calibrate", "max", "--samples", "FEW"),
        "no whole batch",
    ),
    "missing samples": (
        (*RUN, "--input", "digits", "--calibrate", "max", "--samples", "none.npz"),
        "no such",
    ),
    "rule without bits": ((*RUN, "--bits", "conv1"), "no rule of precision"),
    "rule of 9 bits": ((*RUN, "--bits", "conv1=9"), "no rule of precision"),
    "rule of nothing": ((*RUN, "--bits", "layer3.*=4"), "matches no operator"),
    "rule of a pool": ((*RUN, "--bits", "pool1=4"), "matches no operator"),
    "formats that the array lacks": ((*RUN, "--bits", "conv1=16"), "does not multiply"),
    "no picture": ((*RUN, "--input", "BROKEN"), "not a readable picture"),
    "picture bomb": ((*RUN, "--input", "BOMB"), "pixels"),
    "missing picture": ((*RUN, "--input", "none.png"), "no such file"),
    "means without picture": ((*RUN, "--input", "digits", "--image-mean", "0.5"), "give a picture"),
    "means that are none": ((*RUN, "--input", "PICTURE", "--image-mean", "a,b"), "no numbers"),
    "deviation of nothing": ((*RUN, "--input", "PICTURE", "--image-std", "0"), "no numbers"),
    "three means for one channel": (
        (*RUN, "--input", "PICTURE", "--image-mean", "1,2,3"),
        "number a channel",
    ),
    "picture for features": (
        ("run", "int8_edge", "digits_mlp", "--input", "PICTURE"),
        "does not fit an input",
    ),
    "npy of text": ((*RUN, "--input", "TEXT"), "not a readable .npy"),
    "npy with NaN": ((*RUN, "--input", "NAN"), "NaN"),
    "npy that promises more": ((*RUN, "--input", "LONG"), "not a readable .npy"),
    "sensitivity of crossbars": (
        ("sensitivity", "pcm_8level", "digits_mlp", "--input", "digits"),
        "no MAC array",
    ),
}


@pytest.fixture(scope="module")
def wrong_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("wrong")
    names = {
        "FEW": "few.npy",
        "BROKEN": "broken.png",
        "BOMB": "bomb.png",
        "PICTURE": "picture.png",
        "TEXT": "text.npy",
        "NAN": "nan.npy",
        "LONG": "long.npy",
    }
    np.save(folder / "few.npy", np.zeros((3, 1, 8, 8)))
    np.save(folder / "nan.npy", np.full((1, 1, 8, 8), np.nan))
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / "picture.png")
    (folder / "broken.png").write_bytes((folder / "picture.png").read_bytes()[:40])
    Image.new("1", (30_000, 30_000)).save(folder / "bomb.png")
    (folder / "text.npy").write_text("no array")
    whole = (folder / "few.npy").read_bytes()
    (folder / "long.npy").write_bytes(whole.replace(b"(3, 1, 8, 8)", b"(1 << 40, 1)")[:200])
    return {key: str(folder / name) for key, name in names.items()}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_inputs(
    name: str,
    wrong_files: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words, said = WRONG[name]
    out = tmp_path / "out"
    given = [wrong_files.get(word, word) for word in words]
    status, _, err = call(monkeypatch, capsys, *given, "--out", str(out))
    assert status == 2 and said in err and "Traceback" not in err, err
    assert len(err.strip().splitlines()) <= 3 and not out.exists()
