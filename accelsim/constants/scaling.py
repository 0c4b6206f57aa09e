"""Technology scaling of dynamic energy and area by one cited set of factors.

One law for logic and SRAM: energy at a node and a supply V is proportional to a V^2 + b V + c; between
two listed nodes both are taken at that supply and interpolated in logarithms of node and value.
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, log

from accelsim.constants.rows import table
from accelsim.errors import InputError, Problem


@lru_cache(maxsize=1024)
def listed(node_nm: float) -> tuple[int, int, float]:
    """(listed node below, listed node above, how far between them in the logarithm) of a node.

    A node beyond the ends extends the last interval; InputError where it is further than the
    table's ``beyond``.
    """
    nodes = sorted(int(name) for name in table("scaling")["energy"])
    beyond = 1.0 + float(table("scaling")["beyond"])
    if not nodes[0] / beyond <= node_nm <= nodes[-1] * beyond:
        raise InputError(
            Problem(
                "energy.node",
                f"no scaling factors for {node_nm:g} nm",
                f"write a node from {nodes[0]} nm to {nodes[-1]} nm",
                path="technology.node",
            )
        )
    at = next((i for i, node in enumerate(nodes[1:-1]) if node_nm <= node), len(nodes) - 2)
    below, above = nodes[at], nodes[at + 1]
    return below, above, log(node_nm / below) / log(above / below)


@lru_cache(maxsize=1024)
def energy_factor(node_nm: float, voltage: float) -> float:
    """Relative dynamic energy of a node at a supply voltage (volt).

    InputError below the supply at which the law of a node turns: there it says nothing.
    """
    below, above, along = listed(node_nm)
    total = 0.0
    for node, weight in ((below, 1 - along), (above, along)):
        if not weight:
            continue
        a, b, c = table("scaling")["energy"][str(node)]
        least = -b / (2 * a)
        if voltage < least:
            raise InputError(
                Problem(
                    "energy.voltage",
                    f"no law of energy for {voltage:g} V at {node_nm:g} nm",
                    f"write at least {least:.2f} V",
                    path="technology.voltage",
                )
            )
        total += weight * log(a * voltage * voltage + b * voltage + c)
    return exp(total)


def between_nodes(node_nm: float) -> str:
    """ ", between the listed 20 and 32 nm", or nothing for a listed node; for a person."""
    below, above, along = listed(node_nm)
    if along in (0.0, 1.0):
        return ""
    return f", {'between' if 0 < along < 1 else 'beyond'} the listed {below} and {above} nm"


def scale_energy(
    value: float, from_nm: float, from_voltage: float, to_nm: float, to_voltage: float
) -> float:
    """Energy moved from one node and voltage to another."""
    return value * energy_factor(to_nm, to_voltage) / energy_factor(from_nm, from_voltage)


def area_factor(node_nm: float) -> float:
    """Area of a node relative to 45 nm."""
    below, above, along = listed(node_nm)
    low, high = (log(table("scaling")["area"][str(node)]) for node in (below, above))
    return exp((1 - along) * low + along * high)


def scale_area(value: float, from_nm: float, to_nm: float) -> float:
    """Area moved from one node to another."""
    return value * area_factor(to_nm) / area_factor(from_nm)
