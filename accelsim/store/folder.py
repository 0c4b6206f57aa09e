"""The folder of a store: made, opened, refused, and shared by drivers.

A store belongs to one sweep: its name, model, settings, and the digests of bases and workloads of equal name
must be those of the context, or points of two questions would stand side by side. Axes, samples, objectives
and constraints may change: points are known by their key.
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from accelsim import strict_json
from accelsim.drafts import draft_file
from accelsim.errors import InputError, Problem
from accelsim.store.form import FORM, differs
from accelsim.store.record import VERSION, Record, checksum
from accelsim.store.shards import PATTERN, other_version, shards

CONTEXT, SWEEP, LOCK, COLUMNS = "context.json", "sweep.yaml", "lock", "columns.npz"


def context(folder: Path) -> dict[str, Any]:
    """What a store was made for. InputError when the folder is no store of this version."""
    path, anew = folder / CONTEXT, "give another --store, or --fresh to begin anew"
    if folder.exists() and not folder.is_dir():
        raise InputError(
            Problem("store.file", "is not a folder", "give another --store", file=str(folder))
        )
    if not path.is_file():
        raise InputError(
            Problem(
                "store.none",
                "is no store of a sweep: it has no context.json",
                "give the folder of `accelsim sweep --store`",
                file=str(folder),
            )
        )
    found = strict_json.read(path, "store.context", anew)
    version = found.get("format", found.get("store"))
    if type(version) is int and version != VERSION:
        raise InputError(other_version(str(path), f"version {version}"))
    if found.pop("sum", "") != checksum(found):
        raise InputError(
            Problem(
                "store.context",
                "is not what was written: its checksum is another",
                anew,
                file=str(path),
            )
        )
    if version != VERSION or (wrong := differs(found, FORM)):
        why = f" ({wrong})" if version == VERSION else ""
        raise InputError(
            Problem("store.context", f"is no context of a store{why}", anew, file=str(path))
        )
    return found


def known(folder: Path) -> tuple[Callable[[Record], bool] | None, str]:
    """(whether a record's key is the one that the store's context gives to its point, the command that makes
    points anew); (None, ...) where the folder has no context."""
    if not (folder / CONTEXT).exists():
        return None, "the sweep"
    asked = context(folder)
    model, settings = str(asked["model"]), str(asked["settings"])
    bases, works = (
        {item["name"]: item["digest"] for item in asked[part]} for part in ("bases", "works")
    )

    def mine(record: Record) -> bool:
        point = record.point
        return (
            point.base in bases
            and point.work in works
            and record.key == point.key(model, bases[point.base], works[point.work], settings)
        )

    words = [
        "accelsim",
        "sweep",
        asked["source"],
        *(w for text in asked["set"] for w in ("--set", text)),
    ]
    return mine, shlex.join([*words, "--store", str(folder)])


def prepare(folder: Path, wanted: dict[str, Any], sweep_text: str, fresh: bool = False) -> None:
    """Make the folder, or see that it may hold the wanted context's points, and write context and sweep.

    wanted: {"format", "name", "model", "settings", "bases", "works", ...}. fresh: take away the points that it
    holds. InputError when another sweep or version lives there or nothing can be written.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(
            Problem("store.file", "is not a folder", "give another --store", file=str(folder))
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        has = (folder / CONTEXT).exists()
        if not has and (foreign := _foreign(folder)):
            raise InputError(
                Problem(
                    "store.occupied",
                    f"holds {foreign}, which is no store's",
                    "give a new or empty folder as --store",
                    file=str(folder),
                )
            )
        if fresh:
            _empty(folder)
        elif has:
            _compare(folder, context(folder), wanted)
        elif shards(folder):
            raise InputError(
                Problem(
                    "store.context",
                    "holds points but no context.json",
                    "give another --store, or --fresh to begin anew",
                    file=str(folder),
                )
            )
        write(folder / SWEEP, sweep_text.encode())
        whole = {**wanted, "sum": checksum(wanted)}
        write(folder / CONTEXT, (json.dumps(whole, indent=1) + "\n").encode())
    except OSError as error:
        raise unwritable(folder, error) from None


def _foreign(folder: Path) -> str:
    """A file that no store has, or nothing."""
    known = (CONTEXT, SWEEP, LOCK, COLUMNS)
    return next(
        (
            path.name
            for path in sorted(folder.iterdir())
            if path.name not in known and not path.name.startswith(".") and not path.match(PATTERN)
        ),
        "",
    )


def _empty(folder: Path) -> None:
    """Delete a store's own files, the context last; InputError while another driver is at work."""
    with _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB) as mine:
        if not mine:
            raise InputError(
                Problem(
                    "store.busy",
                    "another sweep is writing here",
                    "wait for it, or leave --fresh out to share the work",
                    file=str(folder),
                )
            )
        for path in [*shards(folder), *folder.glob(f".{COLUMNS}.*")]:
            path.unlink()
        for name in (COLUMNS, SWEEP, CONTEXT):
            (folder / name).unlink(missing_ok=True)


def _compare(folder: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """InputError unless the store's points may stand beside the wanted ones."""
    wrong = []
    for name, text in (
        ("name", "the sweep {0!r}, not {1!r}"),
        ("model", "points of accelsim {0}, this is {1}"),
        ("settings", "points with other settings of measures and values"),
    ):
        if found.get(name) != wanted[name]:
            wrong.append(text.format(found.get(name), wanted[name]))
    for part, word in (("bases", "base"), ("works", "workload")):
        old = {item["name"]: item["digest"] for item in found.get(part, ())}
        wrong += [
            f"another {word} of the name {item['name']}"
            for item in wanted[part]
            if old.get(item["name"], item["digest"]) != item["digest"]
        ]
        names = {item["name"] for item in wanted[part]}
        wrong += [
            f"points of the {word} {name}, which the sweep has no more"
            for name in old
            if name not in names
        ]
    if wrong:
        raise InputError(
            [
                Problem(
                    "store.other",
                    f"holds {text}",
                    "give another --store, or --fresh to begin anew",
                    file=str(folder),
                )
                for text in wrong
            ]
        )


def write(path: Path, content: bytes) -> None:
    """Write a file through a temporary name; OSError leaves the old one."""
    with draft_file(path) as file:
        file.write(content)


def unwritable(folder: Path, error: OSError, done: str = "written") -> InputError:
    """The one line about a store that cannot be written."""
    reason = error.strerror or str(error)
    return InputError(
        Problem(
            "store.unwritable",
            f"cannot be {done}: {reason}",
            "make room or give another --store; what it holds is kept",
            file=str(folder),
        )
    )


@contextmanager
def _locked(folder: Path, kind: int) -> Iterator[bool]:
    """Hold the store's lock; gives whether it was to be had."""
    handle = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(handle, kind)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


@contextmanager
def driving(folder: Path) -> Iterator[bool]:
    """Hold the store as a driver does, beside others. Gives whether this driver is alone now."""
    try:
        with _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB) as alone:
            pass
        with _locked(folder, fcntl.LOCK_SH):
            yield alone
    except OSError as error:
        raise unwritable(folder, error) from None
