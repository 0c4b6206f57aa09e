"""Prices of crossbars: the converter survey, supply and cell, what a weight of zero draws."""

from __future__ import annotations

import pytest

from accelsim import load_chip, load_workload, run
from accelsim.constants.converter import conversion_energy, converter_area
from accelsim.energy import prices
from accelsim.errors import InputError
from accelsim.results import Result

#: (bits, nm, Hz, pJ), published with the model
SURVEY = [
    (4, 32, 1e9, 0.924),
    (8, 32, 1.28e9, 1.929),
    (8, 65, 1e8, 6.494),
    (10, 65, 1e8, 12.54),
    (12, 130, 1e6, 100.1),
]


@pytest.mark.parametrize(("bits", "node", "rate", "picojoules"), SURVEY)
def test_the_survey_gives_its_published_values(
    bits: int, node: float, rate: float, picojoules: float
) -> None:
    assert conversion_energy(bits, node, rate) * 1e12 == pytest.approx(
        picojoules, rel=2e-3, abs=0.0
    )


def test_the_survey_is_monotone_and_bounded() -> None:
    for node in (22.0, 65.0):
        row = [conversion_energy(b, node, 1e8) for b in range(4, 13)]
        assert row == sorted(row)
        areas = [converter_area(b, node, 1e8) for b in range(4, 13)]
        assert areas == sorted(areas)
    assert conversion_energy(8, 65.0, 1e8) > conversion_energy(8, 22.0, 1e8)
    for wrong in ((3, 22.0, 1e8), (8, 2.0, 1e8), (8, 22.0, 1e11)):
        with pytest.raises(InputError):
            conversion_energy(*wrong)


def test_the_supply_pays_for_the_charge() -> None:
    """Cell and supply line add up to V_DD times the coulombs; the cell's part is its own voltage's."""
    chip, work = load_chip("pcm_8level"), load_workload("digits_mlp", batch=50)
    result = run(chip, work)
    sums = result.energy.by("action")
    counts = {row.action: 0.0 for row in result.energy.rows}
    for row in result.energy.rows:
        counts[row.action] += row.count
    charge = counts["cell_charge"]
    assert sums[("cell_charge",)] + sums[("supply_charge",)] == pytest.approx(
        0.8 * charge, rel=1e-9, abs=0.0
    )
    assert sums[("cell_charge",)] == pytest.approx(0.2 * charge, rel=1e-9, abs=0.0)
    unit = chip.crossbar
    assert unit is not None
    cells = sum(op.k * op.n for op in work.operators if hasattr(op, "weight")) * unit.cells.cells
    stated = 50 * cells * 25e-6 * unit.mean_conductance * 0.2 * unit.drive.pulse * unit.drive.mean
    assert charge == pytest.approx(stated, rel=1e-9, abs=0.0)


def test_values_replace_the_stated_charge() -> None:
    import numpy as np

    chip, work = load_chip("pcm_projected"), load_workload("digits_mlp", batch=4)
    zero = {
        name: np.zeros(spec.shape) for name, spec in work.tensors.items() if spec.role == "input"
    }
    dark, stated = run(chip, work, zero), run(chip, work)
    sums = [
        sum(r.joules for r in x.energy.rows if r.action == "cell_charge" and r.operator == 0)
        for x in (dark, stated)
    ]
    assert sums[0] == 0.0 < sums[1]  # rows that are not driven draw nothing


def test_ideal_converters_and_own_constants() -> None:
    free = prices(load_chip("pcm_8level", ["units.tiles.adc.bits=0"]))[0]["tiles", "conversions"]
    assert free.joules == 0 and "ideal" in free.source
    own = prices(load_chip("hermes_chip"))[0]["tiles", "conversions"]
    assert own.joules == 0 and "measured power" in own.source


