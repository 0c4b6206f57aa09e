"""Value files (.npz), read with suspicion: no pickles, no bombs, no NaN."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from accelsim.errors import InputError, Problem

LARGEST_TENSORS = 8 << 30  # bytes that all tensors of a file may take once unpacked
MOST_TENSORS = 100_000
LARGEST_RATIO = 1100  # unpacked over packed bytes; deflate itself cannot exceed about 1,032
#: unpacked bytes from which a file must not be SUSPECT times smaller than them
LARGE, SUSPECT = 1 << 28, 16
MOST_PROBLEMS = 50
SMALLEST_SCALE, LARGEST_ZERO = 1e-30, 2.0**31


def load_npy(path: str | Path) -> NDArray[np.generic]:
    """The array of an .npy file; InputError as load_npz."""
    name = str(path)
    try:
        with open(path, "rb") as file:  # a header may promise more than the file holds
            array = np.load(file, allow_pickle=False)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise InputError(_absent(error, "an .npy file", name)) from None
    except Exception:  # numpy's header parser raises a dozen kinds
        raise InputError(
            Problem(
                "values.file",
                "is not a readable .npy file of plain numbers",
                "write it with numpy.save",
                file=name,
            )
        ) from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        raise InputError(
            Problem("values.type", "does not hold plain numbers", "store numbers", file=name)
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError(
            Problem("values.finite", "holds NaN or infinity", "store finite numbers", file=name)
        )
    return np.asarray(array)


def load_npz(
    path: str | Path,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    sizes: Mapping[str, int] | None = None,
) -> dict[str, NDArray[np.generic]]:
    """Every array of an .npz file. shapes: of arrays that must be there, held against the headers before any
    data is read. sizes: elements of scales that are no single number. InputError for anything that is not plain
    finite numbers, with every problem."""
    name, wanted = str(path), shapes or {}
    problems: list[Problem] = []

    def wrong(code: str, message: str, fix: str = "", key: str = "") -> None:
        problems.append(Problem(f"values.{code}", message, fix, key, name))

    arrays: dict[str, NDArray[np.generic]] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            _check_size(archive.infolist(), name)
            _check_headers(archive, wanted, wrong)
        wrong_ones = {problem.path for problem in problems}
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files if key not in wrong_ones}
    except (FileNotFoundError, IsADirectoryError) as error:
        problems.append(_absent(error, "an .npz file", name))
    except Exception as error:  # zipfile and numpy's header parser raise a dozen kinds
        if isinstance(error, InputError):
            raise
        what = "is not a readable .npz file of plain arrays"
        wrong("file", what, "write it with numpy.savez")
    for key, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            wrong("finite", "holds NaN or infinity", "store finite numbers", key)
        if key.endswith((".range", ".range4")) and not _is_range(array):
            wrong(
                "range",
                f"has shape {list(array.shape)}" if array.size != 2 else "is no interval",
                "store two numbers, low and high, or leave it out and run with --calibrate max",
                key,
            )
        # a norm's own scale is a tensor
        scales = key.endswith((".scale", ".zero")) and key not in wanted
        if scales and (why := _no_scale(key, array, sizes or {})):
            wrong("scale", *why, key)
    if problems:
        raise InputError(problems[:MOST_PROBLEMS])
    return arrays


def _absent(error: OSError, wanted: str, name: str) -> Problem:
    """A path without a file behind it."""
    if isinstance(error, FileNotFoundError):
        return Problem("file.missing", "there is no such file", "check the path", file=name)
    return Problem("file.folder", "is a folder", f"give {wanted}", file=name)


def _check_headers(
    archive: zipfile.ZipFile, wanted: Mapping[str, tuple[int, ...]], wrong: Callable[..., None]
) -> None:
    """Note arrays that are no numbers, are cut short, have another shape than is wanted, or are not there."""
    for info in archive.infolist():
        key = info.filename.removesuffix(".npy")
        with archive.open(info) as stream:
            shape, dtype = _header(stream)
            size = prod(shape) * dtype.itemsize
            have = info.file_size - stream.tell()
            if dtype.kind not in "biuf":
                wrong("type", "does not hold plain numbers", "store numbers", key)
            elif have != size:
                what = f"has {have} bytes, its shape {list(shape)} needs {size}"
                wrong("length", what, "write it with numpy.savez", key)
            elif key in wanted and shape != wanted[key]:
                wrong(
                    "shape", f"has shape {list(shape)}", f"the trace needs {list(wanted[key])}", key
                )
    there = {info.filename.removesuffix(".npy") for info in archive.infolist()}
    for key in (key for key in wanted if key not in there):
        wrong("missing", f"holds no tensor {key!r}", f"add it with shape {list(wanted[key])}")


def _check_size(infos: list[zipfile.ZipInfo], name: str) -> None:
    """InputError for files that would unpack to far more than they are."""
    total = sum(info.file_size for info in infos)
    packed = sum(info.compress_size for info in infos)
    most = min(LARGEST_TENSORS, LARGEST_RATIO * max(1, packed) + (1 << 20))
    if len(infos) > MOST_TENSORS or total > most:
        raise InputError(
            Problem(
                "values.size", f"would unpack to {total} bytes", "give a smaller file", file=name
            )
        )
    if total > LARGE and total > SUSPECT * packed:
        raise InputError(
            Problem(
                "values.size",
                f"would unpack from {packed} to {total} bytes",
                "store it without compression: numpy.savez",
                file=name,
            )
        )


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of an array from its header; ValueError and others for what is none."""
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(stream)
    return shape, dtype


def _no_scale(
    key: str, array: NDArray[np.generic], sizes: Mapping[str, int]
) -> tuple[str, str] | None:
    """(what is wrong, what to write) of a scale or a code of zero, None where nothing is."""
    most = sizes.get(key, 1)
    if array.size not in (1, most):
        return (
            f"has shape {list(array.shape)}",
            f"store one number{f' or {most}' if most > 1 else ''}",
        )
    values = np.asarray(array, np.float64)
    if (
        key.endswith(".scale")
        and not ((values > SMALLEST_SCALE) & (values < 1 / SMALLEST_SCALE)).all()
    ):
        return "holds a number that is no scale", f"store numbers from {SMALLEST_SCALE:g} up"
    if (
        key.endswith(".zero")
        and not ((values == np.rint(values)) & (np.abs(values) < LARGEST_ZERO)).all()
    ):
        return "is no code", "store a whole number"
    return None


def _is_range(array: NDArray[np.generic]) -> bool:
    """Whether an array is the two ends of an interval, the lower first."""
    if array.size != 2:
        return False
    low, high = (float(value) for value in array.ravel())
    return low <= high
