"""Vector work in the format that the chip file states: values against a float64 reference, rounded once."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from accelsim import api, config
from accelsim.chip import Chip
from accelsim.config.schema import chip_schema
from accelsim.errors import InputError
from accelsim.mapping.tensors import tensor_formats
from accelsim.workload import VectorOperator, Workload
from accelsim.workload.vector_kinds import VECTOR_KINDS

FLOATS = {"fp16": (5, 10), "bf16": (8, 7), "fp32": (8, 23), "fp16_169": (6, 9)}
INTEGERS = ("int8", "int16")
FORMATS = (*INTEGERS, *FLOATS)
ROOT = Path(__file__).parents[2]
LOW, HIGH = -6.0, 9.0


def chip(name: str = "int8_edge", format_name: str | None = None) -> Chip:
    return api.load_chip(
        name, [] if format_name is None else [f"units.vector.format={format_name}"]
    )


def nearest(value: float, exponent: int, fraction: int) -> float:
    """A real rounded to a float of so many bits, ties to even, in exact fractions (IEEE 754)."""
    if value == 0 or not math.isfinite(value):
        return value
    bias = (1 << (exponent - 1)) - 1
    quantum = Fraction(2) ** (max(math.frexp(value)[1] - 1, 1 - bias) - fraction)
    made = round(Fraction(value) / quantum) * quantum  # Python rounds half to even
    largest = (2 - Fraction(1, 1 << fraction)) * Fraction(2) ** bias
    return math.copysign(math.inf, value) if abs(made) > largest else float(made)


def coded(values: np.ndarray, bits: int, low: float, high: float) -> np.ndarray:
    """Reals of the codes of a range: affine, ties to even, saturating."""
    low, high = min(low, 0.0), max(high, 0.0)
    least, most = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    scale = (high - low) / (most - least)
    zero = np.rint(least - low / scale)
    return np.asarray((np.clip(np.rint(values / scale) + zero, least, most) - zero) * scale)


def rounded(
    values: np.ndarray, format_name: str, low: float = LOW, high: float = HIGH
) -> np.ndarray:
    """Values of a format: floats rounded once, integers with a scale of the range."""
    if format_name in FLOATS:
        flat = [nearest(float(v), *FLOATS[format_name]) for v in np.ravel(values)]
        return np.array(flat).reshape(np.shape(values))
    return coded(np.asarray(values, np.float64), int(format_name[3:]), low, high)


@pytest.mark.parametrize(
    ("name", "kind"), [("fp16", np.float16), ("bf16", ml_dtypes.bfloat16), ("fp32", np.float32)]
)
def test_the_reference_of_these_tests_is_right(name: str, kind: Any) -> None:
    single = (
        np.random.default_rng(1).normal(size=400) * 10.0 ** np.arange(-20, 20).repeat(10)
    ).astype(np.float32)
    with np.errstate(over="ignore"):
        assert np.array_equal(rounded(single, name), single.astype(kind).astype(np.float64))


def traced(folder: Path, operators: str, inputs: str, **values: Any) -> Workload:
    """A layer trace with its values."""
    (folder / "t.yaml").write_text(
        f"name: t\ninputs: {{{inputs}}}\nvalues: v.npz\noperators:\n{operators}"
    )
    np.savez(
        folder / "v.npz",
        **{key.replace("__", "."): np.asarray(value) for key, value in values.items()},
    )
    return config.load_workload(folder / "t.yaml")


def run(made: Chip, work: Workload, **inputs: np.ndarray) -> tuple[dict[str, np.ndarray], Any]:
    """(real values of every tensor, the Result)."""
    result = api.run(made, work, inputs, keep=True)
    assert result.values is not None and result.values.kept is not None
    kept = result.values.kept
    return {
        name: kept.network.activations[name].decode(codes) for name, codes in kept.tensors.items()
    }, result


def shifted(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.exp(x - x.max(axis=-1, keepdims=True)))


REAL: dict[str, Callable[..., np.ndarray]] = {
    "add": lambda x, y: x + y,
    "multiply": lambda x, y: x * y,
    "subtract": lambda x, y: x - y,
    "divide": lambda x, y: x / y,
    "relu": lambda x: np.maximum(x, 0),
    "exp": np.exp,
    "log": lambda x: np.log(x),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softmax": lambda x: shifted(x) / shifted(x).sum(axis=-1, keepdims=True),
}


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("kind", REAL)
def test_values_are_the_reals_rounded_once(kind: str, format_name: str, tmp_path: Path) -> None:
    """y = f(x) of values of the format, in float64, rounded once to it."""
    two = REAL[kind].__code__.co_argcount == 2 if hasattr(REAL[kind], "__code__") else False
    read = "[x, z]" if two else "x"
    rng = np.random.default_rng(3)
    x, z = rng.uniform(-2, 3, (5, 12)), rng.uniform(1, 3, (5, 12))
    if kind == "log":
        x = np.abs(x) + 0.5
    work = traced(
        tmp_path,
        f"  - {{name: y, kind: {kind}, input: {read}}}\n",
        "x: [5, 12], z: [5, 12]" if two else "x: [5, 12]",
        x__range=[LOW, HIGH],
        z__range=[LOW, HIGH],
        y__range=[LOW, HIGH],
    )
    given = {"x": x, "z": z} if two else {"x": x}
    found, _ = run(chip(format_name=format_name), work, **given)
    held = [rounded(value, format_name) for value in given.values()]
    for name, value in zip(given, held, strict=True):
        assert np.array_equal(found[name], value), name
    wanted = rounded(REAL[kind](*held), format_name)
    if format_name in INTEGERS and kind in (
        "add",
        "multiply",
    ):  # a scale of 20 and of 22 fraction bits
        assert np.abs(found["y"] - wanted).max() <= 1.01 * (HIGH - LOW) / (
            2 ** int(format_name[3:]) - 1
        )
    else:
        assert np.array_equal(found["y"], wanted)


@pytest.mark.parametrize("format_name", FORMATS)
def test_between_products(format_name: str, tmp_path: Path) -> None:
    """Sums become values of the format; what the next product reads is one of them in the array's format."""
    rng = np.random.default_rng(5)
    weight, second = rng.normal(size=(12, 9)), rng.normal(size=(9, 4))
    bias = rng.normal(size=9)
    work = traced(
        tmp_path,
        "  - {name: a, kind: gemm, input: x, n: 9, bias: true}\n  - {name: b, kind: tanh, input: a}\n"
        "  - {name: c, kind: sigmoid, input: b}\n  - {name: d, kind: gemm, input: c, n: 4}\n",
        "x: [6, 12]",
        a__weight=weight,
        a__bias=bias,
        d__weight=second,
        x__range=[-3.0, 3.0],
        a__range=[LOW, HIGH],
        b__range=[-1.0, 1.0],
        c__range=[0.0, 1.0],
    )
    x = rng.normal(size=(6, 12))
    found, result = run(chip(format_name=format_name), work, x=x)
    network = result.values.kept.network
    scale = network.weight_scales["a"][0]
    codes = network.weights["a"][0]
    step = 6 / 255
    sums = np.rint(found["x"] / step) @ codes + np.rint(bias / (step * scale))
    real = sums * (step * scale)
    exact = rounded(real, format_name)
    if format_name in FLOATS:
        assert np.array_equal(found["a"], exact)
    else:  # a multiplier of 31 bits
        assert np.abs(found["a"] - exact).max() <= 1.01 * (HIGH - LOW) / (
            2 ** int(format_name[3:]) - 1
        )
    assert np.array_equal(found["b"], rounded(np.tanh(found["a"]), format_name, -1.0, 1.0))
    gate = 1 / (1 + np.exp(-found["b"]))
    gate = rounded(gate, format_name) if format_name in FLOATS else gate
    assert np.array_equal(found["c"], coded(gate, 8, 0.0, 1.0))


