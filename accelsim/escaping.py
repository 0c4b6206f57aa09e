"""Names of other people's making, made harmless where they leave: terminal, HTML, CSV, file names.

Inside, a name is what its file says. Each way out has one function here, and nothing else escapes.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

#: control characters, and marks that reorder or break a line without being seen
_UNSEEN = "\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\ufff9-\ufffb"
_CONTROL = re.compile(f"[{_UNSEEN}]")
_WITHIN = re.compile(f"(?!\n)[{_UNSEEN}]")
_MARKUP = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"}
#: what a spreadsheet takes for a formula; a leading ' is doubled, so that reading can take it away
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NUMBER = re.compile(r"[-+]?(\d[\d,]*(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
_NO_FILE = re.compile(r"[^A-Za-z0-9._@+-]+")
ASCII = ("ascii", "usascii", "ansi_x3.41968", "646")
LONGEST_NAME = 100  # characters of a file's name


def _code(match: re.Match[str]) -> str:
    number = ord(match[0])
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"


def visible(text: str) -> str:
    """Text in one line, with every control character and every invisible mark as its code."""
    return _CONTROL.sub(_code, text)


def visible_lines(text: str) -> str:
    """The same, with line feeds kept."""
    return _WITHIN.sub(_code, text)


def is_seen(text: str) -> bool:
    """Whether every character of a text can be seen."""
    return _CONTROL.search(text) is None


def markup(text: str) -> str:
    """Text as HTML shows it, in elements and in quoted attributes."""
    return "".join(_MARKUP.get(character, character) for character in visible_lines(text))


def cell(value: Any) -> Any:
    """A value as a cell of a CSV: text that a spreadsheet would run is preceded by '."""
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def uncell(text: str) -> str:
    """The inverse of cell() for text."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


class CsvWriter:
    """Writes rows of a CSV, a line feed behind each, every text as cell() gives it."""

    def __init__(self, file: TextIO) -> None:
        self._writer = csv.writer(file, lineterminator="\n")

    def writerow(self, row: Iterable[Any]) -> None:
        """One row."""
        self._writer.writerow([cell(value) for value in row])

    def writerows(self, rows: Iterable[Iterable[Any]]) -> None:
        """Several rows."""
        for row in rows:
            self.writerow(row)


def file_stem(name: str) -> str:
    """A name as part of a file's or folder's name: no separators, no spaces, at most 100 characters."""
    return _NO_FILE.sub("_", name)[:LONGEST_NAME].strip(".") or "_"


class Terminal(io.TextIOWrapper):
    """Standard output or error that shows control characters as their codes, whatever the locale.

    raw: the stream below, for colours and bars of our own.
    """

    def __init__(self, stream: TextIO) -> None:
        plain = (stream.encoding or "ascii").lower().replace("-", "") in ASCII
        stream.flush()
        super().__init__(
            stream.buffer,
            "utf-8" if plain else stream.encoding,
            "backslashreplace",
            line_buffering=getattr(stream, "line_buffering", True),
        )
        self.raw = stream

    def write(self, text: str) -> int:
        """Write text, escaped."""
        return super().write(visible_lines(text))


@contextmanager
def on_terminal() -> Iterator[None]:
    """Standard output and error as Terminals; streams that are none of a process stay as they are."""
    before = sys.stdout, sys.stderr
    made = [Terminal(stream) for stream in before if hasattr(stream, "buffer")]
    if len(made) == len(before):
        sys.stdout, sys.stderr = made
    try:
        yield
    finally:
        for stream in made:
            with suppress(OSError, ValueError):  # closed, or nobody reads
                stream.detach()
        sys.stdout, sys.stderr = before


def raw(stream: TextIO) -> TextIO:
    """The stream that writes what it is given."""
    return stream.raw if isinstance(stream, Terminal) else stream
