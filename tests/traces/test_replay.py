"""A run's codes saved, and its layers replayed: the same bits on chips of integers, noise on others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import accelsim
from accelsim import api, traces
from accelsim.mapping import Mapping
from accelsim.mapping.homes import DEFAULT
from accelsim.results.result import Result
from accelsim.traces.replays import alone, formats_of
from accelsim.workload import VectorOperator
from tests.importers.models import DIMS, TORCH
from tests.traces import hand_made

ROOT = Path(__file__).parents[2]
IMAGES = 12
OTHERS = ("int8_edge", "int8_128", "tpu_v1_like")  # 32 x 32, 128 x 128, 256 x 256


def digits(chip: str, workload: str, images: int = IMAGES, homes: str = DEFAULT) -> Result:
    with np.load(ROOT / "workloads/digits.npz") as file:
        pixels = file["images"][:images] / 16
    work = accelsim.load_workload(workload, batch=images)
    return accelsim.run(
        accelsim.load_chip(chip),
        work,
        {"x": pixels.reshape(work.tensors["x"].shape)},
        keep=True,
        homes=homes,
    )


def saved(result: Result, folder: Path) -> traces.Trace:
    traces.save_trace(result, folder)
    return traces.load_trace(folder)


@pytest.mark.parametrize("workload", ["digits_mlp", "digits_cnn"])
@pytest.mark.parametrize("chip", ["int8_edge", "int4_edge", "fp8_64", "pcm_8level"])
def test_round_trip(chip: str, workload: str, tmp_path: Path) -> None:
    """What is read is what was computed, and the chip that made it gives every layer again."""
    result = digits(chip, workload)
    trace = saved(result, tmp_path / "trace")
    assert result.values is not None and result.values.kept is not None
    kept = result.values.kept
    for name, codes in kept.tensors.items():
        found, quant = trace.tensor(name), kept.network.activations[name]
        assert (found.codes == codes).all() and found.codes.shape == codes.shape
        assert (found.real() == quant.decode(codes)).all()
        assert found.format == quant.format
    rows = traces.replay(accelsim.load_chip(chip), trace)
    assert [row.name for row in rows] == [
        op.name for op in result.workload.operators if op.name != "flat"
    ]
    assert all(row.difference is not None and row.difference.equal for row in rows)
    assert sum(row.macs for row in rows) == result.workload.macs
    assert all(row.difference is not None and row.difference.elements > 0 for row in rows)


def test_other_arrays_and_dataflows_give_the_same_bits(tmp_path: Path) -> None:
    trace = saved(digits("int8_edge", "digits_cnn"), tmp_path / "trace")
    assert len(trace.workload.operators) == 6
    cycles = {}
    shapes = [
        ("int8_edge", ("units.array.rows=8", "units.array.columns=24")),
        ("int8_edge", ("units.array.dataflow=output_stationary",)),
        ("int8_edge", ("units.array.dataflow=input_stationary", "units.array.rows=16")),
        *((name, ()) for name in OTHERS),
    ]
    for name, overrides in shapes:
        rows = traces.replay(accelsim.load_chip(name, overrides), trace)
        assert all(row.difference is not None and row.difference.equal for row in rows), name
        cycles[name, overrides] = sum(row.cycles for row in rows)
    assert len(set(cycles.values())) == len(shapes)  # they are other chips


def test_gemmlowp_codes_come_again(tmp_path: Path) -> None:
    """The rounding is part of the record."""
    with np.load(ROOT / "workloads/digits.npz") as file:
        pixels = file["images"][:IMAGES] / 16
    work = accelsim.load_workload("digits_cnn", batch=IMAGES)
    result = accelsim.run(
        accelsim.load_chip("int8_edge"),
        work,
        {"x": pixels[:, None]},
        rounding="gemmlowp",
        keep=True,
    )
    trace = saved(result, tmp_path / "trace")
    assert trace.recorded.rounding == "gemmlowp"
    rows = traces.replay(accelsim.load_chip("int8_128"), trace)
    assert all(row.difference is not None and row.difference.equal for row in rows)


@pytest.mark.parametrize(("chip", "least"), [("fp8_64", 17), ("pcm_8level", 9), ("int4_edge", 15)])
def test_noise_of_other_numbers(chip: str, least: float, tmp_path: Path) -> None:
    """Each layer starts from its own inputs, so that noise does not pile up; it is what NumPy says it is."""
    trace = saved(digits("int8_edge", "digits_cnn"), tmp_path / "trace")
    rows = traces.replay(accelsim.load_chip(chip), trace)
    found = {row.name: row.difference for row in rows}
    for name in ("conv1", "conv2", "fc"):
        apart = found[name]
        assert apart is not None and not apart.equal and least < apart.noise_db < 40
    result, _ = traces.replay_layer(accelsim.load_chip(chip), trace, trace.operators["conv2"])
    assert result.values is not None
    wanted = trace.tensor("conv2").real()
    error = result.values.quantization["conv2"].decode(result.values.outputs["conv2"]) - wanted
    apart = found["conv2"]
    assert apart is not None
    assert apart.largest == np.abs(error).max()
    assert apart.noise_db == pytest.approx(10 * np.log10((wanted**2).sum() / (error**2).sum()))


def test_a_model_with_residuals_and_vector_operators(tmp_path: Path) -> None:
    """Every layer of a small ONNX model on three chips; what only the model says is computed with it."""
    work = api.load_workload(TORCH / "residual_cnn.onnx", dims=DIMS["residual_cnn"])
    rng = np.random.default_rng(5)
    inputs = {
        name: rng.normal(size=spec.shape)
        for name, spec in work.tensors.items()
        if spec.role == "input"
    }
    result = accelsim.run(accelsim.load_chip("int8_edge"), work, inputs, keep=True)
    trace = saved(result, tmp_path / "trace")
    kinds = {op.kind for op in trace.workload.operators}
    assert {"conv2d", "add", "gemm"} <= kinds and trace.recorded.model
    evaluate = traces.model_evaluator(trace, TORCH / "residual_cnn.onnx", DIMS["residual_cnn"])
    for name in OTHERS:
        chip = accelsim.load_chip(name)
        rows = traces.replay(chip, trace, evaluate=evaluate)
        assert all(row.difference is not None and row.difference.equal for row in rows), name
    without = traces.replay(accelsim.load_chip("int8_edge"), trace)
    assert {row.name for row in without if row.difference is None} == set(trace.recorded.model)
    assert all(
        row.cycles > 0 and ("model" in row.note) == (row.difference is None) for row in without
    )


@pytest.mark.full
@pytest.mark.parametrize("name", ["encoder", "decoder", "sizes", "speech_lstm"])
@pytest.mark.parametrize("chip", ["int8_edge", "fp8_64"])
def test_exported_models(chip: str, name: str, tmp_path: Path) -> None:
    work = api.load_workload(TORCH / f"{name}.onnx", dims=DIMS.get(name))
    rng = np.random.default_rng(11)
    inputs = {
        key: rng.normal(size=spec.shape)
        for key, spec in work.tensors.items()
        if spec.role == "input"
    }
    trace = saved(
        accelsim.run(accelsim.load_chip(chip), work, inputs, keep=True), tmp_path / "trace"
    )
    evaluate = traces.model_evaluator(trace, TORCH / f"{name}.onnx", DIMS.get(name))
    for other in OTHERS if chip == "int8_edge" else (chip,):
        rows = traces.replay(accelsim.load_chip(other), trace, evaluate=evaluate)
        assert all(row.difference is not None and row.difference.equal for row in rows), other


def test_timing_is_that_of_the_layer_alone(tmp_path: Path) -> None:
    """The same cycles and joules as a run of the layer alone; under the run's own mapping the same work."""
    result = digits("int8_edge", "digits_cnn", homes="off_chip")
    trace = saved(result, tmp_path / "trace")
    chip = accelsim.load_chip("int8_edge")
    rows = {row.name: row for row in traces.replay(chip, trace)}
    whole = {row.name: row for row in result.operators}
    for op in trace.workload.operators:
        if isinstance(op, VectorOperator):
            continue
        one = accelsim.run(chip, alone(trace.workload, op, formats_of(trace, chip, op)))
        row, inside = rows[op.name], whole[op.name]
        assert (row.cycles, row.joules["chip"]) == (one.cycles, one.joules)
        mapping = result.plan.mappings[op.name]
        assert isinstance(mapping, Mapping)
        same = accelsim.run(
            chip,
            alone(trace.workload, op, formats_of(trace, chip, op)),
            mappings={op.name: mapping},
        )
        assert same.operators[0].mapping == inside.mapping
        assert same.operators[0].busy_cycles == inside.busy_cycles
        assert same.operators[0].dram_read_bytes == inside.dram_read_bytes
    text = "name: one\ninputs: {x: [12, 64]}\noperators:\n  - {name: fc1, kind: gemm, input: x, n: 128}\n"
    (tmp_path / "one.yaml").write_text(text + "values: one.npz\n")
    rng = np.random.default_rng(1)
    np.savez(
        tmp_path / "one.npz",
        **{"fc1.weight": rng.normal(size=(64, 128))},
        **{"x.range": np.array([-4.0, 4.0])},
    )
    work = accelsim.load_workload(tmp_path / "one.yaml")
    run = accelsim.run(chip, work, {"x": rng.normal(size=(12, 64))}, keep=True)
    row = traces.replay(chip, saved(run, tmp_path / "alone"))[0]
    assert (row.cycles, row.joules["chip"]) == (run.cycles, run.joules)
    assert row.difference is not None and row.difference.equal


