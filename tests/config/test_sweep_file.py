"""What sweep files become: ranges, values with units, nested bases, digests, measures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accelsim import shipped
from accelsim.config.chip_keys import (
    UnknownKey,
    comparable,
    conflict,
    own_comparable,
    own_value,
    rule_of,
)
from accelsim.config.quantities import any_quantity, quantity, spoken
from accelsim.config.reader import MISSING
from accelsim.errors import InputError
from accelsim.store import SweepSpec
from accelsim.store.measures import GROUPS, MAIN, MEASURES, members
from accelsim.sweeps.file import load_sweep
from tests.devices.test_contract import FITTED

GOOD = Path(__file__).parent / "sweep.yaml"


def sweep(folder: Path, **more: Any) -> SweepSpec:
    path = folder / "sweep.yaml"
    whole = {
        "name": "s",
        "bases": {"a": "int8_edge", "p": "pcm_8level"},
        "workloads": ["small_gemm"],
        **more,
    }
    path.write_text(json.dumps(whole, indent=1))
    return load_sweep(path)


def steps(folder: Path, key: str, base: str = "a", **more: Any) -> tuple[list[Any], list[Any]]:
    """Values of a lone axis, and their SI numbers."""
    sample = {"sample": more.pop("sample")} if "sample" in more else {}
    (axis,) = sweep(folder, vary=[{"key": key, "bases": [base], **more}], **sample).axes
    return [step[0] for step in axis.values], list(axis.numbers)


@pytest.mark.parametrize(
    ("key", "span", "values", "numbers"),
    [
        (
            "units.array.rows",
            {"from": 16, "to": 64, "step": 16},
            [16, 32, 48, 64],
            [16, 32, 48, 64],
        ),
        (
            "units.array.rows",
            {"from": 16, "to": 70, "step": 16},
            [16, 32, 48, 64],
            [16, 32, 48, 64],
        ),
        (
            "memories.input_buffer.size",
            {"from": "32 KiB", "to": "96 KiB", "step": "32 KiB"},
            ["32 KiB", "64 KiB", "96 KiB"],
            [1 << 15, 1 << 16, 3 << 15],
        ),
        (
            "memories.dram.efficiency",
            {"from": 0.1, "to": 0.5, "step": 0.1},
            [0.1, 0.2, 0.3, 0.4, 0.5],
            [0.1, 0.2, 0.3, 0.4, 0.5],
        ),
        (
            "technology.voltage",
            {"from": "600 mV", "to": "0.8 V", "step": "0.1 V"},
            ["600 mV", "700 mV", "800 mV"],
            [0.6, 0.7, 0.8],
        ),
        (
            "clocks.core",
            {"from": "100 MHz", "to": "0.3 GHz", "step": "100 MHz"},
            ["100 MHz", "200 MHz", "300 MHz"],
            [1e8, 2e8, 3e8],
        ),
    ],
)
def test_ranges(
    key: str, span: dict[str, Any], values: list[Any], numbers: list[float], tmp_path: Path
) -> None:
    found, si = steps(tmp_path, key, range=span)
    assert found == values and [type(v) for v in found] == [type(v) for v in values]
    assert si == pytest.approx(numbers, rel=1e-12)


@pytest.mark.parametrize(
    ("key", "span", "values"),
    [
        ("units.array.rows", {"from": 8, "to": 128, "points": 5}, [8, 16, 32, 64, 128]),
        (
            "units.array.rows",
            {"from": 1, "to": 4, "points": 9},
            [1, 2, 3, 4],
        ),  # whole numbers, each once
        (
            "memories.input_buffer.size",
            {"from": "1 KiB", "to": "1 MiB", "points": 3},
            ["1 KiB", "32 KiB", "1 MiB"],
        ),
        (
            "memories.dram.bandwidth",
            {"from": "1 GB/s", "to": "100 GB/s", "points": 3},
            ["1 GB/s", "10 GB/s", "100 GB/s"],
        ),
        (
            "memories.dram.latency",
            {"from": "10 ns", "to": "1 us", "points": 3},
            ["10 ns", "100 ns", "1 us"],
        ),
    ],
)
def test_log_ranges(key: str, span: dict[str, Any], values: list[Any], tmp_path: Path) -> None:
    assert steps(tmp_path, key, log=span)[0] == values


def test_log_points_are_geometric(tmp_path: Path) -> None:
    span = {"from": "1 MHz", "to": "1 GHz", "points": 40}
    values, si = steps(tmp_path, "units.tiles.adc.rate", "p", log=span)
    assert np.ptp(np.diff(np.log(si))) < 1e-6 and all(value.endswith("Hz") for value in values)
    assert si == [quantity(value, "Hz") for value in values]  # whole hertz


def test_samples_need_no_steps(tmp_path: Path) -> None:
    span = {"from": "1 ns", "to": "1 us"}
    found, si = steps(tmp_path, "memories.dram.latency", log=span, sample={"random": 50})
    assert len(found) == 50 and np.ptp(np.diff(np.log(si))) < 1e-6 and found[-1] == "1 us"
    assert (
        len(
            steps(tmp_path, "units.array.rows", range={"from": 1, "to": 9}, sample={"random": 500})[
                0
            ]
        )
        == 9
    )


@pytest.mark.parametrize(
    "unit", ["B", "bit", "Hz", "s", "J", "W", "V", "m", "B/s", "K", "S", "ohm"]
)
def test_spoken_quantities_read_back(unit: str) -> None:
    rng = np.random.default_rng(0)
    for power in rng.uniform(0 if unit in ("B", "bit", "Hz") else -14, 10, 200):
        value = round(10**power) if unit in ("B", "bit", "Hz") else float(10**power)
        text = spoken(value, unit)
        assert quantity(text, unit) == pytest.approx(value, rel=1e-8), text
        assert any_quantity(text) == (pytest.approx(value, rel=1e-8), unit)
        assert unit in ("B", "bit", "Hz") or not unit.startswith("s") or "k" not in text


def test_comparable() -> None:
    assert comparable("0.1 GHz") == comparable("100 MHz") == comparable(1e8) == comparable(10**8)
    assert comparable("512 bit") == comparable("64 B") == comparable("0.0625 KiB")
    assert comparable(8) == comparable(8.0) != comparable(True) and comparable("int8") == "int8"
    assert comparable({"a": [1, "2 ns"]}) == comparable({"a": [1.0, "2e-3 us"]})
    assert conflict("units.array", "units.array.rows") and not conflict(
        "units.array", "units.array2"
    )


@pytest.mark.parametrize("name", shipped.names("chip"))
def test_rules_and_own_values_of_every_key(name: str) -> None:
    """Every scalar key of a shipped chip has a rule, and its own value reads as the file's."""
    from accelsim.config import load_chip
    from accelsim.config.yaml_source import load_yaml

    path = shipped.find("chip", name)
    chip, root = load_chip(path), load_yaml(path)

    def walk(node: Any, key: str) -> int:
        if node.is_map:
            return sum(
                walk(inner, f"{key}.{part}" if key else part)
                for part, (_, inner) in node.value.items()
            )
        if key.split(".")[0] in ("name", "description", "operating_points") or node.is_list:
            return 0
        rule = rule_of(chip, key)
        assert rule is not None, key
        if not key.endswith((".kind", ".device")):
            assert own_comparable(chip, key) == comparable(node.plain()), key
        with pytest.raises(UnknownKey):
            rule_of(chip, f"{key}x")
        assert own_value(chip, f"{key}x") is MISSING
        return 1

    assert walk(root, "") > 30


