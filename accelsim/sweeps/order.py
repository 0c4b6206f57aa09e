"""The order in which points are run: those that share a base, a workload and a timing together."""

from __future__ import annotations

from collections.abc import Iterable

from accelsim.config.chip_variants import Variants
from accelsim.errors import InputError
from accelsim.store import Base, Point, SweepSpec, canonical
from accelsim.store.spec import Plain


def timing_keys(spec: SweepSpec, base: Base) -> set[str]:
    """Varied keys that change how long a run takes on a base: two of an axis' values give other timings,
    or one of them no chip."""
    axes = [axis for axis in spec.axes if not axis.bases or base.name in axis.bases]
    found = {"batch", "weights", "homes"}
    try:
        variants = Variants(base.text, base.source, base.sets)
    except InputError:
        return {key for axis in axes for key in axis.keys}
    for axis in axes:
        for number, key in enumerate(axis.keys):
            values = {canonical(step[number]): step[number] for step in axis.values}
            if (
                key not in found
                and len(values) > 1
                and _moves(variants, key, list(values.values()))
            ):
                found.add(key)
    return found


def _moves(variants: Variants, key: str, values: list[Plain]) -> bool:
    try:
        first, second = (
            variants.chip([(key, value)]).timing_form for value in (values[0], values[-1])
        )
    except (InputError, ValueError, KeyError):
        return True
    return bool(first != second)


def ordered(spec: SweepSpec, points: Iterable[Point]) -> list[Point]:
    """The points, neighbours sharing the most; those of one kind as the sweep lists them."""
    timing = {base.name: timing_keys(spec, base) for base in spec.bases}
    places: dict[object, int] = {}
    whole = []
    for point in points:
        moves = timing.get(point.base, set())
        kind = (
            point.base,
            point.work,
            point.search,
            tuple((key, repr(value)) for key, value in point.sets if key in moves),
        )
        whole.append((places.setdefault(kind, len(places)), point))
    whole.sort(key=lambda pair: pair[0])
    return [point for _, point in whole]
