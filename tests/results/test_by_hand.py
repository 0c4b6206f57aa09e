"""Figures of a run by hand: from the YAML files, the constants and the shapes, not by the simulator's code."""

from __future__ import annotations

import csv
import io
import json
from functools import cache
from math import ceil, log, prod
from pathlib import Path
from typing import Any

import pytest
import yaml

import accelsim
from accelsim.mapping.homes import DEFAULT
from accelsim.results.files import energy_csv, to_dict

ROOT = Path(__file__).parents[2]
SCALING = json.loads((ROOT / "accelsim/constants/tables/scaling.json").read_text())["energy"]
#: small_cnn: operator -> (M, K, N), input elements, output elements
SHAPES = {
    "conv1": ((1024, 27, 16), 3 * 32 * 32, 16 * 32 * 32),
    "conv2": ((64, 144, 32), 16 * 16 * 16, 32 * 8 * 8),
    "classes": ((1, 32, 10), 32, 10),
}

Lines = dict[tuple[str, str, str], tuple[float, float]]


@cache
def ran(
    chip: str, *sets: str, homes: str = DEFAULT
) -> tuple[dict[str, Any], dict[str, Any], Lines]:
    """(the YAML file, the result, (operator, unit, action) -> count and joules)."""
    workload = accelsim.load_workload("small_cnn")
    result = accelsim.run(accelsim.load_chip(chip, sets), workload, homes=homes)
    lines: Lines = {}
    for row in csv.DictReader(io.StringIO(energy_csv(result).decode())):
        key = (row["operator"], row["unit"], row["action"])
        count, joules = lines.get(
            key, (0.0, 0.0)
        )  # products and preloads of an array have a row each
        lines[key] = (count + float(row["count"]), joules + float(row["joules"]))
    return yaml.safe_load((ROOT / f"configs/chips/{chip}.yaml").read_text()), to_dict(result), lines


def test_utilisation_of_layers_and_of_the_run() -> None:
    file, whole, _ = ran("int8_edge")
    lanes = file["units"]["array"]["rows"] * file["units"]["array"]["columns"]
    for row in whole["operators"]:
        if row["macs"]:
            assert row["macs"] == prod(SHAPES[row["name"]][0])
            assert row["utilisation"] == pytest.approx(
                row["macs"] / lanes / row["cycles"], rel=1e-9, abs=0.0
            )
    assert sum(row["cycles"] for row in whole["operators"]) == whole["makespan_cycles"]
    macs = sum(prod(shape) for shape, _, _ in SHAPES.values())
    assert whole["utilisation"] == pytest.approx(
        macs / lanes / whole["makespan_cycles"], rel=1e-9, abs=0.0
    )


def test_a_pass_takes_its_vectors() -> None:
    """conv1 is one pass of 1,024 vectors on 27 x 16 of the 32 x 32 elements."""
    _, whole, _ = ran("int8_edge")
    m, k, n = SHAPES["conv1"][0]
    row = next(row for row in whole["operators"] if row["name"] == "conv1")
    assert row["busy_cycles"] == m * ceil(k / 32) * ceil(n / 32)


def test_traffic_is_compulsory_where_everything_fits() -> None:
    """Byte by byte; with the chip files' bursts of 64 bytes whole ones are moved, at least as much."""
    bytewise = "memories.dram.burst=1 B"
    _, digital, _ = ran("int8_edge", bytewise, homes="off_chip")
    _, crossbar, _ = ran("pcm_8level", bytewise, homes="off_chip")
    for chip, single in (("int8_edge", digital), ("pcm_8level", crossbar)):
        _, in_bursts, _ = ran(chip, homes="off_chip")
        for row, less in zip(in_bursts["operators"], single["operators"], strict=True):
            for way in ("dram_read_bytes", "dram_written_bytes"):
                assert row[way] % 64 == 0
                assert row[way] >= less[way] or row["mapping"] != less["mapping"]
    for whole, weights in ((digital, True), (crossbar, False)):
        for row in whole["operators"]:
            if row["name"] in SHAPES:
                (_, k, n), inputs, outputs = SHAPES[row["name"]]
                assert row["dram_read_bytes"] >= inputs + (k * n if weights else 0)
                assert row["dram_written_bytes"] == outputs * (4 if row["name"] == "classes" else 1)
    first, second = digital["operators"][0], crossbar["operators"][0]
    assert first["dram_read_bytes"] == 3 * 32 * 32 + 27 * 16
    said = (ROOT / "docs/pcm.md").read_text()
    assert f"reads {second['dram_read_bytes']:,} bytes of an image of {3 * 32 * 32:,}" in said
    whole = ran("pcm_8level", homes="off_chip")[1]["operators"][0]
    assert (
        f"{whole['dram_read_bytes']:,} in bursts of 64, and writes {whole['dram_written_bytes']:,} of "
        f"{16 * 32 * 32:,}" in said
    )


