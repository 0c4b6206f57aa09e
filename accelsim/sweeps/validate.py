"""Every chip that a sweep makes, built before anything runs: impossible values come with their line.

All chips are built when there are at most 2,000; else those of every step of every axis and, as far as
3,000 more go, of every pair of steps of two axes: rules between keys of a chip bind two keys, rarely more.
What is found only when running (weights that do not fit) is an answer, and no mistake of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations as pairs_of
from pathlib import Path

from accelsim import shipped
from accelsim.config.chip_variants import variants_of
from accelsim.config.overrides import node_of
from accelsim.config.sweep_combinations import Combinations, Pairs, combinations, of_the_run
from accelsim.config.yaml_source import Node, Place
from accelsim.errors import InputError, Problem
from accelsim.store.spec import Base, SweepSpec
from accelsim.sweeps.file import few, load_sweep
from accelsim.sweeps.space import count, samples

MOST_ALL = 2_000
MOST_PAIRS = 3_000
TURNS = 4  # of the other axes' steps, to find a combination that is not excluded

Chosen = tuple[Pairs, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """points: of the sweep. designs: chips that it makes. built: how many of them were built."""

    points: int
    designs: int
    built: int


def checked_sweep(path: str | Path) -> tuple[SweepSpec, Checked]:
    """A sweep file (or a shipped name), read, counted and checked. InputError with every problem."""
    spec = load_sweep(shipped.find("sweep", path))
    return spec, check(spec)


def check(spec: SweepSpec) -> Checked:
    """Build the chips of a sweep. InputError for values that make none."""
    total = count(spec)
    problems: list[Problem] = []
    built = designs = 0
    for base in spec.bases:
        found = combinations(spec, base, spec.works[0].name)
        found.excluded = {
            place: [(number, wanted) for number, wanted in rules if not _of_work(spec, number)]
            for place, rules in found.excluded.items()
        }
        number, chosen = _chosen(spec, found)
        designs += number
        made = {tuple(map(id, steps)): steps for steps in chosen}
        built += len(made)
        problems += _problems(spec, base, found, list(made.values()))
    if problems:
        raise InputError(few(problems))
    return Checked(total, designs, built)


def _of_work(spec: SweepSpec, number: int) -> bool:
    """Whether an exclusion is about one workload only: its chip may still be built for others."""
    return any(key == "workload" for key, _ in spec.exclude[number])


def _chosen(spec: SweepSpec, found: Combinations) -> tuple[int, Iterator[Chosen]]:
    """How many chips there are on a base, and those that are built."""
    if spec.sampling != "grid":
        drawn = list(samples(spec, found))
        return len(drawn), iter(drawn[:: -(-len(drawn) // MOST_ALL) or 1])
    number = found.count()
    return number, found.walk() if number <= MOST_ALL else _covering(found)


def _covering(found: Combinations) -> Iterator[Chosen]:
    """Combinations that hold every step, then every pair of steps, evenly thinned beyond the limit."""
    sizes = [len(axis.pairs) for axis in found.axes]
    for place, size in enumerate(sizes):
        for step in range(0, size, -(-size // MOST_ALL)):
            yield from _with(found, {place: step})
    number = sum(a * b for a, b in pairs_of(sizes, 2))
    thin, seen = -(-number // MOST_PAIRS), 0
    for (one, size), (other, more) in pairs_of(enumerate(sizes), 2):
        first = -seen % thin
        for pair in range(first, size * more, thin):
            yield from _with(found, {one: pair // more, other: pair % more})
        seen += size * more


def _with(found: Combinations, fixed: dict[int, int]) -> Iterator[Chosen]:
    """One combination with steps at fixed places, if there is one that is not excluded."""
    for turn in range(TURNS):
        start = sum(fixed.values()) + turn
        chosen = found.chosen(
            [fixed.get(place, start % len(axis.pairs)) for place, axis in enumerate(found.axes)]
        )
        if chosen is not None:
            yield chosen
            return


def _problems(
    spec: SweepSpec, base: Base, found: Combinations, chosen: list[Chosen]
) -> list[Problem]:
    variants = variants_of(base)
    nodes: dict[int, list[tuple[str, Node]]] = {id(()): []}
    for axis in found.axes:
        for pairs, where in zip(axis.pairs, spec.axes[axis.number].places, strict=True):
            nodes[id(pairs)] = [
                (key, node_of(value, Place(*where))) for key, value in pairs if not of_the_run(key)
            ]
    once: dict[tuple[str, str, int, int], Problem] = {}
    for steps in chosen:
        sets = sorted(
            (pair for pairs in steps for pair in nodes[id(pairs)]), key=lambda pair: pair[0]
        )
        try:
            variants.chip(sets)
        except InputError as error:
            for problem in error.problems:
                placed = _placed(problem, spec, base, sets)
                once.setdefault((placed.code, placed.path, placed.line, placed.column), placed)
        if len(once) > 100:
            break
    return list(once.values())


def _placed(problem: Problem, spec: SweepSpec, base: Base, sets: list[tuple[str, Node]]) -> Problem:
    """The problem where the sweep file causes it, with the combination that shows it."""
    if problem.file != spec.source and sets:
        wanted = problem.path.split(".")
        near = max(sets, key=lambda pair: _shared(pair[0].split("."), wanted))[1].place
        problem = replace(problem, file=near.file, line=near.line, column=near.column)
    said = ", ".join(f"{key} {node.plain()}" for key, node in sets)
    return replace(
        problem, message=f"{problem.message} (base {base.name}{', ' if said else ''}{said[:200]})"
    )


def _shared(one: list[str], other: list[str]) -> int:
    """Leading parts that two keys share."""
    return next(
        (number for number, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )
