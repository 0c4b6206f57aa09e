"""Values that could be wrong in silence: integers, scales, clips and masks of ONNX models, against
onnxruntime's result of the whole model."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from accelsim import api
from accelsim.errors import InputError
from accelsim.importers.onnx_model import import_model
from tests.importers.onnx_graphs import Model, measured, normal, right


def worst(
    model: Model, folder: Path, *outputs: str, chip: str = "int8_edge", rounding: str = "single"
) -> float:
    path = model.save(folder / "m.onnx", *outputs)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        return min(measured(path, model.inputs, chip, rounding).values())


# -- integers that index, compare or count ------------------------------------------------------
@pytest.mark.parametrize("kind", [np.int64, np.int32])
def test_rows_of_a_table_are_the_ones_asked_for(kind: type, tmp_path: Path) -> None:
    m = Model()
    rows = 3000
    table = (
        np.random.default_rng(1).permutation(rows).astype(np.float32)[:, None].repeat(2, 1) / rows
    )
    ids = m.input("ids", np.array([[0, 1, 2, 255, 256, 257, 1703, rows - 1]], kind))
    y = m.node(
        "MatMul",
        m.node("Gather", m.constant(table), ids),
        m.constant(np.eye(2, 1, dtype=np.float32)),
    )
    assert worst(m, tmp_path, y) > 35


def test_ids_through_arithmetic_casts_and_masks(tmp_path: Path) -> None:
    """Positions counted from a mask, halved and floored in float, looked up where a comparison holds."""
    m = Model()
    mask = m.input("mask", (np.arange(600) % 3 != 1)[None].astype(np.int64))
    places = m.node(
        "Sub", m.node("CumSum", mask, m.constant(np.int64(1))), m.constant(np.array([[1]]))
    )
    half = m.node(
        "Floor",
        m.node("Mul", m.node("Cast", places, to=TensorProto.FLOAT), m.constant(np.float32(0.5))),
    )
    early = m.node("Less", places, m.constant(np.array([[300]])))
    chosen = m.node(
        "Where", early, m.node("Cast", half, to=TensorProto.INT64), m.constant(np.array([[7]]))
    )
    table = m.constant(normal(1, 400, 4))
    y = m.node("MatMul", m.node("Gather", table, chosen), m.constant(normal(2, 4, 3)))
    path = m.save(tmp_path / "m.onnx", y, chosen)
    assert measured(path, m.inputs)[y] > 35
    made = api.run(api.load_chip("int8_edge"), api.load_workload(path), m.inputs).values
    assert made is not None
    assert (made.outputs[chosen] == right(path, m.inputs)[chosen]).all()


def test_embeddings_of_a_transformer(tmp_path: Path) -> None:
    m = Model()
    ids = m.input("ids", np.random.default_rng(4).integers(0, 900, (2, 8)))
    rows = m.node(
        "Add", m.node("Gather", m.constant(normal(1, 900, 16)), ids), m.constant(normal(2, 8, 16))
    )
    n = m.node(
        "LayerNormalization", rows, m.constant(np.ones(16, np.float32)), m.constant(normal(3, 16))
    )
    assert worst(m, tmp_path, m.node("MatMul", n, m.constant(normal(5, 16, 8)))) > 35


def test_classes_are_those_of_the_sums(tmp_path: Path) -> None:
    m = Model()
    scores = m.node("MatMul", m.input("x", normal(1, 64, 32)), m.constant(normal(2, 32, 1000)))
    path = m.save(tmp_path / "m.onnx", m.node("ArgMax", scores, axis=-1, keepdims=0))
    made = api.run(api.load_chip("int8_edge"), api.load_workload(path), m.inputs).values
    assert made is not None
    name, theirs = next(iter(right(path, m.inputs).items()))
    assert (made.outputs[name] == theirs).mean() > 0.9  # of 1,000 classes; ties aside
    assert made.outputs[name].dtype == np.int64 and made.outputs[name].max() > 255


def test_pictures_of_bytes_are_reals_behind_their_cast(tmp_path: Path) -> None:
    m = Model()
    x = m.input("x", np.random.default_rng(1).integers(0, 256, (1, 3, 8, 8)).astype(np.uint8))
    u = m.node("Div", m.node("Cast", x, to=TensorProto.FLOAT), m.constant(np.float32(255)))
    y = m.node("Conv", u, m.constant(normal(2, 4, 3, 3, 3)))
    assert worst(m, tmp_path, y) > 35
    work = import_model(tmp_path / "m.onnx").workload
    assert work.tensors["x"].holds == "integers" and work.tensors[u].holds == "reals"


def test_shared_tables_and_biases(tmp_path: Path) -> None:
    """A table that is looked up and multiplied by; a bias that another operator reads."""
    m = Model()
    ids, table = m.input("ids", np.array([[3, 70, 99]])), m.constant(normal(1, 100, 8))
    bias = m.constant(normal(2, 100))
    h = m.node("Tanh", m.node("Gather", table, ids))
    logits = m.node("Add", m.node("MatMul", h, m.node("Transpose", table, perm=[1, 0])), bias)
    y = m.node("Max", logits, bias)
    assert worst(m, tmp_path, y) > 30


# -- quantised models ---------------------------------------------------------------------------
def qdq(m: Model, x: str, scale: float, kind: type, zero: int, clip: tuple[int, int] | None) -> str:
    s, z = m.constant(np.float32(scale)), m.constant(kind(zero))
    codes = m.node("QuantizeLinear", x, s, z)
    if clip is not None:
        codes = m.node("Clip", codes, m.constant(kind(clip[0])), m.constant(kind(clip[1])))
    return str(m.node("DequantizeLinear", codes, s, z))


@pytest.mark.parametrize(
    ("kind", "zero", "clip", "form"),
    [
        (np.uint8, 0, (0, 15), "int4"),
        (np.uint8, 8, (0, 15), "int4"),
        (np.int8, 0, (-8, 7), "int4"),
        (np.int8, 0, (-7, 7), "int4"),
        (np.uint8, 0, (0, 7), "int3"),
        (np.int8, 0, (-3, 3), "int3"),
        (np.uint8, 0, (0, 31), "int5"),
        (np.int8, 0, (-2, 1), "int2"),
        (np.uint8, 128, (0, 255), "int8"),
        (np.uint8, 3, (2, 40), "int6"),
    ],
)
@pytest.mark.parametrize("shared", [False, True])
def test_clips_of_codes_are_formats(
    kind: type, zero: int, clip: tuple[int, int], form: str, shared: bool, tmp_path: Path
) -> None:
    m = Model(opset=14)
    low, high = clip
    x = m.input("x", normal(2, 1, 3, 8, 8, scale=2))
    d = qdq(m, x, 4.0 / (high - low), kind, zero, clip)
    codes = np.random.default_rng(1).integers(-3, 4, (8, 3, 3, 3)).astype(np.int8)
    clipped = m.node("Clip", m.constant(codes), m.constant(np.int8(-3)), m.constant(np.int8(3)))
    w = m.node("DequantizeLinear", clipped, m.constant(np.float32(0.1)), m.constant(np.int8(0)))
    outputs = [m.node("Conv", d, w)]
    if shared:  # somebody reads what is not clipped
        outputs.append(m.node("Conv", x, m.constant(normal(3, 4, 3, 1, 1))))
    path = m.save(tmp_path / "m.onnx", *outputs)
    found = measured(path, m.inputs)
    assert found[outputs[0]] > (
        20 if shared else 120
    )  # equal to a code; where shared, rounded twice
    conv = next(op for op in import_model(path).workload.operators if op.output == outputs[0])
    assert (conv.input_format, conv.weight_format) == (form, "int3")
    if shared:
        assert found[outputs[1]] > 30


def test_clipped_codes_run_on_a_chip_of_four_bits(tmp_path: Path) -> None:
    m = Model(opset=14)
    d = qdq(m, m.input("x", np.abs(normal(2, 4, 32))), 0.1, np.uint8, 0, (0, 15))
    codes = m.constant(np.random.default_rng(1).integers(-7, 8, (32, 8)).astype(np.int8))
    w = m.node(
        "DequantizeLinear",
        m.node("Clip", codes, m.constant(np.int8(-7)), m.constant(np.int8(7))),
        m.constant(np.float32(0.1)),
        m.constant(np.int8(0)),
    )
    assert worst(m, tmp_path, m.node("MatMul", d, w), chip="int4_edge") > 120


def test_codes_of_four_bits_of_newer_models(tmp_path: Path) -> None:
    m = Model()
    s = m.constant(np.float32(0.3))
    x = m.node(
        "QuantizeLinear",
        m.input("x", normal(1, 4, 64)),
        s,
        m.constant(np.zeros((), np.int8), TensorProto.INT4),
    )
    d = m.node("DequantizeLinear", x, s, m.constant(np.zeros((), np.int8), TensorProto.INT4))
    w = m.constant(
        np.random.default_rng(1).integers(-7, 8, (64, 24)).astype(np.int8), TensorProto.INT4
    )
    y = m.node(
        "MatMul", d, m.node("DequantizeLinear", w, m.constant(np.abs(normal(3, 24)) + 0.01), axis=1)
    )
    path = m.save(tmp_path / "m.onnx", y)
    assert measured(path, m.inputs)[y] > 100
    work = import_model(path).workload
    rows = api.run(api.load_chip("int8_edge"), work).program.tensors
    assert [row.format for row in rows if row.view == "weight"] == ["int4"]  # four bits of traffic


def test_blocks_of_weights_say_what_was_assumed(tmp_path: Path) -> None:
    m = Model()
    w = m.constant(
        np.random.default_rng(1).integers(-8, 8, (64, 8)).astype(np.int8), TensorProto.INT4
    )
    d = m.node(
        "DequantizeLinear",
        w,
        m.constant(np.abs(normal(2, 2, 8)) * 0.1 + 0.01),
        axis=0,
        block_size=32,
    )
    y = m.node("MatMul", m.input("x", normal(1, 4, 64)), d)
    assert worst(m, tmp_path, y) > 35
    said = import_model(tmp_path / "m.onnx").workload.notes["assumed"]
    assert sum("4 bits with a scale a block" in line for line in said) == 1


@pytest.mark.parametrize("zero", [127, 128, 131, 0])
def test_dynamic_quantisation_takes_scales_once(zero: int, tmp_path: Path) -> None:
    """What quantize_dynamic writes around a product and a convolution, and scales that nothing takes away."""
    m = Model()
    a, s, z = m.node("DynamicQuantizeLinear", m.input("x", normal(2, 4, 64)), outputs=3)
    w = m.constant(np.random.default_rng(1).integers(0, 256, (64, 24)).astype(np.uint8))
    sums = m.node("MatMulInteger", a, w, z, m.constant(np.uint8(zero)))
    scale = m.node("Mul", s, m.constant(np.float32(0.01)))
    made = m.node("Mul", m.node("Cast", sums, to=TensorProto.FLOAT), scale)
    y = m.node("Add", made, m.constant(normal(5, 24)))
    bare = m.node("Cast", m.node("MatMulInteger", a, w, z), to=TensorProto.FLOAT)
    u = m.node("Mul", bare, m.constant(np.float32(1e-4)))
    assert worst(m, tmp_path, y, u) > 35


def test_dynamic_quantisation_of_convolutions_and_of_two_tensors(tmp_path: Path) -> None:
    m = Model()
    a, s, z = m.node("DynamicQuantizeLinear", m.input("x", normal(2, 1, 3, 8, 8)), outputs=3)
    w = m.constant(np.random.default_rng(1).integers(-127, 128, (4, 3, 3, 3)).astype(np.int8))
    sums = m.node("ConvInteger", a, w, z, m.constant(np.int8(0)), pads=[1] * 4)
    y = m.node(
        "Mul",
        m.node("Cast", sums, to=TensorProto.FLOAT),
        m.node("Mul", s, m.constant(np.float32(0.01))),
    )
    q, qs, qz = m.node("DynamicQuantizeLinear", m.input("q", normal(3, 6, 16)), outputs=3)
    k, ks, kz = m.node("DynamicQuantizeLinear", m.input("k", normal(4, 16, 6)), outputs=3)
    both = m.node("Cast", m.node("MatMulInteger", q, k, qz, kz), to=TensorProto.FLOAT)
    v = m.node("Mul", both, m.node("Mul", qs, ks))
    assert worst(m, tmp_path, y, v) > 35


def test_asymmetric_weights_get_a_scale_of_ours(tmp_path: Path) -> None:
    m = Model()
    d = qdq(m, m.input("x", normal(2, 4, 16)), 0.05, np.uint8, 120, None)
    codes = m.constant(np.random.default_rng(1).integers(0, 256, (16, 8)).astype(np.uint8))
    w = m.node("DequantizeLinear", codes, m.constant(np.float32(0.02)), m.constant(np.uint8(131)))
    y = qdq(m, m.node("MatMul", d, w), 0.3, np.uint8, 128, None)
    assert worst(m, tmp_path, y) > 35
    assert any(
        "scales of ours" in line
        for line in import_model(tmp_path / "m.onnx").workload.notes["assumed"]
    )


def test_codes_given_as_integers_are_codes(tmp_path: Path) -> None:
    """A model whose input is uint8 codes: given as integers, they are what onnxruntime takes them for."""
    m = Model()
    x = m.input("x", np.random.default_rng(3).integers(0, 256, (4, 16)).astype(np.uint8))
    d = m.node("DequantizeLinear", x, m.constant(np.float32(0.05)), m.constant(np.uint8(100)))
    assert worst(m, tmp_path, m.node("MatMul", d, m.constant(normal(1, 16, 8)))) > 35


# -- rounding, channels, masks, widths ----------------------------------------------------------
@pytest.mark.parametrize("rounding", ["single", "gemmlowp", "float32"])
@pytest.mark.parametrize("group", [1, 2])
def test_a_convolution_as_last_layer_keeps_its_sums(
    rounding: str, group: int, tmp_path: Path
) -> None:
    m = Model()
    y = m.node(
        "Conv",
        m.input("x", normal(9, 1, 4, 11, 13)),
        m.constant(normal(1, 6, 4 // group, 3, 5, scale=0.3)),
        m.constant(normal(3, 6)),
        strides=[2, 1],
        dilations=[1, 2],
        pads=[0, 2, 1, 3],
        group=group,
    )
    assert worst(m, tmp_path, y, rounding=rounding) > 38


@pytest.mark.parametrize("gain", [0.0, 1e-12, 1e-30])
@pytest.mark.parametrize("rounding", ["single", "gemmlowp", "float32"])
def test_dead_channels_keep_their_bias(gain: float, rounding: str, tmp_path: Path) -> None:
    m, w = Model(opset=17), normal(0, 4, 3, 3, 3)
    w[1] *= np.float32(gain)
    bias = m.constant(np.array([0.5, 3.0, 0.2, -0.7], np.float32))
    c = m.node("Conv", m.input("x", normal(7, 1, 3, 8, 8)), m.constant(w), bias, pads=[1] * 4)
    y = m.node("Conv", m.node("Relu", c), m.constant(normal(2, 2, 4, 1, 1)))
    assert worst(m, tmp_path, y, c, rounding=rounding) > 35


def test_scales_of_zero_stand_for_zeros(tmp_path: Path) -> None:
    m = Model()
    d = qdq(m, m.input("x", normal(2, 4, 16)), 0.05, np.int8, 0, None)
    codes = m.constant(np.random.default_rng(1).integers(-127, 128, (16, 3)).astype(np.int8))
    scales = m.constant(np.array([0.02, 0.0, 0.01], np.float32))
    w = m.node("DequantizeLinear", codes, scales, axis=1)
    y = m.node("Add", m.node("MatMul", d, w), m.constant(np.array([1, 2, 3], np.float32)))
    assert worst(m, tmp_path, y) > 35


@pytest.mark.parametrize("low", [-1e4, -65504.0, -1e9, float(np.finfo(np.float32).min), -np.inf])
@pytest.mark.parametrize("form", ["where", "add", "input", "views"])
def test_masked_scores_leave_the_others_their_codes(low: float, form: str, tmp_path: Path) -> None:
    m = Model()
    keep = np.tril(np.ones((6, 6), bool))
    scores = m.node("MatMul", m.input("q", normal(1, 1, 6, 8)), m.input("k", normal(2, 1, 8, 6)))
    if form == "add":
        masked = m.node("Add", scores, m.constant(np.where(keep, 0, low).astype(np.float32)))
    elif form == "input" and np.isfinite(low):
        real = m.node("Cast", m.node("Not", m.input("keep", keep)), to=TensorProto.FLOAT)
        masked = m.node("Add", scores, m.node("Mul", real, m.constant(np.float32(low))))
    else:
        masked = m.node("Where", m.constant(keep), scores, m.constant(np.float32(low)))
    if form == "views":
        masked = m.node("Reshape", masked, m.constant(np.array([6, 1, 6])))
    p = m.node("Softmax", masked, axis=-1)
    if form == "views":
        p = m.node("Reshape", p, m.constant(np.array([1, 6, 6])))
    assert worst(m, tmp_path, m.node("MatMul", p, m.input("v", normal(3, 1, 6, 8)))) > 30


def test_a_maximum_of_masked_values(tmp_path: Path) -> None:
    m = Model()
    keep = m.constant(np.arange(40).reshape(4, 10) % 3 > 0)
    masked = m.node("Where", keep, m.input("x", normal(1, 4, 10)), m.constant(np.float32(-np.inf)))
    y = m.node(
        "MatMul",
        m.node("ReduceMax", masked, m.constant(np.array([1]))),
        m.constant(normal(2, 1, 3)),
    )
    assert worst(m, tmp_path, y) > 35


# -- refused in one line, or run -----------------------------------------------------------------
def test_tensors_without_elements_are_nothing_to_do(tmp_path: Path) -> None:
    m = Model()
    x = m.input("x", normal(1, 1, 2, 6, 16))
    first, none = m.node("Split", x, m.constant(np.array([16, 0])), outputs=2, axis=-1)
    joined = m.node("Concat", first, m.node("Tanh", none), axis=-1)
    assert worst(m, tmp_path, m.node("MatMul", joined, m.constant(normal(4, 16, 8)))) > 35


@pytest.mark.parametrize("shape", [(5,), (2, 4), (3, 4, 1), (1, 3, 4)])
def test_a_gemm_whose_third_operand_does_not_fit(shape: tuple[int, ...], tmp_path: Path) -> None:
    m = Model()
    y = m.node(
        "Gemm",
        m.input("x", normal(1, 3, 6)),
        m.constant(normal(2, 6, 4)),
        m.constant(normal(3, *shape)),
    )
    path = m.save(tmp_path / "m.onnx", y)
    with pytest.raises(InputError, match="does not go over"):
        api.load_workload(path)
    with pytest.raises(Exception):  # noqa: B017
        right(path, m.inputs)


# -- constants and scales go with the axis they are given for ------------------------------------
@pytest.mark.parametrize("shape", [(), (1,), (4,), (1, 4), (4, 1), (1, 1), (4, 4)])
@pytest.mark.parametrize("beta", [1.0, 2.0])
def test_a_gemm_of_as_many_rows_as_columns_adds_c_along_its_own_axis(
    shape: tuple[int, ...], beta: float, tmp_path: Path
) -> None:
    m = Model()
    c = m.constant(8 * normal(3, *shape) if shape else np.float32(3.0))
    y = m.node("Gemm", m.input("x", normal(1, 4, 6)), m.constant(normal(2, 6, 4)), c, beta=beta)
    assert worst(m, tmp_path, y) > 35


def test_a_number_a_row_of_a_reshaped_convolution_is_no_number_a_filter(tmp_path: Path) -> None:
    m = Model()
    x = m.node("Conv", m.input("x", normal(1, 1, 3, 4, 8)), m.constant(normal(2, 4, 3, 1, 1)))
    rows = m.node("Reshape", x, m.constant(np.array([2, 4, 2, 8])))
    y = m.node("Mul", rows, m.constant(np.array([1, 5, -3, 9], np.float32).reshape(1, 4, 1, 1)))
    assert worst(m, tmp_path, y) > 35


@pytest.mark.parametrize("last", ["Reshape", "Transpose", "MaxPool"])
def test_sums_that_are_an_output_and_read_on_keep_their_scales(last: str, tmp_path: Path) -> None:
    """A scale a filter, each of another size, of sums that leave the chip, through a view of them."""
    m = Model()
    sizes = np.array([1, 2, 4, 2], np.float32).reshape(4, 1, 1, 1)
    x = m.node(
        "Conv", m.input("x", normal(1, 1, 3, 4, 4)), m.constant(sizes * normal(2, 4, 3, 1, 1))
    )
    given = {
        "Reshape": lambda: m.node("Reshape", x, m.constant(np.array([2, 8, 4]))),
        "Transpose": lambda: m.node("Transpose", x, perm=[0, 2, 1, 3]),
        "MaxPool": lambda: m.node(
            "MaxPool", m.node("Reshape", x, m.constant(np.array([1, 4, 16]))), kernel_shape=[2]
        ),
    }
    y = given[last]()
    assert worst(m, tmp_path, x, m.node("Softsign", y)) > 30
