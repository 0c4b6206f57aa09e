"""One PCM cell from its resistances: plain, or projected by a liner in parallel.

The cell's length is amorphous to a fraction u. Both parts may lie beside a liner that conducts where
the amorphous part does not; then one sensitivity, S = d ln R / d ln R_a, says how much of the
amorphous part's drift, noise and temperature dependence the read sees. This model and the statistical
ones are two models; neither is derived from the other.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np

from accelsim.devices.base import BOLTZMANN, ROOM, Cells, Device, Floats
from accelsim.noise import Stream, exp, log, power

TABLE = Path(__file__).parent / "tables" / "physical.json"
BOLTZMANN_EV = (
    BOLTZMANN / 1.602176634e-19
)  # eV a kelvin; the divisor is the charge of an electron (SI)
COLDEST, HOTTEST = 200.0, 700.0


@dataclass(frozen=True, slots=True)
class Physical(Device):
    """crystalline, amorphous: ohms of the full length at the reference time and ROOM. liner: ohms of
    it beside the full length, infinity for none. drift, drift_spread: exponent of R_a, mean and
    standard deviation over cells. activation: eV, of R_a. noise: relative 1/f noise of R_a.
    liner_per_kelvin: the liner's R falls by that part a kelvin. crystallisation_ev, _hz: u falls by
    hz exp(-ev / kT) a second. series: ohms in series with the cell. margin: half
    width of verify's window, part of g_max."""

    kind: ClassVar[str] = "physical"
    name: str
    g_max: float
    read_time: float
    reference_time: float
    crystalline: float
    amorphous: float
    liner: float
    drift: float
    drift_spread: float
    activation: float
    noise: float
    liner_per_kelvin: float = 0.0
    crystallisation_ev: float = 2.5
    crystallisation_hz: float = 0.0
    series: float = 0.0
    margin: float = 0.0
    pulses: str = ""
    confidence: str = "mem"

    @property
    def g_min(self) -> float:
        """Siemens of a cell that is all amorphous, at the reference time: not 0, the liner conducts."""
        return float(1.0 / self.resistance(np.ones(1), np.full(1, self.amorphous), ROOM)[0])

    def liner_at(self, temperature: float) -> float:
        """Ohms of the liner."""
        return self.liner * (1.0 - self.liner_per_kelvin * (temperature - ROOM))

    def resistance(self, u: Floats, amorphous: Floats, temperature: float) -> Floats:
        """Ohms of the cell for an amorphous part of ``amorphous`` ohms a full length."""
        shunt = 1.0 / self.liner_at(temperature)
        clear = 1.0 / (1.0 / self.crystalline + shunt)
        glass = 1.0 / (1.0 / amorphous + shunt)
        return self.series + (1.0 - u) * clear + u * glass

    def sensitivity(self, u: Floats, amorphous: Floats, temperature: float) -> Floats:
        """S = d ln R / d ln R_a, 0..1: what is left of the amorphous part's troubles."""
        glass = 1.0 / (1.0 / amorphous + 1.0 / self.liner_at(temperature))
        return u * glass / self.resistance(u, amorphous, temperature) * (glass / amorphous)

    def liner_sensitivity(self, u: Floats, amorphous: Floats, temperature: float) -> Floats:
        """d ln R / d ln R_p, 0 without a liner."""
        if not np.isfinite(self.liner):
            return np.zeros_like(u)
        liner = self.liner_at(temperature)
        clear = 1.0 / (1.0 / self.crystalline + 1.0 / liner)
        glass = 1.0 / (1.0 / amorphous + 1.0 / liner)
        whole = self.resistance(u, amorphous, temperature)
        return ((1.0 - u) * clear * clear + u * glass * glass) / (liner * whole)

    def amorphous_at(self, exponent: Floats, age: float, temperature: float) -> Floats:
        """R_a: R_a0 ((age + t0) / t0)**nu exp(E_a / k (1/T - 1/T0))."""
        if not np.isfinite(age) or age < 0:
            raise ValueError("an age is a finite number of seconds from programming on, 0 or more")
        if not COLDEST <= temperature <= HOTTEST:
            raise ValueError(f"temperatures lie in {COLDEST:g}..{HOTTEST:g} K")
        ratio = np.array([(age + self.reference_time) / self.reference_time])
        heat = self.activation / BOLTZMANN_EV * (1.0 / temperature - 1.0 / ROOM)
        return self.amorphous * power(ratio, exponent) * exp(np.array([heat]))

    def fraction_for(self, conductance: Floats) -> Floats:
        """u at which a cell has that conductance at the reference time and ROOM, within 0..1."""
        shunt = 1.0 / self.liner_at(ROOM)
        clear, glass = 1.0 / (1.0 / self.crystalline + shunt), 1.0 / (1.0 / self.amorphous + shunt)
        wanted = 1.0 / np.maximum(conductance, self.g_min)
        return np.clip((wanted - self.series - clear) / (glass - clear), 0.0, 1.0)

    def program(self, target: Floats, stream: Stream) -> Cells:
        """Cells of the fraction that gives the target, somewhere in verify's window (uniformly: what
        the process of pulses leaves where its last step is larger than the window), as the read that
        accepted it saw it. Targets below g_min give g_min."""
        goal = self._checked(target)
        u = self.fraction_for(goal)
        if self.margin:
            off = self.margin * self.g_max * (2.0 * stream.of("verify").uniform(goal.shape) - 1.0)
            seen = self.verify_sigma(goal) * stream.of("verify noise").normal(goal.shape)
            u = self.fraction_for(goal + off + seen)
        deviates = stream.of("exponent").normal(goal.shape)
        exponent = np.abs(self.drift + self.drift_spread * deviates)
        made = 1.0 / self.resistance(u, np.full_like(u, self.amorphous), ROOM)
        return Cells(goal, made, {"fraction": u, "exponent": exponent})

    def written(self, target: Floats, conductance: Floats, stream: Stream) -> Cells:
        """Cells of the fractions that give those conductances, within what a cell can have."""
        u = self.fraction_for(conductance)
        exponent = np.abs(self.drift + self.drift_spread * stream.of("exponent").normal(u.shape))
        made = 1.0 / self.resistance(u, np.full_like(u, self.amorphous), ROOM)
        return Cells(target, made, {"fraction": u, "exponent": exponent})

    def verify_sigma(self, conductance: Floats) -> Floats:
        """S times the amorphous part's noise in one read time, right after a pulse."""
        u = self.fraction_for(conductance)
        glass = np.full_like(u, self.amorphous)
        now = 1.0 / self.resistance(u, glass, ROOM)
        return self.noise * self.sensitivity(u, glass, ROOM) * now

    def write_sigma(self, target: Floats) -> Floats:
        """A uniform window's deviation and the accepting read's noise together, siemens."""
        if not self.margin:
            return np.zeros_like(np.asarray(target, np.float64))
        goal = np.asarray(target, np.float64)
        seen = self.verify_sigma(goal)
        return np.sqrt((self.margin * self.g_max) ** 2 / 3.0 + seen * seen)

    def stored(self, cells: Cells, profile: Sequence[tuple[float, float]]) -> tuple[Device, Cells]:
        """u lowered by hz exp(-ev / kT) a second, each time at its own temperature."""
        lost = sum(seconds * self._crystallising(kelvin) for seconds, kelvin in profile)
        left = np.maximum(cells.state["fraction"] - lost, 0.0)
        made = 1.0 / self.resistance(left, np.full_like(left, self.amorphous), ROOM)
        return (
            replace(self, crystallisation_hz=0.0),
            Cells(cells.target, made, {**cells.state, "fraction": left}),
        )

    def _crystallising(self, temperature: float) -> float:
        """What crystallises a second, part of the length."""
        return float(
            self.crystallisation_hz
            * exp(np.array([-self.crystallisation_ev / (BOLTZMANN_EV * temperature)]))[0]
        )

    def with_effects(self, programming: bool, drift: bool, noise: bool) -> Physical:
        """The cell with some effects off."""
        return replace(
            self,
            margin=self.margin if programming else 0.0,
            noise=self.noise if noise else 0.0,
            drift=self.drift if drift else 0.0,
            drift_spread=self.drift_spread if drift else 0.0,
        )

    def fraction_at(self, cells: Cells, age: float, temperature: float) -> Floats:
        """u after crystallising at that temperature for all of its age."""
        return np.maximum(cells.state["fraction"] - self._crystallising(temperature) * age, 0.0)

    def drifted(self, cells: Cells, age: float, temperature: float = ROOM) -> Floats:
        """1 / R at that age and temperature (of the read and of all the time before it)."""
        glass = self.amorphous_at(cells.state["exponent"], age, temperature)
        return 1.0 / self.resistance(self.fraction_at(cells, age, temperature), glass, temperature)

    def noise_span(self, age: float) -> float:
        """Counted from the reference time, as the drift is."""
        return age + self.reference_time

    def read_sigma(self, cells: Cells, age: float, temperature: float = ROOM) -> Floats:
        """S times the amorphous part's 1/f noise, of the drifted conductance."""
        glass = self.amorphous_at(cells.state["exponent"], age, temperature)
        u = self.fraction_at(cells, age, temperature)
        span = (age + self.reference_time + self.read_time) / (2.0 * self.read_time)
        factor = self.noise * np.sqrt(log(np.array([span])))
        return (
            self.sensitivity(u, glass, temperature)
            * factor
            / self.resistance(u, glass, temperature)
        )


@lru_cache(maxsize=16)
def physical(name: str) -> Physical:
    """The named model of tables/physical.json; KeyError with the names for any other."""
    models = json.loads(TABLE.read_text("utf-8"))["models"]
    if name not in models:
        raise KeyError(f"no physical device {name!r}; there are {', '.join(models)}")
    row = models[name]
    ratio = row["liner_over_crystalline"]
    best = 1e6 / row["g_max_us"]  # ohms of a cell that is all crystalline, liner beside it
    crystalline = best if ratio is None else best * (1.0 + 1.0 / ratio)
    return Physical(
        name,
        row["g_max_us"] * 1e-6,
        row["read_s"],
        row["reference_s"],
        crystalline,
        crystalline * row["amorphous_over_crystalline"],
        float("inf") if ratio is None else crystalline * ratio,
        row["drift"],
        row["drift_spread"],
        row["activation_ev"],
        row["noise"],
        row["liner_per_kelvin"],
        row["crystallisation_ev"],
        row["crystallisation_hz"],
        0.0,
        row["margin"],
        row["pulses"],
        row["confidence"],
    )
