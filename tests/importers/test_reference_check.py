"""The float reference of a model is held against onnxruntime's result of the whole model."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from accelsim import api, jit
from accelsim.cli.main import main
from accelsim.errors import InputError
from accelsim.importers import onnx_model, onnx_scales, onnx_whole
from accelsim.importers.onnx_whole import NotChecked, whole_model
from accelsim.results import fidelity
from tests.importers.models import DIMS, TORCH
from tests.importers.quantised import quantised

FLOAT = onnx.TensorProto.FLOAT


@pytest.fixture(autouse=True)
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELSIM_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def command(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str]]:
    """Runs `accelsim ...` in this process: (exit status, what it printed)."""

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["accelsim", *arguments])
        status = 0
        try:
            main()
        except SystemExit as stop:
            status = int(stop.code or 0)
        said = capfd.readouterr()
        return status, said.out + said.err

    return run


def seeded(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def network(folder: Path) -> Path:
    """Conv, Relu, MaxPool, Conv, Sigmoid, Add, Flatten, Gemm, Softmax of a symbolic batch."""
    stored = {
        "w1": seeded(4, 3, 3, 3) * 0.3,
        "b1": seeded(4, seed=2),
        "w2": seeded(4, 4, 3, 3, seed=3) * 0.3,
        "w3": seeded(16 * 4, 5, seed=4) * 0.3,
        "b3": seeded(5, seed=5),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], "first", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"], "relu"),
        helper.make_node("MaxPool", ["r1"], ["p1"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p1", "w2"], ["c2"], "second", pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["c2"], ["s2"], "gate"),
        helper.make_node("Add", ["s2", "p1"], ["a2"], "sum"),
        helper.make_node("Flatten", ["a2"], ["f2"], "flat"),
        helper.make_node("Gemm", ["f2", "w3", "b3"], ["g3"], "classes"),
        helper.make_node("Softmax", ["g3"], ["y"], "last", axis=-1),
    ]
    return saved(folder, nodes, {"x": ["batch", 3, 8, 8]}, {"y": ["batch", 5]}, stored)


def run(
    path: Path,
    inputs: dict[str, np.ndarray],
    batch: int | None = None,
    chip: str = "int8_edge",
    **more: Any,
) -> Any:
    made = api.run(api.load_chip(chip), api.load_workload(path, batch), inputs, **more)
    assert made.values is not None
    return made


def with_attribute(kind: str, **changed: Any) -> Callable[[Any, Any], None]:
    """An importer that reads other attributes than the file has."""
    right = onnx_model.PLAIN[kind]

    def wrong(b: Any, node: Any) -> None:
        other = onnx.NodeProto()
        other.CopyFrom(node)
        del other.attribute[:]
        kept = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        other.attribute.extend(helper.make_attribute(k, v) for k, v in {**kept, **changed}.items())
        right(b, other)

    return wrong


def of_kind(kind: str, *inputs: int) -> Callable[[Any, Any], None]:
    """An importer that takes an operator for another, or its inputs in another order."""
    right = onnx_model.PLAIN[kind]

    def wrong(b: Any, node: Any) -> None:
        other = onnx.NodeProto()
        other.CopyFrom(node)
        other.op_type = kind
        if inputs:
            del other.input[:]
            other.input.extend(node.input[i] for i in inputs)
        right(b, other)

    return wrong


WRONG = {
    "padding on one side": ("Conv", with_attribute("Conv", pads=[2, 2, 0, 0]), "first"),
    "no ReLU": ("Relu", of_kind("Identity"), "relu"),
    "average instead of maximum": ("MaxPool", of_kind("AveragePool"), "pool"),
    "another curve": ("Sigmoid", of_kind("Tanh"), "gate"),
    "difference instead of sum": ("Add", of_kind("Sub"), "sum"),
    "no bias": ("Gemm", of_kind("Gemm", 0, 1), "classes"),
    "another axis": ("Softmax", with_attribute("Softmax", axis=0), "last"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_importer_stops_the_run_at_its_operator(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, wrong, operator = WRONG[fault]
    path = network(tmp_path)
    monkeypatch.setitem(onnx_model.PLAIN, kind, wrong)
    with pytest.raises(InputError) as caught:
        run(path, {"x": seeded(2, 3, 8, 8, seed=9)}, 2)
    (problem,) = caught.value.problems
    named = {"relu": "first"}.get(operator, operator)  # a ReLU is part of the convolution before it
    assert problem.code == "reference.differs" and problem.path in (operator, named)
    assert f"model.onnx: {problem.path}: " in str(caught.value) and "\n" not in str(caught.value)
    run(path, {"x": seeded(2, 3, 8, 8, seed=9)}, 2, reference_check="off")


def test_the_command_exits_with_2_and_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., tuple[int, str]]
) -> None:
    path = network(tmp_path)
    np.savez(tmp_path / "in.npz", x=seeded(2, 3, 8, 8, seed=9))
    arguments = ["run", "int8_edge", str(path), "--input", str(tmp_path / "in.npz")]
    monkeypatch.setitem(onnx_model.PLAIN, "Sigmoid", of_kind("Tanh"))
    status, text = command(*arguments, "--out", str(tmp_path / "out"))
    assert status == 2 and text.count("\n") == 1 and "model.onnx: gate: " in text
    assert not (tmp_path / "out").exists()
    status, text = command(*arguments, "--reference-check", "off")
    assert status == 0 and "not checked by onnxruntime: --reference-check off" in text


def true_noise(path: Path, inputs: dict[str, np.ndarray], made: Any) -> dict[str, float]:
    """Signal to noise of each output against onnxruntime's result of the whole model on all inputs."""
    found = {}
    names = list(made.values.outputs)
    theirs = whole_model(path, inputs, names, ())
    for name in names:
        right = theirs[name].whole.astype(np.float64)
        ours = made.values.quantization[name].decode(made.values.outputs[name]).reshape(right.shape)
        found[name] = 10 * np.log10((right**2).sum() / ((right - ours) ** 2).sum())
    return found


