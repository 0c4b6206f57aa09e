"""Ranges of a sweep file: even and geometric steps between two values, with their unit."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from accelsim.config.quantities import WHOLE, any_quantity, spoken
from accelsim.config.reader import FieldRule, Reader
from accelsim.config.yaml_source import Node, Place
from accelsim.store.spec import Plain

MOST_STEPS = 100_000
Items = Mapping[str, tuple[Place, Node]]


class Span:
    """A range or a geometric range: {from, to, step} or {from, to, points}."""

    def __init__(
        self, reader: Reader, node: Node, path: str, rule: FieldRule | None, samples: int
    ) -> None:
        self.reader, self.node, self.path, self.rule, self.samples = (
            reader,
            node,
            path,
            rule,
            samples,
        )
        self.unit = rule.unit if rule is not None else ""

    def values(self, kind: str) -> list[Plain]:
        """The values, as a chip file writes them; none (noted) when something is wrong."""
        last = "step" if kind == "range" else "points"
        items = self.reader.mapping(self.node, self.path)
        if items is None:
            return []
        needed = ["from", "to"] if self.samples else ["from", "to", last]
        before = len(self.reader.problems)
        self.reader.keys(items, ("from", "to", last), self.path, needed, self.node.place)
        ends = [self.number(items[name][1], name) for name in ("from", "to") if name in items]
        if len(self.reader.problems) > before or len(ends) < 2 or None in ends:
            return []
        low, high = (Fraction(f"{end:.12g}") for end in ends if end is not None)
        if high <= low:
            return self.refuse(
                "to", f"{self.said('to')} is not above {self.said('from')}", "write from below to"
            )
        whole = (
            self.unit in WHOLE
            if self.unit
            else self.rule.kind is int
            if self.rule is not None
            else low.denominator == high.denominator == 1
        )
        found = (
            self.linear(low, high, items, whole)
            if kind == "range"
            else self.geometric(low, high, items, whole)
        )
        return [self.written(value) for value in found]

    def linear(self, low: Fraction, high: Fraction, items: Items, whole: bool) -> list[Fraction]:
        if "step" not in items:
            return _snapped(
                [
                    float(low + (high - low) * i / (self.samples - 1 or 1))
                    for i in range(self.samples)
                ],
                whole,
            )
        step = self.number(items["step"][1], "step")
        if step is None:
            return []
        if step <= 0:
            return self.refuse(
                "step", f"{self.said('step')} is not above 0", "write a positive step"
            )
        exact = Fraction(f"{step:.12g}")
        count = (high - low) // exact + 1
        if count > MOST_STEPS:
            return self.refuse(
                "step", f"makes {count:,} steps, at most {MOST_STEPS:,}", "write a larger step"
            )
        return [low + i * exact for i in range(count)]

    def geometric(self, low: Fraction, high: Fraction, items: Items, whole: bool) -> list[Fraction]:
        if low <= 0:
            return self.refuse(
                "from", f"{self.said('from')} has no logarithm", "write a value above 0"
            )
        count: Any = self.samples
        if "points" in items:
            rule = FieldRule("points", int, (), "", 2, MOST_STEPS, False, True)
            count = self.reader.value(items["points"][1], rule, f"{self.path}.points")
        if count is None:
            return []
        ratio = float(high / low)
        inner = [float(low) * ratio ** (i / (count - 1)) for i in range(1, count - 1)]
        return _snapped([float(low), *inner, float(high)] if count > 1 else [float(low)], whole)

    def number(self, node: Node, name: str) -> float | None:
        path = f"{self.path}.{name}"
        if not self.unit and isinstance(node.value, str) and (found := any_quantity(node.value)):
            if self.rule is not None:
                self.reader.wrong(
                    "sweep.range",
                    node.place,
                    path,
                    f"{node.value!r} has a unit, the key has none",
                    "write a number",
                )
                return None
            self.unit = found[1]
        rule = FieldRule(name, float, (), self.unit, None, None, False, True)
        value = self.reader.value(node, rule, path)
        if value is not None and abs(value) > 1e30:
            self.reader.wrong(
                "sweep.range", node.place, path, f"{value:g} is beyond all use", "write less"
            )
            return None
        return None if value is None else float(value)

    def said(self, name: str) -> Any:
        return self.node.value[name][1].plain()

    def refuse(self, name: str, message: str, fix: str) -> list[Any]:
        place = self.node.value[name][1].place if name in self.node.value else self.node.place
        self.reader.wrong("sweep.range", place, f"{self.path}.{name}", message, fix)
        return []

    def written(self, value: Fraction) -> Plain:
        if self.unit:
            return spoken(float(value), self.unit)
        return (
            int(value)
            if value.denominator == 1 and (self.rule is None or self.rule.kind is not float)
            else float(f"{float(value):.9g}")
        )


def _snapped(values: list[float], whole: bool) -> list[Fraction]:
    """Whole where the key wants it, each once, nine digits otherwise."""
    exact = [Fraction(round(value)) if whole else Fraction(f"{value:.9g}") for value in values]
    return list(dict.fromkeys(exact))
