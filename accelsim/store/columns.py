"""The store as columns: a sidecar file of NumPy arrays, one row a point in the order of keys.

`columns.npz` holds the sizes of the shards that it was made from; where they have grown it is made anew, so it
may be deleted at any time. Arrays are read when they are asked for: a picture of a million points reads the two
columns that it draws.
"""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.drafts import draft_file
from accelsim.store.record import VERSION, Record, canonical
from accelsim.store.shards import shards
from accelsim.store.spec import Plain
from accelsim.store.view import WRONG, Index, index

NAME = "columns.npz"
_DATE = (1980, 1, 1, 0, 0, 0)  # of the archive's members: equal stores give equal bytes


class Columns:
    """Columns of a store, read on use.

    names: what there is: {"measures", "parts", "sets", "texts"} -> names or choices. sizes: of the shards.
    """

    def __init__(self, arrays: Any, head: dict[str, Any]) -> None:
        self._arrays, self.head = arrays, head
        self.sizes: dict[str, int] = head["sizes"]
        self._held: dict[str, NDArray[Any]] = {}

    def __len__(self) -> int:
        return int(self.head["points"])

    def array(self, name: str) -> NDArray[Any]:
        """A column by its name in the file."""
        if name not in self._held:
            self._held[name] = self._arrays[name]
        return self._held[name]

    @property
    def keys(self) -> NDArray[np.bytes_]:
        """Keys of the points, sorted."""
        return self.array("key")

    @property
    def ok(self) -> NDArray[np.bool_]:
        """Whether a point has measures."""
        return self.array("ok")

    @property
    def fits(self) -> NDArray[np.bool_]:
        """False where the design is impossible."""
        return self.array("fits")

    @property
    def measures(self) -> list[str]:
        """Names of the measures that any point has."""
        return list(self.head["measures"])

    def measure(self, name: str) -> NDArray[np.float64]:
        """A measure in SI units; NaN where a point has none."""
        return self._number("measure", name)

    @property
    def parts(self) -> list[str]:
        """Names of the components that any point spends energy in."""
        return list(self.head["parts"])

    def part(self, name: str) -> NDArray[np.float64]:
        """Joules of a component; NaN where a point has none."""
        return self._number("part", name)

    def _number(self, kind: str, name: str) -> NDArray[np.float64]:
        if name not in self.head[f"{kind}s"]:
            return np.full(len(self), np.nan)
        return self.array(f"{kind}.{name}")

    @property
    def sets(self) -> list[str]:
        """Keys that any point replaces in its base."""
        return list(self.head["sets"])

    def setting(self, key: str) -> tuple[NDArray[np.int32], list[Plain]]:
        """A replaced key: number of each point's value, -1 where the base's own stays, and the values.
        Also of "base", "workload", "search", "seed" and "error" (the failure's code)."""
        if key in self.head["texts"]:
            return self.array(f"text.{key}"), list(self.head["texts"][key])
        if key not in self.head["sets"]:
            return np.full(len(self), -1, np.int32), []
        return self.array(f"set.{key}"), list(self.head["sets"][key])

    def aged(self) -> dict[str, NDArray[Any]]:
        """Values over age and temperature, all points' rows behind each other: "point" (row number of the
        point), "age_s", "temperature_K", "top1", "signal_to_noise_db"; NaN for none."""
        return {name: self.array(f"aged.{name}") for name in ("point", *AGED)}


AGED = ("age_s", "temperature_K", "top1", "signal_to_noise_db")
TEXTS = ("base", "workload", "search", "seed", "error")


def columns(folder: Path, made: Index | None = None) -> Columns:
    """The columns of a store; the sidecar is made anew where shards are newer. A folder that cannot be
    written gives them without keeping them."""
    here = sizes(folder)
    found = _open(folder / NAME)
    if found is not None and found.sizes == here:
        return found
    if found is not None:
        found._arrays.close()
    arrays, head = _gather(made if made is not None and made.sizes == here else index(folder))
    _save(folder, arrays, head)
    return Columns(arrays, head)


def sizes(folder: Path) -> dict[str, int]:
    """Bytes of each shard."""
    return {path.name: path.stat().st_size for path in shards(folder)}


def fresh(folder: Path) -> Columns | None:
    """The sidecar when it holds all that the shards hold."""
    found = _open(folder / NAME)
    return found if found is not None and found.sizes == sizes(folder) else None


