"""Single terms of quantisation and of values, each against exact arithmetic or the rule that it states."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from accelsim import api
from accelsim.errors import InputError
from accelsim.mapping import compile_program
from accelsim.numerics.accuracy import decibels, signal_to_noise, top1
from accelsim.numerics.calibrate import CLIPS, NetworkBuilder, multiplied, weight_clips
from accelsim.numerics.execute import execute
from accelsim.numerics.execution import Run
from accelsim.numerics.floors import _inputs, finite, softmax_floor
from accelsim.numerics.matmul import accumulation_of, grid_of_values
from accelsim.numerics.quantize import Quantization, affine, fine, peak_of, ratio, symmetric
from accelsim.numerics.ranges import LEAST, SAWB, STEPS, Calibration, clip, sawb, weight_clip
from accelsim.units.accumulation import Accumulation
from accelsim.workload import Gemm, TensorSpec, VectorOperator, Workload
from tests.mapping.random_cases import single
from tests.mapping.test_random_runs import network_for, random_values


def vector(
    kind: str, shape: tuple[int, ...], out: tuple[int, ...], inputs: int = 1, **more: object
) -> VectorOperator:
    names = tuple("xyz"[:inputs])
    return VectorOperator("v", kind, names, "o", (shape,) * inputs, out, **more)  # type: ignore[arg-type]


# -- scales and codes ------------------------------------------------------------------------------


def test_the_largest_magnitude() -> None:
    for values, peak in (
        ([3, -5], 5),
        ([5, -3], 5),
        ([-7, -2], 7),
        ([2, 4], 4),
        ([], 0),
        ([-(1 << 63)], 1 << 63),
    ):
        assert peak_of(np.array(values, np.int64)) == peak
    assert ratio(np.array([6.0, 5.0]), np.array([2.0, 0.0])).tolist() == [3.0, 0.0]
    assert float(ratio(4.0, 0.0)) == 0.0 and float(ratio(4.0, 8.0)) == 0.5


def test_scales_of_ranges() -> None:
    for name, top in (("int4", 7), ("int8", 127), ("uint8", 255), ("int16", 32767)):
        assert symmetric(3.5, name).scale == pytest.approx(3.5 / top, rel=1e-15)
        assert symmetric(np.array([2.0, 0.0]), name).scale == pytest.approx(
            [2.0 / top, 1e-30 / top], rel=1e-15
        )
    for low, high, scale, zero in (
        (-1.0, 3.0, 4 / 255, -64),
        (0.5, 2.0, 2 / 255, -128),
        (-2.0, -0.5, 2 / 255, 127),
    ):
        made = affine(low, high, "int8")
        assert (float(made.scale), made.zero) == (pytest.approx(scale, rel=1e-12), zero)
    for low, high, exponent in (
        (-1.0, 0.5, -6),
        (-127.0, 3.0, 0),
        (0.0, 128.0, 1),
        (0.0, 0.25, -6),
        (-3.9, 1.0, -5),
    ):
        assert float(fine(low, high, "int8").scale) == 2.0**exponent, (low, high)


def test_the_grid_of_some_values_is_the_narrowest() -> None:
    """Spacing: the lowest bit of all; precision: bits from the first to the last of the longest."""
    draw = np.random.default_rng(1)
    for _ in range(100):
        odd = draw.integers(0, 1 << int(draw.integers(1, 50)), 4) * 2 + 1
        values = np.ldexp(
            odd.astype(float), draw.integers(-60, 60, 4).astype(np.int32)
        ) * draw.choice([-1, 1], 4)
        found = grid_of_values(np.array([*values, 0.0, np.inf, np.nan]))
        exact = [abs(Fraction(float(v))) for v in values]
        spacing = min(
            Fraction(1, v.denominator)
            if v.denominator > 1
            else Fraction(v.numerator & -v.numerator)
            for v in exact
        )
        assert Fraction(found.quantum) == spacing
        assert found.precision == max(int(o).bit_length() for o in odd)
        assert found.top == found.bottom == max(np.abs(values))
    tiny = grid_of_values(np.array([5e-324, 3 * 2.0**-1070]))
    assert (tiny.quantum, tiny.precision) == (5e-324, 2)
    assert grid_of_values(np.zeros(3)) == grid_of_values(np.array([np.nan]))


def test_accumulations_from_names_and_keys() -> None:
    made = Accumulation("fp16_169", 32)
    assert accumulation_of(made) is made and accumulation_of(None) == Accumulation()
    assert accumulation_of("bf16") == Accumulation("bf16")
    assert accumulation_of({"format": "fp16_169", "chunk": 32}) == made
    with pytest.raises(InputError, match="no key 'width'"):
        accumulation_of({"width": 3})


# -- clips -----------------------------------------------------------------------------------------


def squared(weight: np.ndarray, clips: np.ndarray, top: int) -> np.ndarray:
    scale = clips / top
    return np.asarray(
        ((np.clip(np.rint(weight / scale), -top - 1, top) * scale - weight) ** 2).sum(axis=0)
    )


@pytest.mark.parametrize(("name", "top"), [("int2", 1), ("int3", 3), ("int4", 7), ("int5", 15)])
def test_narrow_weights_take_the_clip_of_the_least_error(name: str, top: int) -> None:
    """Of 24 parts of the peak from all of it down to a third and a bit; wide ones take all."""
    weight = np.random.default_rng(3).normal(size=(300, 12)) ** 3
    peak = np.abs(weight).max(axis=0)
    parts = np.array([1 - step / 36 for step in range(24)])
    assert CLIPS == 24
    errors = np.array([squared(weight, part * peak, top) for part in parts])
    assert weight_clips(weight, name) == pytest.approx(
        parts[errors.argmin(axis=0)] * peak, rel=1e-12
    )
    assert len(set(errors.argmin(axis=0).tolist())) > 1
    shares = np.linspace(1.0, LEAST, STEPS)
    errors = np.array([squared(weight, share * peak, top) for share in shares])
    assert weight_clip(weight, name, "mse") == pytest.approx(
        shares[errors.argmin(axis=0)] * peak, rel=1e-12
    )
    assert np.array_equal(weight_clips(weight, "int6"), peak)


def test_the_published_coefficients_of_sawb() -> None:
    """IBM's FMS Model Optimizer, sawb_params."""
    assert SAWB == {
        2: (3.12, -2.064),
        3: (7.509, -6.892),
        4: (12.68, -12.80),
        5: (17.74, -18.64),
        8: (31.76, -35.04),
    }
    draw = np.random.default_rng(4).normal(size=1000)
    for bits, (first, second) in SAWB.items():
        wanted = first * np.sqrt((draw**2).mean()) + second * np.abs(draw).mean()
        assert sawb(draw, f"int{bits}") == pytest.approx(wanted, rel=1e-12)
    assert sawb(np.array([2.0, -2.0, 2.0]), "int4") == 2.0  # 12.68 - 12.80 < 0