def test_bytes_follow_the_format(tmp_path: Path) -> None:
    """A tensor of 1,024 x 64 moves 64 KiB a byte of its format, each way."""
    work = traced(
        tmp_path,
        "  - {name: y, kind: exp, input: x}\n  - {name: z, kind: tanh, input: y}\n",
        "x: [1024, 64]",
        x__range=[LOW, HIGH],
        y__range=[0.0, 20.0],
        z__range=[0.0, 1.0],
    )
    for format_name, size in (("int8", 1), ("int16", 2), ("bf16", 2), ("fp32", 4), (None, 2)):
        result = api.run(chip(format_name=format_name), work, homes="off_chip")
        moved = [(row.dram_read_bytes, row.dram_written_bytes) for row in result.operators]
        assert moved == [(65536 * size, 65536 * size)] * 2


def formats(
    path: Path, made: Chip, dims: dict[str, int] | None = None
) -> tuple[Workload, dict[str, str]]:
    work = api.load_workload(path, dims=dims)
    return work, dict(tensor_formats(work, made))


def test_without_a_statement_functions_take_16_bits() -> None:
    work, found = formats(
        ROOT / "tests/onnx_models/encoder.onnx", chip(), {"batch": 2, "tokens": 9}
    )
    read = {
        name
        for op in work.operators
        if not isinstance(op, VectorOperator)
        for name in (op.input, op.weight)
    }
    roots = {
        op.output: op.inputs[0]
        for op in work.operators
        if isinstance(op, VectorOperator) and op.is_view
    }

    def seen(name: str) -> set[str]:
        """A tensor with all views of it."""
        names = {name}
        while more := {k for k, v in roots.items() if v in names} - names:
            names |= more
        return names

    for op in work.operators:
        if isinstance(op, VectorOperator) and VECTOR_KINDS[op.kind].wide:
            wanted = "int8" if seen(op.output) & read else "int16"
            assert found[op.output] == wanted, op.name
            for name in op.inputs:
                assert found[name] == "int16", (op.name, name)
    assert {found[name] for name in read if name in found} == {"int8"}


