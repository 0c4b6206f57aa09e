"""Components of pictures and sweeps: which part of a chip an action belongs to."""

from __future__ import annotations

_CROSSBAR = {
    "cells": ("mac_cells", "cell_charge", "supply_charge"),
    "converters": ("conversions", "vectors", "static_second"),
    "drivers": ("driven_seconds", "shift_add"),
    "writing": ("pulses", "verify_reads"),
}


def component_of(unit_kind: str, action: str) -> str:
    """The component that an action belongs to: a key of report/style.py's COMPONENTS."""
    for name, actions in _CROSSBAR.items():
        if action in actions:
            return name
    if action.startswith("mac_"):
        return "mac"
    if action in ("register_bits", "accumulator_bits", "scratchpad_bits"):
        return "register"
    if action in ("requantize", "element_operation"):
        return "vector"
    if action == "leakage_second":
        return "leakage"
    if action in ("bus_bits", "hop_bit"):
        return "bus"
    return "dram" if unit_kind == "dram" else "sram"
