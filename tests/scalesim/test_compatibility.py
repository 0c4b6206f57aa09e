"""SCALE-Sim 3.0.0's figures, reproduced through Program and engine."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from accelsim.api import run_compatible
from accelsim.config.scalesim_cfg import DATAFLOWS, ScaleSimConfig, chip_of
from accelsim.workload import Conv2d, TensorSpec, Workload

GOLDEN = Path(__file__).parent / "golden.csv"
EXACT = (
    "cycles",
    "ifmap_reads",
    "filter_reads",
    "ofmap_writes",
    "ifmap_start",
    "ifmap_stop",
    "filter_start",
    "filter_stop",
    "ofmap_start",
    "ofmap_stop",
)
PERCENT = ("overall_util", "mapping", "compute_util")


def golden() -> list[dict[str, str]]:
    with GOLDEN.open(newline="") as file:
        return list(csv.DictReader(file))


def layer(row: dict[str, str], number: int = 0) -> Conv2d:
    h, w, fh, fw, c, f, s = (
        int(row[key])
        for key in (
            "height",
            "width",
            "filter_height",
            "filter_width",
            "channels",
            "filters",
            "stride",
        )
    )
    past = tuple(-(-(a - b) // s) * s + b - a for a, b in ((h, fh), (w, fw)))
    return Conv2d(
        f"l{number}",
        f"i{number}",
        f"w{number}",
        f"o{number}",
        1,
        c,
        h,
        w,
        f,
        (fh, fw),
        (s, s),
        (0, 0, past[0], past[1]),
    )


def workload_of(rows: list[dict[str, str]]) -> Workload:
    operators = tuple(layer(row, i) for i, row in enumerate(rows))
    tensors = {}
    for op in operators:
        for name, shape, role in (
            (op.input, op.input_shape, "input"),
            (op.weight, op.weight_shape, "weight"),
            (op.output, op.output_shape, "output"),
        ):
            tensors[name] = TensorSpec(name, shape, role)
    return Workload("golden", operators, tensors)


def batches() -> dict[tuple[str, int, int, str], list[dict[str, str]]]:
    found: dict[tuple[str, int, int, str], list[dict[str, str]]] = {}
    for row in golden():
        key = (row["dataflow"], int(row["rows"]), int(row["columns"]), row["set"])
        found.setdefault(key, []).append(row)
    return found


BATCHES = batches()


def test_the_golden_set_is_large_enough() -> None:
    rows = golden()
    assert sum(row["set"] == "gemm" for row in rows) >= 300
    assert {row["dataflow"] for row in rows} == {"os", "ws", "is"}
    assert len({(row["rows"], row["columns"]) for row in rows}) >= 6
    layers = {
        name: len({row["name"] for row in rows if row["set"] == name})
        for name in ("AlexNet", "ResNet-18", "ResNet-50")
    }
    assert layers == {"AlexNet": 5, "ResNet-18": 21, "ResNet-50": 54}


@pytest.mark.parametrize("key", BATCHES, ids=lambda key: "-".join(map(str, key)))
def test_cycles_utilisation_and_accesses_are_scale_sims(key: tuple[str, int, int, str]) -> None:
    flow, rows, columns, _ = key
    config = ScaleSimConfig("golden", rows, columns, 1024, 1024, 1024, flow)
    chip = chip_of(config, compatible=True)
    assert chip.array.dataflow == DATAFLOWS[flow]
    expected = BATCHES[key]
    found = run_compatible(chip, workload_of(expected))
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        (i0, i1, i), (f0, f1, f), (o0, o1, o) = ours.sram
        mine = dict(zip(EXACT, (ours.cycles, i, f, o, i0, i1, f0, f1, o0, o1), strict=True))
        for name, value in mine.items():
            if theirs[name]:
                assert value == float(theirs[name]), (theirs, name, value)
        for name, value in zip(
            PERCENT, (ours.overall_util, ours.mapping, ours.compute_util), strict=True
        ):
            assert value == pytest.approx(float(theirs[name]), rel=1e-9), (theirs, name)


def test_a_narrow_interface_only_adds_stalls() -> None:
    rows = [row for row in golden() if row["set"] == "gemm" and row["rows"] == "8"][:30:3]
    for flow in ("os", "ws", "is"):
        config = ScaleSimConfig("golden", 8, 4, 64, 64, 64, flow)
        free = run_compatible(chip_of(config, True), workload_of(rows))
        before = None
        for words in (1000, 10, 3, 1):
            bound = run_compatible(
                chip_of(replace(config, bandwidth=words), True), workload_of(rows)
            )
            for a, b in zip(free, bound, strict=True):
                assert b.cycles - b.stalls == a.cycles and b.sram[0][2] == a.sram[0][2]
            stalls = sum(b.stalls for b in bound)
            assert before is None or stalls >= before
            before = stalls
        assert before