@pytest.mark.parametrize(
    ("mode", "batch", "samples"), [("first", 20, 8), ("all", 20, 20), ("first", 3, 3)]
)
def test_samples_that_are_compared(mode: str, batch: int, samples: int, tmp_path: Path) -> None:
    path, inputs = network(tmp_path), {"x": seeded(batch, 3, 8, 8, seed=9)}
    made = run(path, inputs, batch, reference_check=mode)
    checked = made.values.checked
    assert (checked.samples, checked.of, checked.alone) == (samples, batch, False)
    assert checked.tensors == 8 and 0 < checked.apart < 1e-5  # c1 is rectified within its operator
    for name, value in true_noise(path, inputs, made).items():
        assert made.values.signal_to_noise_db[name] == pytest.approx(value, abs=0.01)


@pytest.mark.parametrize("name", ["residual_cnn", "encoder", "decoder", "speech_lstm"])
def test_printed_noise_is_the_true_one(name: str, tmp_path: Path) -> None:
    work = api.load_workload(TORCH / f"{name}.onnx", dims=DIMS.get(name))
    inputs = {
        key: seeded(*spec.shape, seed=3)
        for key, spec in work.tensors.items()
        if spec.role == "input"
    }
    made = api.run(api.load_chip("int8_edge"), work, inputs)
    assert made.values is not None and made.values.checked.tensors > 3
    for key, value in true_noise(TORCH / f"{name}.onnx", inputs, made).items():
        assert made.values.signal_to_noise_db[key] == pytest.approx(value, abs=0.5)


