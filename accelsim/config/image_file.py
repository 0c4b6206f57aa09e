"""An image file as an input tensor: decoded, resized and normalised as stated.

RGB for three channels, grey for one; the whole picture is resized bilinearly to the input's height and
width (its proportions are not kept), divided by 255, then (value - mean) / deviation a channel.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import InputError, Problem

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
MOST_PIXELS = 1 << 26  # of a picture, before it is decoded
MOST_BYTES = 1 << 28  # of a file


def is_image(path: str | Path) -> bool:
    """Whether a file's name is one of a picture."""
    return Path(path).suffix.lower() in SUFFIXES


def channel_numbers(text: str | None, name: str) -> tuple[float, ...]:
    """Numbers such as "0.485,0.456,0.406"; none for None."""
    if text is None:
        return ()
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = (math.nan,)
    if not all(map(math.isfinite, found)) or (name == "--image-std" and min(found) <= 0):
        raise InputError(
            Problem(
                "image.numbers",
                "are no numbers for channels",
                "write 0.485,0.456,0.406",
                text,
                name,
            )
        )
    return found


def load_image(
    path: str | Path,
    shape: tuple[int, ...],
    mean: tuple[float, ...] = (),
    deviation: tuple[float, ...] = (),
) -> NDArray[np.float64]:
    """(1, channels, height, width) of a picture. shape: of the input tensor. InputError for files that are no
    pictures, pictures too large to decode, and inputs that hold none."""
    name = str(path)

    def refuse(code: str, message: str, fix: str) -> InputError:
        return InputError(Problem(f"image.{code}", message, fix, file=name))

    if len(shape) != 4 or shape[0] != 1 or shape[1] not in (1, 3):
        raise refuse(
            "shape",
            f"does not fit an input of {list(shape)}",
            "give a model of [1, 3, height, width]",
        )
    for numbers in (mean, deviation):
        if len(numbers) not in (0, 1, shape[1]):
            raise refuse(
                "channels",
                f"has {shape[1]} channels, not {len(numbers)}",
                "give a number a channel",
            )
    file = Path(path)
    if not os.path.isfile(file):
        raise InputError(
            Problem("file.missing", "there is no such file", "check the path", file=name)
        )
    if file.stat().st_size > MOST_BYTES:
        raise refuse("size", f"is {file.stat().st_size} bytes", f"give {MOST_BYTES} at most")
    try:
        from PIL import Image
    except ImportError:
        raise refuse(
            "pillow", "reading pictures needs the package pillow", "pip install pillow"
        ) from None
    try:
        with Image.open(file) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise refuse(
                    "size",
                    f"has {picture.width} x {picture.height} pixels",
                    f"give {MOST_PIXELS} at most",
                )
            plain = picture.convert("RGB" if shape[1] == 3 else "L")
            small = plain.resize((shape[3], shape[2]), Image.Resampling.BILINEAR)
            values = np.asarray(small, np.float64).reshape(shape[2], shape[3], shape[1])
    except InputError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise refuse(
            "size", f"has more than {MOST_PIXELS} pixels", "give a smaller picture"
        ) from None
    except Exception:  # Pillow's decoders raise a dozen kinds
        raise refuse("file", "is not a readable picture", "give a whole PNG or JPEG file") from None
    values = values.transpose(2, 0, 1)[None] / 255
    along = (1, -1, 1, 1)
    shifted = values - np.reshape(mean or (0.0,), along)
    return np.asarray(shifted / np.reshape(deviation or (1.0,), along), np.float64)
