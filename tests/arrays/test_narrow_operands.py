"""Integers narrower than the multiplier: its time and energy, their own bytes, and exact values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import accelsim
from accelsim.chip import Chip
from accelsim.errors import InputError
from accelsim.formats import get
from accelsim.results.result import Result
from accelsim.units.mac_costs import multiply_accumulate
from accelsim.workload import Workload
from accelsim.workload.precision import with_bits
from tests.one_tile import one_tile

CHIPS = ("int8_edge", "int8_128", "int4_edge", "mixed_quad", "tpu_v1_like")
WIDTHS = range(2, 9)
TRACE = """
name: one_product
inputs: {x: [24, 40]}
operators:
  - {name: fc, kind: gemm, input: x, n: 16, weight: w, input_format: INPUT, weight_format: WEIGHT,
     output: y}
"""


def gemm(folder: Path, input_format: str, weight_format: str) -> Workload:
    path = folder / "one.yaml"
    path.write_text(TRACE.replace("INPUT", input_format).replace("WEIGHT", weight_format))
    return accelsim.load_workload(str(path))


def off_chip(result: Result) -> tuple[int, int]:
    """Bytes (read, written) in DRAM."""
    rows = result.operators
    return sum(row.dram_read_bytes for row in rows), sum(row.dram_written_bytes for row in rows)


def products(result: Result) -> dict[str, float]:
    return {
        charge.action: sum(charge.counts)
        for charge in result.energy.charges
        if charge.action.startswith("mac_")
    }


def expected_rate(chip: Chip, bits_a: int, bits_b: int) -> tuple[str, str]:
    """The pair of the fastest multiplier that holds both, then the smallest; found without the array's help."""
    fits = [
        (-rate.factor, get(rate.input).bits * get(rate.weight).bits, rate.input, rate.weight)
        for rate in chip.array.rates
        if rate.input.startswith("int")
        and rate.weight.startswith("int")
        and int(rate.input[3:]) >= bits_a
        and int(rate.weight[3:]) >= bits_b
    ]
    exact = [row for row in fits if row[2:] == (f"int{bits_a}", f"int{bits_b}")]
    _, _, a, b = min(exact or fits)
    return a, b


