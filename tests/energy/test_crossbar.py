"""Prices of crossbars: the converter survey, supply and cell, what a weight of zero draws."""

from __future__ import annotations

import pytest

from accelsim import load_chip, load_workload, run
from accelsim.energy import prices
from accelsim.energy.converter import conversion_energy, converter_area
from accelsim.errors import InputError

#: (bits, nm, Hz, pJ), published with the model
SURVEY = [(4, 32, 1e9, 0.924), (8, 32, 1.28e9, 1.929), (8, 65, 1e8, 6.494), (10, 65, 1e8, 12.54),
          (12, 130, 1e6, 100.1)]  # fmt: skip


@pytest.mark.parametrize(("bits", "node", "rate", "picojoules"), SURVEY)
def test_the_survey_gives_its_published_values(bits: int, node: float, rate: float, picojoules: float) -> None:
    assert conversion_energy(bits, node, rate) * 1e12 == pytest.approx(picojoules, rel=2e-3)


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
    assert sums[("cell_charge",)] + sums[("supply_charge",)] == pytest.approx(0.8 * charge)
    assert sums[("cell_charge",)] == pytest.approx(0.2 * charge)
    unit = chip.crossbar
    assert unit is not None
    cells = sum(op.k * op.n for op in work.operators if hasattr(op, "weight")) * unit.cells.cells
    stated = 50 * cells * 25e-6 * unit.mean_conductance * 0.2 * unit.drive.pulse * unit.drive.mean
    assert charge == pytest.approx(stated, rel=1e-9)


def test_values_replace_the_stated_charge() -> None:
    import numpy as np

    chip, work = load_chip("pcm_projected"), load_workload("digits_mlp", batch=4)
    zero = {name: np.zeros(spec.shape) for name, spec in work.tensors.items() if spec.role == "input"}
    dark, stated = run(chip, work, zero), run(chip, work)
    sums = [sum(r.joules for r in x.energy.rows if r.action == "cell_charge" and r.operator == 0)
            for x in (dark, stated)]  # fmt: skip
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

    assert known(200) == pytest.approx(2 * known(100))
    work = load_workload("digits_mlp", batch=2)
    one, two = (run(load_chip("pcm_8level", [f"units.tiles.static={mw} mW"]), work) for mw in (1, 2))
    sums = [sum(r.joules for r in x.energy.rows if r.action == "static_second") for x in (one, two)]
    assert sums[1] == pytest.approx(2 * sums[0]) and sums[0] == pytest.approx(800e-3 * one.seconds)
