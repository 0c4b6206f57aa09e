"""SRAM interpolation: rows left out in turn are predicted; ranges are refused, not extended."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from accelsim.constants import sram
from accelsim.constants.rows import components, families, half_width, table
from accelsim.constants.scaling import energy_factor
from accelsim.errors import InputError

ROWS = table("cacti_sram")["rows"]


@pytest.mark.parametrize("quantity", ["read_pj", "write_pj"])
def test_rows_left_out_are_predicted(quantity: str) -> None:
    """Every inner row of the size axis, from its neighbours: median 8 %; worst 30 % between
    sizes an octave away, 45 % where CACTI found no solution there and the gap is wider."""
    errors, gaps = [], []
    groups: dict[tuple[object, ...], list[dict[str, float]]] = {}
    for row in ROWS:
        groups.setdefault((row["tech_nm"], row["device"], row["width_bits"]), []).append(row)
    for group in groups.values():
        rows = sorted(group, key=lambda row: row["size_bytes"])
        for below, here, above in zip(rows, rows[1:], rows[2:], strict=False):
            along = np.log(here["size_bytes"] / below["size_bytes"])
            along /= np.log(above["size_bytes"] / below["size_bytes"])
            guess = np.exp((1 - along) * np.log(below[quantity]) + along * np.log(above[quantity]))
            near = above["size_bytes"] == 4 * below["size_bytes"]
            (errors if near else gaps).append(abs(guess / here[quantity] - 1))
    assert len(errors) > 100
    print(
        f"{quantity}: median {np.median(errors):.1%}, worst {max(errors):.1%}; "
        f"over {len(gaps)} gaps {max(gaps):.1%}"
    )
    assert max(gaps) <= half_width("extended")
    assert np.median(errors) <= 0.08
    assert max(errors) <= half_width("interpolated")


def missed(axis: str, quantity: str, first: int, left_out: int, last: int) -> list[float]:
    """Errors of the ``left_out``-th of three rows next to each other along an axis, from the others."""
    groups: dict[tuple[object, ...], list[dict[str, float]]] = {}
    for row in ROWS:
        others = [
            row[key] for key in ("tech_nm", "device", "width_bits", "size_bytes") if key != axis
        ]
        groups.setdefault(tuple(others), []).append(row)
    errors = []
    for group in groups.values():
        rows = sorted(group, key=lambda row: row[axis])
        for three in zip(rows, rows[1:], rows[2:], strict=False):
            a, here, b = three[first], three[left_out], three[last]
            along = np.log(here[axis] / a[axis]) / np.log(b[axis] / a[axis])
            guess = np.exp((1 - along) * np.log(a[quantity]) + along * np.log(b[quantity]))
            errors.append(float(abs(guess / here[quantity] - 1)))
    return errors


def test_bands_hold_what_left_out_rows_say() -> None:
    """Beyond the last size, between widths, between nodes: no row left out is missed by more than the
    band that such a value gets."""
    for quantity in ("read_pj", "write_pj", "leak_mw", "area_mm2"):
        assert max(missed("width_bits", quantity, 0, 1, 2)) <= half_width("between_widths")
        nodes = max(missed("tech_nm", quantity, 0, 1, 2))
        assert nodes <= half_width("leakage_moved" if quantity == "leak_mw" else "der")
        assert max(missed_ends(quantity)) <= half_width("extended")


def missed_ends(quantity: str) -> list[float]:
    """Errors of the first and last sizes of each group, from the two next to them, octaves apart."""
    groups: dict[tuple[object, ...], list[dict[str, float]]] = {}
    for row in ROWS:
        groups.setdefault((row["tech_nm"], row["device"], row["width_bits"]), []).append(row)
    errors = []
    for group in groups.values():
        rows = sorted(group, key=lambda row: row["size_bytes"])
        for far, near, here in (rows[2::-1], rows[-3:]):  # one octave each
            if max(far["size_bytes"], here["size_bytes"]) == 4 * min(
                far["size_bytes"], here["size_bytes"]
            ):
                errors.append(abs(near[quantity] ** 2 / far[quantity] / here[quantity] - 1))
    return errors


def test_exact_at_every_row_and_between_neighbours() -> None:
    for row in ROWS[:: max(1, len(ROWS) // 60)]:
        value = sram.interpolate(
            row["tech_nm"], row["device"], "read_pj", row["size_bytes"], row["width_bits"]
        )
        assert value == pytest.approx(row["read_pj"], rel=1e-12, abs=0.0)


def test_beyond_the_table_is_refused() -> None:
    with pytest.raises(InputError, match="outside the SRAM table"):
        sram.interpolate(22, "itrs-lstp", "read_pj", 1 << 40, 64)
    with pytest.raises(InputError, match="device"):
        sram.sram_cost(1 << 16, 1, 64, 22, 0.8, "magic")


def test_leakage_and_area_grow_with_size() -> None:
    costs = [sram.sram_cost(1 << power, 1, 64, 22, 0.8, "itrs-lstp") for power in range(13, 21)]
    for small, large in pairwise(costs):
        assert 0 < small.leakage < large.leakage
        assert 0 < small.area < large.area
        assert small.read < large.read * 1.3  # CACTI's own steps are not monotone everywhere


def test_dynamic_energy_is_monotone_in_size_and_node() -> None:
    """All 342 rows: a larger bank or an older node never reads or writes for less. No exceptions.
    (Width, leakage and area are not monotone everywhere: CACTI changes the organisation.)"""
    rows = {(r["tech_nm"], r["device"], r["size_bytes"], r["width_bits"]): r for r in ROWS}
    assert len(rows) > 300
    for (node, device, size, width), row in rows.items():
        larger = [
            k for k in rows if k[0] == node and (k[1], k[3]) == (device, width) and k[2] > size
        ]
        older = [k for k in rows if k[0] > node and k[1:] == (device, size, width)]
        for name in ("read_pj", "write_pj"):
            assert row[name] > 0
            for others, axis in ((larger, 2), (older, 0)):
                if others:
                    nearest = min(others, key=lambda k, axis=axis: k[axis])
                    assert rows[nearest][name] >= row[name], (name, node, device, size, width)


def test_scaling_and_arithmetic_tables_are_monotone() -> None:
    nodes = sorted(int(name) for name in table("scaling")["energy"])
    for volts in (0.7, 0.8, 0.9, 1.0):
        factors = [energy_factor(node, volts) for node in nodes]
        assert factors == sorted(factors), volts
    areas = [table("scaling")["area"][str(node)] for node in nodes]
    assert areas == sorted(areas)
    for family in families():
        for action in ("add", "multiply"):
            widths = [components()[f"{family}/int{bits}/{action}"]["value"] for bits in (8, 32)]
            assert widths[0] < widths[1]
            floats = [components()[f"{family}/fp{bits}/{action}"]["value"] for bits in (16, 32)]
            assert floats[0] < floats[1]