def test_percentiles_from_above_50_up_to_100() -> None:
    for percentile in (50.001, 75.0, 100.0):
        Calibration("percentile", percentile=percentile)
    for percentile in (50.0, 49.0, 100.001, float("nan")):
        with pytest.raises(InputError, match="lies not above 50"):
            Calibration("percentile", percentile=percentile)
    values = np.arange(101.0)
    how = Calibration("percentile", percentile=90)
    assert clip(values, "int8", how).tolist() == [0.0, 90.0]
    assert clip(values - 50, "int8", how) == pytest.approx([-40.0, 40.0])
    assert clip(-values - 1, "int8", how) == pytest.approx([-91.0, 0.0])
    assert clip(np.full(3, 2.5), "int8", Calibration("mse")).tolist() == [2.5, 2.5]


# -- floors ----------------------------------------------------------------------------------------


def test_a_floor_of_a_softmax_is_half_a_code_of_a_row() -> None:
    """All elements of a row below it add up to less than 2^-(bits + 1)."""
    draw = np.random.default_rng(5)
    scores = draw.normal(0, 6, (7, 33))
    total = np.log(np.exp(scores).sum(axis=1))
    shares = np.exp(scores - total[:, None])
    for bits in (4, 8, 16):
        found = softmax_floor(scores, shares, bits)
        assert found == pytest.approx(total.min() - np.log(33) - (bits + 1) * np.log(2), rel=1e-9)
        assert 33 * np.exp(found - total.min()) == pytest.approx(2.0 ** -(bits + 1), rel=1e-6)
    assert softmax_floor(scores, 0 * shares, 8) == -np.inf
    assert finite(np.array([np.inf, 2.0, np.nan])).tolist() == [2.0] and finite(
        np.array([np.nan])
    ).tolist() == [0]


