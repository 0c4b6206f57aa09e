"""Names of shipped chips, workloads and sweeps, from a checkout or an installed wheel."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path

from accelsim.errors import InputError, Problem

PACKAGE = Path(__file__).parent
FOLDERS = {
    "chip": "configs/chips",
    "workload": "workloads",
    "sweep": "configs/sweeps",
    "validation": "validation",
}


def folder(kind: str) -> Path:
    """Where the shipped files of a kind ("chip", "workload", "sweep", "validation") are."""
    installed = PACKAGE / "shipped" / FOLDERS[kind]
    return installed if installed.is_dir() else PACKAGE.parent / FOLDERS[kind]


def names(kind: str) -> tuple[str, ...]:
    """Shipped names of a kind."""
    return tuple(sorted(path.stem for path in folder(kind).glob("*.yaml")))


def find(kind: str, name: str | Path, beside: Path | None = None) -> Path:
    """The file of a path, or of a shipped name; InputError with the choices otherwise. beside: a folder
    whose files come first."""
    # os.path answers no where Path would raise: a name longer than a file's, a NUL in it
    if beside is not None and os.path.isfile(beside / name):
        return beside / name
    path = Path(name)
    if os.path.exists(path) or path.suffix:
        return path
    shipped = folder(kind) / f"{name}.yaml"
    if os.path.isfile(shipped):
        return shipped
    message = f"is neither a file nor a shipped {kind}"
    for other in FOLDERS:
        if os.path.isfile(folder(other) / f"{name}.yaml"):
            message = f"is a {other}; a {kind} stands here"
    near = get_close_matches(str(name), names(kind), 1)
    fix = f"did you mean {near[0]}?" if near else "give a path or one of " + ", ".join(names(kind))
    raise InputError(Problem("file.missing", message, fix, file=str(name)))
