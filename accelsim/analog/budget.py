"""Which part of a crossbar costs how much accuracy: each source of error alone, then all together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from accelsim.analog.parts import Adc, Tile, Use
from accelsim.analog.tile import Block
from accelsim.devices.base import Device, Floats
from accelsim.noise import Stream

VECTORS, OUTPUTS = 64, 64
TOP = 127


def error_budget(tile: Tile) -> list[tuple[str, float]]:
    """(source, relative error of the sums) of random codes on one full block of rows.

    Weights normal with a quarter of the range as deviation, inputs one-sided with the drive's mean and
    rms; every source alone, beside exact cells and ideal converters; "saturation" is what the
    converters' range does without their steps; compensation as the tile has it.
    """
    device = tile.device
    stream = Stream(tile.seed, ("budget",))
    weights = np.clip(stream.of("weights").normal((tile.rows, OUTPUTS)) * 0.25, -1, 1)
    codes = np.rint(weights * TOP).astype(np.int64)
    sent = np.abs(stream.of("inputs").normal((VECTORS, tile.rows))) * tile.drive.rms
    x = np.rint(np.minimum(sent, 1.0) * (2 * TOP + 1)).astype(np.int64)
    ideal = (x @ codes).astype(np.float64)
    exact = replace(
        tile,
        device=device.with_effects(False, False, False),
        adc=Adc(bits=0),
        lines=None,
        johnson=False,
        output_noise=0.0,
        weight_noise=0.0,
        stuck_low=0.0,
        stuck_high=0.0,
        compensation="none",
        wear=Use(),
        drive=replace(tile.drive, bits=16),
    )

    def error(changed: Tile) -> float:
        block = Block(
            changed, codes, TOP, 2 * TOP + 1, True, Stream(tile.seed, ("budget", "cells"))
        )
        off = block.multiply(x) - ideal
        return float(np.sqrt(_sum(off * off) / _sum(ideal * ideal)))

    def cells(programming: bool, drift: bool, noise: bool) -> Device:
        return device.with_effects(programming, drift, noise)

    one = [
        ("levels and slices", exact),
        ("programming", replace(exact, device=cells(True, False, False))),
        ("drift", replace(exact, device=cells(False, True, False), compensation=tile.compensation)),
        ("read noise", replace(exact, device=cells(False, False, True))),
        ("weight noise", replace(exact, weight_noise=tile.weight_noise)),
        ("wires", replace(exact, lines=tile.lines)),
        ("stuck cells", replace(exact, stuck_low=tile.stuck_low, stuck_high=tile.stuck_high)),
        ("worn cells", replace(exact, wear=tile.wear)),
        ("input converter", replace(exact, drive=tile.drive)),
        ("output converter", replace(exact, adc=tile.adc, drive=replace(tile.drive, bits=16))),
        ("saturation", replace(exact, adc=replace(tile.adc, bits=24 if tile.adc.bits else 0))),
        (
            "output and thermal noise",
            replace(exact, johnson=tile.johnson, output_noise=tile.output_noise),
        ),
        ("all together", tile),
    ]
    return [(name, error(changed)) for name, changed in one]


def _sum(values: Floats) -> float:
    return float(np.cumsum(values)[-1])
