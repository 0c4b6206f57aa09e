"""Parameters of a layer trace: sizes as whole-number expressions of them, and parts that repeat.

    parameters: {heads: 12, contexts: [2048, 512]}
    inputs: {"k_{r}": {repeat: {r: contexts}, each: [heads, "{contexts[r] - 1}", 64]}}

An expression has whole numbers, names, + - * // % ( ), NAME[i], len(NAME), sum(NAME). What stands in braces in a
name or a size is evaluated too, inside a repetition with its counters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product
from typing import Any

from accelsim.config.reader import NAME, said
from accelsim.config.yaml_source import Node, Place
from accelsim.errors import InputError, Problem

Value = int | list[int]
Scope = Mapping[str, Value]
LARGEST = 1 << 62
MOST_NODES = 2_000_000
#: parts of a trace whose texts may hold braces and repetitions
EXPANDED = ("inputs", "constants", "operators", "outputs", "integers")
FUNCTIONS: dict[str, Callable[[list[int]], int]] = {"len": len, "sum": sum}
_TOKEN = re.compile(rf"\s*(?:(\d+)|({NAME})|(//|[-+*%()\[\]]))")
_BRACES = re.compile(r"\{([^{}]*)\}")


class ExpressionError(ValueError):
    """args: what is wrong, what to write instead."""


class _Parser:
    """Recursive descent over one expression."""

    def __init__(self, text: str, scope: Scope) -> None:
        self.text, self.scope, self.at = text, scope, 0
        self.tokens: list[tuple[str, int]] = []
        position = 0
        while position < len(text.rstrip()):
            found = _TOKEN.match(text, position)
            if found is None:
                begin = position + len(text[position:]) - len(text[position:].lstrip())
                raise self.wrong(begin, f"{text[begin]!r} has no meaning")
            start = found.start(found.lastindex or 0)
            self.tokens.append((found[0].strip(), start))
            position = found.end()

    def wrong(self, position: int, what: str, fix: str = "") -> ExpressionError:
        example = "write whole numbers, parameters, + - * // % and parentheses"
        return ExpressionError(
            f"{what} at character {position + 1} of {self.text!r}", fix or example
        )

    @property
    def next(self) -> str:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else ""

    def take(self, wanted: str = "") -> tuple[str, int]:
        """The next token; the wanted one if one is."""
        if self.at >= len(self.tokens) or (wanted and self.next != wanted):
            position = self.tokens[self.at][1] if self.at < len(self.tokens) else len(self.text)
            raise self.wrong(position, f"{wanted or 'a number'} is missing")
        self.at += 1
        return self.tokens[self.at - 1]

    def whole(self) -> int:
        """The value of the whole expression."""
        found = self.sum()
        if self.at < len(self.tokens):
            token, position = self.tokens[self.at]
            raise self.wrong(position, f"{token!r} is too many")
        return found

    def sum(self) -> int:
        found = self.term()
        while self.next in ("+", "-"):
            sign, position = self.take()
            found = self.kept(found + self.term() * (1 if sign == "+" else -1), position)
        return found

    def term(self) -> int:
        found = self.factor()
        while self.next in ("*", "//", "%"):
            sign, position = self.take()
            other = self.factor()
            if sign == "*":
                found = self.kept(found * other, position)
            elif other == 0:
                raise self.wrong(position, "division by 0")
            else:
                found = found // other if sign == "//" else found % other
        return found

    def factor(self) -> int:
        if self.next == "-":
            self.take()
            return -self.factor()
        if self.next == "(":
            self.take()
            found = self.sum()
            self.take(")")
            return found
        token, position = self.take()
        if token.isdigit():
            return self.kept(int(token[:30]), position)
        if token in FUNCTIONS and self.next == "(":
            self.take()
            name, place = self.take()
            listed = self.named(name, place)
            if not isinstance(listed, list):
                raise self.wrong(place, f"{name} is no list")
            self.take(")")
            return FUNCTIONS[token](listed)
        value = self.named(token, position)
        if not isinstance(value, list):
            return value
        if self.next != "[":
            raise self.wrong(position, f"{token} is a list", f"write {token}[0] or len({token})")
        self.take()
        index = self.sum()
        self.take("]")
        if not 0 <= index < len(value):
            raise self.wrong(position, f"{token} has no element {index}", f"it has {len(value)}")
        return value[index]

    def named(self, name: str, position: int) -> Value:
        if not re.fullmatch(NAME, name):
            raise self.wrong(position, f"{name!r} is no number")
        if name not in self.scope:
            raise self.wrong(position, f"there is no parameter {name!r}", _known(self.scope))
        return self.scope[name]

    def kept(self, value: int, position: int) -> int:
        if abs(value) > LARGEST:
            raise self.wrong(position, "a number beyond 62 bits", "use smaller sizes")
        return value


def _known(names: Iterable[str]) -> str:
    """What to write in the place of a name that is no parameter's."""
    known = ", ".join(names)
    return f"write one of: {known}" if known else "leave it out: the trace has no parameters"


