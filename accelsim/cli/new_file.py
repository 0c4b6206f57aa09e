"""Writing one new file without losing an old one."""

from __future__ import annotations

import os
from pathlib import Path

from accelsim.drafts import draft_file
from accelsim.errors import InputError, Problem


def refuse_old(path: Path, force: bool) -> None:
    """InputError when the file is there (and not forced)."""
    if os.path.exists(path) and not force:
        raise InputError(
            Problem(
                "out.occupied", "is there already", "give another name, or --force", file=str(path)
            )
        )


def refuse_picture(path: Path, force: bool) -> None:
    """InputError when the file is no .png by its name, or is there (and not forced)."""
    if path.suffix.lower() != ".png":
        raise InputError(
            Problem(
                "out.picture",
                "is no name of a PNG, which is drawn",
                "write one that ends in .png",
                file=str(path),
            )
        )
    refuse_old(path, force)


def refuse_source(path: Path, source: Path) -> None:
    """InputError when the new file would take the place of the one that it is made of."""
    if path.exists() and source.exists() and path.samefile(source):
        raise InputError(
            Problem(
                "out.source", "is the file that is read here", "give another name", file=str(path)
            )
        )


def write_new(path: Path, content: str | bytes, force: bool) -> None:
    """Write a file through a temporary name; InputError when it is there (and not forced)."""
    refuse_old(path, force)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft_file(path) as file:
            file.write(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise InputError(
            Problem(
                "out.unwritable",
                f"cannot be written: {error.strerror or error}",
                "give another name",
                file=str(path),
            )
        ) from None
