"""What stands behind a dotted key of a chip file: what it accepts, and a Chip's own value."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from accelsim.chip import Chip, Constant
from accelsim.chip.chip import WEIGHTS
from accelsim.chip.cores import MOST_CORES, joined, local, scope_of
from accelsim.chip.routes import upper
from accelsim.config.chip_file import AHEAD, KEYS
from accelsim.config.chip_scopes import MEMORY_KEYS
from accelsim.config.quantities import any_quantity
from accelsim.config.reader import MISSING, FieldRule, rule_for, rules_of

_CLOCK = FieldRule("clock", int, (), "Hz", 1, 1e11, False, True)
_WEIGHTS = FieldRule("weights", str, WEIGHTS, "", None, None, False, False)
_COUNT = FieldRule("count", int, (), "", 1, MOST_CORES, False, True)
_TEXT = FieldRule("text", str, (), "", None, None, False, False)


NAMING = [[key] for key in MEMORY_KEYS]  # keys of a unit that hold the name of a memory


class UnknownKey(LookupError):
    """A key that the chip does not have; args: what is wrong, what to write."""


def rule_of(chip: Chip, key: str) -> FieldRule | None:
    """What a key accepts; None where it names a section or what only a whole chip can judge.
    UnknownKey where the chip has no such key."""
    path = key.split(".")
    head, rest = path[0], path[1:]
    if head not in KEYS:
        raise UnknownKey(*_choices(head, KEYS, key))
    if head == "weights":
        if rest and not chip.templates:
            raise UnknownKey("weights has no keys", "leave the last part out")
        if rest:
            _known(".".join(rest), chip.templates, key)
        return _WEIGHTS
    if head == "commands_ahead" and not rest:
        return AHEAD
    if head == "clocks" and len(rest) == 1:
        _known(rest[0], chip.clocks, key)
        return _CLOCK
    if head == "technology" and len(rest) > 1 and rest[0] == "constants":
        return rules_of(Constant)["value"]
    if not rest:
        return None
    if head in ("memories", "units", "links", "cores"):
        return _in_core(chip, "", path, key)
    if head in ("technology", "precision"):
        return _field(type(getattr(chip, head)), rest, key)
    return None


def _in_core(chip: Chip, scope: str, path: list[str], key: str) -> FieldRule | None:
    """The rule of a key of a core, or of what stands in it."""
    head, *rest = path
    inner = [local(name) for name in chip.templates if scope_of(name) == scope]
    if head == "cores" and rest:
        _known(rest[0], inner, key)
        return _in_core(chip, joined(scope, rest[0]), rest[1:], key) if rest[1:] else None
    if head in ("count", "grid") and scope and not rest:
        return _COUNT if head == "count" else None
    sections: dict[str, Mapping[str, Any]] = {
        "memories": chip.memories,
        "units": chip.units,
        "links": chip.links,
    }
    _known(head, (*sections, "cores", *(("count", "grid") if scope else ())), key)
    if not rest:
        return None
    named = {local(name): item for name, item in sections[head].items() if scope_of(name) == scope}
    _known(rest[0], named, key)
    if rest[1:] == ["kind"]:
        return _TEXT
    if head == "links" and rest[1:2] in (["nodes"], ["places"]):
        return None
    return _field(type(named[rest[0]]), rest[1:], key)


def _field(cls: Any, path: list[str], key: str) -> FieldRule | None:
    rule: FieldRule | None = None
    for step in path:
        if rule is not None and isinstance(rule.kind, tuple) and rule.kind[0] == "table":
            _known(step, tuple(rule.choices), key)
            rule = rule_for(step, rule.kind[1])
            continue
        if rule is not None and not dataclasses.is_dataclass(rule.kind):
            raise UnknownKey(f"{key.rpartition('.')[0]} has no keys", "leave the last part out")
        rules = rules_of(cls if rule is None else rule.kind)
        _known(step, rules, key)
        rule = rules[step]
    return None if rule is not None and dataclasses.is_dataclass(rule.kind) else rule


def _known(step: str, names: Any, key: str) -> None:
    if step not in names:
        raise UnknownKey(*_choices(step, names, key))


def _choices(step: str, names: Any, key: str) -> tuple[str, str]:
    near = get_close_matches(step, list(names), 1, 0.6)
    fix = (
        f"did you mean {key.replace(step, near[0], 1)}?"
        if near
        else "write one of " + ", ".join(names)
    )
    return f"there is no key {step!r}", fix


def own_value(chip: Chip, key: str) -> Any:
    """The chip's own value of a key, defaults included, in SI units; MISSING where it has none. Names of memories as
    their core has them."""
    path = key.split(".")
    if path[:2] == ["technology", "constants"] and len(path) > 2:
        name = ".".join(path[2:])
        return next((own.value for own in chip.technology.constants if own.key == name), MISSING)
    if path[0] == "weights" and len(path) > 1:
        return chip.core_weights.get(".".join(path[1:]), MISSING)
    here: Any = chip
    scope: list[str] = []
    while path[:1] == ["cores"] and len(path) > 2:
        scope, path = [*scope, path[1]], path[2:]
    if scope and path[0] in ("count", "grid"):
        here = chip.templates.get(".".join(scope), MISSING)
    elif len(path) > 1:
        path = [path[0], ".".join((*scope, path[1])), *path[2:]]
    if path[0] == "memories" and path[2:] == ["behind"] and path[1] in chip.memories:
        return local(upper(chip, path[1]) or "") or MISSING
    for step in path:
        if isinstance(here, Mapping):
            here = here.get(step, MISSING)
        else:
            here = getattr(here, step, MISSING)
        if here is MISSING:
            return MISSING
    return local(here) if path[0] == "units" and path[2:3] in NAMING else here


def own_comparable(chip: Chip, key: str) -> Any:
    """own_value() in comparable form; MISSING where the chip has none."""
    value = own_value(chip, key)
    if value is MISSING:
        return value
    rule = rule_of(chip, key)
    return comparable(f"{value} bit" if rule is not None and rule.unit == "bit" else value)


def comparable(value: Any) -> Any:
    """A value in a form in which equal ones are equal: "0.1 GHz", "100 MHz" and 1e8; "64 bit" and "8 B"; 8 and 8.0."""
    if isinstance(value, bool) or value is None:
        return repr(value)
    if isinstance(value, int):
        return float(value)
    if isinstance(value, float):
        return float(f"{value:.12g}")
    if isinstance(value, str):
        found = any_quantity(value)
        if found is None:
            return value
        size, unit = found
        return float(f"{size / 8 if unit == 'bit' else size:.12g}")
    if isinstance(value, Mapping):
        return tuple(sorted((str(key), comparable(item)) for key, item in value.items()))
    if isinstance(value, list | tuple):
        return tuple(comparable(item) for item in value)
    return value


def conflict(one: str, other: str) -> bool:
    """Whether two keys are the same or one lies inside the other."""
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")