def evaluate(text: str, scope: Scope) -> int:
    """The whole number that an expression stands for. ExpressionError says where it is wrong."""
    if len(text) > 1000:
        raise ExpressionError("is longer than 1,000 characters", "write it shorter")
    try:
        return _Parser(text, scope).whole()
    except RecursionError:
        raise ExpressionError("has too many parentheses", "write it shorter") from None


def with_parameters(root: Node, given: Mapping[str, Any]) -> tuple[Node, dict[str, Value]]:
    """(the document with its repetitions written out, the values of its parameters). given: values in place of
    the file's. InputError for what is wrong with either."""
    if not root.is_map or not (given or "parameters" in root.value):
        return root, {}
    reader = _Reader()
    scope = reader.values(root, given)
    if reader.problems:
        raise InputError(reader.problems)
    made = {
        key: (place, reader.expanded(node, scope, {}) if key in EXPANDED else node)
        for key, (place, node) in root.value.items()
    }
    if reader.problems:
        raise InputError(reader.problems[:20])
    return Node(made, root.place), scope


class _Reader:
    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.nodes = 0

    def wrong(self, place: Place, path: str, message: str, fix: str) -> None:
        code = "trace.parameter" if path.startswith("parameters") else "trace.repeat"
        self.problems.append(
            Problem(code, message, fix, path, place.file, place.line, place.column)
        )

    def values(self, root: Node, given: Mapping[str, Any]) -> dict[str, Value]:
        """The trace's own parameters, and those that are given in their place."""
        found: dict[str, Value] = {}
        node = root.value["parameters"][1] if "parameters" in root.value else Node({}, root.place)
        if not node.is_map:
            self.wrong(node.place, "parameters", f"must hold keys, not {said(node)}", "write n: 8")
            return {}
        for name, (place, value) in node.value.items():
            plain = value.plain()
            path = f"parameters.{name}"
            if not re.fullmatch(NAME, name) or name in FUNCTIONS:
                self.wrong(place, path, "is no name of a parameter", "write letters, digits and _")
            elif not _good(plain):
                self.wrong(
                    value.place,
                    path,
                    f"must be a whole number from 0 on or a list of them, not {plain!r}",
                    f"write {name}: 2048",
                )
            else:
                found[name] = plain
        for name, plain in given.items():
            option = Place(f"--set workload.{name}")
            if name not in node.value:
                message = f"there is no parameter {name!r}"
                self.wrong(option, f"workload.{name}", message, _known(node.value))
            elif not _good(plain) or isinstance(plain, list) != isinstance(found.get(name), list):
                kind = "a list of whole numbers" if isinstance(found.get(name), list) else "one"
                self.wrong(
                    option,
                    f"workload.{name}",
                    f"{plain!r:.40} is not what {name} is",
                    f"write {kind}",
                )
            else:
                found[name] = plain
        return found

    def expanded(self, node: Node, scope: Scope, counters: dict[str, int]) -> Node:
        """A node with its repetitions written out. counters: of those that it stands in."""
        self.nodes += 1
        if self.nodes > MOST_NODES:
            place = node.place
            raise InputError(
                Problem(
                    "trace.size",
                    f"repeats come to more than {MOST_NODES:,} entries",
                    "repeat less",
                    "",
                    place.file,
                    place.line,
                    place.column,
                )
            )
        if node.is_list:
            return Node(self.spliced(node.value, scope, counters), node.place)
        if node.is_map:
            made: dict[str, tuple[Place, Node]] = {}
            for key, (place, value) in node.value.items():
                if not _repeats(value):
                    name = str(self.filled(key, place, scope, counters))
                    made[name] = (place, self.expanded(value, scope, counters))
                    continue
                for inner in self.turns(value, scope, counters):
                    name = str(self.filled(key, place, scope, inner))
                    if name in made:
                        self.wrong(place, key, f"{name} stands twice", "name the counters in it")
                    made[name] = (place, self.expanded(value.value["each"][1], scope, inner))
            return Node(made, node.place)
        if isinstance(node.value, str):
            return Node(self.filled(node.value, node.place, scope, counters), node.place)
        return node

    def spliced(self, nodes: list[Node], scope: Scope, counters: dict[str, int]) -> list[Node]:
        """Entries of a list, those of its repetitions among them."""
        found: list[Node] = []
        for node in nodes:
            if not _repeats(node):
                found.append(self.expanded(node, scope, counters))
                continue
            for inner in self.turns(node, scope, counters):
                each = node.value["each"][1]
                found += self.spliced(each.value if each.is_list else [each], scope, inner)
        return found

    def turns(self, node: Node, scope: Scope, counters: dict[str, int]) -> Iterator[dict[str, int]]:
        """Counters of each turn of a repetition, the last one fastest."""
        where, asked = node.value["repeat"]
        if set(node.value) != {"repeat", "each"}:
            self.wrong(
                node.place, "repeat", "goes with each alone", "write {repeat: {i: n}, each: ...}"
            )
            return
        if not asked.is_map or not asked.value:
            self.wrong(where, "repeat", "counts nothing", "write {repeat: {i: layers}, each: ...}")
            return
        counts = []
        for name, (place, value) in asked.value.items():
            if not re.fullmatch(NAME, name) or name in scope or name in counters:
                self.wrong(
                    place, f"repeat.{name}", "is no new name", "give the counter another name"
                )
                return
            text = str(value.plain())
            listed = scope.get(text)
            try:
                size = (
                    len(listed)
                    if isinstance(listed, list)
                    else evaluate(text, {**scope, **counters})
                )
            except ExpressionError as error:
                self.wrong(value.place, f"repeat.{name}", *error.args)
                return
            if not 0 <= size <= MOST_NODES:
                self.wrong(value.place, f"repeat.{name}", f"is {size} times", "count from 0 on")
                return
            counts.append(range(size))
        for numbers in product(*counts):
            yield {**counters, **dict(zip(asked.value, numbers, strict=True))}

    def filled(self, text: str, place: Place, scope: Scope, counters: dict[str, int]) -> str | int:
        """A text with what stands in its braces evaluated; a number where it is nothing else."""
        if "{" not in text:
            return text
        whole = {**scope, **counters}

        def value(found: re.Match[str]) -> str:
            try:
                return str(evaluate(found[1], whole))
            except ExpressionError as error:
                self.wrong(place, text, *error.args)
                return "0"

        made = _BRACES.sub(value, text)
        return int(made) if _BRACES.fullmatch(text) else made


def _repeats(node: Node) -> bool:
    return node.is_map and "repeat" in node.value


def _good(plain: Any) -> bool:
    listed = plain if isinstance(plain, list) else [plain]
    return bool(listed) and all(type(item) is int and 0 <= item < 1 << 31 for item in listed)
