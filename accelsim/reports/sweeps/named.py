"""The designs that pictures name: the best of each base on each workload in each objective, by letters."""

from __future__ import annotations

from dataclasses import dataclass

from accelsim.reports.sweeps.base import NotDrawn, View
from accelsim.reports.sweeps.context import better_when_larger
from accelsim.reports.sweeps.looks import bases_of, works_of
from accelsim.reports.sweeps.scale import SHORT, said, short_keys


@dataclass(frozen=True, slots=True)
class Named:
    """letter: the same in every picture of a sweep. row: of the designs. best_in: objectives, without
    signs."""

    letter: str
    row: int
    base: str
    work: str
    analog: bool
    best_in: tuple[str, ...]

    @property
    def why(self) -> str:
        """Like "least chip energy, most top-1"."""
        return ", ".join(
            f"{'most' if better_when_larger(name) else 'least'} {SHORT.get(name, name)}"
            for name in self.best_in
        )


def named(view: View) -> list[Named]:
    """Letters go over workloads, then bases, then objectives. Designs that break a constraint have none."""
    chosen: list[tuple[int, str, str, list[str]]] = []
    for work in works_of(view):
        for base in bases_of(view):
            rows = view.good & view.designs.work.where(work) & view.designs.base.where(base)
            here: dict[int, list[str]] = {}
            for objective in view.context.objectives:
                row = view.best(objective, rows)
                if row is not None:
                    here.setdefault(row, []).append(objective.lstrip("-"))
            chosen += [(row, base, work, best) for row, best in here.items()]
    return [
        Named(
            _letter(view.letters + n), row, base, work, bool(view.designs.analog[row]), tuple(best)
        )
        for n, (row, base, work, best) in enumerate(chosen)
    ]


def _letter(number: int) -> str:
    return (chr(64 + number // 26) if number >= 26 else "") + chr(65 + number % 26)


def best_of_bases(view: View, objective: str | None = None) -> list[Named]:
    """The named designs that are best in one objective: one a base and workload."""
    wanted = (objective or view.context.objectives[0]).lstrip("-")
    return [one for one in named(view) if wanted in one.best_in]


def require_points(view: View) -> None:
    """NotDrawn unless a design has measures and breaks no constraint."""
    if len(view.designs) == 0:
        raise NotDrawn("the store holds no point")
    if not view.designs.ok.any():
        raise NotDrawn(
            f"none of the {len(view.designs):,} designs has measures: all failed or do not fit"
        )
    if not view.good.any():
        raise NotDrawn(
            f"every one of the {int(view.designs.ok.sum()):,} designs with measures breaks a constraint"
        )


def require_best(view: View, objective: str | None = None) -> list[Named]:
    """The best of each base; NotDrawn where no design has the objective."""
    require_points(view)
    found = best_of_bases(view, objective)
    if not found:
        name = (objective or view.context.objectives[0]).lstrip("-")
        raise NotDrawn(f"no design has the sweep's first objective, {SHORT.get(name, name)}")
    return found


def design_text(view: View, row: int, keys: list[str] | None = None) -> str:
    """ "pcm, adc.bits 6, tiles.rows 256": the base and the keys that vary in it."""
    designs = view.designs
    base = str(designs.base.at(row))
    if keys is None:
        keys = view.varied(designs.base.where(base))
    names = short_keys(keys)
    parts = [
        f"{names[key]} {said(value)}"
        for key in keys
        if (value := designs.sets[key].at(row)) is not None
    ]
    search = designs.search.at(row)
    if search is not None and len(designs.search.values) > 1:
        parts.append(f"search {search}")
    return ", ".join([base, *parts])
