"""What formats/base.py promises, for every named format, families with numbers and a user's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from accelsim.errors import InputError
from accelsim.formats import FORMATS, OVERFLOWS, ROUNDINGS, Block, Codebook, Format, Minifloat, get
from accelsim.formats.rounding import draws
from tests.formats.exact import decoded, same

NAMES = [*FORMATS, "fixed_5_3", "hfp8_143_bias4", "hfp8_143_bias7"]
OWN = Path(__file__).parent / "own_format.yaml"


@pytest.fixture(params=[*NAMES, "own"])
def record(request: pytest.FixtureRequest) -> Format:
    if request.param != "own":
        return get(request.param)
    from accelsim.config.format_file import load_format

    return load_format(OWN)


def some(record: Format, count: int = 4000) -> np.ndarray:
    """Values all over the format's range and around it."""
    rng = np.random.default_rng(3)
    low, high = np.log2(record.smallest) - 3, np.log2(record.largest) + 1
    x = rng.choice([-1.0, 1.0], count) * np.exp2(
        rng.uniform(max(low, -1000), min(high, 1000), count)
    )
    return np.concatenate([[0.0, record.largest, record.lowest, record.smallest], x])


def test_there_are_enough() -> None:
    assert len(FORMATS) >= 24
    kinds = [record.kind for record in FORMATS.values()]
    assert all(
        kinds.count(kind) >= least
        for kind, least in {
            "integer": 10,
            "fixed": 3,
            "float": 14,
            "codebook": 1,
            "block": 6,
        }.items()
    )


def test_values_stay(record: Format) -> None:
    """Quantising what is quantised changes nothing, in any rounding."""
    values = record.quantize(some(record), overflow="saturate")
    for rounding in record.roundings:
        assert np.array_equal(record.quantize(values, rounding, seed=5), values), rounding


def test_codes_and_values_are_the_same(record: Format) -> None:
    x = some(record)
    kept = x.copy()
    codes = record.encode(x)
    assert codes.shape == x.shape and codes.dtype.kind in "iu"
    assert np.array_equal(record.decode(codes), record.quantize(x), equal_nan=True)
    assert np.array_equal(x, kept)
    grid = x[:60].reshape(3, 4, 5)
    assert record.quantize(grid).shape == record.encode(grid).shape == grid.shape
    assert record.quantize(1.0).shape == () and record.quantize(np.zeros((0, 3))).shape == (0, 3)


def test_order_is_kept(record: Format) -> None:
    if isinstance(record, Block):
        pytest.skip("elements of other blocks have other scales")
    x = np.sort(some(record))
    for rounding in record.roundings:
        if not draws(rounding):
            assert (np.diff(record.quantize(x, rounding, "saturate")) >= 0).all(), rounding


