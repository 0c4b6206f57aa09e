"""Importers by a file's suffix and content: files of importers/files and classes of installed packages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim.errors import InputError, Problem
from accelsim.importers import files as here
from accelsim.importers.base import Importer, Reading
from accelsim.offered import modules_of, offered
from accelsim.workload import Workload

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "accelsim.importers"
HEAD = 1 << 16  # bytes that sniff() sees
OWN = "layer_trace"  # reads what no other importer claims

#: field of Reading -> (option, code of the problem, what it asks for)
OPTIONS = {
    "batch": ("--batch", "import.batch", "sets the batch"),
    "dims": ("--dim", "onnx.dimension", "binds dimensions"),
    "fixed": ("--value", "import.value", "fixes inputs"),
    "parameters": ("--set", "import.parameter", "sets parameters"),
}


@dataclass(frozen=True, slots=True)
class Library:
    """importers: by the name of their file or entry point, installed ones first, then the files here by name,
    that of layer traces last. broken: entry points that give no importer, with the reason."""

    importers: dict[str, Importer]
    broken: dict[str, str] = field(default_factory=dict)

    def claiming(self, path: Path) -> str:
        """The name of the importer that reads a file: the first of its suffix whose sniff() says so."""
        head = _head(path)
        for name, importer in self.importers.items():
            if path.suffix in importer.suffixes and importer.sniff(head):
                return name
        return OWN

    def foreign(self, path: Path) -> Importer | None:
        """The importer of another program's file, None for anything else."""
        name = self.claiming(path)
        return None if name == OWN else self.importers[name]


def _head(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(HEAD)
    except (OSError, ValueError):  # no such file, or a name that can be none's
        return b""


@lru_cache(maxsize=1)
def own_importers() -> dict[str, Importer]:
    """One Importer for each file of importers/files, layer traces last."""
    found: dict[str, Importer] = {}
    for loaded in modules_of(here):
        name = loaded.__name__.rpartition(".")[2]
        for item in vars(loaded).values():
            mine = isinstance(item, type) and item.__module__ == loaded.__name__
            if mine and issubclass(item, Importer):
                found[name] = item()
    return {name: found[name] for name in sorted(found, key=lambda name: (name == OWN, name))}


@lru_cache(maxsize=1)
def library() -> Library:
    """All importers: those of installed packages and those here."""
    return library_with(offered(GROUP))


def library_with(points: list[EntryPoint]) -> Library:
    """Importers of some entry points beside those here."""
    found: dict[str, Importer] = {}
    broken: dict[str, str] = {}
    for point in points:
        try:
            made = point.load()()
        except Exception as error:  # a package of somebody else: said, and the others read on
            said = f"{point.value} cannot be loaded: {type(error).__name__}: {error}"
            broken[point.name] = said[:200]
            continue
        reason = wrong_with(made)
        if reason or point.name in own_importers():
            broken[point.name] = f"{point.value} {reason or 'has the name of another'}"
        else:
            found[point.name] = made
    return Library({**found, **own_importers()}, broken)


def wrong_with(made: object) -> str:
    """Why an object is no importer, "" if it is one."""
    if not isinstance(made, Importer):
        return "is no accelsim.importers.base.Importer"
    if not isinstance(getattr(made, "name", None), str) or not made.name:
        return "has no name"
    suffixes = getattr(made, "suffixes", ())
    if not isinstance(suffixes, tuple) or not suffixes:
        return "has no suffixes"
    if not all(isinstance(text, str) and text.startswith(".") for text in suffixes):
        return "has suffixes without their dot"
    unknown = set(made.takes) - set(Reading.__dataclass_fields__)
    return f"takes {', '.join(sorted(unknown))}, which no job has" if unknown else ""


def import_file(path: str | Path, reading: Reading, known: Library | None = None) -> Workload:
    """The Workload of a file of any kind that is read. InputError also for parts of the job that mean nothing
    to the file's kind."""
    known = library() if known is None else known
    place = Path(path)
    importer = known.importers[known.claiming(place)]
    problems = [
        problem
        for name in OPTIONS
        if name not in importer.takes and (given := getattr(reading, name)) not in (None, {})
        for problem in [_refused(name, given, importer, known)]
    ]
    if problems:
        raise InputError(problems)
    return importer.load(place, reading)


def _refused(name: str, given: Any, importer: Importer, known: Library) -> Problem:
    option, code, what = OPTIONS[name]
    able = sorted({one.name for one in known.importers.values() if name in one.takes})
    path = next(iter(given)) if isinstance(given, Mapping) else ""
    message = f"{what} of {' and '.join(able)}, and this is a {importer.name}"
    if name == "batch":
        message = f"a {importer.name} has its own batch size"
    return Problem(code, message, "leave it out", path, option)