@pytest.mark.parametrize("name", CHIPS)
@pytest.mark.parametrize("bits", WIDTHS)
def test_cost_of_the_multiplier_bytes_of_the_operands(name: str, bits: int, tmp_path: Path) -> None:
    chip = accelsim.load_chip(name)
    work = gemm(tmp_path, f"int{bits}", f"int{bits}")
    widest = max(get(rate.input).bits for rate in chip.array.rates if rate.input.startswith("int"))
    if bits > widest:
        with pytest.raises(InputError, match=f"does not multiply int{bits} x int{bits}"):
            accelsim.run(chip, work)
        return
    a, b = expected_rate(chip, bits, bits)
    narrow, wide = accelsim.run(chip, work), accelsim.run(chip, gemm(tmp_path, a, b))
    macs = 24 * 16 * 40
    assert narrow.workload.macs == macs and products(narrow) == {f"mac_{a}_{b}": macs}
    each = multiply_accumulate(chip.array, chip.technology, a, b).joules
    charged = sum(
        sum(charge.joules) for charge in narrow.energy.charges if charge.action.startswith("mac_")
    )
    assert charged == pytest.approx(macs * each, rel=1e-12)
    assert narrow.operators[0].busy_cycles <= wide.operators[0].busy_cycles
    read, written = off_chip(narrow)
    rows_x, rows_w = 24 * -(-40 * bits // 8), -(-40 * 16 * bits // 8)  # packed
    assert read >= 24 * 40 * bits / 8 + 40 * 16 * bits / 8
    assert read <= 2 * (rows_x + rows_w) + 64 * 40 and written == off_chip(wide)[1]
    assert read < off_chip(wide)[0] or bits == get(a).bits
    said = [note for note in narrow.assumptions if "on multipliers of" in note]
    assert (
        said == [] if (a, b) == (f"int{bits}", f"int{bits}") else len(said) == 1 and "fc" in said[0]
    )


@pytest.mark.parametrize(
    ("pair", "bits"),
    [
        (("int8", "int4"), (8, 4)),
        (("int3", "int6"), (3, 6)),
        (("uint7", "int5"), (7, 5)),
        (("uint1", "uint2"), (1, 2)),
        (("uint4", "int8"), (4, 8)),
    ],
)
def test_mixed_and_unsigned_pairs(
    pair: tuple[str, str], bits: tuple[int, int], tmp_path: Path
) -> None:
    """On an array of int8 x int8: one multiplication each, bytes of both operands by their own widths."""
    chip = accelsim.load_chip("int8_edge", ["units.array.rates=[{input: int8, weight: int8}]"])
    works = [gemm(tmp_path, *each) for each in (pair, ("int8", "int8"))]
    found, wide = (accelsim.run(chip, work, mappings=one_tile(chip, work)) for work in works)
    assert products(found) == {"mac_int8_int8": 24 * 16 * 40}
    assert found.operators[0].busy_cycles == wide.operators[0].busy_cycles
    registers = [
        sum(sum(charge.counts) for charge in run.energy.charges if charge.action == "register_bits")
        for run in (found, wide)
    ]
    assert registers[0] == registers[1]  # operands stand in the multiplier's own registers
    packed = [
        -(-elements * own // 8) for elements, own in zip((24 * 40, 40 * 16), bits, strict=True)
    ]
    assert off_chip(found)[0] == sum(-(-size // 64) * 64 for size in packed)  # whole bursts of 64 B


@pytest.mark.parametrize("pair", [("uint8", "int8"), ("int8", "uint8"), ("int9", "int8")])
def test_what_does_not_fit_is_refused(pair: tuple[str, str], tmp_path: Path) -> None:
    """255 is no int8."""
    chip = accelsim.load_chip("int8_edge")
    with pytest.raises(InputError):
        accelsim.run(chip, gemm(tmp_path, *pair))


def values(chip: Chip, rules: list[str]) -> tuple[Result, np.ndarray]:
    work = with_bits(accelsim.load_workload("digits_mlp", batch=8), rules)
    with np.load(Path(accelsim.__file__).parents[1] / "workloads" / "digits.npz") as file:
        images = file["images"][:8].reshape(work.tensors["x"].shape) / 16
    result = accelsim.run(chip, work, {"x": images})
    assert result.values
    (codes,) = result.values.outputs.values()
    return result, codes


@pytest.mark.parametrize("bits", [*WIDTHS, "w4a8", "w3a6"])
def test_values_are_those_of_a_multiplier_of_their_own(bits: int | str) -> None:
    """The codes of an array that has exactly these multipliers, to the bit."""
    rules = [f"*={bits}"]
    a, b = (bits, bits) if isinstance(bits, int) else (int(bits[3]), int(bits[1]))
    _, wide = values(accelsim.load_chip("int8_edge"), rules)
    own = accelsim.load_chip(
        "int8_edge",
        [
            f"units.array.rates=[{{input: int{a}, weight: int{b}}}]",
            f"precision.input=int{a}",
            f"precision.weight=int{b}",
        ],
    )
    _, exact = values(own, rules)
    assert np.array_equal(wide, exact)


def test_zero_products_of_narrow_operands_are_gated_by_their_multiplier() -> None:
    chip = accelsim.load_chip("int8_edge", ["units.array.zero_gating=true"])
    result, _ = values(chip, ["*=5"])
    count = products(result)
    assert set(count) == {"mac_int8_int8", "mac_gated_int8_int8"}
    assert sum(count.values()) == result.workload.macs and count["mac_gated_int8_int8"] > 0


def test_a_chip_may_run_narrower_than_its_multipliers() -> None:
    chip = accelsim.load_chip("int8_edge", ["precision.input=int6", "precision.weight=int6"])
    found = accelsim.run(chip, accelsim.load_workload("small_gemm"))
    assert set(products(found)) == {"mac_int8_int8"}
    with pytest.raises(InputError, match="does not multiply int12 x int8"):
        accelsim.load_chip("int8_edge", ["precision.input=int12"])
