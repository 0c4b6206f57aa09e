"""The ``vary`` part of a sweep file: what changes, in which steps, where, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accelsim.chip import Chip
from accelsim.config.chip_keys import UnknownKey, comparable, conflict, rule_of
from accelsim.config.overrides import node_of
from accelsim.config.quantities import QuantityError, quantity
from accelsim.config.reader import FieldRule, Reader
from accelsim.config.sweep_combinations import BATCH, HOMES, PARAMETER, SEARCH, any_of
from accelsim.config.sweep_ranges import MOST_STEPS, Span
from accelsim.config.yaml_source import Node, Place
from accelsim.mapping.homes import MODES
from accelsim.store.spec import Axis, Plain

SEARCHES = ("none", "cycles", "energy", "edp")
AXIS_KEYS = ("key", "keys", "values", "range", "log", "tie", "bases", "when")
MOST_PARAMETER = (1 << 31) - 1
#: the run's own keys
OWN = {
    SEARCH: FieldRule(SEARCH, str, SEARCHES, "", None, None, False, False),
    HOMES: FieldRule(HOMES, str, MODES, "", None, None, False, False),
    BATCH: FieldRule(BATCH, int, (), "", 1, 1 << 20, False, True),
}

Items = Mapping[str, tuple[Place, Node]]
#: of an axis: value of each key, place, Node of the first
Step = tuple[tuple[Plain, ...], Place, Node]


@dataclass(slots=True)
class Rules:
    """What the bases accept. chips: the bases that could be read, by name. unread: names of the others."""

    chips: dict[str, Chip]
    unread: tuple[str, ...] = ()

    def of(self, key: str, name: str) -> FieldRule | None:
        """Of a chip's key or the run's own; UnknownKey."""
        if key.startswith(PARAMETER):
            return FieldRule(key, int, (), "", 0, MOST_PARAMETER, False, True)
        return OWN[key] if key in OWN else rule_of(self.chips[name], key)


class AxisReader(Reader):
    """Reads the axes. samples: 0 for a grid; otherwise ranges without steps are cut into so many."""

    def __init__(self, rules: Rules, samples: int) -> None:
        super().__init__()
        self.rules, self.samples = rules, samples
        self.axes: list[Axis] = []
        self.nodes: list[Node] = []

    def read(self, node: Node) -> None:
        """All axes of the list."""
        if not node.is_list or not node.value:
            self.wrong(
                "sweep.vary",
                node.place,
                "vary",
                "must be a list of what varies",
                "write - {key: units.array.rows, values: [16, 32]}",
            )
            return
        for number, item in enumerate(node.value):
            path = f"vary[{number}]"
            items = self.mapping(item, path)
            if items is not None:
                self.keys(items, AXIS_KEYS, path, (), item.place)
                axis = self.axis(items, path, item)
                if axis is not None:
                    self.clash(axis, path, item)
                    self.axes.append(axis)
                    self.nodes.append(item)

    # -- one axis ------------------------------------------------------------------------------

    def axis(self, items: Items, path: str, node: Node) -> Axis | None:
        """One axis, or None (noted)."""
        before = len(self.problems)
        keys = self.named(items, path, node)
        bases = self.bases(items, path)
        when = self.when(items, path, bases)
        rules = {key: self.rule(key, bases, place, path) for key, place in keys.items()}
        if len(self.problems) > before:
            return None
        steps = self.steps(items, path, node, rules)
        self.suit(steps, list(keys), bases, path)
        if len(self.problems) > before:
            return None
        first = next(iter(rules.values()))
        return Axis(
            tuple(keys),
            tuple(values for values, _, _ in steps),
            bases,
            when,
            tuple((place.file, place.line, place.column) for _, place, _ in steps),
            tuple(_number(values[0], first) for values, _, _ in steps),
        )

    def named(self, items: Items, path: str, node: Node) -> dict[str, Place]:
        """The keys that change together, with their places."""
        if ("key" in items) == ("keys" in items):
            what = "has both key and keys" if "key" in items else "names no key"
            self.wrong(
                "sweep.key",
                node.place,
                path,
                what,
                "write key: units.array.rows, or keys: [...] for several",
            )
            return {}
        found: dict[str, Place] = {}
        _, named = items["key"] if "key" in items else items["keys"]
        listed = named.value if "keys" in items and named.is_list else [named]
        if "keys" in items and (not named.is_list or len(named.value) < 2):
            self.wrong(
                "sweep.keys",
                named.place,
                f"{path}.keys",
                "must list two keys or more",
                "write key: for one",
            )
        if "tie" in items:
            tied = items["tie"][1]
            listed = [*listed, *(tied.value if tied.is_list else [tied])]
            if "keys" in items:
                self.wrong(
                    "sweep.tie",
                    tied.place,
                    f"{path}.tie",
                    "goes with key, not with keys",
                    "add it to keys and to every value",
                )
        for item in listed:
            name = self.text(item, path)
            if name is None:
                continue
            clash = next((other for other in found if conflict(other, name)), None)
            if clash is not None:
                self.wrong(
                    "sweep.twice", item.place, path, f"{name} and {clash} overlap", "keep one"
                )
            found[name] = item.place
        return found

    def bases(self, items: Items, path: str) -> tuple[str, ...]:
        """Names of bases that the axis applies to; none: all."""
        if "bases" not in items:
            return ()
        node = items["bases"][1]
        found = []
        for item in node.value if node.is_list else [node]:
            known = [*self.rules.chips, *self.rules.unread]
            name = self.choice(item, known, f"{path}.bases")
            if name is not None:
                found.append(name)
        return tuple(found)

    def rule(self, key: str, bases: tuple[str, ...], place: Place, path: str) -> FieldRule | None:
        """What the key accepts; noted where a base does not have it."""
        found: FieldRule | None = None
        for name in bases or self.rules.chips:
            if name not in self.rules.chips:
                continue
            try:
                found = self.rules.of(key, name) or found
            except UnknownKey as error:
                fix = error.args[1]
                if not bases and len(self.rules.chips) > 1:
                    fix += ", or name the bases that have it: bases: [...]"
                self.wrong("sweep.key", place, path, f"{key}: {error.args[0]} in {name}", fix)
                break
        return found

    def when(
        self, items: Items, path: str, bases: tuple[str, ...]
    ) -> tuple[tuple[str, Plain], ...]:
        """Conditions: earlier keys, or the bases' own, and their values."""
        if "when" not in items:
            return ()
        found = []
        for key, (place, node) in (self.mapping(items["when"][1], f"{path}.when") or {}).items():
            rule = self.rule(key, bases, place, f"{path}.when")
            for item in node.value if node.is_list else [node]:
                if rule is not None:
                    self.value(item, rule, f"{path}.when.{key}")
            found.append((key, node.plain()))
        return tuple(found)

    def clash(self, axis: Axis, path: str, node: Node) -> None:
        """Two axes may set one key only on different bases or under conditions that exclude each other."""
        for other in self.axes:
            apart = bool(axis.bases and other.bases and not set(axis.bases) & set(other.bases))
            mine, theirs = dict(axis.when), dict(other.when)
            apart |= any(
                not any_of(mine[key]) & any_of(theirs[key]) for key in mine.keys() & theirs.keys()
            )
            both = [(a, b) for a in axis.keys for b in other.keys if conflict(a, b)]
            if both and not apart:
                self.wrong(
                    "sweep.twice",
                    node.place,
                    path,
                    f"{both[0][0]} varies already with {other.name}",
                    "use keys: for what changes together, or different bases",
                )
            later = [key for key, _ in other.when if key in axis.keys]
            if later and not any(later[0] in earlier.keys for earlier in self.axes):
                self.wrong(
                    "sweep.order",
                    node.place,
                    path,
                    f"{other.name} asks for {later[0]}, which varies only here",
                    f"move it before {other.name}",
                )

    # -- steps ---------------------------------------------------------------------------------

    def steps(
        self, items: Items, path: str, node: Node, rules: dict[str, FieldRule | None]
    ) -> list[Step]:
        """Every step of an axis."""
        given = [name for name in ("values", "range", "log") if name in items]
        if len(given) != 1:
            what, fix = "must have one of values, range, log", "write values: [16, 32]"
            self.wrong("sweep.values", node.place, path, what, fix)
            return []
        where, inner = items[given[0]]
        here = f"{path}.{given[0]}"
        tied = len(rules) if "key" in items else 0
        if given[0] == "values":
            return self.listed(inner, here, tied, len(rules))
        if not tied:
            fix = "write values: [[...], [...]]"
            self.wrong("sweep.range", where, here, "goes with one key", fix)
            return []
        rule = next(iter(rules.values()))
        return [
            ((value,) * tied, inner.place, Node(value, inner.place))
            for value in Span(self, inner, here, rule, self.samples).values(given[0])
        ]

    def listed(self, node: Node, path: str, tied: int, keys: int) -> list[Step]:
        """Every step of a list. tied: keys that take one value together, 0 where each has its own."""
        if not node.is_list or not node.value:
            self.wrong(
                "sweep.values", node.place, path, "must be a list of values", "write [16, 32]"
            )
            return []
        if len(node.value) > MOST_STEPS:
            what = f"lists {len(node.value):,} values"
            self.wrong("sweep.values", node.place, path, what, f"write at most {MOST_STEPS:,}")
            return []
        found: list[Step] = []
        seen: dict[Any, Place] = {}
        for number, item in enumerate(node.value):
            here = f"{path}[{number}]"
            if not tied and (not item.is_list or len(item.value) != keys):
                what = f"must list {keys} values"
                self.wrong("sweep.values", item.place, here, what, "one for each of keys")
                continue
            values = (item.plain(),) * tied if tied else tuple(part.plain() for part in item.value)
            same = comparable(values)
            if same in seen:
                what = f"stands already in line {seen[same].line}"
                self.wrong("sweep.values", item.place, here, what, "keep one of them")
            seen[same] = item.place
            if any(isinstance(value, str) and value.endswith(".json") for value in values):
                fix = "make a base with set: {units.tiles.device: ...} for each"
                self.wrong("sweep.device", item.place, here, "a device file cannot vary", fix)
            found.append((values, item.place, item))
        return found

    def suit(
        self,
        steps: list[Step],
        keys: list[str],
        bases: tuple[str, ...],
        path: str,
    ) -> None:
        """Note values that a key takes on no base."""
        checked: list[tuple[int, FieldRule]] = []
        for name in bases or self.rules.chips:
            for number, key in enumerate(keys):
                rule = self.rules.of(key, name) if name in self.rules.chips else None
                if rule is None or (number, rule) in checked:
                    continue
                checked.append((number, rule))
                before = len(self.problems)
                for values, place, node in steps:
                    inner = (
                        node.value[number]
                        if node.is_list and len(node.value) == len(keys) > 1
                        else node
                    )
                    if inner.plain() != values[number]:
                        inner = node_of(values[number], place)
                    self.value(inner, rule, key)
                    if len(self.problems) > before + 5:
                        break


def _number(value: Plain, rule: FieldRule | None) -> float | None:
    """The SI number of a value, None for words."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, str):
        try:
            return float(quantity(value, rule.unit)) if rule is not None and rule.unit else None
        except QuantityError:
            return None
    return None


__all__ = ["BATCH", "OWN", "SEARCH", "SEARCHES", "AxisReader", "Rules"]