def test_floors_of_inputs_follow_from_the_outputs() -> None:
    whole = {
        "x": np.array([1.0, -9.0, 4.0]),
        "y": np.array([0.5, 7.0, np.inf]),
        "o": np.array([2.0, 6.0]),
    }
    for own, wanted in ((-np.inf, 2.0), (1.0, 2.0), (5.0, 5.0)):
        for kind in ("max_pool", "reduce_max"):
            assert _inputs(vector(kind, (3,), (2,)), own, whole, {}) == {"x": wanted}
    assert _inputs(vector("add", (3,), (3,), 2), -4.0, whole, {}) == {"x": -11.0, "y": -8.0}
    assert _inputs(vector("maximum", (3,), (3,), 2), -4.0, whole, {}) == {"x": -4.0, "y": -4.0}
    assert _inputs(vector("reshape", (3,), (3,)), -4.0, whole, {}) == {"x": -4.0}
    assert _inputs(vector("select", (3,), (3,), 3), -4.0, whole, {}) == {"y": -4.0, "z": -4.0}
    for op in (vector("multiply", (3,), (3,), 2), vector("add", (3,), (3,), 2, activation="relu")):
        assert _inputs(op, -4.0, whole, {}) == {}
    assert _inputs(vector("add", (3,), (3,), 2), -np.inf, whole, {}) == {}


# -- networks --------------------------------------------------------------------------------------


def builder(form: str, values: dict[str, np.ndarray], holds: str = "reals") -> NetworkBuilder:
    op = Gemm("g", "x", "w", "o", 2, 4, 3)
    work = Workload(
        "w",
        (op,),
        {
            "x": TensorSpec("x", (2, 4), "input", holds=holds),
            "w": TensorSpec("w", (4, 3), "weight"),
            "o": TensorSpec("o", (2, 3), "output"),
        },
    )
    chip = api.load_chip("int8_edge")
    return NetworkBuilder(
        work, chip, values, {"x": form if holds == "integers" else "int8", "o": form}, "single"
    )


@pytest.mark.parametrize("form", ["int16", "int20", "int24", "int32"])
def test_outputs_as_wide_as_sums_keep_the_sums(form: str) -> None:
    """From 20 bits on: a scale a channel, the sums themselves as codes."""
    weight = np.random.default_rng(7).normal(size=(4, 3)) * [1.0, 4.0, 9.0]
    made = builder(
        form, {"w": weight, "x.range": np.array([-1.0, 1.0]), "o.range": np.array([-8.0, 8.0])}
    ).build()
    scale = made.activations["x"].scale * made.weight_scales["g"]
    if form == "int16":
        assert np.ndim(made.activations["o"].scale) == 0
        return
    assert made.activations["o"].scale == pytest.approx(scale.ravel(), rel=1e-12)
    sums = np.array([[100, -20, 3]])
    assert (made.requantizers["g"][0].apply(sums) - made.requantizers["g"][0].bias == sums).all()


@pytest.mark.parametrize(
    ("low", "high", "zero", "scaled"),
    [
        (-128, 127, 0, False),
        (-128, 128, 0, True),
        (-129, 127, 0, True),
        (0, 255, -128, False),
        (-1, 254, -127, False),
        (0, 256, 0, True),
        (1, 256, 0, True),
        (-5, 5, 0, False),
        (-128, -5, 0, False),
        (5, 127, 0, False),
        (-255, 0, 127, False),
        (100, 200, 0, True),
    ],
)
def test_integers_are_codes_where_the_format_holds_as_many(
    low: int, high: int, zero: int, scaled: bool
) -> None:
    made = builder("int8", {"x.range": np.array([low, high], float)}, "integers").integers("x")
    if scaled:
        assert float(made.scale) != 1.0
    else:
        assert made == Quantization("int8", np.float64(1.0), zero)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("low", "high"), [(-3.0, 1.0), (-1.0, 2.0), (0.5, 2.0), (-2.0, -0.5), (0.0, 0.0)]
)
def test_zero_is_code_0_where_it_has_to_be(low: float, high: float) -> None:
    """Of operands of products of tensors, and on crossbars where values are negative: the larger magnitude at
    the largest code. Else the range, widened to hold 0; a tensor of zeros has a scale all the same."""
    made = builder("int8", {})
    made.symmetric = {"x"}
    top = max(-low, high) or 1.0
    found, usual = made.between("x", low, high), made.between("o", low, high)
    assert (float(found.scale), found.zero) == (pytest.approx(top / 127, rel=1e-12), 0)
    wide = (max(high, 0.0) - min(low, 0.0)) or 1.0
    assert float(usual.scale) == pytest.approx(wide / 255, rel=1e-12)
    assert usual.decode(np.array([usual.zero])).tolist() == [0.0]
    made.chip = api.load_chip("pcm_8level")
    analog, rectified = made.between("o", low, high), made.between("o", low, high, relu=True)
    assert (analog.zero == 0 and float(analog.scale) == pytest.approx(top / 127, rel=1e-12)) == (
        low < 0
    )
    assert float(rectified.scale) == pytest.approx(wide / 255, rel=1e-12)


