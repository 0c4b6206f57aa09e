"""Energy and area of an analog-to-digital converter, from the public model of Murmann's survey.

Andrulis et al., arXiv 2404.06553: a regression over published converters; it does not know their kind.
"""

from __future__ import annotations

from math import ceil, exp, log

from accelsim.errors import InputError, Problem

SOURCE = "ADC survey model, Andrulis et al., arXiv 2404.06553"
LEAST_BITS, MOST_BITS, MOST_RATE = 4, 14, 1e10
NODES = (5.0, 250.0)  # nm; the survey's range


def outside(bits: float, node_nm: float, rate: float, path: str) -> list[Problem]:
    """What is outside the survey's range."""
    found = []
    if not LEAST_BITS <= bits <= MOST_BITS:
        found.append(Problem("adc.bits", f"{bits:g} bits are outside the survey's {LEAST_BITS}..{MOST_BITS}",
                             "give the conversion's energy under technology.constants", f"{path}.bits"))  # fmt: skip
    if not 1.0 <= rate <= MOST_RATE:
        found.append(Problem("adc.rate", f"{rate:g} conversions a second are outside the survey's 1..1e10",
                             "write a lower rate, or share a converter less", f"{path}.rate"))  # fmt: skip
    if not NODES[0] <= node_nm <= NODES[1]:
        found.append(Problem("adc.node", f"{node_nm:g} nm is outside the survey", "write 5 to 250 nm",
                             "technology.node"))  # fmt: skip
    return found


def conversion_energy(bits: float, node_nm: float, rate: float) -> float:
    """Joules of one conversion. bits: effective. rate: conversions a second of one converter.

    InputError outside the survey's range: it is no extrapolation.
    """
    if problems := outside(bits, node_nm, rate, "adc"):
        raise InputError(problems)
    sndr = 6.0206 * bits + 1.7609
    merit = min(213.7807 - 2.871903 * log(rate), 128.3068 + 3.220522 * ceil(bits))
    node = exp(26.04962 + 1.880037 * log(node_nm) - 2.829126 * log(bits) - 1.470202)
    return float(0.5 * 10 ** ((sndr - merit) / 10) * node) * 1e-12  # the fit gives picojoules


def converter_area(bits: float, node_nm: float, rate: float) -> float:
    """Square metres of one converter; the energy in the fit is in picojoules, areas in um2."""
    picojoules = conversion_energy(bits, node_nm, rate) * 1e12
    micro = exp(1.346192 + 0.993279 * log(node_nm) + 0.180715 * log(rate) + 0.299124 * log(picojoules))
    return float(micro) * 1e-12  # from square micrometres
