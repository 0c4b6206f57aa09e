"""The store as columns: a sidecar file of NumPy arrays, one row a point in the order of keys.

`columns.npz` holds the sizes of the shards that it was made from and a checksum of every array; where shards
have grown or an array is not what was written, it is made anew, so it may be deleted at any time. Arrays are
read when they are asked for: a picture of a million points reads the two columns that it draws.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.drafts import draft_file
from accelsim.errors import InputError, Problem
from accelsim.store.folder import COLUMNS
from accelsim.store.record import VERSION, Record, canonical, signed, unsigned
from accelsim.store.shards import shards
from accelsim.store.spec import Plain
from accelsim.store.view import WRONG, Index, index

#: arrays by name, and the head
Made = tuple[dict[str, NDArray[Any]], dict[str, Any]]
_DATE = (1980, 1, 1, 0, 0, 0)  # of the archive's members: equal stores give equal bytes


class Columns:
    """Columns of a store, read on use.

    names: what there is: {"measures", "parts", "sets", "texts"} -> names or choices. sizes: of the shards.
    anew: makes the arrays and the head from the shards, where an array turns out to be damaged.
    """

    def __init__(
        self, arrays: Any, head: dict[str, Any], anew: Callable[[], Made] | None = None
    ) -> None:
        self._arrays, self.head, self._anew = arrays, head, anew
        self.sizes: dict[str, int] = head["sizes"]
        self._held: dict[str, NDArray[Any]] = {}

    def __len__(self) -> int:
        return int(self.head["points"])

    def array(self, name: str) -> NDArray[Any]:
        """A column by its name in the file."""
        if name not in self._held:
            self._held[name] = self._checked(name)
        return self._held[name]

    def _checked(self, name: str) -> NDArray[Any]:
        if self._anew is None:
            return np.asarray(self._arrays[name])
        try:
            found = np.asarray(self._arrays[name])
            if _sum(found) == self.head["sums"][name]:
                return found
        except Exception:  # zipfile, zlib and numpy's header parser raise a dozen kinds
            pass
        points, make, self._anew = len(self), self._anew, None
        self._arrays, self.head = make()
        if len(self) != points or self.head["sizes"] != self.sizes:
            raise InputError(
                Problem(
                    "store.changed", "was written while it was read", "read it again", file=COLUMNS
                )
            )
        return np.asarray(self._arrays[name])

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
    found = _open(folder / COLUMNS)
    if found is not None and found.sizes == here:
        return found
    if found is not None:
        found._arrays.close()
    return Columns(*_made(folder, made if made is not None and made.sizes == here else None))


def _made(folder: Path, known: Index | None = None) -> Made:
    """The columns of the shards as they are, kept where that is possible."""
    arrays, head = _gather(known or index(folder))
    _save(folder, arrays, head)
    return arrays, head


def sizes(folder: Path) -> dict[str, int]:
    """Bytes of each shard."""
    return {path.name: path.stat().st_size for path in shards(folder)}


def fresh(folder: Path) -> Columns | None:
    """The sidecar when it holds all that the shards hold."""
    found = _open(folder / COLUMNS)
    return found if found is not None and found.sizes == sizes(folder) else None


def _open(path: Path) -> Columns | None:
    try:
        arrays = np.load(path, allow_pickle=False)
        head = json.loads(unsigned(arrays["head"].tobytes().decode()))
        return Columns(arrays, head, lambda: _made(path.parent)) if head["v"] == VERSION else None
    except Exception:  # zipfile, zlib and numpy's header parser raise a dozen kinds
        return None


def _sum(array: NDArray[Any]) -> str:
    """The checksum of an array's type, shape and bytes."""
    about = f"{array.dtype.str} {array.shape}".encode()
    return hashlib.sha256(about + np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def _gather(made: Index) -> Made:
    """Every column of an index, and the head."""
    gathered = _Gathered(len(made.keys))
    for number, record in enumerate(made.records()):
        gathered.add(number, record)
    arrays: dict[str, NDArray[Any]] = {
        "key": np.array(made.keys, "S32"),
        "ok": gathered.ok,
        "fits": gathered.fits,
        "cpu_s": gathered.cpu,
        "shard": np.array(made.shard, np.int32),
        "offset": np.array(made.offset, np.int64),
    }
    arrays |= {f"measure.{name}": column for name, column in sorted(gathered.measures.items())}
    arrays |= {f"part.{name}": column for name, column in sorted(gathered.parts.items())}
    arrays |= {f"set.{name}": coded.numbers for name, coded in sorted(gathered.sets.items())}
    arrays |= {f"text.{name}": coded.numbers for name, coded in gathered.texts.items()}
    aged = np.array(gathered.aged, np.float64).reshape(-1, 1 + len(AGED))
    arrays["aged.point"] = aged[:, 0].astype(np.int64)
    arrays |= {f"aged.{name}": aged[:, number] for number, name in enumerate(AGED, 1)}
    head = {
        "v": VERSION,
        "points": len(made.keys),
        "sizes": made.sizes,
        "notes": made.notes,
        "conflicts": made.conflicts[:100],
        "wrong": sum(1 for standing in made.standing if standing == WRONG),
        "measures": sorted(gathered.measures),
        "parts": sorted(gathered.parts),
        "sets": {name: coded.values for name, coded in sorted(gathered.sets.items())},
        "texts": {name: coded.values for name, coded in gathered.texts.items()},
        "sums": {name: _sum(column) for name, column in arrays.items()},
    }
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
        texts = (
            point.base,
            point.work,
            point.search,
            point.seed,
            failure.code if failure else None,
        )
        for name, text in zip(TEXTS, texts, strict=True):
            if text is not None:
                self.texts[name].put(row, text)
        for aged in record.aged:
            self.aged.append(row)
            self.aged.extend(
                np.nan if (known := aged.get(name)) is None else known for name in AGED
            )


def _save(folder: Path, arrays: dict[str, NDArray[Any]], head: dict[str, Any]) -> None:
    """Write the sidecar beside its place and rename; nothing where that is not possible."""
    with contextlib.suppress(OSError), draft_file(folder / COLUMNS) as file:
        said = signed(canonical(head)).encode()
        _write(file, [("head", np.frombuffer(said, np.uint8)), *arrays.items()])


def _write(file: Any, arrays: Iterable[tuple[str, NDArray[Any]]]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, column in arrays:
            one = io.BytesIO()
            np.lib.format.write_array(one, np.ascontiguousarray(column), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _DATE), one.getvalue())
