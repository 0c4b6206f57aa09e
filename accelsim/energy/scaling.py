"""Technology scaling of dynamic energy and area by one cited set of factors."""

from __future__ import annotations

from functools import lru_cache
from math import log

from accelsim.energy.rows import table
from accelsim.errors import InputError, Problem

NEAREST = 0.15  # a node between listed ones is taken as the nearest if it is this close


@lru_cache(maxsize=1024)
def listed_node(node_nm: float) -> int:
    """The listed node that stands for ``node_nm``; InputError when none is within 15 %."""
    nodes = [int(name) for name in table("scaling")["energy"]]
    best = min(nodes, key=lambda node: abs(log(node / node_nm)))
    if abs(best / node_nm - 1) > NEAREST:
        raise InputError(
            Problem(
                "energy.node",
                f"no scaling factors for {node_nm:g} nm",
                "write a node near one of " + ", ".join(f"{n} nm" for n in nodes),
                path="technology.node",
            )
        )
    return best


def energy_factor(node_nm: float, voltage: float) -> float:
    """Relative dynamic energy of a node at a supply voltage (volt)."""
    a, b, c = table("scaling")["energy"][str(listed_node(node_nm))]
    return float(a * voltage * voltage + b * voltage + c)


def scale_energy(value: float, from_nm: float, from_voltage: float, to_nm: float,
                 to_voltage: float) -> float:  # fmt: skip
    """Energy moved from one node and voltage to another."""
    return value * energy_factor(to_nm, to_voltage) / energy_factor(from_nm, from_voltage)


def scale_area(value: float, from_nm: float, to_nm: float) -> float:
    """Area moved from one node to another."""
    factors = table("scaling")["area"]
    return float(
        value * factors[str(listed_node(to_nm))] / factors[str(listed_node(from_nm))]
    )
