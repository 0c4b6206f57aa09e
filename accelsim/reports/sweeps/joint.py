"""The designs of a sweep with one figure over all its workloads, as a view of their own."""

from __future__ import annotations

import dataclasses

import numpy as np

from accelsim.reports.sweeps.base import View
from accelsim.reports.sweeps.looks import works_of
from accelsim.reports.sweeps.statistics import groups_of
from accelsim.reports.sweeps.table import Words
from accelsim.store.joint import TEXTS, by_workload, joined


def joint_view(view: View, letters: int = 0) -> View | None:
    """What the sweep's joint objective says of designs, those that keep every constraint on every
    workload: one row each, its workload "all workloads (sum)", with the measures that are objectives or
    the chip's alone. None without a joint objective, or where no design has every workload. letters: that
    other designs have before."""
    joint, designs = view.context.joint, view.designs
    works = list(view.context.works) or works_of(view)
    if joint is None or not works:
        return None
    factors = [designs.base, designs.search, *designs.sets.values()]
    group = groups_of(factors, len(designs))
    count = int(group.max(initial=-1)) + 1
    places = {str(name): place for place, name in enumerate(works)}
    work = np.array([*(places.get(str(name), -1) for name in designs.work.values), -1])[
        designs.work.codes
    ]
    wanted = [joint.of, *view.context.objectives, "area_square_metres"]
    names = [
        name
        for name in dict.fromkeys(one.lstrip("-") for one in wanted)
        if name in designs.measures
    ]

    def over(name: str) -> np.ndarray:
        values = np.where(view.good, designs.measure(name), np.nan)
        return joined(by_workload(values, group, count, work, len(works)), name, joint, works)

    measures = {name: over(name) for name in names}
    known = np.flatnonzero(np.isfinite(measures.get(joint.of.lstrip("-"), np.full(count, np.nan))))
    if len(known) == 0:
        return None
    _, first = np.unique(group, return_index=True)
    rows = first[known].astype(np.int64)
    label = f"all workloads ({TEXTS[joint.by]})"
    everyone = np.ones(len(rows), np.bool_)
    table = dataclasses.replace(
        designs,
        base=designs.base.take(rows),
        work=Words.of([label] * len(rows)),
        analog=designs.analog[rows],
        sets={key: column.take(rows) for key, column in designs.sets.items()},
        search=designs.search.take(rows),
        seed=designs.seed[rows],
        ok=everyone,
        fits=everyone,
        measures={name: column[known] for name, column in measures.items()},
        parts={},
        failure=designs.failure.take(rows),
        message=designs.message.take(rows),
        repeats=designs.repeats[rows],
        spread={},
    )
    aims = tuple(
        dict.fromkeys(
            [joint.of, *(one for one in view.context.objectives if one.lstrip("-") in measures)]
        )
    )
    context = dataclasses.replace(
        view.context, constraints=(), joint=None, objectives=aims, works={label: ""}
    )
    made = View(table, context, None, "a figure over all workloads is of no single run", letters)
    made.__dict__["designs"] = table
    return made