@pytest.mark.parametrize(("chip", "weights"), [("int8_edge", True), ("pcm_8level", False)])
def test_only_weights_input_and_output_are_moved_off_chip(chip: str, weights: bool) -> None:
    """By default, byte by byte: every tensor between two operators of small_cnn fits on the chip."""
    for row in ran(chip, "memories.dram.burst=1 B")[1]["operators"]:
        (_, k, n), inputs, outputs = SHAPES.get(row["name"], ((0, 0, 0), 0, 0))
        read = k * n * weights + inputs * (row["name"] == "conv1")
        written = 4 * outputs * (row["name"] == "classes")
        assert (row["dram_read_bytes"], row["dram_written_bytes"]) == (read, written), row["name"]
    first = ran("pcm_8level")[1]["operators"][0]
    said = (ROOT / "docs/pcm.md").read_text()
    assert (
        f"3,072 bytes of an image of 3,072, once ({first['dram_read_bytes']:,} in bursts of 64)"
        in said
    )


@pytest.mark.parametrize("chip", ["int8_edge", "pcm_8level"])
def test_energy_and_time_of_the_memory(chip: str) -> None:
    file, whole, lines = ran(chip)
    read, written = (
        sum(row[f"dram_{way}_bytes"] for row in whole["operators"]) for way in ("read", "written")
    )
    joules = sum(
        joules
        for (_, unit, action), (_, joules) in lines.items()
        if unit == "dram" and "_bit" in action
    )
    assert joules == pytest.approx(
        8 * (read + written) * 8e-12, rel=1e-9, abs=0.0
    )  # 8 pJ a bit of LPDDR4
    memory = file["memories"]["dram"]
    bandwidth = float(memory["bandwidth"].split()[0]) * 1e9 * memory["efficiency"]
    assert whole["makespan_seconds"] >= (read + written) / bandwidth


def test_joules_of_a_multiply_accumulate() -> None:
    """0.2 pJ of the 8-bit multiply and 0.1 pJ of the 32-bit add at 45 nm and 0.9 V, to 22 nm and 0.8 V: between
    20 and 32 nm in logarithms of node and factor."""
    _, whole, lines = ran("int8_edge")

    def factor(node: str, volt: float) -> float:
        a, b, c = SCALING[node]
        return float(a * volt * volt + b * volt + c)

    along = log(22 / 20) / log(32 / 20)
    there = factor("20", 0.8) ** (1 - along) * factor("32", 0.8) ** along
    each = 0.3e-12 * there / factor("45", 0.9)
    for name, (shape, _, _) in SHAPES.items():
        count, joules = lines[name, "array", "mac_int8_int8"]
        assert count == prod(shape) and joules == pytest.approx(
            each * prod(shape), rel=1e-9, abs=0.0
        )
    assert whole["energy_joules"]["device"] == pytest.approx(each * 737600, rel=1e-9, abs=0.0)


def test_a_crossbar_reads_with_volts_times_amperes_times_seconds() -> None:
    _, whole, lines = ran("pcm_8level")
    cells, pulse, volt, supply, siemens, mean_input = 2 * 3, 128e-9, 0.2, 0.8, 0.1 * 25e-6, 0.15
    for name, (shape, _, _) in SHAPES.items():
        joules = prod(shape) * cells * (siemens * volt) * supply * pulse * mean_input
        parts = [lines[name, "tiles", action][1] for action in ("cell_charge", "supply_charge")]
        assert sum(parts) == pytest.approx(joules, rel=1e-9, abs=0.0)
        assert parts[0] == pytest.approx(joules * volt / supply, rel=1e-9, abs=0.0)
    total = sum(prod(shape) for shape, _, _ in SHAPES.values())
    assert whole["energy_joules"]["device"] == pytest.approx(
        total * cells * siemens * volt * supply * pulse * mean_input, rel=1e-9, abs=0.0
    )


def test_conversions_are_outputs_times_slices_times_phases() -> None:
    file, _, lines = ran("pcm_8level")
    tiles = file["units"]["tiles"]
    for name, ((m, k, n), _, _) in SHAPES.items():
        assert k <= tiles["rows"]
        conversions = m * n * tiles["cells"]["slices"] * tiles["drive"]["phases"]
        assert lines[name, "tiles", "conversions"][0] == conversions
        assert lines[name, "tiles", "driven_seconds"][0] == pytest.approx(
            m * k * 128e-9, rel=1e-9, abs=0.0
        )


@pytest.mark.parametrize("chip", ["int8_edge", "pcm_8level", "hermes_chip", "mixed_quad", "fp8_64"])
def test_sums_and_boundaries(chip: str) -> None:
    _, whole, lines = ran(chip)
    energy = whole["energy_joules"]
    assert 0 < energy["device"] <= energy["core"] <= energy["chip"]
    assert sum(joules for _, joules in lines.values()) == pytest.approx(
        energy["chip"], rel=1e-12, abs=0.0
    )
    assert whole["average_power_watts"] == pytest.approx(
        energy["chip"] / whole["makespan_seconds"], rel=1e-9, abs=0.0
    )
    shared = sum(
        joules for (operator, _, _), (_, joules) in lines.items() if operator == "(whole run)"
    )
    layers = sum(row["joules"] for row in whole["operators"])
    assert layers + shared == pytest.approx(energy["chip"], rel=1e-12, abs=0.0)
