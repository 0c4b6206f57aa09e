"""A chip file's figures of time, to ticks: what is written, and what a key that is left out stands for."""

from __future__ import annotations

from dataclasses import fields
from fractions import Fraction
from math import ceil
from pathlib import Path

import pytest
import yaml

import accelsim
from accelsim.chip import Chip
from accelsim.chip.machine import build_machine
from accelsim.program.opcodes import Arbiter
from accelsim.program.table import Shapes

ROOT = Path(__file__).parents[2]
#: key -> what stands for it where a file says nothing; a changed one would change the times of users' chips
LEFT_OUT = {
    ("memories", "dram", "latency"): "1e-7 s",
    ("memories", "dram", "burst"): "64 B",
    ("memories", "dram", "efficiency"): "1",
    ("memories", "dram", "quantum"): "16",
    ("memories", "dram", "arbiter"): "round_robin",
    ("memories", "dram", "size"): "4 GiB",
    ("memories", "input_buffer", "banks"): "1",
    ("memories", "input_buffer", "width"): "64 bit",
    ("memories", "input_buffer", "quantum"): "16",
    ("memories", "input_buffer", "ports"): "separate",
    ("memories", "input_buffer", "buffering"): "double",
    ("memories", "input_buffer", "scope"): "shared",
    ("units", "dma", "setup"): "0",
    ("units", "vector", "lanes"): "16",
    ("units", "vector", "latency"): "4",
    ("units", "array", "stationary_depth"): "2",
    ("units", "array", "hop_registers"): "1",
    ("units", "array", "mac_latency"): "1",
    ("units", "array", "epilogue_latency"): "4",
    ("units", "array", "fused_epilogue"): "true",
    ("units", "array", "bypass"): "false",
    ("units", "array", "count"): "1",
    ("units", "array", "dot"): "1",
    ("units", "array", "simd"): "1",
    ("units", "array", "structure"): "systolic",
    ("units", "array", "split"): "n",
}


def test_keys_that_are_left_out(tmp_path: Path) -> None:
    """The chip without them is the chip with them written out."""
    whole = yaml.safe_load((ROOT / "configs/chips/int8_edge.yaml").read_text())
    for part, name, key in LEFT_OUT:
        whole[part][name].pop(key, None)
    path = tmp_path / "chip.yaml"
    path.write_text(yaml.safe_dump(whole))
    bare = accelsim.load_chip(str(path))
    written = accelsim.load_chip(
        str(path), [f"{'.'.join(key)}={text}" for key, text in LEFT_OUT.items()]
    )
    assert bare.memories == written.memories and bare.units == written.units
    assert bare.timing_digest == written.timing_digest
    other = accelsim.load_chip(str(path), ["units.dma.setup=1"])
    assert other.timing_digest != bare.timing_digest


def loaded(*sets: str) -> Chip:
    return accelsim.load_chip("int8_edge", sets)


@pytest.mark.parametrize("nanos", [0, 1, 100, 333])
@pytest.mark.parametrize("mega", [100, 123, 800])
def test_latency_in_cycles_is_rounded_up(nanos: int, mega: int) -> None:
    chip = loaded(
        f"memories.dram.latency={nanos} ns", f"clocks.core={mega} MHz", "units.dma.setup=7"
    )
    dma = chip.unit_of_kind("dma")
    wanted = ceil(Fraction(nanos * mega, 1000))
    assert dma.memory_latency == wanted  # type: ignore[attr-defined]
    program = accelsim.run(chip, accelsim.load_workload("small_gemm")).program
    chosen = [program.unit_kinds[int(kind)] == "dma" for kind in program.shapes.kind]
    assert any(chosen)
    mine = (getattr(program.shapes, item.name)[chosen] for item in fields(Shapes))
    cost = dma.cost(Shapes(*mine))
    assert set(cost.interval.tolist()) == {7}
    assert set(cost.first[chosen].tolist()) == set(cost.last[chosen].tolist()) == {7 + wanted}


@pytest.mark.parametrize(
    "sets",
    [
        {},
        {"bandwidth": "3.3 GB/s"},
        {"efficiency": "0.31"},
        {"burst": "32 B"},
        {"quantum": "5"},
        {"bandwidth": "400 GB/s", "burst": "1 B", "efficiency": "0.5", "arbiter": "first_come"},
    ],
    ids=str,
)
def test_ports_of_a_chip(sets: dict[str, str]) -> None:
    """Off chip: a burst every burst / (bandwidth efficiency), in ticks rounded up. A buffer: all its banks'
    width a cycle of its own clock, to either side."""
    slow = [
        "clocks.slow=250 MHz",
        "memories.weight_buffer.clock=slow",
        "memories.weight_buffer.ports=shared",
        "memories.weight_buffer.banks=2",
        "memories.weight_buffer.width=96 bit",
        "memories.weight_buffer.quantum=9",
        "memories.weight_buffer.arbiter=priority",
    ]
    machine = build_machine(
        loaded(*slow, *(f"memories.dram.{key}={text}" for key, text in sets.items()))
    )
    ports = {row.name: row for row in machine.ports}
    ticks = machine.tick_hz
    burst = int(sets.get("burst", "64").split()[0])
    rate = (
        Fraction(sets.get("bandwidth", "17").split()[0])
        * 10**9
        * Fraction(sets.get("efficiency", "0.85"))
    )
    far = ports["dram.port"]
    assert (far.width, far.beat) == (burst, ceil(Fraction(burst) / rate * ticks))
    assert far.quantum == int(sets.get("quantum", "16"))
    assert far.arbiter == Arbiter[sets.get("arbiter", "round_robin").upper()]
    own = ports["weight_buffer.port"]
    assert (own.width, own.beat, own.quantum, own.arbiter) == (
        24,
        ticks / 250e6,
        9,
        Arbiter.PRIORITY,
    )
    for side in ("read", "write"):
        row = ports[f"output_buffer.{side}"]
        assert (row.width, row.beat, row.quantum) == (4 * 256 // 8, ticks / 800e6, 16)
    assert "weight_buffer.read" not in ports and "output_buffer.port" not in ports
    for unit in machine.units:
        assert unit.period == ticks / 800e6
