"""Arrays of an .npz file, one by one: headers first, data when asked for, large ones mapped.

Nothing of an array is read before its header was held against what the caller expects, so that a
file that would unpack to much more than it should is refused unread. Pickles are never loaded.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from accelsim.config.values_file import LARGEST_RATIO, LARGEST_TENSORS, MOST_TENSORS
from accelsim.errors import InputError, Problem

MAPPED = 1 << 20  # bytes from which an array that is stored as it is is mapped, not read
LOCAL_HEADER = 30  # bytes of a zip member's local header before its name
Array = NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Header:
    """What an array's header says. start: bytes of the header."""

    info: zipfile.ZipInfo
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    start: int

    @property
    def bytes(self) -> int:
        """Bytes of the data."""
        return prod(self.shape) * self.dtype.itemsize


class Archive:
    """The arrays of an .npz file by name. headers: what each is, read at once."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        problems: list[Problem] = []
        self.headers: dict[str, Header] = {}
        try:
            with zipfile.ZipFile(self.path) as file:
                self._sizes(file.infolist())
                for info in file.infolist():
                    self._member(file, info, problems)
        except FileNotFoundError:
            raise self.refuse(
                "missing", "there is no such file", "write it beside trace.yaml"
            ) from None
        except IsADirectoryError:
            raise self.refuse("file", "is a folder", "give an .npz file") from None
        except InputError:
            raise
        except Exception:  # zipfile raises a dozen kinds
            raise self.refuse(
                "file", "is not a readable .npz file", "write it with numpy.savez"
            ) from None
        if problems:
            raise InputError(problems)

    def refuse(self, code: str, message: str, fix: str, key: str = "") -> InputError:
        """An InputError about an array of this file."""
        return InputError(self.problem(code, message, fix, key))

    def problem(self, code: str, message: str, fix: str, key: str = "") -> Problem:
        """A Problem with an array of this file."""
        return Problem(f"record.{code}", message, fix, key, str(self.path))

    def _sizes(self, infos: list[zipfile.ZipInfo]) -> None:
        packed = [info for info in infos if info.compress_type != zipfile.ZIP_STORED]
        total = sum(info.file_size for info in packed)
        least = sum(info.compress_size for info in packed)
        if (
            len(infos) > MOST_TENSORS
            or total > LARGEST_TENSORS
            or total > LARGEST_RATIO * least + (1 << 20)
        ):
            raise self.refuse(
                "size",
                f"holds {len(infos)} arrays that would unpack to {total} bytes",
                "store them without compression: numpy.savez",
            )

    def _member(
        self, file: zipfile.ZipFile, info: zipfile.ZipInfo, problems: list[Problem]
    ) -> None:
        name = info.filename.removesuffix(".npy")
        if name in self.headers:
            problems.append(
                self.problem("twice", "stands twice in the file", "write it once", name)
            )
            return
        try:
            if not info.filename.endswith(".npy"):
                raise ValueError
            with file.open(info) as stream:
                shape, fortran, dtype = _header(stream)
                self.headers[name] = found = Header(info, shape, dtype, fortran, stream.tell())
        except (
            Exception
        ):  # a header is a Python literal: SyntaxError, TokenError, ... ; codecs: their own
            problems.append(
                self.problem(
                    "array",
                    "is no readable array of the .npy form",
                    "write it with numpy.savez",
                    info.filename,
                )
            )
            return
        if dtype.hasobject:
            problems.append(
                self.problem("pickle", "holds Python objects", "store plain numbers", name)
            )
        elif dtype.kind not in "iuf" or dtype.itemsize > 8:
            problems.append(
                self.problem("type", f"is of type {dtype}", "store integers or floats", name)
            )
        elif found.start + found.bytes != info.file_size:
            problems.append(
                self.problem(
                    "length",
                    f"has {info.file_size - found.start} bytes, its shape {list(shape)} needs "
                    f"{found.bytes}",
                    "write it with numpy.savez",
                    name,
                )
            )

    def read(self, name: str) -> Array:
        """An array, read-only; mapped where it is large and stored uncompressed."""
        header = self.headers[name]
        order: Any = "F" if header.fortran else "C"
        try:
            if header.info.compress_type == zipfile.ZIP_STORED and header.bytes >= MAPPED:
                return np.memmap(
                    self.path, header.dtype, "r", self._start(header), header.shape, order
                )
            with zipfile.ZipFile(self.path) as file, file.open(header.info) as stream:
                stream.read(header.start)
                data = stream.read(header.bytes)
            return np.frombuffer(data, header.dtype).reshape(header.shape, order=order)
        except Exception:  # a damaged member: BadZipFile, zlib.error, EOFError, ValueError, ...
            raise self.refuse("array", "is damaged", "write the file again", name) from None

    def _start(self, header: Header) -> int:
        """Where an uncompressed array's data begins in the file."""
        with self.path.open("rb") as file:
            file.seek(header.info.header_offset)
            local = file.read(LOCAL_HEADER)
        lengths = int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little")
        return header.info.header_offset + LOCAL_HEADER + lengths + header.start


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type of an array; ValueError and others for what is none."""
    version = npy.read_magic(stream)
    if version == (1, 0):
        return npy.read_array_header_1_0(stream)
    if version == (2, 0):
        return npy.read_array_header_2_0(stream)
    raise ValueError("a version of the .npy form for names that are no ASCII")


def write_archive(path: Path, arrays: Mapping[str, Array]) -> None:
    """An .npz file of arrays, uncompressed, without time stamps; OSError when it cannot be written."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for name, array in arrays.items():
            info = zipfile.ZipInfo(f"{name}.npy")
            with file.open(info, "w", force_zip64=array.nbytes >= 1 << 30) as stream:
                npy.write_array(
                    stream, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False
                )
