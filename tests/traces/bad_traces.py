"""Wrong traces of values: an edit of the hand-made one, the code of the problem, and what is named.

ARRAYS: (name, what becomes of the arrays, code, array named). TEXTS: (name, old text, new text, code).
FILES: (name, what becomes of the folder, code).
"""

from __future__ import annotations

import io
import os
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[np.generic]]
Edit = Callable[[Arrays], object]


def put(name: str, value: object) -> Edit:
    """An array in another's place."""
    return lambda arrays: arrays.__setitem__(name, np.asarray(value))


def less(name: str) -> Edit:
    """One array fewer."""
    return lambda arrays: arrays.pop(name)


def cast(name: str, kind: str) -> Edit:
    """An array in another type."""
    return lambda arrays: arrays.__setitem__(name, arrays[name].astype(kind))


def holed(name: str, value: float) -> Edit:
    """An array of floats with one other value in it."""

    def edit(arrays: Arrays) -> None:
        made = np.array(arrays[name], np.float64)
        made.flat[0] = value
        arrays[name] = made

    return edit


ARRAYS: list[tuple[str, Edit, str, str]] = [
    ("no input", less("x"), "record.array.missing", "x"),
    ("no weight", less("fc.weight"), "record.array.missing", "fc.weight"),
    ("no bias", less("fc.bias"), "record.array.missing", "fc.bias"),
    ("no output", less("conv"), "record.array.missing", "conv"),
    ("no scale", less("fc.scale"), "record.array.missing", "fc.scale"),
    (
        "no scale of a weight",
        less("conv.weight.scale"),
        "record.array.missing",
        "conv.weight.scale",
    ),
    ("input of another shape", put("x", np.zeros((4, 7), np.int8)), "record.shape", "x"),
    ("weight transposed", put("fc.weight", np.zeros((3, 6), np.int8)), "record.shape", "fc.weight"),
    ("output of another batch", put("fc", np.zeros((5, 3), np.int8)), "record.shape", "fc"),
    ("bias of one number", put("fc.bias", np.int32(3)), "record.shape", "fc.bias"),
    (
        "bias with an axis more",
        put("fc.bias", np.zeros((1, 3), np.int32)),
        "record.shape",
        "fc.bias",
    ),
    ("truths", cast("x", "bool"), "record.type", "x"),
    ("complex numbers", cast("fc", "complex64"), "record.type", "fc"),
    ("text", put("x", np.array([["a"] * 6] * 4)), "record.type", "x"),
    ("dates", put("x", np.zeros((4, 6), "datetime64[D]")), "record.type", "x"),
    ("long doubles", cast("x", "longdouble"), "record.type", "x"),
    ("records", put("x", np.zeros((4, 6), [("a", "i1")])), "record.type", "x"),
    ("objects", put("x", np.array([[None] * 6] * 4)), "record.pickle", "x"),
    ("bias of codes without scales", cast("x", "float32"), "record.bias", "fc.bias"),
    ("input of NaN", lambda a: holed("x", np.nan)(a) or less("fc.bias")(a), "record.finite", "x"),
    ("weight of infinity", holed("conv.weight", np.inf), "record.finite", "conv.weight"),
    ("scale zero", put("fc.scale", 0.0), "record.scale", "fc.scale"),
    ("scale negative", put("x.scale", -0.5), "record.scale", "x.scale"),
    ("scale NaN", put("y.scale", np.nan), "record.scale", "y.scale"),
    ("scale infinite", put("y.scale", np.inf), "record.scale", "y.scale"),
    ("scale too small", put("y.scale", 1e-300), "record.scale", "y.scale"),
    (
        "scales for some channels",
        put("fc.weight.scale", [0.1, 0.2]),
        "record.scale",
        "fc.weight.scale",
    ),
    (
        "scales that no sum keeps",
        put("fc.scale", [0.1, 0.2, 0.3]),
        "record.array.missing",
        "wide.scale",
    ),
    ("scales for each input column", put("x.scale", np.full(6, 0.1)), "record.scale", "x.scale"),
    ("no scales at all", put("x.scale", np.zeros(0)), "record.scale", "x.scale"),
    ("scale in integers", put("x.scale", 1), "record.scale", "x.scale"),
    ("zero outside the format", put("x.zero", 300), "record.zero", "x.zero"),
    ("zero in floats", put("x.zero", 5.0), "record.zero", "x.zero"),
    ("zero of a weight", put("fc.weight.zero", 3), "record.zero", "fc.weight.zero"),
    ("an array of no tensor", put("fc.wieght", np.zeros(3)), "record.unknown", "fc.wieght"),
]
TEXTS = [
    ("codes outside int4", "  version: 1", "  version: 1\n  formats: {x: int4}", "record.code"),
    (
        "codes in a float format",
        "  version: 1",
        "  version: 1\n  formats: {x: fp8_152}",
        "record.type",
    ),
    ("unknown format", "  version: 1", "  version: 1\n  formats: {x: int9x}", "record.format"),
    ("format of no tensor", "  version: 1", "  version: 1\n  formats: {z: int8}", "record.tensor"),
    ("format of a list", "  version: 1", "  version: 1\n  formats: [int8]", "type.map"),
    ("another version", "  version: 1", "  version: 2", "record.version"),
    ("version in words", "  version: 1", "  version: one", "record.version"),
    ("version true", "  version: 1", "  version: true", "record.version"),
    ("no version", "  version: 1\n", "", "key.missing"),
    ("unknown key", "  version: 1", "  version: 1\n  fromats: {x: int8}", "key.unknown"),
    ("unknown rounding", "  version: 1", "  version: 1\n  rounding: upwards", "value.choice"),
    ("no such file", "file: values.npz", "file: others.npz", "record.missing"),
    ("outside the folder", "file: values.npz", "file: ../values.npz", "record.outside"),
    ("an absolute path", "file: values.npz", "file: /etc/passwd", "record.outside"),
    ("the folder itself", "file: values.npz", "file: .", "record.outside"),
    ("a file with a null", "file: values.npz", 'file: "a\\0b"', "record.outside"),
    ("no npz", "file: values.npz", "file: trace.yaml", "record.file"),
    (
        "the digest of another workload",
        "  version: 1",
        "  version: 1\n  workload: abc",
        "record.workload",
    ),
    ("model of no operator", "  version: 1", "  version: 1\n  model: [softmax]", "record.tensor"),
    ("model of a word", "  version: 1", "  version: 1\n  model: fc", "record.model"),
    ("chip of a word", "  version: 1", "  version: 1\n  chip: int8_edge", "type.map"),
    ("no recorded block", "recorded:\n  version: 1\n  file: values.npz\n", "", "record.none"),
    ("an empty block", "recorded:\n  version: 1\n  file: values.npz\n", "recorded:\n", "type.map"),
    ("two operators of one name", "name: wide", "name: fc", "trace.name"),
    ("an operator of no kind", "kind: add", "kind: addd", "value.choice"),
]


