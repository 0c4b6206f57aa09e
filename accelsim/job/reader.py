"""Jobs from YAML, from texts of options and from Python values: one reader, every problem with its place."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import fields, replace
from math import isfinite
from pathlib import Path
from typing import Any

from accelsim.config.overrides import node_of
from accelsim.config.reader import Reader, rules_of, said
from accelsim.config.versions import version_of
from accelsim.config.yaml_source import Node, Place, load_yaml, parse_yaml
from accelsim.errors import InputError, Problem
from accelsim.job.record import VERBS, Job, Option, options, placed_by

Items = Mapping[str, tuple[Place, Node]]
PREFIX = "workload."  # of keys of ``set`` that are parameters of a layer trace
LARGEST = 1 << 31
#: fields whose pairs have numbers -> whether they are whole
NUMBERS = {"dims": True, "value": False}


def load_job(path: str | Path) -> Job:
    """The Job of a YAML file. Files that it names are looked for beside it first. InputError with every
    problem, each with file, line and column."""
    return job_of(load_yaml(path), Path(path).parent)


def job_of(root: Node, folder: Path | None = None) -> Job:
    """The Job of a document. folder: where the files that it names are looked for first."""
    reader = JobReader(folder)
    items = reader.mapping(root, "")
    found = None if items is None else reader.job(items)
    if reader.problems or found is None:
        raise InputError(reader.problems)
    return found


def checked(job: Job) -> Job:
    """The same job by the rules of job files, whatever made it; InputError for what is wrong."""
    root = node_of(plain_job(job), Place(""))
    return replace(job_of(root), places=job.places)


def merged(job: Job, more: Items) -> Job:
    """A job with what options say on top; pairs are added to pairs."""
    reader = JobReader(None)
    items: dict[str, tuple[Place, Node]] = {}
    for name, (place, node) in more.items():
        old = getattr(job, name)
        if options()[name].pairs and node.is_map:
            own = node_of(dict(old), place).value
            node = Node({**own, **node.value}, place)
        items[name] = (place, node)
    found = reader.values(items)
    if reader.problems:
        raise InputError(reader.problems)
    if "parameters" in found:
        found["parameters"] = {**job.parameters, **found["parameters"]}
    kept = {key: at for key, at in job.places.items() if key.split(".")[0] not in items}
    return replace(job, **found, places=kept)


class JobReader(Reader):
    """Reads the keys of a job. folder: where files are looked for before the working folder."""

    def __init__(self, folder: Path | None) -> None:
        super().__init__()
        self.folder = folder
        self.places: dict[str, tuple[str, int, int]] = {}

    def job(self, items: Items, more: tuple[str, ...] = ()) -> Job | None:
        """The Job, None where something is wrong. more: keys that the caller reads itself."""
        known = [*options(), *more]
        where = next(iter(items.values()), (Place(""), None))[0]
        self.keys(items, ("format", *known), "", (), where)
        version_of(self, dict(items))
        found = self.values({key: item for key, item in items.items() if key in options()})
        return None if self.problems else Job(**found, places=self.places)

    def values(self, items: Items) -> dict[str, Any]:
        """Fields of a Job that keys give."""
        found: dict[str, Any] = {}
        asked = options()
        for name, (place, node) in items.items():
            self.places[name] = (node.place.file, node.place.line, node.place.column)
            value = self.one(name, asked[name], node)
            if value is not None:
                found[name] = value
            del place
        if "set" in found:
            self.parameters(found, items)
        return found

    def one(self, name: str, option: Option, node: Node) -> Any:
        """One key's value; None (noted) when it is wrong, or stands for "as it is"."""
        rule = rules_of(Job)[name]
        if option.pairs:
            return self.pairs(name, node)
        if option.listed and node.is_list and not node.value:
            self.wrong("type.list", node.place, name, "lists nothing", "leave it out")
            return None
        if option.listed and node.is_list:
            texts = [self.scalar(item, f"{name}[{i}]") for i, item in enumerate(node.value)]
            return None if None in texts else ",".join(str(text) for text in texts)
        if option.listed and isinstance(node.value, int | float):
            return self.scalar(node, name)
        if isinstance(rule.kind, tuple) and not node.is_list:
            node = Node([node], node.place)
        if name == "layers" and all(isinstance(item.value, str) for item in node.value):
            return tuple(item.value for item in node.value)  # what fits none is said by the trace
        value = self.value(node, rule, name)
        if isinstance(value, tuple) and None in value:
            return None
        if option.path and value is not None:
            value = self.found(value) if isinstance(value, str) else tuple(map(self.found, value))
        return value

    def scalar(self, node: Node, path: str) -> str | None:
        """A number or a text as text."""
        if isinstance(node.value, int | float) and not isinstance(node.value, bool):
            return f"{node.value:g}" if isinstance(node.value, float) else str(node.value)
        return self.text(node, path)

    def found(self, name: str) -> str:
        """A file beside the job's own, or the name as it is."""
        if self.folder is not None and not os.path.isabs(name):
            beside = self.folder / name
            if os.path.exists(beside):
                return str(beside)
        return name

    def pairs(self, name: str, node: Node) -> dict[str, Any] | None:
        """NAME: VALUE keys of one kind."""
        items = self.mapping(node, name)
        if items is None:
            return None
        found: dict[str, Any] = {}
        for key, (_, value) in items.items():
            path = f"{name}.{key}"
            self.places[path] = (value.place.file, value.place.line, value.place.column)
            if name in NUMBERS:
                found[key] = self.number_of(value, path, NUMBERS[name])
            elif name == "bits":
                found[key] = self.scalar(value, path)
            elif name == "parameters":
                found[key] = self.parameter(value, path)
            elif _finite(plain := value.plain()):
                found[key] = plain
            else:
                self.wrong("type.number", value.place, path, "is not finite", "write a number")
        return found

    def number_of(self, node: Node, path: str, whole: bool) -> float | int | None:
        """A finite number, or a whole one from 1 on."""
        value = node.value
        good = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        if good and (0 < value < LARGEST if whole else isfinite(value)):
            return value if whole else float(value)
        what = f"a whole number from 1 to {LARGEST - 1}" if whole else "a number"
        self.wrong(
            "type.number",
            node.place,
            path,
            f"must be {what}, not {said(node)}",
            f"write {path.rpartition('.')[2]}: 1",
        )
        return None

    def parameter(self, node: Node, path: str) -> Any:
        """A whole number from 0 on, or a list of them."""
        listed = node.value if node.is_list else [node]
        good = bool(listed) and all(
            type(item.value) is int and 0 <= item.value < LARGEST for item in listed
        )
        if good:
            return node.plain()
        self.wrong(
            "job.parameter",
            node.place,
            path,
            f"must be a whole number from 0 on or a list of them, not {node.plain()!r}",
            f"write {path.rpartition('.')[2]}: 2048",
        )
        return None

    def parameters(self, found: dict[str, Any], items: Items) -> None:
        """Move ``workload.NAME`` of ``set`` to the parameters."""
        own = dict(found["set"])
        moved = {key: own.pop(key) for key in list(own) if key.startswith(PREFIX)}
        nodes = items["set"][1].value
        given = dict(found.get("parameters", {}))
        for key in moved:
            name, node = key.removeprefix(PREFIX), nodes[key][1]
            if name in given:
                self.wrong(
                    "job.twice",
                    node.place,
                    f"set.{key}",
                    "stands among the parameters too",
                    "keep one of them",
                )
            given[name] = self.parameter(node, f"set.{key}")
            self.places[f"parameters.{name}"] = self.places[f"set.{key}"]
        found["set"] = own
        if given:
            found["parameters"] = given


