"""Settings that contradict themselves, files that do, values that have no code: one clear line each."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accelsim.cli.main import main
from accelsim.config.format_file import load_format
from accelsim.errors import InputError
from accelsim.formats import get
from accelsim.numerics import matmul

ONES = np.ones((2, 4)), np.ones((4, 2))
OWN = (Path(__file__).parent / "own_format.yaml").read_text()

#: (name, accumulate, other arguments, code)
SETTINGS: list[tuple[str, Any, dict[str, Any], str]] = [
    ("chunk negative", {"chunk": -1}, {}, "accumulate.chunk"),
    ("chunk a fraction", {"chunk": 6.5}, {}, "accumulate.chunk"),
    ("chunk true", {"chunk": True}, {}, "accumulate.chunk"),
    ("no random bits", {"random_bits": 0}, {}, "accumulate.random_bits"),
    ("too many random bits", {"random_bits": 17}, {}, "accumulate.random_bits"),
    ("unknown key", {"chunks": 64}, {}, "accumulate.key"),
    ("unknown format", "fp9", {}, "format.unknown"),
    ("unknown rounding", {"rounding": "nearest_odd"}, {}, "format.rounding"),
    ("unknown overflow", {"overflow": "clip"}, {}, "format.overflow"),
    ("float that wraps", {"format": "fp16_169", "overflow": "wrap"}, {}, "format.overflow"),
    (
        "infinity without a code",
        {"format": "hfp8_143", "overflow": "infinity"},
        {},
        "format.overflow",
    ),
    ("accumulator of a codebook", "nf4", {}, "accumulate.format"),
    ("accumulator of blocks", "mxfp8_e4m3", {}, "accumulate.format"),
    ("operand of a codebook", "fp32", {"input": "nf4"}, "accumulate.format"),
    ("unknown operand", "fp32", {"weight": "int9"}, "format.unknown"),
    (
        "exact in too few bits",
        {"format": "int8", "rounding": "exact"},
        {"input": "int8", "weight": "int8"},
        "accumulate.narrow",
    ),
    (
        "exact in a float",
        {"format": "fp32", "rounding": "exact"},
        {"input": "int8", "weight": "int8"},
        "accumulate.exact",
    ),
    (
        "exact without the fraction",
        {"format": "fixed_24_8", "rounding": "exact"},
        {"input": "fixed_8_8", "weight": "fixed_8_8"},
        "accumulate.exact",
    ),
    (
        "exact over blocks",
        {"format": "int64", "rounding": "exact"},
        {"input": "mxint8"},
        "accumulate.exact",
    ),
    (
        "wrapping fixed point that rounds",
        {"format": "fixed_8_8", "overflow": "wrap"},
        {"input": "fixed_8_8", "weight": "fixed_8_8"},
        "accumulate.wrap",
    ),
    (
        "wrapping rounded products",
        {"format": "int32", "overflow": "wrap", "product": "int16"},
        {"input": "int8", "weight": "int8"},
        "accumulate.wrap",
    ),
    ("unknown product", {"product": "halfish"}, {}, "format.unknown"),
    ("products of a codebook", {"product": "nf4"}, {}, "accumulate.format"),
    (
        "sums beyond 53 bits",
        "fixed_16_16",
        {"input": "fixed_16_16", "weight": "fixed_16_16"},
        "accumulate.wide",
    ),
    ("first inside a chunk", {"chunk": 4}, {"first": 6}, "accumulate.split"),
    ("group of none", "fp32", {"group": 0}, "matmul.count"),
    ("no threads", "fp32", {"threads": 0}, "matmul.count"),
    ("fixed point without bits", "fixed_0_8", {}, "format.fixed"),
    ("fixed point too wide", "fixed_40_20", {}, "format.fixed"),
    ("bias out of range", "hfp8_143_bias99", {}, "format.bias"),
]


@pytest.mark.parametrize(
    ("name", "how", "keys", "code"), SETTINGS, ids=[case[0] for case in SETTINGS]
)
def test_settings(name: str, how: Any, keys: dict[str, Any], code: str) -> None:
    with pytest.raises(InputError) as error:
        matmul(*ONES, how, **keys)
    assert [problem.code for problem in error.value.problems] == [code]
    assert all(problem.message and problem.fix for problem in error.value.problems)


def test_shapes_and_values() -> None:
    for a, b in ((np.ones(4), ONES[1]), (ONES[0], np.ones((3, 2))), (np.ones((1, 2, 3)), ONES[1])):
        with pytest.raises(InputError, match="no matrix product"):
            matmul(a, b)
    for wrong in (np.nan, np.inf):
        with pytest.raises(InputError, match="NaN"):
            matmul(np.array([[wrong, 1.0]]), np.zeros((2, 1)), "int32")
        with pytest.raises(InputError, match="NaN"):
            matmul(np.full((1, 2), np.nan), np.ones((2, 1)), "fp32", input="int8")
        with pytest.raises(InputError, match="blocks hold NaN"):
            matmul(np.full((1, 2), wrong), np.ones((2, 1)), "fp32", input="mxfp4")
    assert np.isnan(matmul(np.full((1, 2), np.nan), np.ones((2, 1)), "fp16_169")).all()
    assert matmul(np.array([[np.inf, 1.0]]), np.ones((2, 1)), "fp16_169")[0, 0] == np.inf


#: (name, old text of own_format.yaml, new text, code)
FILES = [
    ("no exponent", "exponent: 3", "exponent: 0", "value.range"),
    ("too wide", "exponent: 3\nfraction: 1", "exponent: 9\nfraction: 23", "format.contradiction"),
    ("fraction as text", "fraction: 1", "fraction: one", "type.number"),
    ("unknown key", "bias: 4", "biass: 4", "key.unknown"),
    ("missing fraction", "fraction: 1\n", "", "key.missing"),
    ("a name that is taken", "name: fp5_e3m1", "name: int8", "format.contradiction"),
    ("a name that is none", "name: fp5_e3m1", "name: 'fp5 e3'", "format.contradiction"),
    ("unknown specials", "specials: nan", "specials: some", "value.choice"),
    ("infinity without a code", "overflow: nan", "overflow: infinity", "format.contradiction"),
    ("NaN without a code", "specials: nan", "specials: none", "format.contradiction"),
    (
        "infinity and NaN in one code",
        "fraction: 1\nbias: 4\nspecials: nan",
        "fraction: 0\nbias: 4\nspecials: ieee",
        "format.contradiction",
    ),
    (
        "one exponent for two",
        "exponent: 3\nfraction: 1\nbias: 4\nspecials: nan",
        "exponent: 1\nfraction: 1\nspecials: ieee",
        "format.contradiction",
    ),
    (
        "binade of zero alone",
        "fraction: 1\nbias: 4\nspecials: nan\nsmall: zero",
        "fraction: 0\nspecials: nan\nsmall: binade",
        "format.contradiction",
    ),
    ("bias out of range", "bias: 4", "bias: 1000", "value.range"),
    ("exponents out of range", "bias: 4", "bias: -899", "format.contradiction"),
    ("unknown rounding", "rounding: nearest_away", "rounding: nearest", "value.choice"),
    (
        "fixed point of one bit",
        OWN,
        "name: q\ninteger_bits: 1\nfraction_bits: 0",
        "format.contradiction",
    ),
    (
        "fixed point too wide",
        OWN,
        "name: q\ninteger_bits: 40\nfraction_bits: 20",
        "format.contradiction",
    ),
    ("three values", OWN, "name: q\nvalues: [-1, 0, 1]", "format.contradiction"),
    ("values out of order", OWN, "name: q\nvalues: [1, 0]", "format.contradiction"),
    ("values beyond float32", OWN, "name: q\nvalues: [0, 0.1]", "format.contradiction"),
    ("nothing above zero", OWN, "name: q\nvalues: [-1, 0]", "format.contradiction"),
    ("values of text", OWN, "name: q\nvalues: [low, high]", "type.number"),
    ("a list", OWN, "- 1", "type.map"),
]


@pytest.mark.parametrize(("name", "old", "new", "code"), FILES, ids=[case[0] for case in FILES])
def test_files(name: str, old: str, new: str, code: str, tmp_path: Path) -> None:
    assert old in OWN
    path = tmp_path / "wrong.yaml"
    path.write_text(OWN.replace(old, new, 1))
    with pytest.raises(InputError) as error:
        load_format(path)
    assert code in [problem.code for problem in error.value.problems]
    assert all(
        str(problem).startswith(f"{path}:") and problem.line for problem in error.value.problems
    )


def test_own_formats_of_each_kind(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: q\ninteger_bits: 3\nfraction_bits: 5\n")
    assert load_format(path).quantize([3.99, 9.0]).tolist() == [3.96875, 3.96875]
    path.write_text("name: q\nvalues: [-1.5, -0.5, 0.5, 1.5]\n")
    assert load_format(path).encode([-9.0, 0.0, 0.4, 1.01]).tolist() == [0, 2, 2, 3]
    path.write_text(OWN)
    assert load_format(path).quantize([0.1, 0.2, 100.0])[:2].tolist() == [0.0, 0.1875]
    assert np.isnan(load_format(path).quantize(100.0))


def shown(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["accelsim", *arguments])
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(monkeypatch, "format", "show", "fp8_152") == 0
    said = capsys.readouterr().out
    for word in (
        "57344",
        "1.52588e-05",
        "NaN",
        "infinity",
        "saturate",
        "nearest_even",
        "subnormals",
    ):
        assert word in said, said
    own = tmp_path / "mine.yaml"
    own.write_text(OWN)
    picture = tmp_path / "mine.png"
    assert shown(monkeypatch, "format", "show", str(own), "--picture", str(picture)) == 0
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert shown(monkeypatch, "format", "show", str(own), "--picture", str(picture)) == 2
    for wrong in ("fp9", str(tmp_path / "none.yaml")):
        capsys.readouterr()
        assert shown(monkeypatch, "format", "show", wrong) == 2
        assert "Traceback" not in capsys.readouterr().err
    for name in ("int8", "nf4", "mxfp4", "fixed_8_8", "fp32", "dlfloat16", "log2", "uint1"):
        assert shown(monkeypatch, "format", "show", name) == 0
    assert get("int8").name in capsys.readouterr().out
