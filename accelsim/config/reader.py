"""From YAML nodes to frozen dataclasses, with every problem collected and placed.

The dataclasses carry what a value may be: types, Literal choices, Quantity units, Bounds. A new
unit is therefore one file and needs nothing here.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache
from math import isfinite
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

from accelsim.config.quantities import QuantityError, example, quantity
from accelsim.config.yaml_source import BREAK, Node, Place
from accelsim.errors import Problem
from accelsim.fields import Bounds, Names, Quantity, Table

MISSING = object()
NAME = r"[A-Za-z_][A-Za-z0-9_]*"
#: keys whose text may have several lines
PROSE = ("description", "source", "question", "answer")


@dataclasses.dataclass(frozen=True, slots=True)
class FieldRule:
    """What one dataclass field accepts."""

    name: str
    kind: Any  # bool, int, float, str, a dataclass, ("list", inner kind) or ("table", inner kind)
    choices: tuple[Any, ...] | Names  # nothing where any value may stand
    unit: str
    low: float | None
    high: float | None
    optional: bool
    required: bool


@lru_cache(maxsize=256)
def rules_of(cls: type) -> dict[str, FieldRule]:
    """Rules of a dataclass's init fields, by name."""
    hints = get_type_hints(cls, include_extras=True)
    rules = {}
    for item in dataclasses.fields(cls):
        if not item.init or get_origin(hints[item.name]) is ClassVar:
            continue
        required = (
            item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        )
        rules[item.name] = rule_for(item.name, hints[item.name], required)
    return rules


def rule_for(name: str, hint: Any, required: bool = True) -> FieldRule:
    """The rule of a field of that type."""
    unit, low, high, optional = "", None, None, False
    choices: tuple[Any, ...] | Names = ()
    if get_origin(hint) is Annotated:
        hint, *marks = get_args(hint)
        for mark in marks:
            if isinstance(mark, Quantity):
                unit = mark.unit
            elif isinstance(mark, Bounds):
                low, high = mark.low, mark.high
            elif isinstance(mark, Names):
                choices = mark
    if get_origin(hint) in (types.UnionType, Union):
        inner = [part for part in get_args(hint) if part is not type(None)]
        optional = len(inner) < len(get_args(hint))
        hint = inner[0]
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        hint = type(choices[0])
    elif get_origin(hint) is tuple:
        hint = ("list", get_args(hint)[0])
    elif get_origin(hint) is Table:
        hint = ("table", get_args(hint)[0])
    return FieldRule(name, hint, choices, unit, low, high, optional, required)


