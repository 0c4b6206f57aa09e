"""Energy and area of an analog-to-digital converter, from the public model of Murmann's survey.

tables/adc_survey.json has the coefficients. The regression does not know the converters' kind.
"""

from __future__ import annotations

import json
from functools import lru_cache
from math import ceil, exp, log
from pathlib import Path
from typing import Any

from accelsim.errors import InputError, Problem

TABLE = Path(__file__).parent / "tables" / "adc_survey.json"
SOURCE = "ADC survey model, Andrulis et al., arXiv 2404.06553"


@lru_cache(maxsize=1)
def survey() -> dict[str, Any]:
    """The table."""
    found: dict[str, Any] = json.loads(TABLE.read_text("utf-8"))
    return found


def outside(bits: float, node_nm: float, rate: float, path: str) -> list[Problem]:
    """What is outside the survey's range."""
    checks = (
        (
            "bits",
            "bits",
            bits,
            f"{path}.bits",
            "give the conversion's energy under technology.constants",
        ),
        ("rate", "rate_hz", rate, f"{path}.rate", "write a rate inside, or share a converter less"),
        ("node", "node_nm", node_nm, "technology.node", "write a node inside"),
    )
    found = []
    for name, key, value, where, fix in checks:
        low, high = survey()[key]
        if not low <= value <= high:
            found.append(
                Problem(
                    f"adc.{name}",
                    f"a converter's {key} of {value:g} is outside the survey's {low:g}..{high:g}",
                    fix,
                    where,
                )
            )
    return found


def conversion_energy(bits: float, node_nm: float, rate: float) -> float:
    """Joules of one conversion. bits: effective. rate: conversions a second of one converter.

    InputError outside the survey's range: it is no extrapolation.
    """
    if problems := outside(bits, node_nm, rate, "adc"):
        raise InputError(problems)
    table = survey()
    (s0, s1), (m0, m1, m2, m3), (e0, e1, e2, e3) = table["sndr"], table["merit"], table["energy"]
    merit = min(m0 - m1 * log(rate), m2 + m3 * ceil(bits))
    level = exp(e0 + e1 * log(node_nm) - e2 * log(bits) - e3)
    return float(0.5 * 10 ** ((s0 * bits + s1 - merit) / 10) * level) * 1e-12  # from picojoules


def converter_area(bits: float, node_nm: float, rate: float) -> float:
    """Square metres of one converter; the fit's energies are picojoules, its areas um2."""
    a0, a1, a2, a3 = survey()["area"]
    picojoules = conversion_energy(bits, node_nm, rate) * 1e12
    return float(exp(a0 + a1 * log(node_nm) + a2 * log(rate) + a3 * log(picojoules))) * 1e-12
