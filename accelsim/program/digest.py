"""The digest of a Program: equal exactly when every column and table is."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import numpy as np

from accelsim.program.table import COLUMN_TABLES, Program, column_names

TABLES = (
    "units",
    "unit_kinds",
    "queues",
    "ports",
    "memories",
    "tensors",
    "operators",
    "blocks",
    "residents",
)


def tables_of(program: Program) -> dict[str, object]:
    """The row tables as plain values, for JSON."""

    def plain(row: object) -> object:
        return dataclasses.asdict(row) if dataclasses.is_dataclass(row) else row  # type: ignore[arg-type]

    tables: dict[str, object] = {
        name: [plain(row) for row in getattr(program, name)] for name in TABLES
    }
    tables["tick_hz"] = program.tick_hz
    if program.commands_ahead:
        tables["commands_ahead"] = program.commands_ahead
    if program.repeat is not None:
        tables["repeat"] = plain(program.repeat)
    return tables


def program_digest(program: Program) -> str:
    """SHA-256 over all columns (little-endian int64, with shapes) and tables."""
    total = hashlib.sha256()
    for table, kind in COLUMN_TABLES.items():
        for name in column_names(kind):
            column = np.ascontiguousarray(getattr(getattr(program, table), name), "<i8")
            total.update(f"{table}.{name}{column.shape}".encode())
            total.update(column.data)
    total.update(json.dumps(tables_of(program), sort_keys=True).encode())
    return total.hexdigest()
