"""The options of a job: one shared set, made of the fields of its record and added once to each verb."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import click

from accelsim.cli.dimensions import bits_of, dims_of, numbers_of, settings_of
from accelsim.config.overrides import assignments, node_of
from accelsim.config.reader import FieldRule, rules_of
from accelsim.config.yaml_source import Node, Place
from accelsim.errors import InputError
from accelsim.job import Job, Option, load_job, merged, options, plain_job
from accelsim.job.record import NEEDED

Callback = Callable[..., Any]
Items = dict[str, tuple[Place, Node]]


@dataclass(frozen=True, slots=True)
class Given:
    """An argument without an option. name: the parameter. metavar: as the help shows it. field: of the job that
    it is, "" for none: the command takes it. many: any number of them."""

    name: str
    metavar: str
    field: str
    many: bool = False


CHIP = Given("given_chip", "CHIP", "chip")
CHIPS = Given("given_chips", "CHIP CHIP...", "chip", True)
WORKLOAD = Given("given_workload", "WORKLOAD", "workload")
TRACE = Given("given_workload", "TRACE", "workload")
SWEEP = Given("given_sweep", "SWEEP", "sweep")
RUN = Given("runs", "RUN", "")


def job_options(verb: str, *given: Given) -> Callable[[Callback], Callback]:
    """Add the options of a verb's jobs and --job to a command, which gets them as ``job``."""
    taken = {name: one for name, one in options().items() if verb in one.verbs() and one.option}

    def decorate(function: Callback) -> Callback:
        @functools.wraps(function)
        def command(**values: Any) -> Any:
            asked = {name: values.pop(f"job_{name}") for name in taken}
            file = values.pop("job_file")
            for one in given:
                if one.field and (value := values.pop(one.name)):
                    asked[one.field] = value
            run = values.get("runs")
            if isinstance(run, str) and os.path.isfile(run):  # one job file, with options above it
                file, values["runs"] = run, None
            job = merged(Job() if file is None else load_job(file), items_of(asked))
            if file is None:
                _refuse_without(verb, job, given)
            return function(job=job, **values)

        made = click.option("--job", "job_file", metavar="FILE", help="Read the job of this file.")
        whole: Callback = made(command)
        for name, option in reversed(taken.items()):
            whole = _option(name, option, rules_of(Job)[name])(whole)
        for one in reversed(given):
            count = -1 if one.many else 1
            whole = click.argument(one.name, nargs=count, required=False, metavar=one.metavar)(
                whole
            )
        return whole

    return decorate


def _option(name: str, option: Option, rule: FieldRule) -> Callable[[Callback], Callback]:
    """The click option of a field; None, empty or False where it is not given."""
    names = [word for word in (option.short, option.option) if word]
    default = Job.__dataclass_fields__[name].default
    text = option.help
    if default not in ("", (), None, True, False) and not option.pairs:
        text = f"{option.help.removesuffix('.')} [default: {default}]."
    settings: dict[str, Any] = {"help": text}
    if rule.kind is bool:
        settings["is_flag"] = True
    elif option.pairs or isinstance(rule.kind, tuple):
        settings |= {"multiple": True, "metavar": option.metavar}
    elif rule.choices:
        settings["type"] = click.Choice(list(rule.choices))
    elif rule.kind is int and rule.low is not None and rule.high is not None:
        settings["type"] = click.IntRange(int(rule.low), int(rule.high))
    else:
        kind = float if rule.kind is float else str
        settings |= {"type": kind, "metavar": option.metavar or None}
    return click.option(*names, f"job_{name}", **settings)


def items_of(asked: Mapping[str, Any]) -> Items:
    """Given values of options as the nodes that a job file would have."""
    items: Items = {}
    for name, value in asked.items():
        if value is None or value is False or value == ():
            continue
        option = options()[name].option
        place = Place(option or name)
        if name == "set":
            node = _sets(value)
        elif name in PAIRS:
            node = node_of(PAIRS[name](value), place)
        else:
            node = node_of(not value if option.startswith("--no-") else value, place)
        items[name] = (place, node)
    return items


PAIRS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "dims": dims_of,
    "value": numbers_of,
    "bits": bits_of,
    "step": settings_of,
}


def _sets(texts: tuple[str, ...]) -> Node:
    """KEY=VALUE texts as keys; InputError for other texts."""
    found: dict[str, tuple[Place, Node]] = {}
    pairs, problems = assignments(texts)
    for key, node in pairs:
        found.pop(key, None)  # the last one of a key counts, at its own place
        found[key] = (node.place, node)
    if problems:
        raise InputError(problems)
    return Node(found, Place("--set"))


def _refuse_without(verb: str, job: Job, given: tuple[Given, ...]) -> None:
    """click's own error for what is missing, as of any command."""
    there, folders = plain_job(job), any(not one.field for one in given)  # stand for a job
    arguments = {one.field: one.metavar for one in given}
    for name in () if folders else NEEDED[verb]:
        if name in there or (name == "input" and job.values == "seeded"):
            continue
        if name in arguments:
            raise click.UsageError(f"Missing argument '{arguments[name]}'.")
        raise click.UsageError(f"Missing option '{options()[name].option}'.")


def one_of(folder: str | None, job: Job) -> tuple[str, Job | None]:
    """(a folder, None) or ("", a job): what a command that takes either was given."""
    asked = bool(plain_job(job))
    if folder and asked:
        raise click.UsageError("RUN is a folder, and options say what is run: give one of them.")
    if not folder and not asked:
        raise click.UsageError("Missing argument 'RUN'.")
    return folder or "", job if asked else None


def collected(name: str, cls: type) -> Callable[[Callback], Callback]:
    """Give a command the options that are fields of a dataclass as one record of it."""
    names = [item.name for item in fields(cls)]

    def decorate(function: Callback) -> Callback:
        @functools.wraps(function)
        def command(**values: Any) -> Any:
            record = cls(**{key: values.pop(key) for key in names})
            return function(**{name: record}, **values)

        return command

    return decorate
