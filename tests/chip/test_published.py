"""Chips of several levels and kinds: short files, a mark on every value, peaks as published, levels that serve."""

from __future__ import annotations

import re
from typing import Any

import pytest

import accelsim
from accelsim.config.yaml_source import Node, load_yaml
from accelsim.results.result import Result
from tests.chip.graphs import ROOT
from tests.crossbars.test_hermes import measured

MARKED = (
    "rapid_like",
    "tpu_v4i_like",
    "hermes_like",
    "hybrid_edge",
    "pcm_large",
    "int8_edge_l2",
)
MARK = re.compile(r"#.*\b(spec|component|assumed)\b")


def unmarked(node: Node, lines: list[str], said: bool, key: str = "") -> list[str]:
    """Keys of numbers without a mark on their line or in the comment above it, nor on that of a key around them."""
    if node.is_map:
        inner = [(name, at.line, value) for name, (at, value) in node.value.items()]
    elif node.is_list:
        inner = [(str(i), value.place.line, value) for i, value in enumerate(node.value)]
    else:
        return [key] if not said and str(node.value)[:1].isdigit() else []
    found: list[str] = []
    for name, line, value in inner:
        above = lines[line - 2] if lines[line - 2].lstrip().startswith("#") else ""
        here = said or bool(MARK.search(f"{above} {lines[line - 1]}"))
        found += unmarked(value, lines, here, f"{key}.{name}".lstrip("."))
    return found


@pytest.mark.parametrize("name", MARKED)
def test_every_value_says_where_it_is_from(name: str) -> None:
    path = ROOT / "configs" / "chips" / f"{name}.yaml"
    lines = path.read_text().splitlines()
    assert len(lines) < 60
    root: Any = load_yaml(path)
    spoken = {"name", "description"}
    root.value = {key: value for key, value in root.value.items() if key not in spoken}
    assert not unmarked(root, lines, False)
    bare = [MARK.sub("", line) for line in lines]
    assert len(unmarked(root, bare, False)) > 15


def carried(result: Result) -> dict[str, int]:
    """Bytes over each port of a run."""
    demands = result.program.demands
    return {
        port.name: int(demands.bytes[demands.port == i].sum())
        for i, port in enumerate(result.program.ports)
    }


def test_tpu_v4i_like_has_the_published_peak() -> None:
    """138 TOPS in either format, 144 MiB of SRAM; BF16 is read in wider words."""
    chip = accelsim.load_chip("tpu_v4i_like")
    array = chip.array
    peak = 2 * array.count * array.rows * array.columns * chip.clocks[array.clock]
    assert peak == pytest.approx(138e12, rel=0.005)
    assert all(rate.factor == 1 for rate in array.rates)
    held = sum(getattr(m, "size", 0) for m in chip.memories.values() if m.part == "sram")
    assert held == 144 << 20
    work = accelsim.load_workload("small_gemm")
    forms = ["precision.input=bf16", "precision.weight=bf16"]
    whole, wide = (
        accelsim.run(one, work) for one in (chip, accelsim.load_chip("tpu_v4i_like", forms))
    )
    assert carried(wide)["vmem.read"] >= 1.4 * carried(whole)["vmem.read"]


def test_cmem_takes_what_vmem_does_not_hold() -> None:
    """Behind a vmem of 64 KiB, small_cnn's activations leave HBM for CMEM, over the switch, and that pays."""
    chip = accelsim.load_chip("tpu_v4i_like", ["memories.vmem.size=64 KiB"])
    work = accelsim.load_workload("small_cnn")
    off, on = (accelsim.run(chip, work, homes=homes) for homes in ("off_chip", "on_chip"))
    assert on.cycles < off.cycles and on.joules < off.joules
    assert any("at home in cmem" in note for note in on.assumptions)
    away, near = carried(off), carried(on)
    assert near["cmem.write"] > 0 == away["cmem.write"]
    assert 0 < near["oci.in0"] < away["oci.in0"] and near["hbm.port"] < away["hbm.port"]


def test_hermes_like_reads_at_the_published_cost() -> None:
    """133 ns and 13.4 nJ a vector, 63.1 TOPS; a network there waits for its host, and digits are still told."""
    chip = accelsim.load_chip("hermes_like")
    unit = chip.crossbar
    assert unit is not None and unit.count * unit.rows * unit.columns == 64 << 16
    seconds, joules = measured("hermes_like", 1, 200)
    assert seconds == pytest.approx(133e-9, rel=1e-3)
    assert joules == pytest.approx(13.4e-9, rel=0.005)
    assert 2 * 64 * 256 * 256 / seconds == pytest.approx(63.1e12, rel=0.005)
