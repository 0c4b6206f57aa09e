"""Additions, products and rescaling of codes of any width, held against Python's integers and fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim import api
from accelsim.numerics.quantize import affine, fixed_point, rescale
from accelsim.numerics.vector import elementwise
from accelsim.workload import TensorSpec, VectorOperator, Workload


@settings(max_examples=200, deadline=None)
@given(st.integers(-(1 << 62), 1 << 62), st.floats(1e-12, 1e12))
def test_rescaling_is_exact_for_any_width_and_factor(value: int, factor: float) -> None:
    multiplier, shift = fixed_point(np.array([factor]))
    exact = round(Fraction(value) * int(multiplier[0]) / Fraction(2) ** int(shift[0]))
    limits = np.iinfo(np.int64)
    assert int(rescale(np.array([value]), multiplier, shift)[0]) == min(
        max(exact, limits.min), limits.max
    )


@pytest.mark.parametrize("form", ["int8", "int16", "int24", "int32", "int48", "int64"])
@pytest.mark.parametrize("source", ["int8", "int16", "int32", "int48"])
@pytest.mark.parametrize("kind", ["add", "multiply"])
def test_reals_survive_every_pair_of_widths(kind: str, source: str, form: str) -> None:
    reals = np.array([4.0, -4.0, 0.1, 1.0, 3.3, -2.7])
    first, second = affine(-4, 4, source), affine(-5, 5, source)
    out = affine(-20, 20, form)
    op = VectorOperator("s", kind, ("x", "y"), "s", ((6,), (6,)), (6,))
    made = out.decode(
        elementwise(op, [first.encode(reals), second.encode(reals)], [first, second], out)
    )
    wanted = reals + reals if kind == "add" else reals * reals
    step = float(out.scale) + 10 * float(first.scale) + float(np.abs(wanted).max()) * 2.0**-22
    assert np.abs(made - wanted).max() <= step


@pytest.mark.parametrize("bits", [24, 32, 33, 40, 48, 56, 64])
def test_an_addition_as_last_operator_at_every_accumulator(bits: int) -> None:
    op = VectorOperator("s", "add", ("x", "x"), "s", ((1, 4), (1, 4)), (1, 4))
    work = Workload(
        "w", (op,), {"x": TensorSpec("x", (1, 4), "input"), "s": TensorSpec("s", (1, 4), "output")}
    )
    from accelsim.numerics import build_network
    from accelsim.numerics.calibrate import Values

    values: Values = {"x.range": np.array([-4.0, 4.0]), "s.range": np.array([-1.0, 1.0])}
    try:
        chip = api.load_chip("int8_edge", [f"units.array.accumulator.bits={bits}"])
    except Exception:  # widths without a format
        pytest.skip(f"no accumulator of {bits} bits")
    acts = build_network(work, chip, values).activations
    x = acts["x"].encode(np.array([[4, -4, 0.1, 1]]))
    made = acts["s"].decode(elementwise(op, [x, x], [acts["x"], acts["x"]], acts["s"]))
    assert np.allclose(made, [[1, -1, 0.19, 1]], atol=0.005)
