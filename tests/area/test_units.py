"""Verilog multiply-accumulate units against exact rational arithmetic, on values read by the formats."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from accelsim.claims.area import TABLE, compute
from accelsim.formats import Minifloat, get
from tests.rtl.multipliers import UNITS, run

ROOT = Path(__file__).parent.parent.parent
STEPS = 10_000
Value = Fraction | str


def value(form: Minifloat, code: int) -> tuple[int, Value]:
    """(sign, magnitude or "inf" or "nan")."""
    real = float(form.decode(np.array([code]))[0])
    sign = code >> (form.bits - 1)
    if np.isnan(real):
        return sign, "nan"
    return sign, "inf" if np.isinf(real) else abs(Fraction(real))


def code(form: Minifloat, sign: int, exact: Fraction) -> int:
    """The code nearest to an exact magnitude, ties to even, overflow to infinity: by long division."""
    low, fraction = 1 - form.bias, form.fraction
    power = max(low, exact.numerator.bit_length() - exact.denominator.bit_length())
    if power > low and Fraction(2) ** power > exact:
        power -= 1
    steps = exact / Fraction(2) ** (power - fraction)
    count = steps.numerator // steps.denominator
    rest = steps - count
    if rest > Fraction(1, 2) or (rest == Fraction(1, 2) and count % 2):
        count += 1
    found = count + (power - low) * (1 << fraction)  # a carry runs into the exponent
    return sign << (form.bits - 1) | min(found, ((1 << form.exponent) - 1) << fraction)


def expected(operand: Minifloat, total: Minifloat, a: int, b: int, c: int) -> int:
    """The total's code after c + a b."""
    (sign_a, x), (sign_b, y), (sign_c, z) = value(operand, a), value(operand, b), value(total, c)
    top = ((1 << total.exponent) - 1) << total.fraction
    nan, sign = top | 1 << (total.fraction - 1), sign_a ^ sign_b
    if "nan" in (x, y, z):
        return nan
    if "inf" in (x, y):
        wrong = 0 in (x, y) or (z == "inf" and sign_c != sign)
        return nan if wrong else sign << (total.bits - 1) | top
    if z == "inf":
        return c
    assert not isinstance(x, str) and not isinstance(y, str) and not isinstance(z, str)
    exact = (-1) ** sign * x * y + (-1) ** sign_c * z
    if exact == 0:
        return (sign & sign_c) << (total.bits - 1)
    made = code(total, int(exact < 0), abs(exact))
    if exact.denominator.bit_length() < 1000 and Fraction(real := float(exact)) == exact:
        # the formats say the same wherever float64 holds the sum
        assert int(total.encode(np.array([real]), "nearest_even", "infinity")[0]) == made
    return made


def operand_code(form: Minifloat, draw: random.Random) -> int:
    """Any code; one in ten is special, the largest, the smallest or a zero."""
    if draw.random() < 0.1:
        sign, last = 1 << (form.bits - 1), (1 << form.fraction) - 1
        top = ((1 << form.exponent) - 1) << form.fraction
        return draw.choice(
            [0, sign, top, top | 1, 1, last, last + 1, form.top_code, sign | form.top_code]
        )
    return draw.getrandbits(form.bits)


@pytest.mark.parametrize(
    "name", [name for name, (_, total) in UNITS.items() if isinstance(total, str)]
)
def test_float_units(name: str, tmp_path: Path) -> None:
    """A third of the steps start anew; half of the others cancel what the step before added, nearly or
    quite."""
    operand, total = (get(str(part)) for part in UNITS[name])
    assert isinstance(operand, Minifloat) and isinstance(total, Minifloat)
    draw, top = random.Random(name), ((1 << total.exponent) - 1) << total.fraction
    steps, wanted, c, a, b = [], [], 0, 0, 0
    for _ in range(STEPS):
        stuck = c & ((1 << total.bits - 1) - 1) >= top
        first = int(stuck or not steps or draw.random() < 0.3)
        if not first and draw.random() < 0.5:
            a = a ^ 1 << (operand.bits - 1) ^ draw.choice([0, 0, 1])
        else:
            a, b = operand_code(operand, draw), operand_code(operand, draw)
        c = expected(operand, total, a, b, 0 if first else c)
        steps.append((first, a, b))
        wanted.append(c)
    found = run(name, steps, tmp_path)
    wrong = [
        (step, hex(one), hex(other))
        for step, one, other in zip(steps, found, wanted, strict=True)
        if one != other
    ]
    assert not wrong, wrong[:3]
    finite = [one for one in wanted if one & ((1 << total.bits - 1) - 1) < top]
    assert len(finite) > STEPS / 2 and len(set(finite)) > STEPS / 20


@pytest.mark.parametrize(
    "name", [name for name, (_, total) in UNITS.items() if isinstance(total, int)]
)
def test_integer_units(name: str, tmp_path: Path) -> None:
    operand, total = UNITS[name]
    bits, wide = get(operand).bits, int(total)
    draw, low = random.Random(name), -(1 << get(operand).bits - 1)
    steps, wanted, c = [], [], 0
    for _ in range(STEPS):
        first = int(not steps or draw.random() < 0.02)
        a, b = (draw.choice([low, -low - 1, draw.getrandbits(bits) + low]) for _ in range(2))
        c = ((0 if first else c) + a * b) % (1 << wide)
        steps.append((first, a % (1 << bits), b % (1 << bits)))
        wanted.append(c)
    assert run(name, steps, tmp_path) == wanted
    assert len(set(wanted)) > STEPS / 20


@pytest.mark.full
def test_synthesis_gives_the_committed_ratios() -> None:
    """Within the 20 % that the table states; Yosys comes with the machine of the long tests."""
    done = subprocess.run(
        [sys.executable, "scripts/make_area.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_area_claim_follows_the_table() -> None:
    """The figures are ratios of the table; the order of units is that of their widths."""
    found = compute(0).figures
    counts = json.loads(TABLE.read_text())["transistors"]
    assert set(counts) == set(UNITS)
    assert found["fp32 over fp16_169"] == counts["fp32"] / counts["fp16_169"]
    assert 3 < found["fp32 over fp16_169"] < 5 and 3 < found["int32 over int16"] < 5
    assert counts["int4"] < counts["int8"] < counts["fp8_152"] < counts["fp16_169"] < counts["fp32"]
