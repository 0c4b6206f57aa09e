"""From a store's folder to what plots read."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np

from accelsim.errors import InputError, Problem
from accelsim.reports.sweeps.context import BaseNote, Context
from accelsim.reports.sweeps.table import Aged, Table, Words
from accelsim.store.columns import Columns, columns
from accelsim.store.folder import context
from accelsim.store.measures import usual_objectives
from accelsim.store.record import Record
from accelsim.store.shards import lines, parse, shards
from accelsim.store.spec import Joint


def read_store(folder: Path) -> tuple[Table, Context]:
    """The points and the question of a store. InputError when the folder is none."""
    asked = context(folder)
    try:
        known = context_of(asked, str(folder))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        why = f"is no context of a store ({type(error).__name__}: {error})"
        raise InputError(
            Problem(
                "store.context", why, "sweep into a new store", file=str(folder / "context.json")
            )
        ) from None
    return table_of_columns(
        columns(folder), folder, {n: b.analog for n, b in known.bases.items()}
    ), known


def context_of(asked: dict[str, Any], folder: str = "") -> Context:
    """From the content of context.json."""
    bases = {
        one["name"]: BaseNote(
            one["name"], bool(one["analog"]), str(one["source"]), str(one["digest"])
        )
        for one in asked["bases"]
    }
    works = {
        work["name"]: f"batch {work['batch']}"
        if work["batch"] and "batch" not in work["name"]
        else ""
        for work in asked["works"]
    }
    words = [
        "accelsim",
        "sweep",
        str(asked["source"]),
        *(part for text in asked.get("set", ()) for part in ("--set", text)),
    ]
    return Context(
        str(asked["name"]),
        str(asked["question"]),
        str(asked["answer"]),
        str(asked["source"]),
        str(asked["model"]),
        str(asked["sampling"]),
        tuple(str(name) for name in asked["objectives"]) or usual_objectives(asked["measures"]),
        _joint(asked.get("joint")),
        tuple((str(name), str(sign), float(bound)) for name, sign, bound in asked["constraints"]),
        tuple(tuple(axis["keys"]) for axis in asked["axes"]),
        bases,
        works,
        folder,
        f"{shlex.join(words)} --store AGAIN && accelsim report AGAIN --out PAGE",
    )


def _joint(asked: Any) -> Joint | None:
    if asked is None:
        return None
    weights = tuple((str(name), float(value)) for name, value in asked["weights"].items())
    return Joint(str(asked["of"]), str(asked["by"]), weights)


def table_of_columns(found: Columns, folder: Path, analog: dict[str, bool]) -> Table:
    """A store's columns as a Table. A message is read for one point of each failure's code."""
    base, work, search, failure = (
        _words(found, name) for name in ("base", "workload", "search", "error")
    )
    codes, seeds = found.setting("seed")
    seed = np.array([*(int(str(value)) for value in seeds), 0], np.int64)[codes]
    computes = np.array([*(analog.get(str(name), False) for name in base.values), False])
    aged = found.aged()
    values = {name: aged[name] for name in ("top1", "signal_to_noise_db")}
    return Table(
        base,
        work,
        computes[base.codes],
        {key: _words(found, key) for key in found.sets},
        search,
        seed,
        found.ok,
        found.fits,
        {name: found.measure(name) for name in found.measures},
        {name: np.nan_to_num(found.part(name)) for name in found.parts},
        Aged(aged["point"], aged["age_s"], aged["temperature_K"], values, {}),
        failure,
        _messages(found, folder, failure),
        np.ones(len(found), np.int64),
    )


def _words(found: Columns, key: str) -> Words:
    codes, values = found.setting(key)
    return Words.sorted(codes, values)


def _messages(found: Columns, folder: Path, failure: Words) -> Words:
    codes = np.full(len(found), -1, np.int32)
    texts: list[str] = []
    files = shards(folder)
    for code in range(len(failure.values)):
        rows = np.flatnonzero(failure.codes == code)
        if len(rows) == 0:
            continue
        row = int(rows[0])
        shard = list(found.sizes)[int(found.array("shard")[row])]
        path = next((path for path in files if path.name == shard), None)
        if path is None:
            continue
        record = parse(next(lines(path, int(found.array("offset")[row]))), path, 0)
        if isinstance(record, Record) and record.failure is not None:
            codes[row] = len(texts)
            texts.append(record.failure.message)
    return Words.sorted(codes, texts)
