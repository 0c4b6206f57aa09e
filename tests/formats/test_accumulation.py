"""Sums against exact references, the papers' stall points, and bits that nothing can change."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from accelsim.formats import get
from accelsim.formats.random_bits import key_of, word_at
from accelsim.numerics import matmul
from accelsim.units import accumulation
from accelsim.units.accumulation import Accumulation, accumulate, adder
from accelsim.units.accumulation_steps import random_word
from tests.formats.exact import exact, same
from tests.formats.integer_reference import reference

#: (input, weight, accumulator, rounding, chunk, product, random bits, exponents of the data)
COMBINATIONS: list[tuple[str, str, str, str, int, str, int, int]] = [
    *(
        ("fp8_152", "fp8_152", "fp16_169", rounding, chunk, "exact", bits, 9)
        for rounding, bits in (
            ("nearest_even", 1),
            ("nearest_away", 1),
            ("toward_zero", 1),
            ("up", 1),
            ("down", 1),
            ("stochastic", 12),
            ("stochastic", 5),
            ("stochastic", 14),
        )
        for chunk in (64, 0, 7)
    ),
    ("hfp8_143", "fp8_152", "fp16_169", "nearest_even", 64, "exact", 1, 6),
    ("hfp8_143", "hfp8_143", "dlfloat16", "nearest_away", 64, "exact", 1, 4),
    ("hfp8_143", "hfp8_143", "dlfloat16", "stochastic", 32, "exact", 8, 4),
    ("fp8_e4m3fn", "fp8_e4m3fn", "bf16", "nearest_even", 32, "exact", 1, 6),
    ("fp8_e4m3fn", "fp8_e5m2", "bf16", "stochastic", 0, "exact", 16, 6),
    ("fp8_e4m3fn", "fp8_e4m3fn", "fp32", "nearest_even", 0, "exact", 1, 6),
    ("bf16", "bf16", "fp32", "nearest_even", 128, "exact", 1, 5),
    ("bf16", "bf16", "fp32", "stochastic", 16, "exact", 16, 5),
    ("fp16_169", "fp16_169", "fp16_169", "nearest_even", 64, "exact", 1, 5),
    ("fp16_169", "fp16_169", "fp16_169", "nearest_even", 64, "fp16_169", 1, 5),
    ("fp16", "fp16", "fp16", "toward_zero", 0, "fp16", 1, 4),
    ("fp8_152", "fp8_152", "fp8_152", "stochastic", 8, "fp16_169", 10, 4),
    ("fp4_e2m1", "fp4_e2m1", "fp8_e4m3fn", "nearest_even", 4, "exact", 1, 3),
    ("int8", "int8", "int16", "nearest_even", 0, "exact", 1, 6),
    ("int8", "int4", "int12", "nearest_even", 16, "exact", 1, 6),
    ("int8", "int8", "fp16_169", "stochastic", 64, "exact", 12, 6),
    ("fixed_4_4", "fixed_4_4", "fixed_8_8", "nearest_even", 0, "exact", 1, 3),
    ("fixed_8_8", "fixed_8_8", "fixed_16_16", "exact", 0, "exact", 1, 6),
    ("fixed_8_8", "fixed_4_12", "fixed_6_10", "stochastic", 0, "exact", 10, 2),
    ("fixed_8_8", "fixed_4_12", "fixed_6_10", "stochastic_floor", 16, "exact", 10, 2),
    ("fp8_152", "fp8_152", "fp16_169", "stochastic_floor", 64, "exact", 7, 9),
    ("fp8_e4m3fnuz", "fp8_e5m2fnuz", "fp16_169", "nearest_up", 64, "exact", 1, 6),
    ("fp8_e4m3b11fnuz", "fp8_e4m3b11fnuz", "bf16", "nearest_down", 0, "exact", 1, 3),
    ("int7", "uint5", "int16", "nearest_zero", 8, "exact", 1, 4),
]


def data(
    names: tuple[str, str], power: int, shape: tuple[int, int, int], seed: int
) -> list[np.ndarray]:
    """Values of two formats over 2 power binades; a tenth of them zero."""
    rng = np.random.default_rng(seed)
    m, k, n = shape
    made = []
    for name, size in zip(names, ((m, k), (k, n)), strict=True):
        record = get(name)
        wide = (
            rng.normal(size=size)
            * np.exp2(rng.uniform(-power, power, size))
            * (rng.random(size) > 0.1)
        )
        grid = record.grid
        assert grid is not None
        made.append(record.quantize(np.clip(wide, -(2.0**power), 2.0**power)))
    return made


def run_combination(number: int, shape: tuple[int, int, int], seed: int) -> int:
    """Steps compared; both sides must be equal."""
    left, right, name, rounding, chunk, product, bits, power = COMBINATIONS[number]
    how = Accumulation(name, chunk, rounding, product, random_bits=bits, seed=seed)
    unit = adder(how, left, right)
    a, b = data((left, right), power, shape, seed)
    if left == "bf16" or left.startswith("fp16"):  # keep the units few enough for 62 bits
        a, b = (np.rint(x * 2.0**11) / 2.0**11 for x in (a, b))
        a, b = get(left).quantize(a), get(right).quantize(b)
        unit = adder(
            how,
            *(
                accumulation.Grid(g.precision, -12 + g.precision, g.top, g.top)
                for g in unit.operands
            ),
        )
    got = accumulate(a, b, unit)
    wanted = reference(a, b, unit, get(product) if product != "exact" else None)
    assert np.array_equal(got, wanted), COMBINATIONS[number]
    assert len(np.unique(got)) > min(10, got.size // 8)
    return a.size * b.shape[1]


@pytest.mark.parametrize("number", range(len(COMBINATIONS)))
def test_against_whole_numbers(number: int) -> None:
    """Some 80,000 steps of each combination, beyond the size from which loops are compiled."""
    assert len(COMBINATIONS) >= 20
    run_combination(number, (9, 300, 30), number)


@pytest.mark.parametrize(
    "rounding",
    [
        "nearest_even",
        "nearest_away",
        "toward_zero",
        "stochastic",
        "up",
        "nearest_up",
        "nearest_down",
        "stochastic_floor",
    ],
)
def test_each_loop_alone(rounding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few steps through the loops that are compiled (and are plain Python with NUMBA_DISABLE_JIT=1)."""
    monkeypatch.setattr(accumulation, "SMALL", 0)
    a, b = data(("fp8_152", "fp8_152"), 9, (5, 47, 6), 4)
    for chunk, bits in ((0, 11), (5, 11), (0, 7), (6, 8)):
        how = Accumulation("fp16_169", chunk, rounding, random_bits=bits, seed=6)
        unit = adder(how, "fp8_152", "fp8_152")
        whole = reference(a, b, unit)
        assert np.array_equal(accumulate(a, b, unit), whole)
        for at in (3, 6, 17) if chunk == 0 else ():  # begins inside a random word
            before = accumulate(a[:, :at], b[:at], unit)
            assert np.array_equal(
                accumulate(a[:, at:], b[at:], unit, start=before, first=at), whole
            )
        general = adder(
            Accumulation("fp16_169", chunk, rounding, "fp8_152", random_bits=bits, seed=6),
            "fp8_152",
            "fp8_152",
        )
        assert np.array_equal(accumulate(a, b, general), reference(a, b, general, get("fp8_152")))


