"""Wrong ONNX models and traces: one clear line, exit status 2, nothing written, no traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from accelsim.cli.main import main

F = TensorProto.FLOAT


def tensor(name: str, shape: list[Any] | None) -> Any:
    return helper.make_tensor_value_info(name, F, shape)


def model(
    nodes: list[Any],
    inputs: dict[str, Any],
    weights: dict[str, np.ndarray] | None = None,
    outputs: tuple[str, ...] = ("y",),
    opset: int = 18,
) -> Any:
    graph = helper.make_graph(
        nodes,
        "g",
        [tensor(name, shape) for name, shape in inputs.items()],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in (weights or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def node(kind: str, inputs: str, outputs: str = "y", **keys: Any) -> Any:
    return helper.make_node(kind, inputs.split(), outputs.split(), name=f"the_{kind}", **keys)


W = np.ones((4, 5), np.float32)


def external(location: str, **more: str) -> Any:
    made = model([node("MatMul", "x w")], {"x": [3, 4]}, {"w": W})
    stored = made.graph.initializer[0]
    stored.ClearField("raw_data")
    stored.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **more}.items():
        stored.external_data.add(key=key, value=value)
    return made


def changed(change: Callable[[Any], None]) -> Any:
    made = model([node("MatMul", "x w")], {"x": [3, 4]}, {"w": W})
    change(made)
    return made


def long_raw(made: Any) -> None:
    made.graph.initializer[0].raw_data = b"1234"


def negative(made: Any) -> None:
    made.graph.initializer[0].dims[0] = -4


def twice(made: Any) -> None:
    made.graph.node.append(node("Relu", "x", "y"))


def loop() -> Any:
    body = helper.make_graph(
        [node("Identity", "c", "d")], "b", [tensor("c", [1])], [tensor("d", [1])]
    )
    return model(
        [helper.make_node("If", ["x"], ["y"], name="branch", then_branch=body, else_branch=body)],
        {"x": [1]},
    )


X = {"x": [1, 3, 8, 8]}
K = np.ones((4, 3, 3, 3), np.float32)
#: (name, the model, code, words of the message)
MODELS: list[tuple[str, Callable[[], Any], str]] = [
    ("unbound dimension", lambda: model([node("Relu", "x")], {"x": ["batch", 3]}), "--dim batch=1"),
    ("nameless dimension", lambda: model([node("Relu", "x")], {"x": [None, 3]}), "--dim x.0=1"),
    ("no rank", lambda: model([node("Relu", "x")], {"x": None}), "no tensor of a stated rank"),
    (
        "zero dimension",
        lambda: model([node("Relu", "x")], {"x": [0, 3]}),
        "dimension 0 has no value",
    ),
    (
        "unknown operator",
        lambda: model([node("Magic", "x")], {"x": [1]}),
        "not an operator of ONNX",
    ),
    (
        "foreign domain",
        lambda: model([node("Magic", "x", domain="my.own")], {"x": [1]}),
        "my.own.Magic",
    ),
    (
        "unknown fused",
        lambda: model([node("Magic", "x", domain="com.microsoft")], {"x": [1]}),
        "known here",
    ),
    ("missing tensor", lambda: model([node("Add", "x z")], {"x": [1]}), "which nothing makes"),
    ("missing output", lambda: model([node("Relu", "x", "z")], {"x": [1]}), "made by nothing"),
    (
        "cycle",
        lambda: model(
            [node("Add", "x b", "a"), node("Relu", "a", "b"), node("Relu", "a")], {"x": [1]}
        ),
        "wait for one another",
    ),
    ("made twice", lambda: changed(twice), "made twice"),
    ("opset 6", lambda: model([node("Relu", "x")], {"x": [1]}, opset=6), "opset 6"),
    ("opset 999", lambda: model([node("Relu", "x")], {"x": [1]}, opset=999), "opset 999"),
    ("no operators", lambda: model([], {"x": [1]}, outputs=("x",)), "holds no operators"),
    ("control flow", loop, "graph of its own"),
    (
        "values decide the shape",
        lambda: model([node("NonZero", "x")], {"x": [4]}),
        "depends on values",
    ),
    (
        "channels do not fit",
        lambda: model([node("Conv", "x w")], {"x": [1, 2, 8, 8]}, {"w": K}),
        "the_Conv",
    ),
    (
        "inner sizes do not fit",
        lambda: model([node("MatMul", "x w")], {"x": [3, 7]}, {"w": W}),
        "the_MatMul",
    ),
    (
        "computed kernel",
        lambda: model([node("Conv", "x z")], {**X, "z": [4, 3, 3, 3]}),
        "weights are computed",
    ),
    (
        "negative padding",
        lambda: model([node("Conv", "x w", pads=[-1, 0, 0, 0])], X, {"w": K}),
        "negative",
    ),
    (
        "einsum of one",
        lambda: model([node("Einsum", "x", equation="ii->i")], {"x": [3, 3]}),
        "no product",
    ),
    (
        "einsum that sums",
        lambda: model([node("Einsum", "x z", equation="ij,jk->k")], {"x": [3, 3], "z": [3, 3]}),
        "sums within",
    ),
    (
        "batch norm that trains",
        lambda: model([node("BatchNormalization", "x a a a a")], {**X, "a": [3]}),
        "statistics are computed",
    ),
    ("short weights", lambda: changed(long_raw), "holds no [4, 5] values"),
    ("negative weights shape", lambda: changed(negative), "has the shape"),
    ("external above", lambda: external("../w.bin"), "outside the model's folder"),
    ("external absolute", lambda: external("/etc/passwd"), "outside the model's folder"),
    ("external nowhere", lambda: external(""), "no sound place"),
    ("external at minus one", lambda: external("w.bin", offset="-1"), "no sound place"),
    (
        "too long a sequence",
        lambda: model(
            [node("LSTM", "x w r", hidden_size=2)],
            {"x": [5000, 1, 3]},
            {"w": np.ones((1, 8, 3), np.float32), "r": np.ones((1, 8, 2), np.float32)},
        ),
        "5000 steps",
    ),
    (
        "peepholes",
        lambda: model(
            [helper.make_node("LSTM", ["x", "w", "r", "", "", "", "", "p"], ["y"], hidden_size=2)],
            {"x": [5, 1, 3]},
            {
                "w": np.ones((1, 8, 3), np.float32),
                "r": np.ones((1, 8, 2), np.float32),
                "p": np.ones((1, 6), np.float32),
            },
        ),
        "peepholes",
    ),
    (
        "size bomb",
        lambda: model(
            [node("ConstantOfShape", "s", "z"), node("Mul", "x z")],
            {"x": [1]},
            {"s": np.array([1 << 30, 1 << 30])},
        ),
        "elements",
    ),
    (
        "product bomb",
        lambda: model([node("MatMul", "x z")], {"x": [1 << 20, 1 << 20], "z": [1 << 20, 1 << 20]}),
        "multiply-accumulates",
    ),
    (
        "constant output",
        lambda: model([node("Relu", "w")], {"x": [1]}, {"w": W}),
        "nothing from its inputs",
    ),
    (
        "bad constant",
        lambda: model([node("Reshape", "x s")], {"x": [4]}, {"s": np.array([3])}),
        "the_Reshape",
    ),
]


def call(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["accelsim", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
        raise SystemExit(0)
    return int(stop.value.code or 0), capsys.readouterr().err


@pytest.mark.parametrize(("name", "make", "words"), MODELS, ids=[case[0] for case in MODELS])
def test_wrong_models(
    name: str,
    make: Callable[[], Any],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, out = tmp_path / "wrong.onnx", tmp_path / "out"
    onnx.save(make(), path)
    status, said = call(capsys, monkeypatch, "run", "int8_128", str(path), "--out", str(out))
    assert status == 2, said
    assert words in said and "Traceback" not in said
    assert len(said.strip().splitlines()) <= 3, said
    assert str(path) in said
    assert not out.exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"not a model", b"\x08" * 100, b"\xff" * 4096],
    ids=["empty", "text", "short", "noise"],
)
def test_files_that_are_no_models(
    content: bytes,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "wrong.onnx"
    path.write_bytes(content)
    status, said = call(capsys, monkeypatch, "check", str(path))
    assert status == 2 and "Traceback" not in said and said.startswith(str(path))


@pytest.mark.parametrize(
    "text", ["batch", "batch=", "=1", "batch=0", "batch=-1", "batch=x", "batch=99999999999"]
)
def test_wrong_dimensions(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "good.onnx"
    onnx.save(model([node("Relu", "x")], {"x": ["batch", 3]}), path)
    status, said = call(capsys, monkeypatch, "run", "int8_edge", str(path), "--dim", text)
    assert status == 2 and "--dim" in said and "Traceback" not in said


def test_folders_missing_files_and_dimensions_of_traces(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder.onnx").mkdir()
    for arguments in (
        ("check", str(tmp_path / "folder.onnx")),
        ("check", str(tmp_path / "none.onnx")),
        ("run", "int8_edge", "small_gemm", "--dim", "batch=1"),
    ):
        status, said = call(capsys, monkeypatch, *arguments)
        assert status == 2 and "Traceback" not in said and said.strip()


def test_fuzzed_models_never_crash(tmp_path: Path) -> None:
    from accelsim.errors import InputError
    from accelsim.importers.onnx_model import import_model
    from tests.importers.models import TORCH

    rng = np.random.default_rng(0)
    whole = bytearray((TORCH / "sizes.onnx").read_bytes())
    path = tmp_path / "fuzzed.onnx"
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(int(rng.integers(1, 6))):
            data[int(rng.integers(len(data)))] = int(rng.integers(256))
        path.write_bytes(
            bytes(data[: int(rng.integers(1, len(data) + 1))] if rng.random() < 0.2 else data)
        )
        try:
            import_model(path)
        except InputError as error:
            assert error.problems[0].code