def test_area_and_static_power_grow_with_the_crossbars() -> None:
    from accelsim.energy import area

    def known(count: int) -> float:
        chip = load_chip("pcm_8level", [f"units.tiles.count={count}"])
        return sum(row.area for row in area(chip) if row.unit == "tiles")

    assert known(200) == pytest.approx(2 * known(100), rel=1e-9, abs=0.0)
    work = load_workload("digits_mlp", batch=2)
    one, two = (
        run(load_chip("pcm_8level", [f"units.tiles.static={mw} mW"]), work) for mw in (1, 2)
    )
    sums = [sum(r.joules for r in x.energy.rows if r.action == "static_second") for x in (one, two)]
    assert sums[1] == pytest.approx(2 * sums[0], rel=1e-9, abs=0.0) and sums[0] == pytest.approx(
        800e-3 * one.seconds, rel=1e-9, abs=0.0
    )


def charge_bands(result: Result) -> list[float]:
    """Of every line of charge, cell's and supply's of two operators."""
    return [
        row.band for row in result.energy.rows if row.action in ("cell_charge", "supply_charge")
    ]


@pytest.mark.parametrize(
    ("device", "known"), [("pcm_like", 0.15), ("projected", 0.5), ("ideal", 0.0)]
)
def test_stated_statistics_have_a_band_and_values_do_not(device: str, known: float) -> None:
    """Half for the mean conductance, half for the mean input, and the cells' own conductances."""
    import numpy as np

    chip = load_chip("pcm_8level", [f"units.tiles.device={device}"])
    work = load_workload("digits_mlp", batch=4)
    stated = run(chip, work)
    ones = {
        name: np.ones(spec.shape) for name, spec in work.tensors.items() if spec.role == "input"
    }
    seen = run(chip, work, ones)
    assert charge_bands(stated) == pytest.approx([1.0 + known] * 4, rel=1e-9, abs=0.0)
    assert charge_bands(seen) == pytest.approx([known] * 4, rel=1e-9, abs=0.0)
    for result, wide in ((stated, 1.0 + known), (seen, known)):
        assert result.energy.band_of("device") == pytest.approx(
            wide * result.energy.boundary("device"), rel=1e-9, abs=0.0
        )
    mean = chip.crossbar.mean_conductance if chip.crossbar is not None else 0.0
    double = [f"units.tiles.device={device}", f"units.tiles.mean_conductance={2 * mean}"]
    twice = run(load_chip("pcm_8level", double), work)
    low, high = stated.energy.boundary("device"), twice.energy.boundary("device")
    assert (
        high == pytest.approx(2 * low, rel=1e-6, abs=0.0) or device == "projected"
    )  # whose zeros conduct
    assert abs(high - low) <= stated.energy.band_of("device") + 1e-18


def test_stated_repeats_have_a_band() -> None:
    """A third of the reads is stated where one in two vectors is read again."""
    work = load_workload("digits_mlp", batch=4)
    plain = run(load_chip("pcm_8level"), work)
    again = run(
        load_chip("pcm_8level", ["units.tiles.drive.retries=2", "units.tiles.drive.repeats=0.5"]),
        work,
    )
    for action in ("conversions", "driven_seconds", "shift_add"):
        (one,), (more,) = (
            {row.band for row in x.energy.rows if row.action == action} for x in (plain, again)
        )
        assert more == pytest.approx(one + 0.5 / 3, rel=1e-9, abs=0.0)


def test_a_pulse_costs_what_its_record_says_and_a_verify_read_a_conversion() -> None:
    chip = load_chip("pcm_8level")
    unit, found = chip.crossbar, prices(chip)[0]
    assert unit is not None
    assert found["tiles", "pulses"].joules == pytest.approx(
        unit.programming.joules / unit.programming.pulses, rel=1e-9, abs=0.0
    )
    assert (
        found["tiles", "pulses"].band == pytest.approx(0.35, rel=1e-9, abs=0.0)
        and found["tiles", "pulses"].boundary == "chip"
    )
    assert found["tiles", "verify_reads"].joules == found["tiles", "conversions"].joules > 0
    keys = ["units.tiles.writing.pulses=stated", "units.tiles.writing.energy=3 pJ"]
    stated = prices(load_chip("pcm_8level", keys))
    assert stated[0]["tiles", "pulses"].joules == pytest.approx(3e-12, rel=1e-9, abs=0.0)
    assert stated[0]["tiles", "pulses"].band == pytest.approx(0.5, rel=1e-9, abs=0.0)
