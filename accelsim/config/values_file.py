"""Value files (.npz), read with suspicion: no pickles, no bombs, no NaN."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import InputError, Problem

LARGEST_TENSORS = 8 << 30  # bytes that all tensors of a file may take once unpacked
MOST_TENSORS = 100_000
LARGEST_RATIO = 1100  # unpacked over packed bytes; deflate itself cannot exceed about 1,032


def load_npy(path: str | Path) -> NDArray[np.generic]:
    """The array of an .npy file; InputError as load_npz."""
    name = str(path)
    try:
        with open(path, "rb") as file:  # a header may promise more than the file holds
            array = np.load(file, allow_pickle=False)
    except FileNotFoundError:
        raise InputError(Problem("file.missing", "there is no such file", "check the path",
                                 file=name)) from None  # fmt: skip
    except IsADirectoryError:
        raise InputError(Problem("file.folder", "is a folder", "give an .npy file",
                                 file=name)) from None  # fmt: skip
    except Exception:  # numpy's header parser raises a dozen kinds
        raise InputError(Problem("values.file", "is not a readable .npy file of plain numbers",
                                 "write it with numpy.save", file=name)) from None  # fmt: skip
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        raise InputError(Problem("values.type", "does not hold plain numbers", "store numbers", file=name))
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError(Problem("values.finite", "holds NaN or infinity", "store finite numbers", file=name))
    return np.asarray(array)


def load_npz(path: str | Path) -> dict[str, NDArray[np.generic]]:
    """Every array of an .npz file; InputError for anything that is not plain finite numbers."""
    name = str(path)

    def refuse(code: str, message: str, fix: str = "", key: str = "") -> InputError:
        return InputError(Problem(code, message, fix, key, name))

    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            total = sum(info.file_size for info in infos)
            packed = sum(info.compress_size for info in infos)
        if len(infos) > MOST_TENSORS or total > LARGEST_TENSORS or total > LARGEST_RATIO * max(
            1, packed
        ) + (1 << 20):
            raise refuse("values.size", f"would unpack to {total} bytes", "give a smaller file")
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except FileNotFoundError:
        raise refuse("file.missing", "there is no such file", "check the path") from None
    except IsADirectoryError:
        raise refuse("file.folder", "is a folder", "give an .npz file") from None
    except Exception as error:  # zipfile and numpy's header parser raise a dozen kinds
        if isinstance(error, InputError):
            raise
        raise refuse("values.file", "is not a readable .npz file of plain arrays",
                     "write it with numpy.savez") from None  # fmt: skip
    for key, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
            raise refuse("values.type", "does not hold plain numbers", "store numbers", key)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise refuse("values.finite", "holds NaN or infinity", "store finite numbers", key)
    return arrays
