"""The cells of one block of weights: programmed, aged, and as reads of them see them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from accelsim.analog.converters import Converter
from accelsim.analog.ir_drop import Wires, transfer_matrix
from accelsim.analog.parts import Tile
from accelsim.analog.read_noise import Shares, shares, signed
from accelsim.analog.reuse import REFERENCE_AGE, VECTORS, attenuation, sampled_error
from accelsim.analog.scheme import device_targets, split_codes, targets
from accelsim.analog.slices import Losses, Split
from accelsim.analog.sums import (
    COARSE,
    Shorts,
    on_coarse_grid,
    on_fine_grid,
    short,
    squares,
    variance_on_grid,
)
from accelsim.devices.base import BOLTZMANN, Cells, Device, Floats
from accelsim.devices.wear import wear_named
from accelsim.noise import Stream

Ints = NDArray[np.int64]
WIDE = 6.0  # deviations: neighbouring inputs are alike, so sums are wider than of independent ones


@dataclass
class Programmed:
    """Weights (rows, outputs) of one row block of an operator, in cells.

    codes: integers of magnitude at most ``top``. one_sided: inputs are never negative. input_top:
    largest magnitude of an input code. stream: of the operator, group and row block.
    """

    tile: Tile
    codes: Ints
    top: int
    input_top: int
    one_sided: bool
    stream: Stream

    @cached_property
    def split(self) -> Split:
        """The codes in slices, columns flipped where the scheme says so."""
        flip = np.ones(self.codes.shape[1])
        if self.tile.scheme.sign == "flipped":
            flip = np.where(self.codes.sum(axis=0) > 0, -1.0, 1.0)
        found = split_codes(
            self.codes * flip.astype(np.int64), self.top, self.tile.scheme, self._losses
        )
        return replace(found, factors=tuple(factor * flip for factor in found.factors))

    def _losses(self, steps: int) -> Losses:
        """What a digit of so many steps loses: what programming leaves of it, and the converters. The age is
        not known where weights are written."""
        tile, device, scheme = self.tile, self.tile.device, self.tile.scheme
        part = np.arange(steps + 1, dtype=np.float64)[:, None] * scheme.part(steps)
        span, full = device.g_max - device.g_min, steps * scheme.part(steps)
        sides = targets(part, device, scheme)
        square = np.zeros(steps + 1)
        for side in sides:
            square = square + (device.write_sigma(side[:, 0]) / span) ** 2
        if scheme.sign != "differential":  # twice the difference to the reference cell
            square = 4.0 * (square + square[0])
        noise, deviations = tile.output_noise**2, WIDE
        if tile.adc.range and tile.adc.bits:
            step = Converter(max(tile.adc.bits, 2), tile.adc.range).step
            noise, deviations = noise + step * step / 12.0, 0.0
        rms = tile.drive.rms if tile.drive.mode != "bit_serial" else float(np.sqrt(0.5))
        square = square / scheme.devices + tile.weight_noise**2
        return Losses(square / full**2, noise / full**2, deviations, tile.adc.bits, rms)

    @cached_property
    def cells(self) -> list[list[list[Cells]]]:
        """Programmed cells by slice, side and device. A single cell's reference stands last, as a
        column more."""
        device, scheme = self.tile.device, self.tile.scheme
        found = []
        for number, part in enumerate(self.split.parts):
            if scheme.sign != "differential":
                part = np.concatenate([part, np.zeros((len(part), 1))], axis=1)
            sides = []
            for side, goal in enumerate(targets(part, device, scheme)):
                made = [
                    device.program(one, self.stream.of("cells", number, side, i))
                    for i, one in enumerate(device_targets(goal, device, scheme))
                ]
                sides.append(
                    [device.stored(one, self._history)[1] for one in made]
                    if self._history
                    else made
                )
            found.append(sides)
        return found

    @property
    def _history(self) -> tuple[tuple[float, float], ...]:
        return tuple((stay.time, stay.temperature) for stay in self.tile.profile)

    @cached_property
    def reader(self) -> Device:
        """The device as reads see it: without heat that the profile has counted."""
        device = self.tile.device
        if not self._history:
            return device
        empty = device.program(np.full(1, device.g_max), Stream(0))
        return device.stored(empty, ())[0]

    @cached_property
    def conductances(self) -> list[list[Floats]]:
        """Siemens by slice and side as a read sees them: the mean of a side's devices."""
        found = []
        for number, sides in enumerate(self.cells):
            seen = []
            for side, devices in enumerate(sides):
                total = np.zeros_like(devices[0].conductance)
                for i, cells in enumerate(devices):
                    g = self._seen(cells, self.stream.of("read", number, side, i))
                    total = total + self._faulty(g, number, side, i)
                seen.append(total / len(devices))
            found.append(seen)
        return found

    @cached_property
    def share(self) -> Shares:
        """Which parts of a read's noise are frozen, followed and fresh."""
        tile = self.tile
        return shares(tile.read_noise, tile.device, tile.age, tile.interval)

    @property
    def fresh(self) -> bool:
        """Whether something of the weights is drawn anew for every vector."""
        return bool(self.share.fresh) or self.tile.weight_noise > 0.0

    def _seen(self, cells: Cells, stream: Stream) -> Floats:
        """Conductances with the frozen part of the read noise."""
        tile, frozen = self.tile, self.share.frozen
        if frozen == 1.0:
            return self.reader.read(cells, tile.age, stream, tile.temperature)
        g = self.reader.drifted(cells, tile.age, tile.temperature)
        if frozen:
            sigma = self.reader.read_sigma(cells, tile.age, tile.temperature)
            g = np.maximum(g + np.sqrt(frozen) * sigma * stream.normal(g.shape), 0.0)
        return g

    def _faulty(self, g: Floats, *what: int) -> Floats:
        """Conductances with stuck and worn cells."""
        tile, low, high = self.tile, self.tile.device.g_min, self.tile.device.g_max
        if tile.stuck_low or tile.stuck_high:
            draw = self.stream.of("stuck", *what).uniform(g.shape)
            g = np.where(draw < tile.stuck_low, low, g)
            g = np.where(draw > 1.0 - tile.stuck_high, high, g)
        if tile.wear.cycles:
            wear = wear_named(tile.wear.model)
            g = wear.stuck(g, low, high, tile.wear.cycles, self.stream.of("wear", *what))
        return g

    @cached_property
    def weights(self) -> list[list[Floats]]:
        """Matrices that the input codes meet, one set a slice: one a read of a phase's cells (both
        cells of a pair together, or each), in parts of the conductances' span, on an exact grid."""
        tile, device = self.tile, self.tile.device
        span = device.g_max - device.g_min
        whole = []
        for number, sides in enumerate(self.conductances):
            through = [self._wired(g, number, side) for side, g in enumerate(sides)]
            if tile.scheme.sign != "differential":
                through = [2.0 * (through[0][:, :-1] - through[0][:, -1:])]
            elif tile.drive.phases < 4:
                through = [through[0] - through[1]]
            whole.append([self._on_grid(g / span) for g in through])
        return whole

    def _wired(self, g: Floats, number: int, side: int) -> Floats:
        """Conductances as the wires let them act, crossbar by crossbar along the outputs."""
        lines, step = self.tile.lines, self.tile.columns
        if lines is None:
            return g
        wires = Wires(lines.word, lines.bit, lines.source, lines.sink)
        reference = self._reference(number, side) if self.tile.ir_drop == "reuse" else None
        parts = []
        for low in range(0, g.shape[1], step):
            part = slice(low, low + step)
            if reference is None:
                parts.append(transfer_matrix(g[:, part], wires).T)
                continue
            known = attenuation(reference[:, part], wires)
            parts.append(known.matrix(reference[:, part], g[:, part]))
        return np.concatenate(parts, axis=1)

    def _reference(self, number: int, side: int) -> Floats:
        """Conductances of a slice's side at the age that IR drop is reused from, without read noise."""
        total = np.zeros(1)
        for i, cells in enumerate(self.cells[number][side]):
            g = self.reader.drifted(cells, REFERENCE_AGE)
            total = total + self._faulty(g, number, side, i)
        return np.asarray(total / len(self.cells[number][side]), np.float64)

    def reuse_error(self) -> float:
        """Relative error of the sums of one crossbar by reused IR drop, sampled with random inputs."""
        lines, part = self.tile.lines, slice(0, self.tile.columns)
        assert lines is not None
        wires = Wires(lines.word, lines.bit, lines.source, lines.sink)
        g, reference = self.conductances[0][0][:, part], self._reference(0, 0)[:, part]
        inputs = self.stream.of("wires").uniform((VECTORS, len(g)))
        return sampled_error(g, attenuation(reference, wires).matrix(reference, g), wires, inputs)

    def _on_grid(self, values: Floats) -> Floats:
        """Values rounded so that sums with input codes are exact."""
        fine = on_fine_grid(values, self.tile.drive.bits)
        bits = self.tile.adc.bits
        if not bits:
            return fine
        step = Converter(max(bits, 2), self.full_scale(fine)).step
        coarse = on_coarse_grid(fine, self.applied_top, step)
        return fine if coarse is None else coarse

    @cached_property
    def shorts(self) -> list[list[Shorts | None]]:
        """``weights`` as 16-bit integers where they lie on the coarse grid."""
        return [
            [short(matrix, self.applied_top, COARSE) for matrix in matrices]
            for matrices in self.weights
        ]

    @cached_property
    def row_conductance(self) -> Floats:
        """Siemens that hang on each word line, all slices, sides and devices together."""
        total = np.zeros(self.codes.shape[0])
        for sides in self.conductances:
            for g in sides:
                total += np.cumsum(g, axis=1)[:, -1] * self.tile.scheme.devices
        return total

    @cached_property
    def thermal(self) -> list[list[Floats]]:
        """Johnson noise of each column over one pulse, in full columns: sqrt(2 k T G / t) / (V span)."""
        tile = self.tile
        span = tile.device.g_max - tile.device.g_min
        scale = 2.0 * BOLTZMANN * tile.temperature / tile.drive.pulse
        found = []
        for sides in self.conductances:
            sums = [np.cumsum(g, axis=0)[-1] for g in sides]
            if tile.scheme.sign != "differential":
                sums = [4.0 * (sums[0][:-1] + sums[0][-1])]
            elif tile.drive.phases < 4:
                sums = [sums[0] + sums[1]]
            found.append([np.sqrt(scale * g) / (tile.drive.voltage * span) for g in sums])
        return found

    @cached_property
    def live(self) -> list[list[Floats]]:
        """Deviations of the followed modes of every weight with their signs, on the exact grid."""
        found = []
        for number, matrices in enumerate(self.variance_of_reads):
            made = [
                signed(
                    np.sqrt(self.share.live * part), self.stream.of("flicker sign", number, which)
                )
                for which, part in enumerate(matrices)
            ]
            found.append(
                [
                    on_fine_grid(part, self.tile.drive.bits + self.share.process_bits)
                    for part in made
                ]
            )
        return found

    @cached_property
    def read_variance(self) -> list[list[tuple[Floats, Shorts | None, int]]]:
        """Variance of what is drawn anew in every read, the fresh part of the read noise and the weights' own,
        as ``weights`` is laid out, on an exact grid: as numbers and, beside coarse weights, as 16-bit integers
        in 2^-bits too. The cells of a pair that are read apart share the weight's noise."""
        sides = len(self.weights[0])
        own = self.tile.weight_noise**2 / sides
        return [
            [
                self._variance(self.share.fresh * part + own, shorts is not None)
                for part, shorts in zip(parts, coarse, strict=True)
            ]
            for parts, coarse in zip(self.variance_of_reads, self.shorts, strict=True)
        ]

    def _variance(self, values: Floats, coarse: bool) -> tuple[Floats, Shorts | None, int]:
        top = int(squares(np.array([self.applied_top]), self.applied_top)[0][0])
        grid = variance_on_grid(values, top) if coarse else None
        if grid is None:  # as fine as the largest variance asks, which is far below 1
            unit = 2.0 ** np.ceil(np.log2(max(float(values.max(initial=0.0)), 1e-30)))
            return on_fine_grid(values / unit, 2 * self.tile.drive.bits) * unit, None, 0
        return grid[0], short(grid[0], top, grid[1]), grid[1]

    @cached_property
    def variance_of_reads(self) -> list[list[Floats]]:
        """Variance of one read of every weight, as ``weights`` is laid out."""
        tile = self.tile
        span = tile.device.g_max - tile.device.g_min
        found = []
        for sides in self.cells:
            seen = []
            for devices in sides:
                square = np.zeros_like(devices[0].conductance)
                for cells in devices:
                    sigma = self.reader.read_sigma(cells, tile.age, tile.temperature) / span
                    square = square + sigma * sigma
                seen.append(square / len(devices) ** 2)
            if tile.scheme.sign != "differential":
                seen = [4.0 * (seen[0][:, :-1] + seen[0][:, -1:])]
            elif tile.drive.phases < 4:
                seen = [seen[0] + seen[1]]
            found.append(seen)
        return found

    # -- ranges ----------------------------------------------------------------------------------

    @property
    def drive_top(self) -> int:
        """Largest code that the input converters give."""
        bits = self.tile.drive.bits
        most = (1 << bits) - 1 if self.one_sided else max(1, (1 << (bits - 1)) - 1)
        return min(most, self.input_top)

    @property
    def applied_top(self) -> int:
        """Largest code of one read."""
        return 1 if self.tile.drive.mode == "bit_serial" else self.drive_top

    def full_scale(self, matrix: Floats) -> float:
        """The converters' range in full columns: the chip's own, or six deviations beyond the mean of
        the widest column under inputs of the stated mean and rms, and never more than any input gives."""
        adc, drive = self.tile.adc, self.tile.drive
        if adc.range:
            return adc.range
        mean, square = drive.mean, drive.rms**2
        if not self.one_sided:  # both signs at once, or half of the inputs at a time
            mean, square = (0.0, square) if drive.phases == 1 else (0.5 * mean, 0.5 * square)
        spread = max(square - mean**2, 0.0)
        if drive.mode == "bit_serial":
            mean, spread = 0.5 if mean else 0.0, 0.25
        sums = np.cumsum(matrix, axis=0)[-1]
        centre = np.abs(sums) * mean
        wide = np.sqrt(np.cumsum(matrix * matrix, axis=0)[-1] * spread)
        whole = np.cumsum(np.abs(matrix), axis=0)[-1]  # no input can give more than this
        both = self.tile.drive.phases == 1 and not self.one_sided
        most = whole if both else 0.5 * (whole + np.abs(sums))
        return max(float(np.minimum(centre + WIDE * wide, most).max()), 1e-6)