@pytest.mark.parametrize("form", ["QOperator", "QDQ"])
def test_a_quantised_model_is_held_against_its_own_codes(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, feeds = quantised("residual_cnn", form, tmp_path)
    made = run(path, feeds, chip="mixed_quad", rounding="float32")
    checked = made.values.checked
    assert checked.codes[0] > 10_000 and checked.codes[1] <= 1e-3 * checked.codes[0]
    for key, value in true_noise(path, feeds, made).items():
        assert made.values.signal_to_noise_db[key] == pytest.approx(value, abs=1.0)
    right = onnx_scales.reals

    def wrong(name: str, scale: str, zero: str, axis: int = -1) -> Any:
        return lambda look: right(name, scale, zero, axis)(look) * 1.3

    for module in (onnx_scales, onnx_model.onnx_foreign):
        monkeypatch.setattr(module, "reals", wrong)
    monkeypatch.setattr("accelsim.importers.onnx_values.reals", wrong)
    with pytest.raises(InputError, match="codes"):
        run(path, feeds, chip="mixed_quad")


def test_weights_of_eight_bit_floats_keep_their_fractions(tmp_path: Path) -> None:
    """DequantizeLinear of FP8 weights: 0.75 is not 0."""
    stored = [
        onnx.helper.make_tensor(
            "w",
            onnx.TensorProto.FLOAT8E4M3FN,
            [4, 2],
            [0.75, -0.5, 1.5, 3.25, 0.875, -7, 0.3125, 2],
        ),
        onnx.numpy_helper.from_array(np.float32(0.5), "s"),
    ]
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s"], ["wd"], "reals"),
        helper.make_node("MatMul", ["x", "wd"], ["y"], "product"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", FLOAT, [3, 4])],
        [helper.make_tensor_value_info("y", FLOAT, [3, 2])],
        stored,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    model.ir_version = 10
    onnx.save(model, tmp_path / "fp8.onnx")
    made = run(tmp_path / "fp8.onnx", {"x": seeded(3, 4)})
    assert made.values.checked.tensors == 1 and made.values.signal_to_noise_db["y"] > 35


def test_what_onnxruntime_made_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, inputs = network(tmp_path), {"x": seeded(2, 3, 8, 8, seed=9)}
    first = run(path, inputs, 2).values
    asked: list[Any] = []
    right = onnx_whole._asked
    monkeypatch.setattr(onnx_whole, "_asked", lambda *given: asked.append(given) or right(*given))
    again = run(path, inputs, 2).values
    assert not asked and again.checked.line() == first.checked.line()
    assert again.signal_to_noise_db == first.signal_to_noise_db
    monkeypatch.setitem(onnx_model.PLAIN, "Sigmoid", of_kind("Tanh"))
    with pytest.raises(InputError, match="gate"):  # kept tensors do not hide another importer
        run(path, inputs, 2)
    monkeypatch.undo()
    monkeypatch.setenv("ACCELSIM_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(onnx_whole, "_asked", lambda *given: asked.append(given) or right(*given))
    asked.clear()
    (kept,) = (tmp_path / "cache" / "accelsim" / "onnxruntime").glob("*.npz")
    for damaged in (b"", kept.read_bytes()[:-40], bytes(kept.stat().st_size)):
        kept.write_bytes(damaged)
        assert run(path, inputs, 2).values.checked.line() == first.checked.line()
    assert len(asked) == 3
    changed = {"x": inputs["x"] + 1e-3}
    run(path, changed, 2)
    assert len(asked) == 4  # other inputs
    monkeypatch.setattr(jit, "cache_folder", lambda: None)
    assert run(path, inputs, 2).values.checked.line() == first.checked.line()


def test_of_large_tensors_a_part_is_kept_and_still_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_whole, "KEPT_ELEMENTS", 50)
    path, inputs = network(tmp_path), {"x": seeded(2, 3, 8, 8, seed=9)}
    first = run(path, inputs, 2).values
    again = run(path, inputs, 2).values
    assert (
        again.checked.tensors == first.checked.tensors
        and 0 < again.checked.apart <= first.checked.apart
    )
    monkeypatch.setitem(onnx_model.PLAIN, "Sigmoid", of_kind("Tanh"))
    with pytest.raises(InputError, match="gate"):
        run(path, inputs, 2)


HANGS = "import sys, time\nsys.stdin.readline()\ntime.sleep(60)"
CRASHES = "import os, sys\nsys.stdin.readline()\nos.abort()"


@pytest.mark.parametrize(
    ("program", "said"), [(HANGS, "within 0.5 s"), (CRASHES, "ended without a result")]
)
def test_onnxruntime_may_hang_or_crash(
    program: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    right = subprocess.Popen

    def popen(command: list[str], **more: Any) -> Any:
        started.append(right([sys.executable, "-c", program] if not started else command, **more))
        return started[-1]

    monkeypatch.setattr(onnx_whole, "_PROCESS", onnx_whole._Process())
    monkeypatch.setattr(onnx_whole, "SECONDS", 0.5)
    monkeypatch.setattr(onnx_whole.subprocess, "Popen", popen)
    path, inputs = network(tmp_path), {"x": seeded(2, 3, 8, 8, seed=9)}
    made = run(path, inputs, 2)
    assert said in made.values.checked.said and started[0].poll() is not None
    noise = made.values.signal_to_noise_db["y"]
    monkeypatch.setattr(onnx_whole, "SECONDS", 60.0)
    again = run(path, inputs, 2)  # another process is started
    assert again.values.checked.tensors and again.values.signal_to_noise_db["y"] == pytest.approx(
        noise, abs=0.1
    )
    onnx_whole._PROCESS.end()


def test_without_onnxruntime_the_run_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> str:
        raise NotChecked("onnxruntime is not installed")

    monkeypatch.setattr(onnx_whole, "version", missing)
    made = run(network(tmp_path), {"x": seeded(1, 3, 8, 8)}, 1)
    assert (
        fidelity.lines(made)[-1]
        == "reference: not checked by onnxruntime: onnxruntime is not installed"
    )


def test_a_model_whose_first_dimension_is_no_batch(tmp_path: Path) -> None:
    """Steps of a sequence: eight of them are a shorter sequence in both."""
    node = helper.make_node("LSTM", ["x", "w", "r"], ["", "h"], "cell", hidden_size=6)
    path = saved(
        tmp_path,
        [node],
        {"x": ["steps", 1, 6]},
        {"h": [1, 1, 6]},
        {"w": seeded(1, 24, 6) * np.float32(0.4), "r": seeded(1, 24, 6, seed=2) * np.float32(0.4)},
    )
    made = api.run(
        api.load_chip("int8_edge"),
        api.load_workload(path, dims={"steps": 12}),
        {"x": seeded(12, 1, 6, seed=4)},
    )
    assert (
        made.values is not None
        and made.values.checked.samples == 8
        and made.values.checked.of == 12
    )


def saved(
    folder: Path,
    nodes: list[Any],
    inputs: dict[str, list[Any]],
    outputs: dict[str, list[Any]],
    stored: dict[str, np.ndarray],
) -> Path:
    """A model of float inputs and outputs."""
    described = [
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in side.items()]
        for side in (inputs, outputs)
    ]
    constants = [onnx.numpy_helper.from_array(value, name) for name, value in stored.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "g", *described, constants),
        opset_imports=[helper.make_opsetid("", 17)],
    )
    model.ir_version = 10
    onnx.save(model, folder / "model.onnx")
    return folder / "model.onnx"


def test_a_rounding_that_turns_on_a_tie_is_nobodys_fault(tmp_path: Path) -> None:
    """Round of sums that lie in the middle but for float32's rounding: ours fall to the other side, which the
    operators behind are not blamed for."""
    x = np.random.default_rng(1).integers(1, 30, (8, 16)).astype(np.float32)
    tenths = np.random.default_rng(2).integers(1, 30, (16, 40)).astype(np.float32) * np.float32(0.1)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["t"], "sums"),
        helper.make_node("Round", ["t"], ["u"], "choice"),
        helper.make_node("Mul", ["u", "u"], ["y"], "square"),
    ]
    path = saved(tmp_path, nodes, {"x": [8, 16]}, {"y": [8, 40]}, {"w": tenths})
    made = run(path, {"x": x})
    assert made.values.checked.tensors == 3 and made.values.checked.alone