def test_nested_bases_merge_their_keys(tmp_path: Path) -> None:
    spec = sweep(
        tmp_path,
        bases={
            "c": {
                "base": "b",
                "set": {"precision": {"input": "int8", "weight": "int8"}, "units.array.rows": 8},
            },
            "a": {"chip": "int8_edge", "set": {"units.array.rows": 64, "units.array.columns": 4}},
            "b": {"base": "a", "set": {"precision.input": "int8", "clocks.core": "1 GHz"}},
        },
    )
    assert [base.name for base in spec.bases] == ["c", "a", "b"]
    found = {base.name: base for base in spec.bases}
    assert found["c"].sets == (
        ("units.array.columns", 4),
        ("clocks.core", "1 GHz"),
        ("precision", {"input": "int8", "weight": "int8"}),
        ("units.array.rows", 8),
    )
    assert len({base.digest for base in spec.bases}) == 3 and not any(
        base.analog for base in spec.bases
    )


def test_digests_follow_what_results_depend_on(tmp_path: Path) -> None:
    for name in ("digits_mlp.yaml", "digits_mlp.npz", "digits.npz"):
        shutil.copy(shipped.folder("workload") / name, tmp_path)
    shutil.copy(shipped.find("chip", "pcm_8level"), tmp_path / "mine.yaml")
    more = {
        "bases": {"p": {"chip": "mine.yaml", "set": {"units.tiles.count": 16}}},
        "workloads": ["digits_mlp.yaml"],
        "values": {"input": "digits.npz"},
    }

    def digests() -> tuple[str, str, str]:
        spec = sweep(tmp_path, **more)
        assert spec.values is not None and spec.bases[0].analog
        return spec.bases[0].digest, spec.works[0].digest, spec.values.digest

    first = digests()
    assert first == digests()
    with np.load(tmp_path / "digits_mlp.npz") as file:
        arrays = {key: file[key] for key in file.files}
    name = sorted(arrays)[0]
    arrays[name] = arrays[name].copy()
    arrays[name].flat[0] += 1
    np.savez(tmp_path / "digits_mlp.npz", **arrays)
    second = digests()
    assert [a == b for a, b in zip(first, second, strict=True)] == [True, False, True]
    text = (tmp_path / "mine.yaml").read_text()
    (tmp_path / "mine.yaml").write_text("# a note\n" + text)
    assert digests() == second
    (tmp_path / "mine.yaml").write_text(text.replace("settle: 4 ns", "settle: 5 ns"))
    assert [a == b for a, b in zip(second, digests(), strict=True)] == [False, True, True]


