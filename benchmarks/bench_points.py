"""Points of a sweep: ResNet-18 timed, charged, validated and checked, on arrays of 16 to 256 square. With its
mappings given, as counts (what a sweep takes) beside a table that is validated."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable
from math import exp, log
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import accelsim
from accelsim import jit
from accelsim.chip import Chip
from accelsim.energy import charge, compact, counts_of, spread, work_of
from accelsim.explore.planned import Planned, run_counts, run_plan
from accelsim.mapping import Mapping, plan
from accelsim.mapping.crossbars import trimmed
from accelsim.mapping.homes import MODES
from accelsim.sweeps.timed import every
from accelsim.timing.bounds import check_bounds
from accelsim.workload import Workload

BARS = {
    "points_per_s": 200.0,
    "counts_points_per_s": 200.0,
    "mapper_points_per_s": 2.0,
    "priced_points_per_s": 1000.0,
    "off_chip_over_on_chip": 0.9,
}
SIZES = (16, 32, 64, 128, 256)
Given = dict[str, Mapping]
EXTRA = ("pcm_8level", "pcm_projected")


def square(size: int) -> Chip:
    """A new int8_edge of another array; new, so that nothing is remembered from the last point."""
    return accelsim.load_chip(
        "int8_edge", [f"units.array.rows={size}", f"units.array.columns={size}"]
    )


def least(action: Callable[[], object], repeats: int) -> float:
    """Seconds of CPU, the smallest of several."""
    best = float("inf")
    for _ in range(repeats):
        begin = time.process_time()
        action()
        best = min(best, time.process_time() - begin)
    return best


def point(sink: Callable[..., Planned], chip: Chip, work: Workload, given: Given) -> float:
    """Joules of one point under given mappings: planned, timed, charged and checked."""
    chosen = plan(chip, work, given)
    used = trimmed(chip, chosen.mappings.values())
    planned = sink(used, work, chosen)
    planned.timeline.units(planned.program)
    check_bounds(planned.program, planned.timeline)
    counted = compact(work_of(planned.program, planned.timeline), used)
    report = charge(counts_of(counted, chip), chip)
    report.check(work.macs)
    return report.total


def sinks(chip: Callable[[], Chip], work: Workload, repeats: int) -> dict[str, float]:
    """Seconds of a point with its mappings given, by sink."""
    chosen = plan(chip(), work).mappings
    given = {name: mapping for name, mapping in chosen.items() if isinstance(mapping, Mapping)}
    found = {}
    for name, sink in (("counts", run_counts), ("table", run_plan)):
        point(sink, chip(), work, given)
        ready = [chip() for _ in range(repeats)]
        found[name] = least(lambda s=sink, r=ready: point(s, r.pop(), work, given), repeats)  # type: ignore[misc]
    return found


def at_home(chip: Callable[[], Chip], work: Workload, repeats: int) -> dict[str, float]:
    """Seconds in which a sweep chooses the mappings of a point and times it, by where tensors stand."""
    found = {}
    for homes in MODES:
        every(chip(), work, None, homes)
        ready = [chip() for _ in range(repeats)]
        found[homes] = least(lambda h=homes, r=ready: every(r.pop(), work, None, h), repeats)  # type: ignore[misc]
    return found


def mean(values: list[float]) -> float:
    """Geometric mean."""
    return exp(sum(map(log, values)) / len(values))


def measure(scale: float = 1.0) -> dict[str, float]:
    """Points a second of CPU (geometric means over the arrays) and milliseconds by array."""
    repeats = max(2, int(5 * scale))
    work = accelsim.load_workload("resnet18")
    jit.load()
    figures: dict[str, float] = {}
    seconds, priced, over = [], [], []
    given: dict[str, list[float]] = {"counts": [], "table": []}
    for name in (*map(str, SIZES), *EXTRA):

        def chip(name: str = name) -> Chip:
            return square(int(name)) if name.isdigit() else accelsim.load_chip(name)

        accelsim.run(chip(), work)
        ready = [chip() for _ in range(repeats)]
        took = least(lambda r=ready: accelsim.run(r.pop(), work), repeats)  # type: ignore[misc]
        figures[f"point_{name}_ms"] = took * 1e3
        for sink, apart in sinks(chip, work, 2 * repeats).items():
            figures[f"{sink}_{name}_ms"] = apart * 1e3
            if name.isdigit():
                given[sink].append(apart)
        for homes, apart in (both := at_home(chip, work, repeats)).items():
            figures[f"{homes}_{name}_ms"] = apart * 1e3
        over.append(both["off_chip"] / both["on_chip"])
        if not name.isdigit():
            continue
        seconds.append(took)
        result = accelsim.run(chip(), work)
        counts = counts_of(work_of(result.program, result.timeline), result.chip)
        volts = result.chip.technology.voltage

        def reprice(r: accelsim.Result = result, c: object = counts, v: float = volts) -> object:
            tech = dataclasses.replace(r.chip.technology, voltage=v * 1.01)
            other = dataclasses.replace(r.chip, technology=tech)
            report = charge(c, other)  # type: ignore[arg-type]
            report.check(r.workload.macs)
            return report.total, spread(c, other)  # type: ignore[arg-type]

        priced.append(least(reprice, 4 * repeats))
        figures[f"priced_{name}_ms"] = priced[-1] * 1e3
    searched = [
        least(lambda s=size: accelsim.run(square(s), work, search="cycles"), 2)  # type: ignore[misc]
        for size in SIZES
    ]
    for size, took in zip(SIZES, searched, strict=True):
        figures[f"search_{size}_ms"] = took * 1e3
    return figures | {
        "points_per_s": 1 / mean(seconds),
        "counts_points_per_s": 1 / mean(given["counts"]),
        "table_points_per_s": 1 / mean(given["table"]),
        "mapper_points_per_s": 1 / mean(searched),
        "priced_points_per_s": 1 / mean(priced),
        "off_chip_over_on_chip": mean(over),
    }