def test_the_first_operator_that_loses_much_is_named(
    tmp_path: Path, command: Callable[..., tuple[int, str]]
) -> None:
    """One input that is a thousand times the others: eight bits of the sum hold nothing of these."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["t"], "before"),
        helper.make_node("Mul", ["t", "k"], ["u"], "flood"),
        helper.make_node("Add", ["u", "t"], ["a"], "late"),
        helper.make_node("MatMul", ["a", "v"], ["y"], "after"),
    ]
    small = np.ones((1, 8), np.float32)
    small[0, 0] = 1e4
    weight = seeded(8, 1, seed=3)
    stored = {
        "w": seeded(8, 8),
        "k": small,
        "v": np.concatenate([np.zeros((1, 1), np.float32), weight[1:]]),
    }
    path = saved(tmp_path, nodes, {"x": [4, 8]}, {"y": [4, 1]}, stored)
    np.savez(tmp_path / "in.npz", x=seeded(4, 8, seed=7))
    arguments = ["run", "int8_edge", str(path), "--input", str(tmp_path / "in.npz")]
    values = json.loads(command(*arguments, "--json")[1])["values"]
    loss, noise = values["first_loss"], values["signal_to_noise_db"]
    assert (
        loss["operator"] == "after"
        and loss["to_db"] == noise["y"] < 10 < loss["from_db"] == noise["a"]
    )
    text = command(*arguments)[1]
    assert "first operator that loses more than 10 dB: after (gemm), " in text
    assert f"output SNR: y {noise['y']:.1f} dB (against onnxruntime's values)" in text


def test_a_trace_without_a_model_prints_its_noise_too(
    command: Callable[..., tuple[int, str]],
) -> None:
    text = command("run", "int8_edge", "digits_mlp", "--input", "digits")[1]
    assert "output SNR: " in text and "(against the float reference's values)" in text
    assert "onnxruntime" not in text


def test_modes_are_checked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="first, all, off"):
        run(network(tmp_path), {"x": seeded(1, 3, 8, 8)}, 1, reference_check="some")


@pytest.mark.parametrize("kind", ["QLinearMatMul", "QLinearConv", "MatMulInteger"])
def test_sums_of_onnxruntime_do_not_saturate(kind: str, tmp_path: Path) -> None:
    """Unsigned times signed codes, all at their ends: without VNNI onnxruntime adds pairs in 16 bits."""
    codes, weight = np.full((4, 64), 255, np.uint8), np.full((64, 8), 127, np.int8)
    stored: dict[str, Any] = {"xz": np.uint8(0), "wz": np.int8(0), "one": np.float32(1)}
    stored |= {"step": np.float32(64 * 127 * 255 / 100)}
    names = ["x", "one", "xz", "w", "one", "wz", "step", "xz"]
    if kind == "QLinearConv":
        codes, weight = codes.T.reshape(1, 64, 4, 1), weight.T.reshape(8, 64, 1, 1)
    node = helper.make_node(
        kind, names if kind != "MatMulInteger" else ["x", "w", "xz", "wz"], ["y"]
    )
    out = onnx.TensorProto.INT32 if kind == "MatMulInteger" else onnx.TensorProto.UINT8
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.UINT8, codes.shape)],
        [helper.make_tensor_value_info("y", out, None)],
        [
            onnx.numpy_helper.from_array(np.asarray(value), name)
            for name, value in {**stored, "w": weight}.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    model.ir_version = 10
    onnx.save(model, tmp_path / "ends.onnx")
    found = whole_model(tmp_path / "ends.onnx", {"x": codes}, ["y"], [])["y"].whole
    assert (found == (64 * 127 * 255 if kind == "MatMulInteger" else 100)).all()