def _open(path: Path) -> Columns | None:
    try:
        arrays = np.load(path, allow_pickle=False)
        head = json.loads(arrays["head"].tobytes())
        if head["v"] != VERSION:
            return None
        return Columns(arrays, head)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError):
        return None


def _gather(made: Index) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Every column of an index, and the head."""
    gathered = _Gathered(len(made.keys))
    for number, record in enumerate(made.records()):
        gathered.add(number, record)
    arrays: dict[str, NDArray[Any]] = {
        "key": np.array(made.keys, "S32"),
        "ok": gathered.ok, "fits": gathered.fits, "cpu_s": gathered.cpu,
        "shard": np.array(made.shard, np.int32), "offset": np.array(made.offset, np.int64),
    }  # fmt: skip
    arrays |= {f"measure.{name}": column for name, column in sorted(gathered.measures.items())}
    arrays |= {f"part.{name}": column for name, column in sorted(gathered.parts.items())}
    arrays |= {f"set.{name}": coded.numbers for name, coded in sorted(gathered.sets.items())}
    arrays |= {f"text.{name}": coded.numbers for name, coded in gathered.texts.items()}
    aged = np.array(gathered.aged, np.float64).reshape(-1, 1 + len(AGED))
    arrays["aged.point"] = aged[:, 0].astype(np.int64)
    arrays |= {f"aged.{name}": aged[:, number] for number, name in enumerate(AGED, 1)}
    head = {
        "v": VERSION, "points": len(made.keys), "sizes": made.sizes, "notes": made.notes,
        "conflicts": made.conflicts[:100], "wrong": sum(1 for standing in made.standing if standing == WRONG),
        "measures": sorted(gathered.measures), "parts": sorted(gathered.parts),
        "sets": {name: coded.values for name, coded in sorted(gathered.sets.items())},
        "texts": {name: coded.values for name, coded in gathered.texts.items()},
    }  # fmt: skip
    return arrays, head


class _Coded:
    """A column of values as numbers of those that occur."""

    def __init__(self, points: int) -> None:
        self.numbers = np.full(points, -1, np.int32)
        self.values: list[Plain] = []
        self.known: dict[str, int] = {}

    def put(self, row: int, value: Plain) -> None:
        text = canonical(value)
        number = self.known.get(text)
        if number is None:
            number = self.known[text] = len(self.values)
            self.values.append(value)
        self.numbers[row] = number


class _Gathered:
    """Columns while they are filled."""

    def __init__(self, points: int) -> None:
        self.points = points
        self.ok, self.fits = np.zeros(points, np.bool_), np.ones(points, np.bool_)
        self.cpu = np.zeros(points)
        self.measures: dict[str, NDArray[np.float64]] = {}
        self.parts: dict[str, NDArray[np.float64]] = {}
        self.sets: dict[str, _Coded] = {}
        self.texts = {name: _Coded(points) for name in TEXTS}
        self.aged: list[float] = []

    def add(self, row: int, record: Record) -> None:
        """Put a record into a row."""
        point, failure = record.point, record.failure
        self.ok[row] = failure is None
        self.fits[row] = failure is None or failure.fits
        cpu = record.run.get("cpu_s")
        self.cpu[row] = cpu if isinstance(cpu, int | float) else np.nan
        for columns, figures in ((self.measures, record.measures), (self.parts, record.parts)):
            for name, figure in figures.items():
                if name not in columns:
                    columns[name] = np.full(self.points, np.nan)
                columns[name][row] = figure
        for key, value in point.sets:
            if key not in self.sets:
                self.sets[key] = _Coded(self.points)
            self.sets[key].put(row, value)
        texts = (point.base, point.work, point.search, point.seed, failure.code if failure else None)
        for name, text in zip(TEXTS, texts, strict=True):
            if text is not None:
                self.texts[name].put(row, text)
        for aged in record.aged:
            self.aged.append(row)
            self.aged.extend(np.nan if (known := aged.get(name)) is None else known for name in AGED)


def _save(folder: Path, arrays: dict[str, NDArray[Any]], head: dict[str, Any]) -> None:
    """Write the sidecar beside its place and rename; nothing where that is not possible."""
    with contextlib.suppress(OSError), draft_file(folder / NAME) as file:
        _write(file, [("head", np.frombuffer(canonical(head).encode(), np.uint8)), *arrays.items()])


def _write(file: Any, arrays: Iterable[tuple[str, NDArray[Any]]]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, column in arrays:
            one = io.BytesIO()
            np.lib.format.write_array(one, np.ascontiguousarray(column), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _DATE), one.getvalue())
