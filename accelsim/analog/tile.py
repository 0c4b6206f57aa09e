"""One block of weights in a crossbar, and what its products come out as: integers like a MAC array's.

Input codes drive the rows, conductances weigh them, converters count the sums, digital logic scales
and adds: the result stands in units of (input code x weight code), so that ideal cells and wide
converters give the integers of a digital array bit for bit. Sums are exact (sums.py) and depend neither
on the machine nor on batching; noise is a function of the element's place alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.analog.calibration import gains_and_offsets
from accelsim.analog.cells import Programmed
from accelsim.analog.converters import Converter, Noise, converter_pass
from accelsim.analog.managed import managed
from accelsim.analog.read_noise import RowNoise, processes
from accelsim.analog.sums import COARSE, Driven, squares
from accelsim.devices.base import Floats
from accelsim.noise import Stream
from accelsim.noise.quick import Singles, quick_normal

Ints = NDArray[np.int64]
NONE = np.zeros((0, 0))  # no variance of its own for any element
QUIET = np.zeros((0, 0), np.float32)  # no deviates
CALIBRATION = 1 << 40  # number of the first element of noise in calibration reads


@dataclass(slots=True)
class Seen:
    """What the products of one run of vectors met. clipped: conversions at a converter's end.
    conversions: all of them. repeated: reads of vectors beside the first, of one crossbar each;
    repeated_charge: coulombs that they drew."""

    clipped: int = 0
    conversions: int = 0
    repeated: int = 0
    repeated_charge: float = 0.0


@dataclass(slots=True)
class _Pick:
    """A read of the ``chosen`` of so many vectors, and which of them clip. retry: number of the read."""

    vectors: int
    chosen: Ints
    retry: int
    clips: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.clips = np.zeros(len(self.chosen), bool)


@dataclass
class Block(Programmed):
    """Weights of one row block of an operator, and its products."""

    seen: Seen = field(default_factory=Seen)
    rows: dict[tuple[int, int, bool], RowNoise] = field(default_factory=dict)

    # -- inputs --------------------------------------------------------------------------------

    def drive_codes(self, x: Ints, range_: Floats | None = None) -> Ints:
        """What the converters make of input codes: the codes themselves where there are enough. range_: of
        every vector, the code that takes the whole range, default the largest there can be."""
        top = self.drive_top
        if range_ is None and top == self.input_top:
            inside = not x.size or (x.min() >= -top and x.max() <= top)
            return x if inside else np.clip(x, -top, top)
        scale = top / self.input_top if range_ is None else (top / range_)[:, None]
        codes = np.clip(np.rint(x * scale), -top, top)
        return np.asarray(codes.astype(np.int64), np.int64)

    def reads(self, codes: Ints) -> list[tuple[float, Ints, int]]:
        """(what a full input of this read stands for in input codes, codes to apply, which matrix) of
        every read of a vector. Codes are 0 or +-1 in a bit-serial read, else up to drive_top."""
        drive = self.tile.drive
        found: list[tuple[float, Ints, int]] = [(1.0, codes, 0)]
        if drive.phases > 1 and not self.one_sided:
            found = [(1.0, np.maximum(codes, 0), 0), (-1.0, np.maximum(-codes, 0), 0)]
        if drive.phases == 4 and self.tile.scheme.sign == "differential":
            found = [
                (sign * other, part, matrix)
                for sign, part, _ in found
                for other, matrix in ((1.0, 0), (-1.0, 1))
            ]
        whole = float(self.input_top)
        if drive.mode != "bit_serial":
            return [(sign * whole, part, which) for sign, part, which in found]
        return [
            (
                sign * 2.0**bit * whole / self.drive_top,
                ((np.abs(part) >> bit) & 1) * np.sign(part),
                which,
            )
            for sign, part, which in found
            for bit in range(self.drive_top.bit_length())
        ]

    # -- outputs -------------------------------------------------------------------------------

    @cached_property
    def converters(self) -> list[list[Converter | None]]:
        """The converters of a read against each of the matrices; None for ideal ones."""
        bits = self.tile.adc.bits
        return [
            [
                Converter(max(bits, 2), self.full_scale(matrix)) if bits else None
                for matrix in matrices
            ]
            for matrices in self.weights
        ]

    def _imperfect(
        self, sums: Floats, bound: float, which: tuple[int, ...], outputs: slice
    ) -> Floats:
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
        drive = self.tile.drive
        if drive.scale == "fixed" and not drive.retries:
            return self._read(self.drive_codes(x), first, count, outputs)

        def read(
            codes: Ints, chosen: Ints, retry: int, part: slice
        ) -> tuple[Floats, NDArray[np.bool_]]:
            pick = _Pick(len(x), chosen, retry)
            return self._read(codes, first, count, part, pick), pick.clips

        return managed(self, x, outputs, read, count)

    def _read(
        self, codes: Ints, first: int, count: bool, outputs: slice, pick: _Pick | None = None
    ) -> Floats:
        """Sums of codes as applied. pick: of a read whose clipping is looked at, vector by vector."""
        adc, columns = self.tile.adc, self.codes.shape[1]
        total = np.zeros((len(codes), len(range(columns)[outputs])))
        full = 1.0 if self.tile.drive.mode == "bit_serial" else float(self.drive_top)
        perfect = not (adc.gain_error or adc.offset_error or adc.nonlinearity) and pick is None
        reads = [(unit, Driven(part), which) for unit, part, which in self.reads(codes)]
        for number, factor in enumerate(self.split.factors):
            for turn, (unit, driven, which) in enumerate(reads):
                matrix, converter = self.weights[number][which], self.converters[number][which]
                sums, one = driven.sums(matrix, self.shorts[number][which], COARSE, outputs)
                if self.share.live:
                    followed = self._followed(driven.floats, number, which, first, count, pick)
                    sums, one = sums * one + followed[:, outputs], 1.0
                sigma, variance, square = self._noise(driven, number, which, outputs)
                deviates = QUIET
                if sigma is not None:
                    stream = self.stream.of("output", number, turn)
                    z = _deviates(stream, len(codes), columns, first, pick)
                    deviates = np.ascontiguousarray(z[:, outputs])
                weight = unit * factor[outputs]
                if converter is not None and perfect:
                    step = converter.step
                    spread = np.zeros(total.shape[1]) if sigma is None else sigma / step
                    noise = Noise(deviates, spread, variance, square / (full * step) ** 2)
                    convert, top = converter_pass(total.size), float(converter.top)
                    clipped = convert(sums, one / (full * step), noise, top, step * weight, total)
                else:
                    sums = sums * (one / full)
                    if sigma is not None:
                        if len(variance):
                            sigma = np.sqrt(variance * (square / full**2) + sigma * sigma)
                        sums = sums + sigma * deviates
                    if converter is None:
                        total += sums * weight
                        continue
                    sums = self._imperfect(sums, converter.bound, (number, which), outputs)
                    ends = converter.clipped(sums)
                    clipped = int(np.count_nonzero(ends))
                    if pick is not None:
                        pick.clips |= ends.any(axis=1)
                        clipped = 0  # vectors that still clip at the end are counted
                    total += (converter.codes(sums) * converter.step) * weight
                if count:
                    self.seen.clipped += clipped
                    self.seen.conversions += total.size
        return total

    def _noise(
        self, driven: Driven, number: int, which: int, outputs: slice
    ) -> tuple[Floats | None, Any, float]:
        """(deviation by column in full columns, None for no noise; variance of every sum beside, none
        where reads are frozen; what one of it stands for in squared codes)."""
        sigma = self._sigma(number, which)
        if sigma is None or not self.fresh:
            return None if sigma is None else sigma[outputs], NONE, 1.0
        values, shorts, bits = self.read_variance[number][which]
        powers, shift = (
            (driven.codes * driven.codes, 0)
            if shorts is None
            else squares(driven.codes, self.applied_top)
        )
        variance, one = Driven(powers).sums(values, shorts, bits, outputs)
        return sigma[outputs], variance, one * 2.0**shift

    def _sigma(self, number: int, which: int) -> Floats | None:
        """Deviation of each column's noise at the converters, in full columns; None for none at all."""
        tile = self.tile
        if not tile.output_noise and not tile.johnson and not self.fresh:
            return None
        square = np.full(self.codes.shape[1], tile.output_noise**2)
        if tile.johnson:
            heat = self.thermal[number][which]
            square = square + heat * heat
        return np.asarray(np.sqrt(square), np.float64)

    def _followed(
        self, driven: Floats, number: int, which: int, first: int, run: bool, pick: _Pick | None
    ) -> Floats:
        """What the followed modes add to the sums. run: of the run's vectors; calibration has a time of
        its own. A vector's reads all see the cells alike."""
        rows, copies = driven.shape[1], processes(driven.shape[1])
        key = (number, which, run)
        if key not in self.rows:
            label = "flicker" if run else "flicker calibration"
            self.rows[key] = RowNoise(
                self.share, copies * rows, self.stream.of(label, number, which)
            )
        process = self.rows[key].at(
            first if run else 0, len(driven) if pick is None else pick.vectors
        )
        if pick is not None:
            process = process[pick.chosen]
        repeated = driven if copies == 1 else np.concatenate([driven] * copies, axis=1)
        return np.asarray((repeated * process) @ self.live[number][which], np.float64)

    @cached_property
    def correction(self) -> tuple[Floats, Floats]:
        """(gain, offset) of every output, from random calibration vectors."""
        n = self.codes.shape[1]
        tile = self.tile
        if tile.compensation == "none":
            return np.ones(n), np.zeros(n)
        draw = self.stream.of("calibration").uniform((tile.reads, self.codes.shape[0]))
        reach = (
            min(1.0, float(np.sqrt(3.0)) * tile.drive.rms) * self.input_top
        )  # as large as inputs are
        low = 0.0 if self.one_sided else -reach
        x = np.rint(low + (reach - low) * draw).astype(np.int64)
        ideal = x.astype(np.float64) @ self.codes.astype(np.float64)
        got = self.raw(x, CALIBRATION // n, count=False)
        return gains_and_offsets(got, ideal, tile.compensation)

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
        range_ = None
        if self.tile.drive.scale == "vector":
            range_ = np.maximum(np.abs(x).max(axis=1, initial=0), 1).astype(np.float64)
        return self.charge_of(self.drive_codes(x, range_))

    def charge_of(self, codes: Ints) -> float:
        """Coulombs that codes draw as they are applied."""
        drive, codes = self.tile.drive, np.abs(codes)
        share = codes.sum(axis=0).astype(np.float64) / self.drive_top
        if drive.mode == "bit_serial":
            share = np.zeros(codes.shape[1])
            for bit in range(self.drive_top.bit_length()):
                share += ((codes >> bit) & 1).sum(axis=0)
        return float(np.cumsum(share * self.row_conductance)[-1]) * drive.voltage * drive.pulse


def _deviates(
    stream: Stream, vectors: int, columns: int, first: int, pick: _Pick | None
) -> Singles:
    """(vectors, columns) of vectors first .., or of those picked; every retry has its own."""
    if pick is None:
        return quick_normal(stream, (vectors, columns), first * columns)
    stream = stream.of(pick.retry) if pick.retry else stream
    if len(pick.chosen) == pick.vectors:
        return quick_normal(stream, (vectors, columns), first * columns)
    rows = [quick_normal(stream, (1, columns), (first + int(row)) * columns) for row in pick.chosen]
    return np.concatenate(rows)