def test_traces_by_others(tmp_path: Path) -> None:
    """Integers by NumPy alone, with groups, zero points, channel scales, unsigned codes: bit for bit."""
    trace = traces.load_trace(hand_made.write(tmp_path / "trace"))
    for name in OTHERS:
        rows = traces.replay(accelsim.load_chip(name), trace)
        assert [row.difference.said() for row in rows if row.difference] == [
            "12 equal",
            "8 equal",
            "100 equal",
            "100 equal",
        ], name
    assert np.count_nonzero(trace.tensor("fc").codes + 100) > 3  # not all cut off by the ReLU


@pytest.mark.parametrize("name", ["fc", "wide", "conv", "sum"])
def test_a_changed_code_is_found(name: str, tmp_path: Path) -> None:
    arrays = hand_made.arrays()
    arrays[name].flat[1] += 2 if arrays[name].flat[1] < 100 else -2
    trace = traces.load_trace(hand_made.write(tmp_path / "trace", arrays))
    rows = {
        row.name: row.difference for row in traces.replay(accelsim.load_chip("int8_edge"), trace)
    }
    apart = rows[name]
    assert apart is not None
    assert (apart.differing, apart.largest_codes) == (1, 2)
    after = {"fc": "wide", "conv": "sum"}.get(name)  # it reads the changed code
    assert all(
        row is not None and row.equal for key, row in rows.items() if key not in (name, after)
    )