def test_a_device_file_stands_beside_the_sweep(tmp_path: Path) -> None:
    content = json.dumps(FITTED)
    (tmp_path / "cells.json").write_text(content)
    more = {
        "bases": {
            "p": {
                "chip": "pcm_8level",
                "set": {
                    "units.tiles.device": "cells.json",
                    "units.tiles.cells.levels": 0,
                    "units.tiles.cells.slices": 1,
                },
            }
        }
    }
    (base,) = sweep(tmp_path, **more).bases
    assert dict(base.sets)["units.tiles.device"] == str(tmp_path / "cells.json")
    (tmp_path / "cells.json").write_text(content + "\n")
    assert sweep(tmp_path, **more).bases[0].digest != base.digest


def test_the_example_of_the_docs_loads_and_has_every_key(tmp_path: Path) -> None:
    from accelsim.sweeps.file import KEYS
    from accelsim.sweeps.validate import checked_sweep

    text = (
        (Path(__file__).parents[2] / "docs/sweeps.md")
        .read_text()
        .split("```yaml\n")[1]
        .split("```")[0]
    )
    path = tmp_path / "sweep.yaml"
    path.write_text(text)
    spec, checked = checked_sweep(path)
    assert checked.points == (6 + 12) * 2 + (2 * 6 - 1) * 2 * 2 * 3
    assert all(f"\n{key}:" in f"\n{text}" for key in KEYS) and len(spec.works) == 2


def test_settings(tmp_path: Path) -> None:
    spec = load_sweep(GOOD)
    assert spec.constraints == (
        ("area_square_metres", "<=", 4e-5),
        ("top1", ">=", 0.9),
        ("fits", "", 0.0),
    )
    assert spec.objectives == ("energy_chip_joules", "-top1")
    assert spec.values is not None and spec.values.ages == (3600.0, 31536000.0)
    assert spec.values.temperatures == (298.15,) and spec.execution == {
        "executor": "local",
        "workers": 2,
    }
    plain = sweep(tmp_path, constraints="power <= 1 W", objectives="throughput", execution="serial")
    assert plain.constraints == (("watts", "<=", 1.0),) and plain.objectives == (
        "-throughput_per_second",
    )
    assert plain.execution == {"executor": "serial"} and {"cycles", "watts"} < set(plain.measures)
    few = sweep(tmp_path, measures=["cycles"], constraints=["area <= 1 cm2"])
    assert few.measures == ("cycles", "area_square_metres") and few.constraints[0][2] == 1e-4
    cluster = {
        "executor": "slurm",
        "workers": 8,
        "queue": "long",
        "job_extra_directives": ["--exclusive"],
    }
    assert sweep(tmp_path, execution=cluster).execution == cluster


def test_names_of_measures() -> None:
    assert set(MAIN.values()) <= set(MEASURES) and {m.group for m in MEASURES.values()} == set(
        GROUPS
    )
    assert sorted(name for group in GROUPS for name in members(group)) == sorted(MEASURES)
    assert members("throughput") == ("throughput_per_second",) and members("nothing") == ()


def test_no_base_or_too_many(tmp_path: Path) -> None:
    for bases in ({}, {f"b{i}": "int8_edge" for i in range(1001)}):
        with pytest.raises(InputError, match="write 1 to 1000"):
            sweep(tmp_path, bases=bases)


def test_a_list_of_too_many_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from accelsim.config import sweep_axes

    monkeypatch.setattr(sweep_axes, "MOST_STEPS", 3)
    assert len(steps(tmp_path, "units.array.rows", values=[1, 2, 3])[0]) == 3
    with pytest.raises(InputError, match="lists 4 values; write at most 3"):
        steps(tmp_path, "units.array.rows", values=[1, 2, 3, 4])


def test_a_topology_is_a_workload(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).parents[1] / "scalesim/small.csv", tmp_path / "net.csv")
    assert sweep(tmp_path, workloads=["net.csv"]).works[0].batch is None
    with pytest.raises(InputError, match="its own batch size"):
        sweep(tmp_path, workloads=[{"workload": "net.csv", "batch": 2}])
