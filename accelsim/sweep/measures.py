"""Measures of a point: names, units and groups in store/measures.py, figures here."""

from __future__ import annotations

from accelsim.chip import Chip
from accelsim.energy import EnergyReport, area
from accelsim.report.pictures import component_of
from accelsim.results.result import peak_macs_per_cycle
from accelsim.workload import Workload


def basic(chip: Chip, workload: Workload, makespan: int, tick_hz: int, energy: EnergyReport,
          batch: int) -> dict[str, float]:  # fmt: skip
    """What every run gives. makespan: ticks. batch: inferences of a run."""
    seconds, cycles = makespan / tick_hz, -(-makespan * chip.clocks[chip.core.clock] // tick_hz)
    peak = peak_macs_per_cycle(chip) * cycles
    return {
        "cycles": cycles,
        "latency_seconds": seconds,
        "throughput_per_second": batch / seconds if seconds else 0.0,
        **{f"energy_{name}_joules": energy.boundary(name) for name in ("device", "core", "chip")},
        "energy_band_joules": energy.band,
        "energy_per_inference_joules": energy.total / batch,
        "watts": energy.total / seconds if seconds else 0.0,
        "area_square_metres": sum(row.area for row in area(chip)),
        "utilisation": workload.macs / peak if peak else 0.0,
        "macs": workload.macs,
    }


def parts(chip: Chip, energy: EnergyReport) -> dict[str, float]:
    """Joules by component, at the chip boundary."""
    sums: dict[str, float] = {}
    for (unit, action), joules in energy.by("unit", "action").items():
        memory = chip.memories.get(str(unit))
        name = component_of(getattr(memory, "kind", ""), str(action))
        sums[name] = sums.get(name, 0.0) + joules
    return {name: joules for name, joules in sorted(sums.items()) if joules}


def writing(energy: EnergyReport, cold_seconds: float, resident_seconds: float) -> dict[str, float]:
    """Joules and seconds of writing every weight once, from a run that does. energy: of that run."""
    joules = sum(row.joules for row in energy.rows if row.action in ("pulses", "verify_reads"))
    return {"writing_joules": joules, "writing_seconds": max(0.0, cold_seconds - resident_seconds)}
