"""Chips with one timing digest have one Program and one Timeline; what changes either changes the digest."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

import accelsim
from accelsim.chip import Chip
from accelsim.program.digest import program_digest
from accelsim.sweeps.timed import encode, every
from accelsim.units.crossbar import VALUE_FIELDS

FREE = {
    "int8_edge": [
        "technology.node=32 nm",
        "technology.voltage=0.9 V",
        "technology.family=jouppi_7nm",
        "memories.dram.standard=ddr3",
        "memories.dram.background=1 mW",
    ],
    "pcm_8level": [
        "units.tiles.adc.bits=6",
        "units.tiles.adc.range=4",
        "units.tiles.adc.gain_error=0.01",
        "units.tiles.adc.offset_error=0.01",
        "units.tiles.adc.nonlinearity=0.1",
        "units.tiles.drive.bits=6",
        "units.tiles.drive.voltage=0.1 V",
        "units.tiles.drive.supply=1 V",
        "units.tiles.drive.mean=0.2",
        "units.tiles.drive.rms=0.4",
        "units.tiles.device=hermes_two",
        "units.tiles.cells.levels=7",
        "units.tiles.cells.scaling=format",
        "units.tiles.cells.fill=in_turn",
        "units.tiles.writing.energy=1 pJ",
        "units.tiles.output_noise=0.1",
        "units.tiles.johnson=false",
        "units.tiles.weight_noise=0.01",
        "units.tiles.read_noise=fresh",
        "units.tiles.vector_interval=1 us",
        "units.tiles.stuck_low=0.01",
        "units.tiles.stuck_high=0.01",
        "units.tiles.age=1 day",
        "units.tiles.temperature=300 K",
        "units.tiles.seed=3",
        "units.tiles.mean_conductance=0.3",
        "units.tiles.static=1 mW",
        "units.tiles.overhead=1 pJ",
        "units.tiles.wires={word: 1 ohm, bit: 1 ohm}",
        "units.tiles.ir_drop=reuse",
        "units.tiles.profile=[{time: 1 h, temperature: 300 K}]",
    ],
}
STATED = {"pcm_8level": ["units.tiles.writing.pulses=stated"]}  # computed ones follow the cells
BOUND = {
    "int8_edge": [
        "units.array.rows=16",
        "memories.weight_buffer.size=128 KiB",
        "clocks.core=900 MHz",
        "memories.dram.latency=200 ns",
        "memories.dram.efficiency=0.5",
        "units.vector.lanes=8",
        "weights=resident",
        "memories.weight_buffer.banks=2",
    ],
    "pcm_8level": [
        "units.tiles.adc.shared=16",
        "units.tiles.adc.rate=10 MHz",
        "units.tiles.drive.pulse=64 ns",
        "units.tiles.drive.retries=2",
        "units.tiles.drive.mode=bit_serial",
        "units.tiles.cells.slices=2",
        "units.tiles.rows=128",
        "units.tiles.hold=false",
        "units.tiles.writing.iterations=4",
        "units.tiles.writing.parallel=1",
        "units.tiles.replicate=false",
        "units.tiles.settle=100 ns",
        "weights=cold",
    ],
}


def timing(chip: Chip) -> tuple[str, int, bytes]:
    """The Program and the makespan with cold weights, and what a sweep keeps of a network: readings with every way to
    divide memories between homes and tiles, of which prices choose."""
    found = accelsim.run(chip, accelsim.load_workload("small_gemm"), weights="cold")
    kept = every(chip, accelsim.load_workload("digits_cnn"), None)
    assert len(kept) > 1
    return program_digest(found.program), found.timeline.makespan, encode(kept)


@pytest.mark.parametrize("name", FREE)
def test_free_keys_change_neither_program_nor_time(name: str) -> None:
    base = STATED.get(name, [])
    chip = accelsim.load_chip(name, base)
    expected = timing(chip)
    for change in FREE[name]:
        other = accelsim.load_chip(name, [*base, change])
        assert other.digest != chip.digest, change
        assert other.timing_digest == chip.timing_digest, change
        assert timing(other) == expected, change


@pytest.mark.parametrize("name", BOUND)
def test_keys_that_matter_change_the_digest(name: str) -> None:
    base = STATED.get(name, [])
    chip = accelsim.load_chip(name, base)
    for change in BOUND[name]:
        assert accelsim.load_chip(name, [*base, change]).timing_digest != chip.timing_digest, change


def test_computed_writing_follows_cells_levels_and_margin() -> None:
    chip = accelsim.load_chip("pcm_8level")
    for change in (
        "device=hermes_two",
        "cells.levels=7",
        "writing.margin=1 uS",
        "writing.limit=5",
        "writing.model=fine",
        "wear={cycles: 6e7}",
    ):
        other = accelsim.load_chip("pcm_8level", [f"units.tiles.{change}"])
        assert other.timing_digest != chip.timing_digest, change
        assert timing(other)[1] != timing(chip)[1], change


def test_bits_matter_where_they_take_time() -> None:
    serial = ["units.tiles.drive.mode=bit_serial"]
    ramp = ["units.tiles.adc.kind=ramp", "units.tiles.adc.rate=1 GHz"]
    for keys, bits in ((serial, "units.tiles.drive.bits=6"), (ramp, "units.tiles.adc.bits=6")):
        chip, other = (accelsim.load_chip("pcm_8level", [*keys, *more]) for more in ([], [bits]))
        assert chip.timing_digest != other.timing_digest


def test_every_field_of_a_crossbar_is_on_one_side() -> None:
    """A new field counts as timing until somebody says and shows otherwise."""
    crossbar = accelsim.load_chip("pcm_8level").crossbar
    assert crossbar is not None
    names = {f.name for f in fields(crossbar)}
    assert set(VALUE_FIELDS) <= names
    tested = {change.split(".")[2].split("=")[0] for change in FREE["pcm_8level"]}
    assert set(VALUE_FIELDS) <= tested
    assert replace(crossbar, age=5.0).timed() == crossbar.timed()