def _finite(plain: Any) -> bool:
    """Whether no number in plain values is infinite or NaN."""
    if isinstance(plain, dict):
        return all(map(_finite, plain.values()))
    if isinstance(plain, list):
        return all(map(_finite, plain))
    return not isinstance(plain, float) or isfinite(plain)


def plain_job(job: Job) -> dict[str, Any]:
    """The keys of a job file: what differs from the defaults, in the order of the fields."""
    empty = Job()
    found: dict[str, Any] = {}
    for item in fields(Job):
        value = getattr(job, item.name)
        if item.metadata and value != getattr(empty, item.name):
            if isinstance(value, Mapping):
                value = dict(value)
            elif isinstance(value, tuple):
                value = value[0] if len(value) == 1 else list(value)
            found[item.name] = value
    return found


def job_yaml(job: Job) -> str:
    """A job as the text of a job file: load_job() of it is the same job."""
    lines = [f"{key}: {json.dumps(value)}" for key, value in plain_job(job).items()]
    return "\n".join(["format: 1", *lines, ""])


def set_texts(job: Job) -> list[str]:
    """The replaced values as KEY=VALUE, which reads back as the same value."""
    texts = []
    for key, value in job.set.items():
        plain = str(value)
        short = not isinstance(value, dict | list | bool | type(None)) and "\n" not in plain
        if short:
            try:
                short = parse_yaml(plain, "").plain() == value
            except InputError:
                short = False
        texts.append(f"{key}={plain if short else json.dumps(value)}")
    return texts


def blamed(job: Job, error: InputError) -> InputError:
    """The error with problems of options and of named files at their places in the job's own file."""
    return InputError([_placed(job, problem) for problem in error.problems])


def _placed(job: Job, problem: Problem) -> Problem:
    key = placed_by(problem.file)
    message = problem.message
    if not key and not problem.line:
        for name, option in options().items():
            given = getattr(job, name) if option.path else None
            if problem.file in ((given,) if isinstance(given, str) else given or ()):
                key = name
                break
        message = f"{problem.file} {problem.message}"
    if key.startswith(f"set.{PREFIX}") and key not in job.places:
        key = f"parameters.{key.removeprefix(f'set.{PREFIX}')}"
        problem = replace(problem, path="")  # it is the key's own
    at = job.places.get(f"{key}.{problem.path}") or job.places.get(key)
    if not key or problem.line or at is None or not at[1]:
        return problem
    path = f"{key}.{problem.path}" if problem.path and not key.endswith(problem.path) else key
    file, line, column = at
    return replace(problem, path=path, message=message, file=file, line=line, column=column)


__all__ = ["VERBS", "JobReader", "blamed", "checked", "job_of", "job_yaml", "load_job", "merged"]
