"""Measures of a point: names, units and groups in store/measures.py, figures here."""

from __future__ import annotations

from accelsim.chip import Chip
from accelsim.energy import EnergyReport, area
from accelsim.energy.components import component_of
from accelsim.energy.joules import BOUNDARIES
from accelsim.results.result import peak_macs_per_cycle


def basic(
    chip: Chip,
    makespan: int,
    tick_hz: int,
    energy: EnergyReport,
    macs: int,
    batch: int,
    tokens: int = 0,
) -> dict[str, float]:
    """What every run gives. makespan: ticks. macs: of the workload. batch, tokens: inferences and tokens of a
    run; a workload without tokens has no rate of them."""
    seconds, cycles = makespan / tick_hz, -(-makespan * chip.clocks[chip.core.clock] // tick_hz)
    total = energy.total
    peak = peak_macs_per_cycle(chip) * cycles
    return {
        "cycles": cycles,
        "latency_seconds": seconds,
        "throughput_per_second": batch / seconds if seconds else 0.0,
        **({"tokens_per_second": tokens / seconds} if tokens and seconds else {}),
        **{f"energy_{name}_joules": energy.boundary(name) for name in BOUNDARIES},
        "energy_band_joules": energy.band,
        "energy_per_inference_joules": total / batch,
        "watts": total / seconds if seconds else 0.0,
        "area_square_metres": sum(row.area for row in area(chip)),
        "utilisation": macs / peak if peak else 0.0,
        "macs": macs,
    }


def parts(chip: Chip, energy: EnergyReport) -> dict[str, float]:
    """Joules by component, at the chip boundary."""
    sums: dict[str, float] = {}
    for charge in energy.charges:
        memory = chip.memories.get(charge.unit)
        name = component_of(getattr(memory, "kind", ""), charge.action)
        sums[name] = sums.get(name, 0.0) + sum(charge.joules)
    return {name: joules for name, joules in sorted(sums.items()) if joules}


def writing(energy: EnergyReport, cold_seconds: float, resident_seconds: float) -> dict[str, float]:
    """Joules and seconds of writing every weight once, from a run that does. energy: of that run."""
    joules = sum(row.joules for row in energy.rows if row.action in ("pulses", "verify_reads"))
    return {"writing_joules": joules, "writing_seconds": max(0.0, cold_seconds - resident_seconds)}
