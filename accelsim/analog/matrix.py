"""A weight matrix in differential pairs by the field's conventions, for checks against its tools.

Chips compute in tile.py, with codes, slices and phases; this is the model that aihwkit has, in reals.

Order of a product: scale the vector, DAC, multiply, output noise, ADC, scale back, as the field's
models have it. Input codes are integers and conductances are rounded to a binary grid fine enough
to vanish beside any noise, so every sum is exact and independent of the machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from accelsim.analog.calibration import gains_and_offsets
from accelsim.analog.converters import Converter
from accelsim.analog.ir_drop import Wires, transfer_matrix
from accelsim.devices.base import ROOM, Cells, Device
from accelsim.noise import Stream

Floats = NDArray[np.float64]
MANTISSA = 53  # bits that a float64 sum keeps
DAC, ADC = Converter(8), Converter(8, 12.0)


@dataclass(frozen=True, slots=True)
class Periphery:
    """dac, adc: None for ideal ones. The ADC's bound is in units of a full column of the largest
    weight driven by one full input. output_noise: standard deviation in the same units.
    bound_management: an output that clips is measured again with half the input, at most
    ``retries`` times."""

    dac: Converter | None = DAC
    adc: Converter | None = ADC
    output_noise: float = 0.0
    bound_management: bool = True
    retries: int = 6
    wires: Wires | None = None


@dataclass(frozen=True, slots=True)
class AnalogMatrix:
    """W (inputs x outputs) as g_plus - g_minus, each device on its own. scale: weight of g_max.

    gain: factors (scalar or one an output) that undo what drift does on average; calibrate() sets
    them.
    """

    device: Device
    plus: Cells
    minus: Cells
    scale: float
    periphery: Periphery
    stream: Stream
    gain: Floats = field(default_factory=lambda: np.ones(1))

    @classmethod
    def program(
        cls, weights: Floats, device: Device, periphery: Periphery, stream: Stream
    ) -> AnalogMatrix:
        """Cells programmed to the weights; the largest weight takes g_max."""
        scale = float(np.abs(weights).max())
        if not np.isfinite(scale) or scale == 0:
            raise ValueError("weights must be finite and not all zero")
        goal = weights / scale * device.g_max
        plus = device.program(np.maximum(goal, 0.0), stream.of("plus"))
        minus = device.program(np.maximum(-goal, 0.0), stream.of("minus"))
        return cls(device, plus, minus, scale, periphery, stream)

    def effective(self, age: float, read: int = 0, temperature: float = ROOM) -> Floats:
        """Weights / scale as one read sees them, on the exact grid where inputs have codes. read:
        number of the read."""
        sides = []
        for name, cells in (("plus", self.plus), ("minus", self.minus)):
            g = self.device.read(cells, age, self.stream.of("read", read, name), temperature)
            if self.periphery.wires is not None:
                g = transfer_matrix(g, self.periphery.wires).T
            sides.append(g)
        found = (sides[0] - sides[1]) / self.device.g_max
        if self.periphery.dac is None:  # products of reals round anyway
            return found
        spare = MANTISSA - self.periphery.dac.bits - int(np.ceil(np.log2(found.shape[0]))) - 2
        grid = 2.0**-spare
        return np.asarray(np.rint(found / grid) * grid, np.float64)

    def multiply(self, x: Floats, age: float, read: int = 0, temperature: float = ROOM) -> Floats:
        """x @ W for rows of x, as the crossbar gives it at that age."""
        weights = self.effective(age, read, temperature)
        return self._through(x, weights, self.stream.of("output", read)) * self.gain * self.scale

    def _through(self, x: Floats, weights: Floats, noise: Stream) -> Floats:
        """Converters and noise around x @ weights; each row is scaled by its largest element."""
        p = self.periphery
        largest = np.abs(x).max(axis=1, keepdims=True)
        range_ = np.where(largest > 0, largest, 1.0)
        result = np.zeros((len(x), weights.shape[1]))
        again = np.arange(len(x))
        for retry in range(p.retries + 1 if p.bound_management and p.adc is not None else 1):
            part = x[again] / range_[again] * 0.5**retry
            if p.dac is not None:
                sums = (p.dac.codes(part).astype(np.float64) @ weights) * p.dac.step
            else:
                sums = part @ weights
            if p.output_noise:
                deviates = noise.of(retry).normal(result.shape)[again]
                sums = sums + p.output_noise * deviates
            if p.adc is None:
                result[again] = sums * range_[again] / 0.5**retry
                break
            result[again] = p.adc.codes(sums) * p.adc.step * range_[again] / 0.5**retry
            again = again[p.adc.clipped(sums).any(axis=1)]
            if len(again) == 0:
                break
        return result

    def as_published(self, age: float, read: int = 1 << 21) -> AnalogMatrix:
        """This matrix with the one gain that the field's drift compensation takes: the mean magnitude of
        all columns read one input at a time, just after programming over at that age."""
        rows = self.plus.target.shape[0]
        still = self.device.with_effects(programming=True, drift=False, noise=False)
        first = replace(self, device=still, gain=np.ones(1)).multiply(np.eye(rows), 0.0, read)
        now = replace(self, gain=np.ones(1)).multiply(np.eye(rows), age, read + 1)
        below = float(np.cumsum(np.abs(now))[-1])
        gain = float(np.cumsum(np.abs(first))[-1]) / below if below else 1.0
        return replace(self, gain=np.full(1, gain))

    def calibrated(
        self, age: float, reads: int = 32, per_column: bool = False, read: int = 1 << 20
    ) -> AnalogMatrix:
        """This matrix with gains by least squares over ``reads`` random +-1 vectors, against what the
        programmed targets would give. per_column: one gain an output, else one for all."""
        rows = self.plus.target.shape[0]
        x = np.where(self.stream.of("calibration").uniform((reads, rows)) < 0.5, -1.0, 1.0)
        ideal = x @ ((self.plus.target - self.minus.target) / self.device.g_max)
        plain = replace(self, gain=np.ones(1))
        seen = plain.multiply(x, age, read) / self.scale
        gain, _ = gains_and_offsets(seen, ideal, "column" if per_column else "global")
        return replace(self, gain=gain if per_column else gain[:1])
