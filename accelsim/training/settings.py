"""A step of training as a job asks for it: {loss: cross_entropy, optimiser: adam, rate: 0.001}."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from accelsim.errors import InputError, Problem
from accelsim.training.expansion import expand
from accelsim.training.losses import LOSSES
from accelsim.training.optimisers import Adam, Optimiser, Sgd
from accelsim.workload import Workload

OPTIMISERS: dict[str, type[Sgd] | type[Adam]] = {"sgd": Sgd, "adam": Adam}
WORDS = ("loss", "optimiser", "frozen")
OPTION = "--step"


def stepped(workload: Workload, asked: Mapping[str, Any]) -> Workload:
    """A workload's step. asked: loss and optimiser by name, default cross_entropy and sgd; frozen, patterns in a list
    or a text with commas; and numbers of the optimiser. InputError names every key that is wrong, as --step has it, and
    what expand() finds."""
    name = asked.get("optimiser", "sgd")
    known = OPTIMISERS.get(name) if isinstance(name, str) else None
    problems = []
    for key, names in (("loss", LOSSES), ("optimiser", OPTIMISERS)):
        if key in asked and asked[key] not in names:
            problems.append(_wrong(key, f"is {asked[key]!r}", f"write one of {', '.join(names)}"))
    numbers = {item.name for item in fields(known)} if known else set()
    for key, value in asked.items():
        if known and key not in numbers and key not in WORDS:
            words = ", ".join([*WORDS, *sorted(numbers)])
            problems.append(_wrong(key, f"is no key of {name}", f"write one of {words}"))
        elif key in numbers and not _fits(key, value):
            fix = "write two numbers, [0.9, 0.999]" if key == "betas" else "write a number"
            problems.append(_wrong(key, f"is {value!r}", fix))
    frozen = _patterns(asked.get("frozen", ()))
    if frozen is None:
        problems.append(_wrong("frozen", f"is {asked['frozen']!r}", "write names or patterns"))
    if problems or known is None or frozen is None:
        raise InputError(problems)
    made: dict[str, Any] = {key: asked[key] for key in numbers & asked.keys()}
    if "betas" in made:
        made["betas"] = tuple(made["betas"])
    try:
        optimiser: Optimiser = known(**made)
    except InputError as error:
        found = [(one.path.rpartition(".")[2], one) for one in error.problems]
        raise InputError([replace(one, path=key, file=OPTION) for key, one in found]) from None
    return expand(workload, asked.get("loss", "cross_entropy"), optimiser, frozen)


def _wrong(key: str, message: str, fix: str) -> Problem:
    return Problem("training.step", message, fix, key, OPTION)


def _fits(key: str, value: Any) -> bool:
    """Whether a value is the kind of number that a field takes."""
    if key == "betas":
        return isinstance(value, list | tuple) and len(value) == 2 and all(map(_number, value))
    return type(value) is int if key == "step" else _number(value)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _patterns(value: Any) -> tuple[str, ...] | None:
    """Patterns from a list or a text with commas; None for anything else."""
    listed = value.split(",") if isinstance(value, str) else value
    if not isinstance(listed, list | tuple) or not all(isinstance(one, str) for one in listed):
        return None
    return tuple(one.strip() for one in listed)