class Reader:
    """Reads nodes; problems pile up in ``problems`` and reading goes on."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def wrong(self, code: str, place: Place, path: str, message: str, fix: str = "") -> None:
        """Note a problem."""
        self.problems.append(
            Problem(code, message, fix, path, place.file, place.line, place.column)
        )

    def mapping(self, node: Node, path: str) -> dict[str, tuple[Place, Node]] | None:
        """The node's items, or None (noted) when it is no mapping."""
        if node.is_map:
            items: dict[str, tuple[Place, Node]] = node.value
            return items
        self.wrong(
            "type.map",
            node.place,
            path,
            f"must hold keys, not {said(node)}",
            "write key: value lines",
        )
        return None

    def keys(
        self,
        items: Mapping[str, tuple[Place, Node]],
        known: Iterable[str],
        path: str,
        required: Iterable[str],
        place: Place,
    ) -> None:
        """Note unknown keys, with the nearest known one, and missing ones."""
        names = list(known)
        for key, (where, _) in items.items():
            if key not in names:
                near = get_close_matches(key, names, 1, 0.6)
                fix = f"did you mean {near[0]}?" if near else "write one of " + ", ".join(names)
                self.wrong("key.unknown", where, _join(path, key), "there is no such key here", fix)
        for key in required:
            if key not in items:
                self.wrong(
                    "key.missing", place, _join(path, key), "is missing", f"add a line {key}: ..."
                )

    def build(
        self,
        cls: Any,
        node: Node,
        path: str,
        given: Mapping[str, Any] | None = None,
        extra: Iterable[str] = (),
    ) -> Any:
        """An instance of the dataclass from a mapping node, or None when something is wrong.

        given: fields that do not come from the file. extra: keys that the caller reads itself.
        """
        items = self.mapping(node, path)
        if items is None:
            return None
        rules = rules_of(cls)
        known = [name for name in rules if name not in (given or {})]
        required = [name for name in known if rules[name].required]
        before = len(self.problems)
        self.keys(items, [*known, *extra], path, required, node.place)
        values = dict(given or {})
        for name in known:
            if name in items:
                values[name] = self.value(items[name][1], rules[name], _join(path, name))
        return cls(**values) if len(self.problems) == before else None

    def value(self, node: Node, rule: FieldRule, path: str) -> Any:
        """One field's value; None (noted) when it is wrong."""
        if node.value is None and rule.optional:
            return None
        if isinstance(rule.kind, tuple) and rule.kind[0] == "table":
            return self.table(node, rule, path)
        if isinstance(rule.kind, tuple):
            if not node.is_list or not node.value:
                self.wrong(
                    "type.list",
                    node.place,
                    path,
                    f"must be a list, not {said(node)}",
                    "write - items or [a, b]",
                )
                return None
            inner = rule_for(rule.name, rule.kind[1])
            return tuple(
                self.value(item, inner, f"{path}[{i}]") for i, item in enumerate(node.value)
            )
        if dataclasses.is_dataclass(rule.kind):
            return self.build(rule.kind, node, path)
        if rule.choices:
            return self.choice(node, rule.choices, path)
        if rule.unit:
            return self.quantity(node, rule, path)
        if rule.kind is bool:
            if isinstance(node.value, bool):
                return node.value
            self.wrong(
                "type.bool",
                node.place,
                path,
                f"must be true or false, not {said(node)}",
                "write true or false",
            )
            return None
        if rule.kind in (int, float):
            return self.number(node, rule, path)
        return self.text(node, path)

    def table(self, node: Node, rule: FieldRule, path: str) -> Any:
        """Values by name, the names of the rule's choices."""
        items = self.mapping(node, path)
        if items is None:
            return None
        if rule.choices:
            self.keys(items, rule.choices, path, (), node.place)
        inner = rule_for(rule.name, rule.kind[1])
        return Table(
            {key: self.value(value, inner, _join(path, key)) for key, (_, value) in items.items()}
        )

    def text(self, node: Node, path: str) -> str | None:
        """A text value; a name stands in one line."""
        if isinstance(node.value, str) and node.value:
            if path.rpartition(".")[2] in PROSE or not BREAK.search(node.value):
                return node.value
            self.wrong("type.line", node.place, path, "holds a line break", "write it in one line")
            return None
        self.wrong("type.text", node.place, path, f"must be text, not {said(node)}", "write a name")
        return None

    def choice(self, node: Node, choices: Iterable[Any], path: str) -> Any:
        """One of some choices."""
        if any(node.value == option and type(node.value) is type(option) for option in choices):
            return node.value
        options = list(choices)
        near = get_close_matches(str(node.value), [str(o) for o in options], 1, 0.6)
        fix = f"did you mean {near[0]}?" if near else "write one of " + ", ".join(map(str, options))
        self.wrong("value.choice", node.place, path, f"{said(node)} is not a choice here", fix)
        return None

    def quantity(self, node: Node, rule: FieldRule, path: str) -> float | int | None:
        """A number with a unit, inside the field's bounds."""
        try:
            number = quantity(node.value, rule.unit)
        except QuantityError as error:
            self.wrong("value.quantity", node.place, path, error.args[0], error.args[1])
            return None
        return self._bounded(number, node, rule, path, f" {rule.unit}")

    def number(self, node: Node, rule: FieldRule, path: str) -> float | int | None:
        """A number without a unit, inside the field's bounds."""
        value = node.value
        whole = rule.kind is int
        if isinstance(value, float) and whole and isfinite(value) and value == int(value):
            value = int(value)
        good = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
        if not good or not isfinite(value):
            what = "a whole number" if whole else "a number"
            self.wrong(
                "type.number",
                node.place,
                path,
                f"must be {what}, not {said(node)}",
                f"write {what}",
            )
            return None
        return self._bounded(value if whole else float(value), node, rule, path, "")

    def _bounded(
        self, value: float | int, node: Node, rule: FieldRule, path: str, unit: str
    ) -> float | int | None:
        low, high = rule.low, rule.high
        if (low is not None and value < low) or (high is not None and value > high):
            span = f"{'-inf' if low is None else _plain(low)}..{'inf' if high is None else _plain(high)}"
            wrong, fix = f"is outside {span}{unit}", f"write a value in {span}{unit}"
            if high is None and low is not None:
                wrong, fix = f"is below {_plain(low)}{unit}", f"write {_plain(low)}{unit} or more"
            if unit:
                fix += f", like {example(rule.unit)}"
            self.wrong("value.range", node.place, path, f"{said(node)} {wrong}", fix)
            return None
        return value


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _plain(number: float) -> str:
    """A bound as a person writes it: 1048576, not 1.04858e+06."""
    whole = number == int(number) and abs(number) < 1e9
    return str(int(number)) if whole else f"{number:g}"


def said(node: Node) -> str:
    """How a message names what stands in the file."""
    if node.is_map:
        return "a mapping"
    if node.is_list:
        return "a list" if node.value else "an empty list"
    if node.value is None:
        return "nothing"
    text = repr(node.value) if isinstance(node.value, str) else str(node.value)
    return text if len(text) <= 60 else text[:57] + "..."
