"""One block of weights in a crossbar, and what its products come out as: integers like a MAC array's.

Input codes drive the rows, conductances weigh them, converters count the sums, digital logic scales
and adds: the result stands in units of (input code x weight code), so that ideal cells and wide
converters give the integers of a digital array bit for bit. Input codes are integers and conductances
lie on a binary grid, so sums are exact and depend neither on the machine nor on batching; noise is a
function of the element's place alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from accelsim.analog.converters import Converter
from accelsim.analog.ir_drop import Wires, transfer_matrix
from accelsim.analog.parts import Tile
from accelsim.analog.scheme import device_targets, split_codes, targets
from accelsim.devices.base import BOLTZMANN, Cells, Device, Floats
from accelsim.noise import Stream
from accelsim.noise.quick import converter_pass, quick_normal, table

Ints = NDArray[np.int64]
NONE = np.zeros((0, 0))  # no variance of its own for any element
WIDE = 6.0  # deviations: neighbouring inputs are alike, so sums are wider than of independent ones
MANTISSA = 53  # bits that a float64 sum keeps
CALIBRATION = 1 << 40  # number of the first element of noise in calibration reads


@dataclass(slots=True)
class Seen:
    """What the products of one run of vectors met. clipped: conversions at a converter's end.
    conversions: all of them."""

    clipped: int = 0
    conversions: int = 0


@dataclass
class Block:
    """Weights (rows, outputs) of one row block of an operator, programmed.

    codes: integers of magnitude at most ``top``. one_sided: inputs are never negative. input_top:
    largest magnitude of an input code. stream: of the operator, group and row block.
    """

    tile: Tile
    codes: Ints
    top: int
    input_top: int
    one_sided: bool
    stream: Stream
    seen: Seen = field(default_factory=Seen)

    @cached_property
    def split(self) -> tuple[tuple[Floats, ...], tuple[Floats, ...]]:
        """(values in -1..1, what 1 stands for in codes) of every slice."""
        flip = np.ones(self.codes.shape[1])
        if self.tile.scheme.sign == "flipped":
            flip = np.where(self.codes.sum(axis=0) > 0, -1.0, 1.0)
        found = split_codes(self.codes * flip.astype(np.int64), self.top, self.tile.scheme)
        return found.parts, tuple(factor * flip for factor in found.factors)

    @cached_property
    def cells(self) -> list[list[list[Cells]]]:
        """Programmed cells by slice, side and device. A single cell's reference stands last, as a
        column more."""
        device, scheme = self.tile.device, self.tile.scheme
        found = []
        for number, part in enumerate(self.split[0]):
            if scheme.sign != "differential":
                part = np.concatenate([part, np.zeros((len(part), 1))], axis=1)
            sides = []
            for side, goal in enumerate(targets(part, device, scheme)):
                made = [device.program(one, self.stream.of("cells", number, side, i))
                        for i, one in enumerate(device_targets(goal, device, scheme))]  # fmt: skip
                sides.append([device.stored(one, self._history)[1] for one in made] if self._history
                             else made)  # fmt: skip
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
        tile = self.tile
        found = []
        for number, sides in enumerate(self.cells):
            seen = []
            for side, devices in enumerate(sides):
                total = np.zeros_like(devices[0].conductance)
                for i, cells in enumerate(devices):
                    if tile.read_noise == "fresh":
                        g = self.reader.drifted(cells, tile.age, tile.temperature)
                    else:
                        noise = self.stream.of("read", number, side, i)
                        g = self.reader.read(cells, tile.age, noise, tile.temperature)
                    total = total + self._faulty(g, number, side, i)
                seen.append(total / len(devices))
            found.append(seen)
        return found

    def _faulty(self, g: Floats, *what: int) -> Floats:
        tile = self.tile
        if not tile.stuck_low and not tile.stuck_high:
            return g
        draw = self.stream.of("stuck", *what).uniform(g.shape)
        g = np.where(draw < tile.stuck_low, tile.device.g_min, g)
        return np.where(draw > 1.0 - tile.stuck_high, tile.device.g_max, g)

    @cached_property
    def weights(self) -> list[list[Floats]]:
        """Matrices that the input codes meet, one set a slice: one a read of a phase's cells (both
        cells of a pair together, or each), in parts of the conductances' span, on the exact grid."""
        tile, device = self.tile, self.tile.device
        span = device.g_max - device.g_min
        whole = []
        for sides in self.conductances:
            through = [self._wired(g) for g in sides]
            if tile.scheme.sign != "differential":
                through = [2.0 * (through[0][:, :-1] - through[0][:, -1:])]
            elif tile.drive.phases < 4:
                through = [through[0] - through[1]]
            whole.append([self._on_grid(g / span) for g in through])
        return whole

    def _wired(self, g: Floats) -> Floats:
        """Conductances as the wires let them act, crossbar by crossbar along the outputs."""
        lines, step = self.tile.lines, self.tile.columns
        if lines is None:
            return g
        wires = Wires(lines.word, lines.bit, lines.source, lines.sink)
        parts = [transfer_matrix(g[:, low : low + step], wires).T
                 for low in range(0, g.shape[1], step)]  # fmt: skip
        return np.concatenate(parts, axis=1)

    def _on_grid(self, values: Floats, power: int = 1) -> Floats:
        """Values rounded so that sums with input codes (to that power) are exact."""
        spare = MANTISSA - power * self.tile.drive.bits - int(np.ceil(np.log2(values.shape[0] + 1))) - 4
        grid = 2.0**-spare
        return np.asarray(np.rint(values / grid) * grid, np.float64)

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

    # -- inputs --------------------------------------------------------------------------------

    @property
    def drive_top(self) -> int:
        """Largest code that the input converters give."""
        bits = self.tile.drive.bits
        most = (1 << bits) - 1 if self.one_sided else max(1, (1 << (bits - 1)) - 1)
        return min(most, self.input_top)

    def drive_codes(self, x: Ints) -> Ints:
        """What the converters make of input codes: the codes themselves where there are enough."""
        top = self.drive_top
        if top == self.input_top:
            return np.clip(x, -top, top)
        codes = np.clip(np.rint(x * (top / self.input_top)), -top, top)
        return np.asarray(codes.astype(np.int64), np.int64)

    def reads(self, codes: Ints) -> list[tuple[float, Ints, int]]:
        """(what a full input of this read stands for in input codes, codes to apply, which matrix) of
        every read of a vector. Codes are 0 or +-1 in a bit-serial read, else up to drive_top."""
        drive = self.tile.drive
        found: list[tuple[float, Ints, int]] = [(1.0, codes, 0)]
        if drive.phases > 1 and not self.one_sided:
            found = [(1.0, np.maximum(codes, 0), 0), (-1.0, np.maximum(-codes, 0), 0)]
        if drive.phases == 4 and self.tile.scheme.sign == "differential":
            found = [(sign * other, part, matrix) for sign, part, _ in found
                     for other, matrix in ((1.0, 0), (-1.0, 1))]  # fmt: skip
        whole = float(self.input_top)
        if drive.mode != "bit_serial":
            return [(sign * whole, part, which) for sign, part, which in found]
        return [(sign * 2.0**bit * whole / self.drive_top,
                 ((np.abs(part) >> bit) & 1) * np.sign(part), which)
                for sign, part, which in found for bit in range(self.drive_top.bit_length())]  # fmt: skip

    # -- outputs -------------------------------------------------------------------------------

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

    @cached_property
    def converters(self) -> list[list[Converter | None]]:
        """The converters of a read against each of the matrices; None for ideal ones."""
        bits = self.tile.adc.bits
        return [[Converter(max(bits, 2), self.full_scale(matrix)) if bits else None for matrix in matrices]
                for matrices in self.weights]  # fmt: skip

    def _imperfect(self, sums: Floats, bound: float, which: tuple[int, ...], outputs: slice) -> Floats:
        """Sums with each column's gain, offset and nonlinearity."""
        adc, columns = self.tile.adc, self.codes.shape[1]
        if adc.gain_error:
            gains = self.stream.of("gain", *which).normal(columns)[outputs]
            sums = sums * (1.0 + adc.gain_error * gains)
        if adc.offset_error:
            offsets = self.stream.of("offset", *which).normal(columns)[outputs]
            sums = sums + adc.offset_error * bound * offsets
        if adc.nonlinearity:
            part = sums / bound
            sums = sums + adc.nonlinearity * bound * (part - part * part * part)
        return sums

    def raw(self, x: Ints, first: int, count: bool = True, outputs: slice = slice(None)) -> Floats:
        """Sums in codes before compensation and rounding. x: (vectors, rows) input codes. first: number
        of the first vector."""
        codes, adc = self.drive_codes(x), self.tile.adc
        columns = self.codes.shape[1]
        total = np.zeros((len(x), len(range(columns)[outputs])))
        full = 1.0 if self.tile.drive.mode == "bit_serial" else float(self.drive_top)
        perfect = not (adc.gain_error or adc.offset_error or adc.nonlinearity)
        for number, (matrices, factor) in enumerate(zip(self.weights, self.split[1], strict=True)):
            for turn, (unit, part, which) in enumerate(self.reads(codes)):
                matrix = matrices[which]
                driven = part.astype(np.float64)
                sums = driven @ matrix[:, outputs]
                converter = self.converters[number][which]
                sigma = self._sigma(number, which)
                variance = NONE
                if self.tile.read_noise == "fresh":
                    variance = (driven * driven) @ self.read_variance[number][which]
                weight = unit * factor[outputs]
                stream = self.stream.of("output", number, turn)
                if (converter is not None and sigma is not None and perfect
                        and total.shape[1] == columns):  # fmt: skip
                    start = first * columns
                    words = stream.raw((start % 2 + total.size + 1) // 2, start // 2)
                    clipped = converter_pass(total.size)(
                        sums, words, start % 2, sigma, variance, table(), full, converter.step,
                        float(converter.top), weight, total)  # fmt: skip
                else:
                    sums = sums / full
                    if sigma is not None:
                        z = quick_normal(stream, (len(x), columns), first * columns)
                        if len(variance):
                            sigma = np.sqrt(variance / (full * full) + sigma * sigma)
                        sums = sums + (sigma * z)[:, outputs]
                    if converter is None:
                        total += sums * weight
                        continue
                    sums = self._imperfect(sums, converter.bound, (number, which), outputs)
                    clipped = int(np.count_nonzero(converter.clipped(sums)))
                    total += (converter.codes(sums) * converter.step) * weight
                if count:
                    self.seen.clipped += clipped
                    self.seen.conversions += total.size
        return total

    def _sigma(self, number: int, which: int) -> Floats | None:
        """Deviation of each column's noise at the converters, in full columns; None for none at all."""
        tile = self.tile
        if not tile.output_noise and not tile.johnson and tile.read_noise == "frozen":
            return None
        square = np.full(self.codes.shape[1], tile.output_noise**2)
        if tile.johnson:
            heat = self.thermal[number][which]
            square = square + heat * heat
        return np.asarray(np.sqrt(square), np.float64)

    @cached_property
    def read_variance(self) -> list[list[Floats]]:
        """Variance of one read of every weight, as ``weights`` is laid out, on the exact grid."""
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
            found.append([self._on_grid(part, 2) for part in seen])
        return found

    @cached_property
    def correction(self) -> tuple[Floats, Floats]:
        """(gain, offset) of every output, least squares over random calibration vectors."""
        n = self.codes.shape[1]
        gain, offset = np.ones(n), np.zeros(n)
        tile = self.tile
        if tile.compensation == "none":
            return gain, offset
        draw = self.stream.of("calibration").uniform((tile.reads, self.codes.shape[0]))
        reach = min(1.0, float(np.sqrt(3.0)) * tile.drive.rms) * self.input_top  # as large as inputs are
        low = 0.0 if self.one_sided else -reach
        x = np.rint(low + (reach - low) * draw).astype(np.int64)
        ideal = x.astype(np.float64) @ self.codes.astype(np.float64)
        got = self.raw(x, CALIBRATION // n, count=False)
        mean_got = mean_ideal = np.zeros(n)
        if tile.compensation == "affine":
            mean_got, mean_ideal = _column_sums(got) / len(x), _column_sums(ideal) / len(x)
            got, ideal = got - mean_got, ideal - mean_ideal
        below, above = _column_sums(got * got), _column_sums(got * ideal)
        if tile.compensation == "global":
            below, above = (np.full(n, np.cumsum(part)[-1]) for part in (below, above))
        gain = np.where(below > 0, above / np.where(below > 0, below, 1.0), 1.0)
        return gain, mean_ideal - gain * mean_got

    def multiply(self, x: Ints, first: int = 0, outputs: slice = slice(None)) -> Ints:
        """Integer sums (vectors, outputs) of input codes x. first: number of the first vector, which
        places its noise. outputs: the columns wanted."""
        found = self.raw(x, first, outputs=outputs)
        if self.tile.compensation != "none":
            gain, offset = (part[outputs] for part in self.correction)
            found = found * gain + offset
        return np.rint(found, out=found).astype(np.int64)

    def charge(self, x: Ints) -> float:
        """Coulombs that the vectors draw through the cells: V t sum |x| G over the rows."""
        applied = np.abs(self.drive_codes(x)).sum(axis=0).astype(np.float64)
        drive = self.tile.drive
        share = applied / self.drive_top
        if drive.mode == "bit_serial":
            codes = np.abs(self.drive_codes(x))
            share = np.zeros(codes.shape[1])
            for bit in range(self.drive_top.bit_length()):
                share += ((codes >> bit) & 1).sum(axis=0)
        return float(np.cumsum(share * self.row_conductance)[-1]) * drive.voltage * drive.pulse


def _column_sums(values: Floats) -> Floats:
    """Sums of the columns, rows in order whatever the machine."""
    return np.asarray(np.cumsum(values, axis=0)[-1], np.float64)