@pytest.mark.parametrize(
    "view",
    ["kind: transpose, input: conv, order: [0, 2, 1, 3]", "kind: flatten, input: conv"],
)
def test_a_view_keeps_the_scale_of_each_number(view: str, tmp_path: Path) -> None:
    arrays = hand_made.arrays()
    arrays["conv.scale"] = np.array([0.1, 0.2, 0.4, 0.8])
    text = hand_made.TEXT.replace("recorded:", f"  - {{name: v, {view}}}\nrecorded:")
    trace = traces.load_trace(hand_made.write(tmp_path / "trace", arrays, text))
    real = (arrays["conv"].astype(np.float64) - 3) * arrays["conv.scale"].reshape(4, 1, 1)
    wanted = real.transpose(0, 2, 1, 3) if "order" in view else real.reshape(1, -1)
    found = trace.tensor("v")
    assert found.quantization is not None
    assert np.array_equal(found.quantization.decode(found.codes), wanted)


def test_real_numbers_alone(tmp_path: Path) -> None:
    """A trace of floats: rounded to the chip's numbers, held against the floats."""
    rng = np.random.default_rng(4)
    x, weight, bias = rng.normal(size=(5, 16)), rng.normal(size=(16, 8)), rng.normal(size=8)
    text = (
        "name: reals\ninputs: {x: [5, 16]}\noperators:\n"
        "  - {name: fc, kind: gemm, input: x, n: 8, bias: true}\nrecorded: {version: 1}\n"
    )
    arrays = {"x": x, "fc.weight": weight, "fc.bias": bias, "fc": x @ weight + bias}
    trace = traces.load_trace(hand_made.write(tmp_path / "trace", arrays, text))
    for name, least in (("int8_edge", 35.0), ("fp8_64", 20.0), ("int4_edge", 12.0)):
        (row,) = traces.replay(accelsim.load_chip(name), trace)
        assert row.difference is not None and least < row.difference.noise_db < 60, name


