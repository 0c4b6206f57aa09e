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
