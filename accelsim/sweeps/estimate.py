"""How long a sweep would take: a few of its points, run and thrown away."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib import import_module

from accelsim.store import Point, SweepSpec
from accelsim.sweeps.executors.base import EVALUATOR

SAMPLES = 3  # points of each base and workload
LIMIT = 20.0  # seconds


@dataclass(frozen=True, slots=True)
class Estimate:
    """tried: points that were run. point_seconds: of CPU, the mean of those. total: for all, on so many
    workers."""

    tried: int
    point_seconds: float
    total: float


def estimate(
    spec: SweepSpec, points: list[Point], workers: int, evaluator: str = EVALUATOR
) -> Estimate:
    """The Estimate of points; those of one base and workload count as the mean of a few, the first of
    which (it loads what the others share) counts once. Kernels are compiled and loaded before: workers do so
    once. They are by one point of each group that is run before and not measured."""
    module, _, name = evaluator.partition(":")
    make = getattr(import_module(module), name)
    made = make(spec, None)
    groups: dict[tuple[str, str], list[Point]] = {}
    for point in points:
        groups.setdefault((point.base, point.work), []).append(point)
    tried, total, rest, begin = 0, 0.0, 0, time.monotonic()
    for group in groups.values():
        if time.monotonic() - begin > LIMIT:
            rest += len(group)
            continue
        make(spec, None).evaluate(group[0])  # not by made, which would then know it
        costs = []
        for number in {len(group) * i // SAMPLES for i in range(SAMPLES)}:
            start = time.process_time()
            made.evaluate(group[number])
            costs.append(time.process_time() - start)
            if time.monotonic() - begin > LIMIT:
                break
        tried += len(costs)
        later = sum(costs[1:]) / (len(costs) - 1) if len(costs) > 1 else costs[0]
        total += costs[0] + later * (len(group) - 1)
    done = len(points) - rest
    whole = total * len(points) / done if done else 0.0
    return Estimate(
        tried, whole / len(points) if points else 0.0, whole / max(1, min(workers, len(points)))
    )