def members(folder: Path) -> dict[str, bytes]:
    """The files inside the .npz."""
    with zipfile.ZipFile(folder / "values.npz") as file:
        return {info.filename: file.read(info) for info in file.infolist()}


def packed(folder: Path, files: list[tuple[str, bytes]], how: int = zipfile.ZIP_STORED) -> None:
    """Write the .npz again."""
    with zipfile.ZipFile(folder / "values.npz", "w", how) as file:
        for name, data in files:
            file.writestr(name, data)


def twice(folder: Path) -> None:
    files = members(folder)
    with warnings.catch_warnings(action="ignore"):
        packed(folder, [*files.items(), ("x.npy", files["x.npy"])])


def pickled(folder: Path) -> None:
    packed(
        folder, [(n, pickle.dumps([1]) if n == "x.npy" else d) for n, d in members(folder).items()]
    )


def header(shape: str, kind: str = "|i1", form: int = 1) -> bytes:
    """The head of an .npy file."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY" + bytes([form, 0]) + struct.pack("<H", len(text) + 1) + text + b"\n"


def instead(name: str, data: bytes, how: int = zipfile.ZIP_STORED) -> Callable[[Path], None]:
    """Another member in the place of an array."""
    return lambda folder: packed(
        folder, [(n, data if n == name else d) for n, d in members(folder).items()], how
    )


def bomb(folder: Path) -> None:
    """1 GB of zeros that says it is 64 times as much: refused by what the headers say."""
    files = members(folder)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in files.items():
            file.writestr(name, data)
        file.writestr("more.npy", bytes(1 << 20))
    data = bytearray(stream.getvalue())
    at = data.rindex(struct.pack("<I", 1 << 20))  # in the central directory
    data[at : at + 4] = struct.pack("<I", 0xFFFFFFF0)
    (folder / "values.npz").write_bytes(data)


def cut(folder: Path) -> None:
    data = (folder / "values.npz").read_bytes()
    (folder / "values.npz").write_bytes(data[: len(data) // 2])


def turned(folder: Path) -> None:
    """One bit of an array's data, which its checksum tells."""
    data = bytearray((folder / "values.npz").read_bytes())
    whole = members(folder)["fc.npy"]
    data[data.index(whole) + len(whole) - 1] ^= 1
    (folder / "values.npz").write_bytes(data)


def linked(folder: Path) -> None:
    """A link to a file elsewhere."""
    (folder.parent / "elsewhere.npz").write_bytes((folder / "values.npz").read_bytes())
    (folder / "values.npz").unlink()
    os.symlink(folder.parent / "elsewhere.npz", folder / "values.npz")


def folder_for_file(folder: Path) -> None:
    (folder / "values.npz").unlink()
    (folder / "values.npz").mkdir()


FILES: list[tuple[str, Callable[[Path], None], str]] = [
    ("the same array twice", twice, "record.twice"),
    ("a pickle for an array", pickled, "record.array"),
    ("a bomb", bomb, "record.size"),
    ("a shape of 2^60", instead("x.npy", header("(1152921504606846976,)")), "record.length"),
    ("a shape that is none", instead("x.npy", header("(4, 'a')")), "record.array"),
    ("a negative shape", instead("x.npy", header("(-4, -6)") + bytes(24)), "record.shape"),
    ("a header that calls", instead("x.npy", header("__import__('os')")), "record.array"),
    ("more data than shape", instead("x.npy", header("(4, 6)") + bytes(25)), "record.length"),
    ("less data than shape", instead("x.npy", header("(4, 6)") + bytes(23)), "record.length"),
    ("a form to come", instead("x.npy", header("(4, 6)", form=9) + bytes(24)), "record.array"),
    (
        "no array",
        lambda folder: packed(folder, [*members(folder).items(), ("read.me", b"x")]),
        "record.array",
    ),
    ("half a file", cut, "record.file"),
    (
        "an empty file",
        lambda folder: (folder / "values.npz").write_bytes(b"") and None,
        "record.file",
    ),
    ("a bit turned", turned, "record.array"),
    ("a link out of the folder", linked, "record.outside"),
    ("a folder for a file", folder_for_file, "record.file"),
    ("no yaml", lambda folder: (folder / "trace.yaml").unlink(), "file.missing"),
    (
        "a yaml of bytes",
        lambda folder: (folder / "trace.yaml").write_bytes(bytes(range(256))) and None,
        "file.encoding",
    ),
]