def test_layers_by_name_and_pattern(tmp_path: Path) -> None:
    trace = traces.load_trace(hand_made.write(tmp_path / "trace"))
    chip = accelsim.load_chip("int8_edge")
    assert [row.name for row in traces.replay(chip, trace, ["c*", "wide"])] == ["wide", "conv"]
    assert [row.name for row in traces.replay(chip, trace, ["conv"])] == ["conv"]
    del trace.archive.headers["x"]  # another layer's arrays are not asked for
    assert traces.replay(chip, trace, ["conv"])[0].difference is not None


def test_first_operator_that_differs_from_a_reference(tmp_path: Path) -> None:
    trace = saved(digits("int8_edge", "digits_cnn"), tmp_path / "trace")
    same = traces.compare_run(digits("tpu_v1_like", "digits_cnn"), trace)
    assert [row.operator for row in same] == ["x", "conv1", "pool1", "conv2", "pool2", "fc"]
    assert traces.first_difference(same) is None
    other = traces.compare_run(digits("pcm_8level", "digits_cnn"), trace)
    first = traces.first_difference(other)
    assert first is not None and (first.operator, first.largest_codes is not None) == (
        "conv1",
        True,
    )
    arrays = dict(np.load(tmp_path / "trace/values.npz"))
    changed = arrays["conv2"].copy()
    changed.flat[77] ^= 4
    np.savez_compressed(tmp_path / "trace/values.npz", **{**arrays, "conv2": changed})
    rows = traces.compare_run(
        digits("int8_edge", "digits_cnn"), traces.load_trace(tmp_path / "trace")
    )
    first = traces.first_difference(rows)
    assert first is not None and (first.operator, first.differing, first.largest_codes) == (
        "conv2",
        1,
        4,
    )


def test_large_arrays_are_mapped(tmp_path: Path) -> None:
    """Stored arrays of a megabyte and more stay in the file; compressed ones give the same codes."""
    values = {"x": np.arange(3 << 18, dtype=np.int32).reshape(3, -1), "y": np.zeros((2, 2))}
    for write in (np.savez, np.savez_compressed):
        write(tmp_path / "a.npz", **values)
        archive = traces.archive.Archive(tmp_path / "a.npz")
        found = archive.read("x")
        assert isinstance(found, np.memmap) == (write is np.savez)
        assert (found == values["x"]).all() and not found.flags.writeable


def test_same_bytes(tmp_path: Path) -> None:
    """A trace depends on nothing but the run; NumPy reads it by itself."""
    for name in ("a", "b"):
        traces.save_trace(digits("int8_edge", "digits_mlp"), tmp_path / name)
    for file in ("trace.yaml", "values.npz"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    with np.load(tmp_path / "a/values.npz") as arrays:
        x, w = (
            arrays["x"].astype(np.int64) - int(arrays["x.zero"]),
            arrays["fc1.weight"].astype(np.int64),
        )
        sums = x @ w + arrays["fc1.bias"]
        factor = arrays["x.scale"] * arrays["fc1.weight.scale"] / arrays["fc1.scale"]
        zero = int(arrays["fc1.zero"])
        codes = np.clip(np.rint(sums * factor) + zero, max(zero, -128), 127)
        assert np.abs(codes - arrays["fc1"]).max() <= 1 and (codes == arrays["fc1"]).mean() > 0.999
