"""Which steps of a sweep's axes go together on one base: conditions, exclusions, exact counts.

An axis varies where its conditions hold; elsewhere it has one empty step and the base's own value stays.
Counts need no list of points: combinations are merged as soon as no later condition asks for what sets
them apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from accelsim.config.chip_keys import comparable, own_comparable
from accelsim.config.chip_variants import variants_of
from accelsim.config.reader import MISSING
from accelsim.mapping.homes import DEFAULT
from accelsim.store.spec import Axis, Base, Plain, SweepSpec

MOST_POINTS = 4_000_000
MOST_STATES = 50_000  # merged combinations while counting more than MOST_POINTS
SEARCH, BATCH, HOMES = (
    "search",
    "batch",
    "homes",
)  # the run's own keys: of the Point, and of its sets

PARAMETER = "workload."  # begins the run's own keys that are parameters of a layer trace


def of_the_run(key: str) -> bool:
    """Whether a key that varies is of the run, not of its chip."""
    return key in (SEARCH, BATCH, HOMES) or key.startswith(PARAMETER)


Pairs = tuple[tuple[str, Plain], ...]
Wanted = tuple[tuple[str, frozenset[Any]], ...]  # key -> values, any of them


class TooMany(Exception):
    """More combinations than can be counted."""


def any_of(value: Plain) -> frozenset[Any]:
    """The values that a condition accepts."""
    return frozenset(comparable(item) for item in (value if isinstance(value, list) else [value]))


@dataclass(slots=True)
class Steps:
    """One axis on one base. pairs: what each step sets. watched: by step, what later conditions ask
    for. when: what must hold. number: of the axis in the sweep file."""

    number: int
    pairs: list[Pairs]
    watched: list[tuple[tuple[str, Any], ...]]
    when: Wanted


@dataclass(slots=True)
class Combinations:
    """All combinations of one base. own: the base's own values of watched keys. excluded: after
    which axis (its place in ``axes``, -1: before all) which exclusions (number, what) can be judged."""

    axes: list[Steps]
    own: Mapping[str, Any]
    excluded: dict[int, list[tuple[int, Wanted]]] = field(default_factory=dict)
    varied: set[int] = field(
        default_factory=set
    )  # axes that vary somewhere, by number; filled by count()
    hit: set[int] = field(default_factory=set)  # exclusions that hit something; filled by count()

    def holds(self, wanted: Wanted, state: Mapping[str, Any]) -> bool:
        """Whether all keys have a wanted value."""
        for key, values in wanted:
            found = state[key] if key in state else self.own.get(key, MISSING)
            if found not in values:
                return False
        return True

    def out(self, place: int, state: Mapping[str, Any]) -> bool:
        """Whether an exclusion that can be judged after an axis hits."""
        return any(self.holds(wanted, state) for _, wanted in self.excluded.get(place, ()))

    @property
    def plain(self) -> bool:
        """No conditions and no exclusions."""
        return not self.excluded and not any(axis.when for axis in self.axes)

    def upper(self) -> int:
        """At least as many as there are."""
        whole = 1
        for axis in self.axes:
            whole *= len(axis.pairs) + bool(axis.when)
        return whole

    def walk(
        self, place: int = 0, state: dict[str, Any] | None = None
    ) -> Iterator[tuple[Pairs, ...]]:
        """What each axis sets, in order, the last axis fastest."""
        state = {} if state is None else state
        if place == 0 and self.out(-1, state):
            return
        if place == len(self.axes):
            yield ()
            return
        axis = self.axes[place]
        checked = place in self.excluded
        if not self.holds(axis.when, state):
            if not (checked and self.out(place, state)):
                for rest in self.walk(place + 1, state):
                    yield ((), *rest)
            return
        for pairs, watched in zip(axis.pairs, axis.watched, strict=True):
            inner = state | dict(watched) if watched else state
            if not (checked and self.out(place, inner)):
                for rest in self.walk(place + 1, inner):
                    yield (pairs, *rest)

    def chosen(self, numbers: Iterable[int]) -> tuple[Pairs, ...] | None:
        """What axes set at given steps (one a number of ``axes``), None where that is excluded."""
        state: dict[str, Any] = {}
        if self.out(-1, state):
            return None
        made: list[Pairs] = []
        for place, (axis, step) in enumerate(zip(self.axes, numbers, strict=True)):
            if self.holds(axis.when, state):
                state.update(axis.watched[step])
                made.append(axis.pairs[step])
            if self.out(place, state):
                return None
        return tuple(made)

    def count(self) -> int:
        """How many combinations walk() gives. TooMany when even that cannot be said."""
        most = None if self.upper() <= MOST_POINTS else MOST_STATES
        states: dict[tuple[tuple[str, Any], ...], int] = {(): 1}
        self._judge(-1, states)
        for place, axis in enumerate(self.axes):
            needed = self._needed(place)
            groups: dict[tuple[tuple[str, Any], ...], int] = {}
            for watched in axis.watched:
                groups[watched] = groups.get(watched, 0) + 1
            after: dict[tuple[tuple[str, Any], ...], int] = {}
            for state, count in states.items():
                known = dict(state)
                if not self.holds(axis.when, known):
                    after[state] = after.get(state, 0) + count
                    continue
                self.varied.add(axis.number)
                for watched, each in groups.items():
                    made = tuple(sorted({**known, **dict(watched)}.items())) if watched else state
                    after[made] = after.get(made, 0) + count * each
                    if most is not None and len(after) > most:
                        raise TooMany
            self._judge(place, after)
            states = {}
            for state, count in after.items():
                kept = tuple(pair for pair in state if pair[0] in needed)
                states[kept] = states.get(kept, 0) + count
        return sum(states.values())

    def _judge(self, place: int, states: dict[tuple[tuple[str, Any], ...], int]) -> None:
        for number, wanted in self.excluded.get(place, ()):
            gone = [state for state in states if self.holds(wanted, dict(state))]
            for state in gone:
                del states[state]
            if gone:
                self.hit.add(number)

    def _needed(self, place: int) -> set[str]:
        """Keys that something after an axis asks for."""
        keys = {key for axis in self.axes[place + 1 :] for key, _ in axis.when}
        return keys | {
            key
            for after, rules in self.excluded.items()
            if after > place
            for _, wanted in rules
            for key, _ in wanted
        }


def applies(axis: Axis, base: Base) -> bool:
    """Whether an axis is meant for a base."""
    return not axis.bases or base.name in axis.bases


def asked_keys(spec: SweepSpec) -> set[str]:
    """Chip keys that conditions and exclusions ask for."""
    asked = {key for axis in spec.axes for key, _ in axis.when}
    return asked | {key for rule in spec.exclude for key, _ in rule} - {"base", "workload"}


def combinations(
    spec: SweepSpec, base: Base, work: str, own: Mapping[str, Any] | None = None
) -> Combinations:
    """The combinations of one base and workload. own: the base's values of asked_keys(), read from
    its chip where None."""
    asked = asked_keys(spec)
    if own is None:
        own = own_values(spec, base) if asked else {}
    axes = []
    for number, axis in enumerate(spec.axes):
        if applies(axis, base):
            pairs = [tuple(zip(axis.keys, step, strict=True)) for step in axis.values]
            watched = [
                tuple((key, comparable(value)) for key, value in step if key in asked)
                for step in pairs
            ]
            when = tuple((key, any_of(value)) for key, value in axis.when)
            axes.append(Steps(number, pairs, watched, when))
    found = Combinations(axes, own)
    for number, rule in enumerate(spec.exclude):
        wanted = tuple((key, any_of(value)) for key, value in rule)
        names = {"base": base.name, "workload": work}
        if any(key in names and names[key] not in values for key, values in wanted):
            continue
        left = tuple((key, values) for key, values in wanted if key not in names)
        keys = {key for key, _ in left}
        last = max(
            (place for place, axis in enumerate(axes) if keys & set(spec.axes[axis.number].keys)),
            default=-1,
        )
        found.excluded.setdefault(last, []).append((number, left))
    return found


def own_values(spec: SweepSpec, base: Base) -> dict[str, Any]:
    """A base's own values of what conditions and exclusions ask for, in comparable form."""
    chip = variants_of(base).base
    found = {key: own_comparable(chip, key) for key in asked_keys(spec)}
    if SEARCH in found:
        found[SEARCH] = "none" if spec.search is None else comparable(spec.search)
    if HOMES in found:
        found[HOMES] = comparable(spec.homes or DEFAULT)
    return found