@pytest.mark.parametrize(
    ("name", "format_name"),
    [
        ("int8_edge", "int16"),
        ("int4_edge", "int16"),
        ("fp8_64", "fp16_169"),
        ("ibm_quad_like", "int16"),
        ("pcm_8level", "int16"),
    ],
)
def test_results_say_so(name: str, format_name: str, tmp_path: Path) -> None:
    work = traced(
        tmp_path,
        "  - {name: a, kind: gemm, input: x, n: 8}\n  - {name: y, kind: softmax, input: a}\n",
        "x: [4, 8]",
        a__weight=np.eye(8),
    )
    made = chip(name)
    said = [note for note in api.run(made, work).assumptions if "states no format" in note]
    assert (
        len(said) == 1
        and f"softmax and the vector operators next to them in {format_name}" in said[0]
    )
    assert tensor_formats(work, made)["a"] == format_name == tensor_formats(work, made)["y"]
    stated = api.run(chip(name, "bf16"), work).assumptions
    assert any("vector operators in bf16, as units.vector.format says" in note for note in stated)


@pytest.mark.parametrize("name", ["small_cnn", "digits_cnn", "digits_residual"])
def test_additions_rectifiers_and_pools_stay_as_they_are(name: str) -> None:
    work = api.load_workload(name)
    result = api.run(chip(), work)
    assert not any("states no format" in note for note in result.assumptions)
    kinds = {op.kind for op in work.operators if isinstance(op, VectorOperator)}
    assert not any(VECTOR_KINDS[kind].wide for kind in kinds)
    held = {spec.name for spec in work.tensors.values() if spec.role in ("input", "intermediate")}
    assert {form for tensor, form in tensor_formats(work, chip()).items() if tensor in held} == {
        "int8"
    }


def test_the_schema_and_the_reader_know_the_formats(tmp_path: Path) -> None:
    kinds = chip_schema()["properties"]["units"]["additionalProperties"]["oneOf"]
    vector = next(kind for kind in kinds if kind["properties"]["kind"] == {"const": "vector_unit"})
    assert vector["properties"]["format"] == {
        "enum": ["int8", "int16", "fp16", "bf16", "fp32", "fp16_169"]
    }
    with pytest.raises(InputError, match=r"units\.vector\.format: 'int4' is not a choice"):
        chip(format_name="int4")
    text = (ROOT / "configs/chips/fp8_64.yaml").read_text()
    (tmp_path / "c.yaml").write_text(
        text.replace("kind: vector_unit", "kind: vector_unit\n    format: int16")
    )
    with pytest.raises(InputError) as caught:
        api.load_chip(tmp_path / "c.yaml")
    (problem,) = caught.value.problems
    assert (
        problem.path == "units.vector.format"
        and "write fp16, bf16, fp32 or fp16_169" in problem.fix
    )
    assert text.splitlines()[problem.line - 2].strip() == "kind: vector_unit"


def test_json_and_digest_tell_the_formats_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from accelsim.cli.main import main

    work = traced(
        tmp_path,
        "  - {name: y, kind: exp, input: x}\n",
        "x: [4, 8]",
        x__range=[0, 1],
        y__range=[1, 3],
    )
    assert len({chip(format_name=name).digest for name in (None, *FORMATS)}) == 7
    assert work.operators[0].name == "y"
    monkeypatch.setattr(
        sys,
        "argv",
        [
            "accelsim",
            "run",
            "int8_edge",
            str(tmp_path / "t.yaml"),
            "--json",
            "--set",
            "units.vector.format=fp16",
        ],
    )
    main()
    assert any(
        "vector operators in fp16" in note
        for note in json.loads(capsys.readouterr().out)["assumptions"]
    )


def test_a_trace_of_floats_between_integers_replays(tmp_path: Path) -> None:
    """Values of float formats are recorded as values; layers among them run again to the same."""
    from accelsim.traces import load_trace, replay, save_trace

    work = traced(
        tmp_path,
        "  - {name: a, kind: gemm, input: x, n: 8}\n  - {name: b, kind: exp, input: a}\n"
        "  - {name: y, kind: tanh, input: b}\n",
        "x: [4, 8]",
        a__weight=np.eye(8),
        x__range=[-1, 1],
        a__range=[-1, 1],
        b__range=[0, 3],
        y__range=[0, 1],
    )
    made = chip(format_name="bf16")
    _, result = run(made, work, x=np.random.default_rng(1).uniform(-1, 1, (4, 8)))
    save_trace(result, tmp_path / "trace")
    rows = {row.name: row for row in replay(made, load_trace(tmp_path / "trace"))}
    for name in ("b", "y"):
        assert rows[name].difference is not None and rows[name].difference.equal, name