def test_ranges_of_operands_of_products_of_tensors_are_symmetric() -> None:
    """Both operands, and what they are views of; not what another operator made of its own inputs."""
    ops = (
        vector("relu", (4, 4), (4, 4)),
        Gemm("g", "t", "o", "p", 4, 4, 4),
        Gemm("h", "p", "w", "q", 4, 4, 4),
    )
    view = VectorOperator("f", "transpose", ("s",), "t", ((4, 4),), (4, 4), order=(0, 1))
    shapes = {
        name: TensorSpec(name, (4, 4), role)
        for name, role in (
            ("x", "input"),
            ("s", "input"),
            ("o", "intermediate"),
            ("t", "intermediate"),
            ("p", "intermediate"),
            ("w", "weight"),
            ("q", "output"),
        )
    }
    assert multiplied(Workload("w", (ops[0], view, *ops[1:]), shapes)) == {"t", "o", "s"}


def test_largest_scores_and_decibels() -> None:
    assert top1(np.array([[1, 5, 5], [9, 2, 3]]), np.array([1, 0])) == 1.0
    assert top1(np.array([[1, 5, 5], [9, 2, 3]]), np.array([2, 0])) == 0.5
    assert decibels(np.array([3.0, 4.0]), np.array([0.5, 0.0])) == pytest.approx(20.0)
    assert (
        decibels(np.ones(2), np.zeros(2)) == np.inf and decibels(np.zeros(2), np.ones(2)) == -np.inf
    )
    quant = Quantization("int8", np.float64(0.5))  # type: ignore[arg-type]
    real = np.array([2.0, -3.4e38, np.inf, 1.0])
    assert signal_to_noise(real, np.array([4, -128, 127, 3]), quant) == pytest.approx(
        10 * np.log10(5 / 0.25)
    )


def test_which_vector_operators_stay_on_codes() -> None:
    """Pools and relu only where both scales are one; additions and products always."""
    one, other = affine(-1, 1, "int8"), affine(-1, 2, "int8")
    run = object.__new__(Run)
    run.__dict__["floats"] = None
    for kind, same, apart in (
        ("relu", True, False),
        ("max_pool", True, False),
        ("average_pool", True, False),
        ("add", True, True),
        ("multiply", True, True),
    ):
        op = vector(kind, (1, 1, 2, 2), (1, 1, 2, 2), 2 if kind in ("add", "multiply") else 1)
        for out, wanted in ((one, same), (other, apart), (replace(one, zero=one.zero + 1), apart)):
            acts = {"x": one, "y": one, "o": out}
            run.network = type("N", (), {"activations": acts})()  # type: ignore[assignment]
            assert run.arithmetic(op) == wanted, (kind, out)


def test_rows_of_no_operator_compute_nothing() -> None:
    chip, op = api.load_chip("int8_edge"), Gemm("op", "x", "w", "y", 3, 4, 5)
    work = single(op)
    program = compile_program(chip, work)
    x, w = random_values(np.random.default_rng(3), op, chip)
    network = network_for(op, chip, work, w)
    assert execute(program, work, chip, {"x": x}, network).macs == 60
    program.commands.operator[:] = -1
    done = execute(program, work, chip, {"x": x}, network)
    assert done.macs == 0 and not done.tensors["y"].any()
