"""The band of a ratio: what deviations of the constants, the same on both sides, can make of it."""

from __future__ import annotations

from itertools import product as every

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim import api
from accelsim.constants.price import Price
from accelsim.energy.bands import Weighed, constants_of, inverse, product, ratio, weighed, within
from accelsim.energy.joules import Charge

NAMES = "abcde"
JOULES = st.floats(1e-9, 1e3)
SHARES = st.lists(
    st.tuples(JOULES, JOULES, st.floats(0.0, 0.9), st.floats(0.0, 0.9)), min_size=1, max_size=5
)


def sides(parts: list[tuple[float, float, float, float]]) -> tuple[Weighed, Weighed]:
    named = list(zip(NAMES, parts, strict=False))
    return (
        Weighed(sum(a for _, (a, _, _, _) in named), {n: a * w for n, (a, _, w, _) in named}),
        Weighed(sum(b for _, (_, b, _, _) in named), {n: b * w for n, (_, b, _, w) in named}),
    )


@given(SHARES)
def test_a_band_is_the_least_and_the_most_of_all_deviations(
    parts: list[tuple[float, float, float, float]],
) -> None:
    top, below = sides(parts)
    corners = []
    for signs in every((-1.0, 1.0), repeat=len(parts)):
        moved = zip(signs, parts, strict=True)
        whole = [(a * (1 + s * u), b * (1 + s * v)) for s, (a, b, u, v) in moved]
        corners.append(sum(a for a, _ in whole) / sum(b for _, b in whole))
    found = ratio(top, below)
    assert found.low == pytest.approx(min(corners), rel=1e-9, abs=0.0)
    assert found.high == pytest.approx(max(corners), rel=1e-9, abs=0.0)
    assert found.low <= found.value * (1 + 1e-12) and found.value <= found.high * (1 + 1e-12)


def test_a_constant_with_the_same_share_of_both_sides_takes_no_part() -> None:
    one = ratio(Weighed(3.0, {"dram": 0.9}), Weighed(2.0, {"dram": 0.6}))
    assert one.low == pytest.approx(1.5, rel=1e-9, abs=0.0) == one.high
    two = ratio(Weighed(3.0, {"dram": 0.9}), Weighed(2.0, {"other": 0.6}))
    assert two.low == pytest.approx(2.1 / 2.6, rel=1e-9, abs=0.0) and two.high == pytest.approx(
        3.9 / 1.4, rel=1e-9, abs=0.0
    )


def test_products_and_inverses() -> None:
    one, two = (
        ratio(Weighed(1.0, {"a": 0.1}), Weighed(1.0, {})),
        ratio(Weighed(2.0, {"b": 0.4}), Weighed(1.0, {})),
    )
    both = product(one, inverse(two))
    assert (both.low, both.value, both.high) == pytest.approx(
        (0.9 / 2.4, 0.5, 1.1 / 1.6), rel=1e-9, abs=0.0
    )
    assert inverse(ratio(Weighed(0.0, {}), Weighed(1.0, {}))).value == float("inf")
    assert ratio(Weighed(1.0, {}), Weighed(0.0, {})).value == float("inf")


def test_a_price_of_several_rows_moves_with_each() -> None:
    source = "horowitz_45nm/int8/multiply x 16/64 + horowitz_45nm/int32/add x 24/32"
    (multiply, a), (add, b) = constants_of(source)
    assert multiply.endswith("int8/multiply") and add.endswith("int32/add")
    assert a == pytest.approx(
        0.2 / 4 / (0.2 / 4 + 0.1 * 0.75), rel=1e-9, abs=0.0
    ) and a + b == pytest.approx(1.0, rel=1e-9, abs=0.0)
    assert constants_of("12 V across the cell times the charge") == (
        ("12 V across the cell times the charge", 1.0),
    )


def test_what_two_chip_files_state_is_shared_where_it_is_the_same_figure() -> None:
    def spent(joules: float) -> Weighed:
        price = Price(joules, 0.5, "chip", "the chip file: units.tiles.writing.energy")
        return weighed([Charge("tiles", "pulses", price, [0], [1.0], [joules])])

    assert ratio(spent(2.0), spent(2.0)).high == 1.0
    apart = ratio(spent(2.0), spent(1.0))
    assert (apart.low, apart.high) == pytest.approx((2 / 3, 6.0), rel=1e-9, abs=0.0)


def test_a_runs_moves_add_up_to_its_band() -> None:
    """The same convention as a total's: all constants together."""
    for name in ("int8_edge", "int4_edge", "fp8_64", "pcm_8level"):
        report = api.run(api.load_chip(name), api.load_workload("digits_mlp")).energy
        for boundary in ("device", "core", "chip"):
            one = within(report, boundary)
            assert sum(one.moves.values()) == pytest.approx(
                report.band_of(boundary), rel=1e-9, abs=1e-30
            )
            assert one.joules == pytest.approx(report.boundary(boundary), rel=1e-9, abs=0.0)
            assert ratio(one, one).low == ratio(one, one).high == 1.0
