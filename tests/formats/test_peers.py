"""ml_dtypes and gfloat as second opinions, where they are right.

ml_dtypes casts float64 through float32 and so rounds twice: it is given float32. gfloat scales in
float64, which is exact for these formats.
"""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.formats import Block, get

ml_dtypes = pytest.importorskip("ml_dtypes")
gfloat = pytest.importorskip("gfloat")
ROUND = {
    "nearest_even": "TiesToEven",
    "nearest_away": "TiesToAway",
    "toward_zero": "TowardZero",
    "up": "TowardPositive",
    "down": "TowardNegative",
}
CASTS = {
    "fp8_e5m2": "float8_e5m2",
    "fp8_e4m3fn": "float8_e4m3fn",
    "fp8_e4m3": "float8_e4m3",
    "fp8_e3m4": "float8_e3m4",
    "bf16": "bfloat16",
    "fp6_e2m3": "float6_e2m3fn",
    "fp6_e3m2": "float6_e3m2fn",
    "fp4_e2m1": "float4_e2m1fn",
    "fp8_e4m3fnuz": "float8_e4m3fnuz",
    "fp8_e5m2fnuz": "float8_e5m2fnuz",
    "fp8_e4m3b11fnuz": "float8_e4m3b11fnuz",
}


def float32_numbers(count: int) -> np.ndarray:
    """Bit patterns spread over float32, and many around one; no NaN."""
    rng = np.random.default_rng(2)
    x = rng.integers(0, 1 << 32, count, dtype=np.uint32).view(np.float32)
    near = (rng.normal(size=count) * np.exp2(rng.integers(-18, 18, count))).astype(np.float32)
    halves = (near.view(np.uint32) & np.uint32(0xFFF80000)).view(np.float32)
    every = np.concatenate([x, near, halves])
    return every[np.isfinite(every)]


@pytest.mark.parametrize("name", CASTS)
def test_ml_dtypes(name: str) -> None:
    record, kind = get(name), getattr(ml_dtypes, CASTS[name])
    overflow = {"ieee": "infinity", "nan": "nan", "fnuz": "nan", "none": "saturate"}[
        record.specials
    ]  # type: ignore[attr-defined]
    x = float32_numbers(40_000)
    with np.errstate(all="ignore"):
        theirs = x.astype(kind)
    ours = record.quantize(x, overflow=overflow)
    assert np.array_equal(ours, theirs.astype(np.float64), equal_nan=True)
    finite = np.isfinite(ours)
    width = np.uint8 if record.bits <= 8 else np.uint16
    codes = record.encode(x, overflow=overflow)
    assert np.array_equal(codes[finite], theirs.view(width)[finite])


@pytest.mark.parametrize("name", [n for n in CASTS if "fnuz" in n])
def test_every_code_and_every_neighbour_of_ml_dtypes(name: str) -> None:
    """Each bit pattern means the same number; each number goes where theirs goes: values, points
    halfway between neighbours, float32 numbers beside both, both ends, zeros, infinities, NaN."""
    record, kind = get(name), getattr(ml_dtypes, CASTS[name])
    codes = np.arange(256, dtype=np.uint8)
    values = codes.view(kind).astype(np.float64)
    assert np.array_equal(record.decode(codes), values, equal_nan=True)
    assert np.signbit(record.decode(0)) == np.signbit(0.0) and np.isnan(values[128])
    assert np.isnan(values).sum() == 1 and (values == 0).sum() == 1
    assert np.array_equal(record.encode(values), codes)
    finite = np.sort(values[np.isfinite(values)])
    step = finite[-1] - finite[-2]
    ends = finite[-1] + step * np.array([0.25, 0.5, 0.75, 1.0, 2.0, 1e6])
    points = np.concatenate([finite, (finite[1:] + finite[:-1]) / 2, ends, -ends]).astype(
        np.float32
    )
    assert np.array_equal(points, points.astype(np.float64))
    x = np.concatenate(
        [
            points,
            np.nextafter(points, np.float32(np.inf)),
            np.nextafter(points, np.float32(-np.inf)),
            np.array([0.0, -0.0, np.inf, -np.inf, np.nan], np.float32),
        ]
    )
    with np.errstate(all="ignore"):
        theirs = x.astype(kind)
    assert np.array_equal(record.encode(x, overflow="nan"), theirs.view(np.uint8))
    assert np.array_equal(
        record.quantize(x, overflow="nan"), theirs.astype(np.float64), equal_nan=True
    )
    zeros = record.quantize(x, overflow="nan") == 0
    assert not np.signbit(record.quantize(x, overflow="nan")[zeros]).any()


def test_numpys_half() -> None:
    x = float32_numbers(40_000)
    with np.errstate(over="ignore"):
        assert np.array_equal(get("fp16").quantize(x), x.astype(np.float16).astype(np.float64))
        wide = np.random.default_rng(1).normal(size=40_000) * 1e5
        assert np.array_equal(
            get("fp16").quantize(wide), wide.astype(np.float16).astype(np.float64)
        )
        assert np.array_equal(
            get("fp32").quantize(wide), wide.astype(np.float32).astype(np.float64)
        )


INFOS = {
    "fp8_e5m2": "ocp_e5m2",
    "fp8_e4m3fn": "ocp_e4m3",
    "fp6_e2m3": "ocp_e2m3",
    "fp6_e3m2": "ocp_e3m2",
    "fp4_e2m1": "ocp_e2m1",
    "bf16": "bfloat16",
    "fp16": "binary16",
}


@pytest.mark.parametrize("name", INFOS)
def test_gfloat(name: str) -> None:
    """All roundings, saturating, in float64."""
    import gfloat.formats

    info, record = getattr(gfloat.formats, f"format_info_{INFOS[name]}"), get(name)
    rng = np.random.default_rng(4)
    x = rng.normal(size=600) * np.exp2(rng.integers(-12, 8, 600))
    for ours, theirs in ROUND.items():
        found = record.quantize(x, ours, "saturate")
        wanted = [gfloat.round_float(info, float(v), gfloat.RoundMode[theirs], True) for v in x]
        assert found.tolist() == wanted, ours
    codes = np.arange(1 << record.bits)[:: max(1, (1 << record.bits) // 4096)]
    values = [gfloat.decode_float(info, int(code)).fval for code in codes]
    assert np.array_equal(record.decode(codes), values, equal_nan=True)


@pytest.mark.parametrize(
    ("name", "peer"),
    [
        ("mxfp8_e5m2", "mxfp8_e5m2"),
        ("mxfp8_e4m3", "mxfp8_e4m3"),
        ("mxfp6_e2m3", "mxfp6_e2m3"),
        ("mxfp6_e3m2", "mxfp6_e3m2"),
        ("mxfp4", "mxfp4_e2m1"),
    ],
)
def test_gfloat_blocks(name: str, peer: str) -> None:
    import gfloat.formats

    info, record = getattr(gfloat.formats, f"format_info_{peer}"), get(name)
    assert isinstance(record, Block)
    rng = np.random.default_rng(5)
    for power in (-40, -3, 0, 7, 90):
        x = rng.normal(size=32) * 2.0**power
        theirs = gfloat.quantize_block(info, x, gfloat.compute_scale_amax)
        scale = float(gfloat.compute_scale_amax(info.etype.emax, x))
        assert scale == 2.0 ** float(record.scales_of(x)[0])
        assert np.array_equal(record.quantize(x), theirs)
