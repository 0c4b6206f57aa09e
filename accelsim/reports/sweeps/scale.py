"""Measures and keys as a person reads them: units with prefixes, short names, ticks."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log10

import numpy as np

from accelsim.reports.sweeps.table import JOIN, Floats, said
from accelsim.store.measures import MEASURES

__all__ = [
    "age_text",
    "boundary_of",
    "figure_of",
    "label_of",
    "said",
    "scale_of",
    "short_keys",
    "spread_log",
]
PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
SHORT = {
    "cycles": "cycles",
    "latency_seconds": "latency",
    "throughput_per_second": "throughput",
    "energy_device_joules": "device energy",
    "energy_core_joules": "core energy",
    "energy_chip_joules": "chip energy",
    "energy_per_inference_joules": "energy an inference",
    "energy_band_joules": "uncertainty of energy",
    "watts": "mean power",
    "area_square_metres": "area",
    "utilisation": "utilisation",
    "macs": "multiply-accumulates",
    "writing_joules": "writing energy",
    "writing_seconds": "writing time",
    "top1": "top-1",
    "signal_to_noise_db": "signal to noise",
}
SHARES = ("top1", "utilisation")


def boundary_of(measure: str) -> str:
    """The boundary that a measure's energy counts; "" for measures without one."""
    for name in ("device", "core", "chip"):
        if measure == f"energy_{name}_joules":
            return name
    return "chip" if MEASURES.get(measure) and MEASURES[measure].unit in ("J", "W") else ""


def scale_of(measure: str, values: Floats) -> tuple[float, str]:
    """(factor, unit) that bring the median of the finite values between 1 and 1,000."""
    unit = MEASURES[measure].unit if measure in MEASURES else ""
    if measure in SHARES:
        return 100.0, "%"
    known = np.abs(values[np.isfinite(values) & (values != 0)])
    middle = float(np.median(known)) if len(known) else 1.0
    if unit == "m2":
        return (1e6, "mm2") if middle > 1e-8 else (1e12, "um2")
    if unit not in ("s", "J", "W"):
        return 1.0, unit
    power = int(3 * floor(log10(middle) / 3)) if middle > 0 else 0
    power = min(max(power, -15), 0)
    return 10.0**-power, f"{PREFIXES[power]}{unit}"


def label_of(measure: str, unit: str) -> str:
    """ "chip energy (uJ)."""
    text = SHORT.get(measure, measure.replace("_", " "))
    return f"{text} ({unit})" if unit else text


def short_keys(keys: Sequence[str]) -> dict[str, str]:
    """Each key without its leading parts, as short as they stay different; one word is never alone where
    it says too little ("bits")."""
    found: dict[str, str] = {}
    for key in keys:
        words = []
        for one in key.split(JOIN):
            parts = one.split(".")
            if parts[0] in ("units", "memories") and len(parts) > 2:
                parts = parts[1:]
            words.append(".".join(parts[-2:]))
        found[key] = JOIN.join(words)
    for key, name in list(found.items()):
        if list(found.values()).count(name) > 1:
            found[key] = key
    return found


def figure_of(value: float, digits: int = 3) -> str:
    """A number for a label: at most that many digits, thousands apart, no exponents below a million."""
    if value == 0 or not np.isfinite(value):
        return "0" if value == 0 else "-"
    if 1e-3 <= abs(value) < 1e6:
        places = max(0, digits - 1 - floor(log10(abs(value))))
        text = f"{value:,.{places}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value:.{digits}g}"


def spread_log(values: Floats, least: float = 8.0) -> bool:
    """Whether an axis should be logarithmic: all positive and spread over more than that factor."""
    known = values[np.isfinite(values)]
    return bool(len(known) and known.min() > 0 and known.max() / known.min() > least)


def age_text(seconds: float) -> str:
    """ "20 s", "1 h", "30 days", "1 year"."""
    for size, one, many in (
        (31536000.0, "year", "years"),
        (86400.0, "day", "days"),
        (3600.0, "h", "h"),
        (60.0, "min", "min"),
    ):
        if seconds >= size * 0.995:
            count = figure_of(seconds / size, 3)
            return f"{count} {one if count == '1' else many}"
    return f"{figure_of(seconds)} s"