@pytest.mark.full
def test_a_hundred_million_steps() -> None:
    steps = 0
    for number in range(len(COMBINATIONS)):
        for seed in range(3):
            steps += run_combination(number, (16, 1000, 64), 100 + seed)
    print(f"{steps:,} steps over {len(COMBINATIONS)} combinations")
    assert steps >= 100_000_000


SPECIAL = [
    ("fp8_e5m2", "fp16_169", "nearest_even", "infinity"),
    ("fp8_e5m2", "fp16_169", "up", "saturate"),
    ("fp8_152", "fp16", "nearest_even", "infinity"),
    ("fp8_152", "fp16", "toward_zero", "infinity"),
    ("fp8_152", "fp16", "down", "nan"),
    ("fp8_152", "fp16", "stochastic", "infinity"),
    ("fp8_e4m3fn", "fp8_e4m3fn", "nearest_even", "nan"),
    ("fp8_152", "dlfloat16", "nearest_away", "nan"),
]


@pytest.mark.parametrize(("name", "total", "rounding", "overflow"), SPECIAL)
def test_overflow_and_tiny_sums_against_rational_numbers(
    name: str, total: str, rounding: str, overflow: str
) -> None:
    """The whole range of the operands; infinities and NaN stay in the sums they reach."""
    record, out = get(name), get(total)
    rng = np.random.default_rng(1)
    low, high = np.log2(record.smallest), np.log2(record.largest)
    a, b = (
        record.quantize(rng.choice([-1, 1], s) * np.exp2(rng.uniform(low, high, s)))
        for s in ((6, 24), (24, 5))
    )
    a[4], b[:, 4] = abs(a[4]), abs(b[:, 4])
    how = Accumulation(total, 8, rounding, overflow=overflow, random_bits=9, seed=2)  # type: ignore[arg-type]
    got = accumulate(a, b, adder(how, name, name))
    words = word_at(key_of(2), np.arange(30))
    place = max(min(24 - out.grid.precision, 16) - 9, 0)  # type: ignore[union-attr]

    def drawn(word: Any, shift: int) -> int:
        return (int(word) >> (place + shift)) & 511

    def add(x: Any, y: Any, draw: int) -> Any:
        if isinstance(x, float) or isinstance(y, float):
            return float(x) + float(y)
        return exact(out, x + y, rounding, overflow, draw, 9)

    for i in range(6):
        for j in range(5):
            word = words[i * 5 + j]
            keys = np.uint32(word & np.uint64(0xFFFFFFFF)), np.uint32(word >> np.uint64(32))
            whole: Any = Fraction(0)
            for c in range(3):
                s: Any = Fraction(0)
                for o in range(8):
                    k = 8 * c + o
                    step = random_word(np.array([keys[0]]), np.array([keys[1]]), np.uint32(k // 2))[
                        0
                    ]
                    s = add(s, Fraction(a[i, k]) * Fraction(b[k, j]), drawn(step, 16 * (k % 2)))
                step = random_word(np.array([keys[0]]), ~np.array([keys[1]]), np.uint32(8 * c + 8))[
                    0
                ]
                whole = add(whole, s, drawn(step, 0))
            assert same(got[i, j], whole), (i, j, got[i, j], whole)


def test_what_lies_beyond_53_bits_still_counts() -> None:
    """2^30 and 2^-32 in one sum: float64 drops the small one, the directed roundings do not."""
    a = np.array([[2.0**15, 2.0**-16]])
    for sign in (1.0, -1.0):
        b = np.array([[2.0**15], [sign * 2.0**-16]])
        found = {
            name: matmul(a, b, {"format": "fp16_169", "rounding": name})[0, 0]
            for name in ("up", "down", "toward_zero", "nearest_even")
        }
        above, below = 2.0**30 * (1 + 2.0**-9), 2.0**30 * (1 - 2.0**-10)
        assert found["nearest_even"] == 2.0**30
        assert found["up"] == (above if sign > 0 else 2.0**30)
        assert found["down"] == found["toward_zero"] == (2.0**30 if sign > 0 else below)


def test_stall_points() -> None:
    """Ones stop at 1,024 and numbers of mean and deviation 1 at exactly 4,096 in 1-6-9; chunks of 64
    stay within one spacing (0.2 %) at 65,536; chunks of CL stop near 2,048 CL."""
    ones = np.ones((1, 1 << 17))
    assert matmul(ones, ones.T, "fp16_169")[0, 0] == 1024
    rng = np.random.default_rng(0)
    x = rng.uniform(1 - 3**0.5, 1 + 3**0.5, (1, 65536))
    x = get("fp16_169").quantize(x)
    one = np.ones((65536, 1))
    assert matmul(x, one, "fp16_169")[0, 0] == 4096
    chunked = matmul(x, one, {"format": "fp16_169", "chunk": 64})[0, 0]
    assert abs(chunked - x.sum()) <= 128
    assert matmul(np.ones((1, 65536)), one, {"format": "fp16_169", "chunk": 64})[0, 0] == 65536
    for chunk in (4, 16, 32):
        long = np.ones((1, 4096 * chunk))
        stall = matmul(long, long.T, {"format": "fp16_169", "chunk": chunk})[0, 0]
        assert 1024 * chunk <= stall <= 2048 * chunk
    cut = matmul(x, one, {"format": "fp16_169", "rounding": "stochastic", "seed": 1})[0, 0]
    assert cut == pytest.approx(x.sum(), rel=0.1) and cut > 50_000


def digest(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def tiled(
    a: np.ndarray, b: np.ndarray, unit: accumulation.Adder, rng: np.random.Generator
) -> np.ndarray:
    """The product in random tiles of m and n, random threads, K cut at random chunk ends."""
    m, depth, n = a.shape[0], a.shape[1], b.shape[1]
    total = np.zeros((m, n))
    chunk = unit.how.chunk or 1
    ends = np.unique([0, depth, *(rng.integers(0, depth // chunk + 1, rng.integers(0, 4)) * chunk)])
    rows = np.unique([0, m, *rng.integers(0, m, rng.integers(0, 5))])
    cols = np.unique([0, n, *rng.integers(0, n, rng.integers(0, 5))])
    for r0, r1 in pairwise(rows):
        for c0, c1 in pairwise(cols):
            for k0, k1 in pairwise(ends):
                before = None if k0 == 0 else total[r0:r1, c0:c1]
                total[r0:r1, c0:c1] = accumulate(
                    a[r0:r1, k0:k1],
                    b[k0:k1, c0:c1],
                    unit,
                    start=before,
                    first=int(k0),
                    index=int(r0 * n + c0),
                    columns=n,
                    threads=int(rng.integers(1, 4)),
                )
    return total


#: (operands, accumulator, rounding, chunk, random bits)
TILED = [
    ("fp8_152", "fp16_169", "nearest_even", 64, 12),
    ("fp8_152", "fp16_169", "stochastic", 64, 12),
    ("fp8_152", "fp16_169", "stochastic", 0, 12),
    ("fp8_152", "fp16_169", "stochastic", 5, 8),
    ("fp8_152", "fp16_169", "stochastic", 64, 8),
    ("fp8_152", "fp16_169", "stochastic", 0, 7),
    ("fp16", "fp16", "stochastic", 16, 12),
    ("int8", "int16", "nearest_even", 0, 12),
]


def tilings(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    for name, total, rounding, chunk, bits in TILED:
        a, b = data((name, name), 5, (21, 170, 23), 3)
        unit = adder(Accumulation(total, chunk, rounding, random_bits=bits, seed=11), name, name)
        whole = digest(accumulate(a, b, unit))
        for number in range(count // len(TILED) + 1):
            if number % 3 == 0:  # small tiles, compiled all the same
                monkeypatch.setattr(accumulation, "SMALL", 0)
            assert digest(tiled(a, b, unit, rng)) == whole, (name, total, rounding, chunk, bits)
            monkeypatch.undo()


def test_tilings_threads_and_splits_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    tilings(24, monkeypatch)


@pytest.mark.full
def test_a_thousand_tilings(monkeypatch: pytest.MonkeyPatch) -> None:
    tilings(1000, monkeypatch)


def test_plain_and_compiled_and_narrow_and_wide_are_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a, b = data(("fp8_152", "fp8_152"), 4, (7, 90, 33), 8)
    for rounding, bits in (
        ("nearest_even", 12),
        ("nearest_away", 12),
        ("toward_zero", 12),
        ("stochastic", 12),
        ("stochastic", 8),
        ("stochastic", 3),
    ):
        for chunk in (0, 64, 9):
            how = Accumulation("fp16_169", chunk, rounding, random_bits=bits, seed=1)
            unit = adder(how, "fp8_152", "fp8_152")
            results = []
            for small, narrow in ((10**9, True), (0, True), (0, False)):
                monkeypatch.setattr(accumulation, "SMALL", small)
                if not narrow:
                    monkeypatch.setattr(accumulation, "_narrow", lambda *_: False)
                results.append(accumulate(a, b, unit))
                monkeypatch.undo()
            assert np.array_equal(results[0], results[1]) and np.array_equal(results[1], results[2])


def test_random_words_are_even_and_independent() -> None:
    """Bits of the words: half ones, neither neighbours nor steps nor halves alike."""
    words = word_at(key_of(3), np.arange(1 << 12))
    low, high = (
        (words & np.uint64(0xFFFFFFFF)).astype(np.uint32),
        (words >> np.uint64(32)).astype(np.uint32),
    )
    drawn = np.stack([random_word(low, high, np.uint32(step)) for step in range(64)])
    bits = (drawn[..., None] >> np.arange(32, dtype=np.uint32)) & 1
    assert abs(bits.mean(axis=(0, 1)) - 0.5).max() < 0.005
    flat = bits.reshape(64, -1)
    signs = 2.0 * flat - 1
    assert abs((signs[1:] * signs[:-1]).mean(axis=1)).max() < 0.015
    assert abs((signs[:, :-32] * signs[:, 32:]).mean(axis=1)).max() < 0.015
    signed = 2.0 * bits - 1
    for first in range(0, 32, 8):  # the bytes that four steps draw
        for second in range(first + 8, 32, 8):
            both = signed[..., first : first + 8] * signed[..., second : second + 8]
            assert abs(both.mean(axis=(0, 1))).max() < 0.01
    halves = 2.0 * bits[..., :16] - 1, 2.0 * bits[..., 16:] - 1
    assert abs((halves[0] * halves[1]).mean(axis=(0, 1))).max() < 0.01
    assert len(np.unique(drawn)) > 0.999 * drawn.size


def test_no_product_is_fused_into_its_addition() -> None:
    """A fused multiply-add would not round the product; a compiled loop must."""
    from accelsim import jit

    def fused(a, b, c, out):  # type: ignore[no-untyped-def]
        for i in range(a.shape[0]):
            out[i] = a[i] * b[i] + c[i]

    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 4096)).astype(np.float32)
    c = -(a * b)
    kernel = jit.compiled(fused)
    out = np.empty_like(a)
    kernel(a, b, c, out)
    assert (out == 0).all() and ((a.astype(float) * b + c) != 0).mean() > 0.9


@pytest.mark.full
def test_no_fused_instruction_in_the_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine code of each loop, compiled afresh (cached code cannot be read)."""
    from accelsim import jit

    module, _ = jit._numba()
    monkeypatch.setattr(jit, "_numba", lambda: (module, False))
    monkeypatch.setattr(jit, "_COMPILED", {})
    x, y = data(("fp8_152", "fp8_152"), 3, (8, 200, 60), 1)
    for rounding in ("nearest_even", "stochastic", "up"):
        accumulate(x, y, adder(Accumulation("fp16_169", 64, rounding), "fp8_152", "fp8_152"))
    for loop, helpers in accumulation.HELPERS.items():
        texts = jit.compiled(loop, helpers).inspect_asm()
        assert texts
        for text in texts.values():
            assert not any(word in text for word in ("fmadd", "fmsub", "fnmadd", "fmla"))
