"""Errors meant for a person: a place, what is wrong, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from accelsim.escaping import visible


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an input.

    ``code`` is a stable short name (``chip.rows.range``); ``path`` is the dotted key
    inside the file; ``line`` and ``column`` count from 1, 0 means "not known".
    """

    code: str
    message: str
    fix: str = ""
    path: str = ""
    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = self.file
        if self.line:
            place += f":{self.line}:{self.column}" if place else f"line {self.line}:{self.column}"
        key = self.path.removeprefix("set.")  # the argument names the key already
        path = "" if place == f"--set {key}" else self.path
        parts = [part for part in (place, path, self.message) if part]
        text = ": ".join(parts)
        return visible(f"{text}; {self.fix}" if self.fix else text)


class InputError(Exception):
    """Everything wrong with an input, all at once; the command line exits with status 2."""

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = (
            (problems,) if isinstance(problems, Problem) else tuple(problems)
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))


def one_of(name: str, value: object, choices: Iterable[str]) -> None:
    """InputError unless a value of that name is one of the choices."""
    if value not in (known := tuple(choices)):
        message, fix = f"{value!r} is no choice of {name}", "write one of " + ", ".join(known)
        raise InputError(Problem(f"{name}.choice", message, fix, file=name))


class ProgramError(Exception):
    """A Program that breaks a rule of docs/program.md: a mistake of a mapping, not of a user."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ConservationError(AssertionError):
    """A conservation law failed (MACs, joules or cycles do not add up): a bug of accelsim."""
