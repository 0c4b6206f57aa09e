"""Programs as files: columns and tables in one .npz, checked against its digest when read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.drafts import draft_file
from accelsim.errors import InputError, Problem
from accelsim.program.digest import program_digest, tables_of
from accelsim.program.table import (
    COLUMN_TABLES,
    BlockRow,
    MemoryRow,
    PortRow,
    Program,
    QueueRow,
    RepeatRow,
    ResidentRow,
    TensorRow,
    UnitRow,
    column_names,
)

VERSION = 1
HEADER = "header"
ROWS = {
    "units": UnitRow,
    "queues": QueueRow,
    "ports": PortRow,
    "memories": MemoryRow,
    "tensors": TensorRow,
    "blocks": BlockRow,
    "residents": ResidentRow,
}


def save_program(program: Program, path: str | Path) -> None:
    """Write a Program; an existing file is replaced in one step, or left as it was on an error."""
    header = {
        "accelsim_program": VERSION,
        "digest": program_digest(program),
        "tables": tables_of(program),
    }
    arrays: dict[str, NDArray[Any]] = {
        f"{table}.{name}": getattr(getattr(program, table), name)
        for table, kind in COLUMN_TABLES.items()
        for name in column_names(kind)
    }
    arrays[HEADER] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    target = Path(path)
    with draft_file(target) as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def load_program(path: str | Path) -> Program:
    """Read what save_program wrote. InputError for a file that is missing, damaged, of another
    version, or whose content is not what its digest says."""
    where = str(path)

    def refuse(code: str, message: str, fix: str) -> InputError:
        return InputError(Problem(f"program.{code}", message, fix, file=where))

    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(arrays.pop(HEADER).tobytes().decode())
        version = header["accelsim_program"]
    except FileNotFoundError:
        raise refuse("missing", "there is no such file", "check the path") from None
    except Exception:  # zipfile, numpy and json raise a dozen kinds for damaged files
        raise refuse("file", "is not a saved Program, or is damaged", "save it again") from None
    if version != VERSION:
        raise refuse(
            "version",
            f"is a Program file of version {version!r}, this reads {VERSION}",
            "save it again with this release",
        )
    try:
        program = _program(header["tables"], arrays)
        same = program_digest(program) == header["digest"]
    except Exception:  # as above: any inconsistency of a damaged file
        raise refuse("file", "is not a saved Program, or is damaged", "save it again") from None
    if not same:
        raise refuse("digest", "does not hold what its digest says", "save it again")
    return program


def _program(tables: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Program:
    columns: dict[str, Any] = {
        table: kind(
            **{
                name: np.ascontiguousarray(arrays[f"{table}.{name}"], np.int64)
                for name in column_names(kind)
            }
        )
        for table, kind in COLUMN_TABLES.items()
    }
    rows: dict[str, Any] = {
        name: tuple(
            kind(
                **{
                    key: tuple(value) if isinstance(value, list) else value
                    for key, value in row.items()
                }
            )
            for row in tables[name]
        )
        for name, kind in ROWS.items()
    }
    again = tables.get("repeat")
    repeat = RepeatRow(**{**again, "alike": tuple(again["alike"])}) if again else None
    return Program(
        **columns,
        **rows,
        unit_kinds=tuple(tables["unit_kinds"]),
        repeat=repeat,
        operators=tuple(tables["operators"]),
        tick_hz=int(tables["tick_hz"]),
        commands_ahead=int(tables.get("commands_ahead", 0)),
    )
