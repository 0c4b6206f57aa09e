"""The mapper: CPU time of searching ResNet-18's mappings on the INT8 chip, and what it gains."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import accelsim
from accelsim.explore import search_plan

BARS = {"resnet18_cycles_ms": 5000.0, "resnet18_energy_ms": 5000.0, "resnet18_edp_ms": 5000.0}


def measure(scale: float = 1.0) -> dict[str, float]:
    """Milliseconds by objective, and the default's figure over the searched one's."""
    del scale
    chip, work = accelsim.load_chip("int8_edge"), accelsim.load_workload("resnet18")
    search_plan(chip, work, budget=1)  # loads the kernels
    figures = {}
    for objective in ("cycles", "energy", "edp"):
        start = time.process_time()
        _, report = search_plan(chip, work, objective)
        figures[f"resnet18_{objective}_ms"] = (time.process_time() - start) * 1e3
        before = {
            "cycles": report.default_cycles,
            "energy": report.default_joules,
            "edp": report.default_cycles * report.default_joules,
        }[objective]
        after = {
            "cycles": report.cycles,
            "energy": report.joules,
            "edp": report.cycles * report.joules,
        }[objective]
        figures[f"{objective}_default_over_searched"] = before / after
    return figures
