"""Points as one table for other programs: CSV, or Parquet through pyarrow or duckdb."""

from __future__ import annotations

import io
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from accelsim.errors import InputError, Problem
from accelsim.escaping import CsvWriter
from accelsim.store.columns import Columns
from accelsim.store.folder import write
from accelsim.store.record import canonical
from accelsim.store.spec import Plain

WORDS = ("base", "workload", "search", "seed")


def refuse_export(path: str) -> None:
    """InputError for a file that could not be written in the end: its ending, a missing library."""
    ending = Path(path).suffix
    if ending not in (".csv", ".parquet"):
        raise InputError(
            Problem("export.ending", "is neither .csv nor .parquet", "write points.csv", file=path)
        )
    if Path(path).is_dir() or not Path(path).parent.is_dir():
        raise InputError(
            Problem(
                "export.place",
                "is no place for a file",
                "give a file in a folder that exists",
                file=path,
            )
        )
    if ending == ".parquet":
        _writer(path)


def write_points(folder: Path, columns: Columns, path: str, keys: set[str]) -> None:
    """Write the rows of some keys: key, base, workload, search, seed, replaced keys, ok, fits, error,
    measures (SI, the unit in the name), joules by component. InputError when it cannot be written."""
    rows = np.array([key.decode() in keys for key in columns.keys.tolist()], np.bool_)
    table = table_of(columns, rows)
    try:
        if Path(path).suffix == ".csv":
            write(Path(path), _csv(table).encode())
        else:
            _writer(path)(table, path)
    except OSError as error:
        raise InputError(
            Problem(
                "export.unwritable",
                f"cannot be written: {error.strerror or error}",
                "give another file; the store is whole",
                file=path,
            )
        ) from None


def table_of(columns: Columns, rows: Any) -> dict[str, list[Any]]:
    """Plain columns of some rows. rows: a mask."""

    def words(key: str) -> list[Any]:
        numbers, values = columns.setting(key)
        plain = _alike(values)
        return [plain[number] if number >= 0 else None for number in numbers[rows].tolist()]

    def numbers(values: Any) -> list[Any]:
        return [None if value != value else value for value in values[rows].tolist()]

    table: dict[str, list[Any]] = {"key": [key.decode() for key in columns.keys[rows].tolist()]}
    table |= {name: words(name) for name in WORDS}
    table |= {f"set.{key}": words(key) for key in columns.sets}
    table |= {
        "ok": columns.ok[rows].tolist(),
        "fits": columns.fits[rows].tolist(),
        "error": words("error"),
    }
    table |= {name: numbers(columns.measure(name)) for name in columns.measures}
    table |= {f"part.{name}_joules": numbers(columns.part(name)) for name in columns.parts}
    return table


def _alike(values: list[Plain]) -> list[Any]:
    """Values of one kind: numbers stay numbers when all are, else everything is text."""
    if all(type(value) is int for value in values) or all(type(value) is bool for value in values):
        return list(values)
    if all(type(value) in (int, float) for value in values):
        return [float(value) for value in values]  # type: ignore[arg-type]
    return [value if isinstance(value, str) else canonical(value) for value in values]


def _csv(table: dict[str, list[Any]]) -> str:
    out = io.StringIO()
    writer = CsvWriter(out)
    writer.writerow(table)
    for row in zip(*table.values(), strict=True):
        writer.writerow(
            [
                "" if value is None else repr(value) if isinstance(value, float) else value
                for value in row
            ]
        )
    return out.getvalue()


def _writer(path: str) -> Any:
    """A function that writes a table as Parquet, by the first library that is there."""
    for name, function in (("pyarrow.parquet", _by_pyarrow), ("duckdb", _by_duckdb)):
        try:
            library = import_module(name)
        except ImportError:
            continue
        return lambda table, target, function=function, library=library: function(
            library, table, target
        )
    raise InputError(
        Problem(
            "export.parquet",
            "needs pyarrow or duckdb",
            "pip install 'accelsim[parquet]', or write a .csv",
            file=path,
        )
    )


def _by_pyarrow(parquet: Any, table: dict[str, list[Any]], path: str) -> None:
    arrow = import_module("pyarrow")
    buffer = io.BytesIO()
    parquet.write_table(arrow.table(table), buffer)
    write(Path(path), buffer.getvalue())


def _by_duckdb(duckdb: Any, table: dict[str, list[Any]], path: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "points.csv"
        draft.write_text(_csv(table), encoding="utf-8")
        made = Path(folder) / "points.parquet"
        with duckdb.connect() as base:
            base.execute(
                f"COPY (SELECT * FROM read_csv('{draft}', header=true, sample_size=-1)) "
                f"TO '{made}' (FORMAT parquet)"
            )
        write(Path(path), made.read_bytes())