def test_directions(record: Format) -> None:
    x = some(record)
    x = x[(x <= record.largest) & (x >= record.lowest)]
    if isinstance(record, Block):  # whole blocks whose elements stay within the element format
        x = x[: len(x) // 32 * 32].reshape(-1, 32)
        peak = abs(x).max(axis=1) / np.exp2(record.scales_of(x)[:, 0].astype(float))
        x = x[peak <= -record.element.lowest * (1 - 2.0**-7)]
        assert len(x) > 20
    if getattr(record, "small", "subnormals") != "subnormals":
        x = x[abs(x) >= record.smallest]
    down, up, cut = (record.quantize(x, name, "saturate") for name in ("down", "up", "toward_zero"))
    assert (down <= x).all() and (x <= up).all() and (abs(cut) <= abs(x)).all()
    near = record.quantize(x, "nearest_even", "saturate")
    assert (abs(near - x) <= np.minimum(abs(down - x), abs(up - x))).all()
    assert ((near == down) | (near == up)).all()


def test_stochastic_is_unbiased_and_a_function_of_seed_and_place(record: Format) -> None:
    if "stochastic" not in record.roundings:
        pytest.skip("has none")
    x = some(record)
    first, again = (record.quantize(x, "stochastic", "saturate", seed=7) for _ in range(2))
    assert np.array_equal(first, again)
    part = record.quantize(x[1024:], "stochastic", "saturate", seed=7, first=1024)
    assert isinstance(record, Block) or np.array_equal(first[1024:], part)
    if record.bits < 40:
        other = record.quantize(x, "stochastic", "saturate", seed=8)
        assert not np.array_equal(first, other) or not (record.quantize(x) != x).any()
    if isinstance(record, Block) or record.bits == 1:
        return
    low = record.decode(record.encode([1.0]))[0] if record.largest >= 1 else record.largest / 4
    low = float(record.quantize(low))
    high = float(record.quantize(np.nextafter(low, np.inf), "up"))
    many = record.quantize(np.full(40_000, low + 0.25 * (high - low)), "stochastic", seed=1)
    if high - low > low * 2.0**-40:
        assert set(np.unique(many)) == {low, high}
        assert (many == high).mean() == pytest.approx(0.25, abs=0.01)


def test_infinities(record: Format) -> None:
    ends = np.array([np.inf, -np.inf])
    if isinstance(record, Block):
        assert np.isnan(record.quantize(ends)).all()
        return
    assert record.quantize(ends, overflow="saturate").tolist() == [record.largest, record.lowest]
    if "infinity" in record.overflows:
        assert np.array_equal(record.quantize(ends, overflow="infinity"), ends)
        assert np.array_equal(record.decode(record.encode(ends, overflow="infinity")), ends)
    if "nan" in record.overflows:
        assert np.isnan(record.quantize(ends, overflow="nan")).all()


def test_nan_is_kept_or_refused(record: Format) -> None:
    x = np.array([1.0, np.nan])
    if record.has_nan:
        found = record.decode(record.encode(x))
        assert np.isnan(found[1]) and (
            isinstance(record, Block) or found[0] == record.quantize(1.0)
        )
        return
    for call in (record.quantize, record.encode):
        with pytest.raises(InputError, match="NaN"):
            call(x)


def test_what_is_no_choice_is_refused(record: Format) -> None:
    for wrong in ("nearest_odd", "", *(r for r in ROUNDINGS if r not in record.roundings)):
        with pytest.raises(InputError, match="round"):
            record.quantize(1.0, wrong)
    for wrong in ("clip", *(o for o in OVERFLOWS if o not in record.overflows)):
        with pytest.raises(InputError, match="overflow"):
            record.quantize(1.0, overflow=wrong)
    for bits in (0, 33, -1, 2.5, True):
        with pytest.raises(InputError, match="random bits"):
            record.quantize(1.0, random_bits=bits)  # type: ignore[arg-type]
    for x in (["one"], [1j], [None], [2**60 + 1]):
        with pytest.raises(InputError, match=r"is of type|holds integers"):
            record.quantize(x)


@pytest.mark.parametrize("name", [n for n in NAMES if get(n).bits <= 16 and get(n).kind != "block"])
def test_every_bit_pattern(name: str) -> None:
    """Each decodes to its value and encodes to itself, or to the one code of its value."""
    record = get(name)
    patterns = np.arange(1 << record.bits)
    values = record.decode(patterns)
    step = max(1, len(patterns) // 3000)
    assert all(
        same(float(values[code]), decoded(record, code)) for code in range(0, len(patterns), step)
    )
    codes = record.encode(values, overflow=record.overflows[0])
    back = codes if isinstance(record, Minifloat | Codebook) else codes % (1 << record.bits)
    plain = np.isfinite(values)
    if isinstance(record, Minifloat) and record.small == "zero":
        plain &= (values != 0) | (patterns % (1 << (record.bits - 1)) == 0)
    assert np.array_equal(back[plain], patterns[plain])
    kept = ~np.isinf(values)
    assert np.array_equal(record.decode(codes)[kept], values[kept], equal_nan=True)
    if isinstance(record, Minifloat) and record.has_infinity:
        codes = record.encode(values, overflow="infinity")
        assert np.array_equal(record.decode(codes), values, equal_nan=True)
    finite = values[plain]
    assert finite.max() == record.largest and finite.min() == record.lowest
    assert finite[finite > 0].min() == record.smallest


@pytest.mark.parametrize("name", [n for n in FORMATS if get(n).kind == "block"])
def test_blocks_in_parts(name: str) -> None:
    """Scales and elements as memory holds them, and the bytes they take."""
    record = get(name)
    assert isinstance(record, Block)
    x = np.random.default_rng(1).normal(size=(3, 80)) * np.exp2(np.arange(80) // 32 * 5)
    scales, elements = record.parts(record.encode(x))
    assert scales.shape == (3, 3) and elements.shape == (3, 80)
    values = record.element.decode(elements) * np.exp2(np.repeat(scales, 32, 1)[:, :80] - 127.0)
    assert np.array_equal(values, record.quantize(x))
    peak = np.array([[abs(x[i, j : j + 32]).max() for j in (0, 32, 64)] for i in range(3)])
    assert np.array_equal(scales - 127.0, np.floor(np.log2(peak)) - record.top_exponent)
    assert record.bytes_for(64) == 64 * record.bits // 8 + 2
