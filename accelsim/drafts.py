"""Files and folders that stand whole or not at all: written as a draft beside their place, then renamed.

A draft is called ``.NAME.xxxxxxxx``. One whose process was killed stays behind; the next draft of that name
takes away those that are older than a day.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

OLD = 86400.0  # seconds; a draft that is younger may still be written
_RANDOM = r"(old\.)?[a-z0-9_]{8}"  # what tempfile adds


@contextmanager
def draft_file(target: Path) -> Iterator[IO[bytes]]:
    """A file to write; it takes the target's place when the block ends well, and is gone when it does not.
    OSError when it cannot be written."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        os.chmod(name, 0o644)
        os.replace(name, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    forget(target)


@contextmanager
def draft_folder(target: Path, extra: str = "") -> Iterator[Path]:
    """An empty folder beside the target's place, to be renamed there; what is left of it at the end is taken
    away. extra: more of its name."""
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.{extra}", dir=target.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        forget(target)


def forget(target: Path) -> None:
    """Take away drafts of that name that nobody has touched for a day."""
    pattern = re.compile(rf"\.{re.escape(target.name)}\.{_RANDOM}")
    with contextlib.suppress(OSError):
        for entry in os.scandir(target.parent):
            if (
                pattern.fullmatch(entry.name)
                and time.time() - entry.stat(follow_symlinks=False).st_mtime > OLD
            ):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    os.unlink(entry.path)
