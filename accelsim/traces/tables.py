"""Replayed layers and differences as files."""

from __future__ import annotations

import io
import json
import math
from typing import Any

from accelsim import __version__
from accelsim.chip import Chip
from accelsim.escaping import CsvWriter
from accelsim.traces.differences import Difference
from accelsim.traces.replays import LayerRun
from accelsim.traces.trace import Trace


def plain(row: Difference) -> dict[str, Any]:
    """A difference as JSON values."""
    noise = round(row.noise_db, 4) if math.isfinite(row.noise_db) else None
    return {
        "name": row.operator,
        "kind": row.kind,
        "elements": row.elements,
        "differing": row.differing,
        "largest": row.largest,
        "largest_codes": row.largest_codes,
        "signal_to_noise_db": noise,
    }


def replay_json(chip: Chip, trace: Trace, rows: list[LayerRun]) -> bytes:
    """All of it."""
    first = next((row.name for row in rows if row.difference and not row.difference.equal), None)
    whole = {
        "accelsim": __version__,
        "chip": {"name": chip.name, "digest": chip.digest},
        "trace": {"workload": trace.workload.name, "recorded_on": trace.recorded.chip},
        "first_that_differs": first,
        "layers": [
            {
                "name": row.name,
                "kind": row.kind,
                "macs": row.macs,
                "cycles": row.cycles,
                "seconds": row.seconds,
                "utilisation": row.utilisation,
                "energy_joules": row.joules,
                "against_the_record": plain(row.difference) if row.difference else row.note,
            }
            for row in rows
        ],
    }
    return (json.dumps(whole, indent=1) + "\n").encode()


def replay_csv(rows: list[LayerRun]) -> bytes:
    """A line a layer."""
    text = io.StringIO()
    lines: list[list[Any]] = [
        [
            "layer",
            "kind",
            "macs",
            "cycles",
            "seconds",
            "utilisation",
            "device_joules",
            "core_joules",
            "chip_joules",
            "outputs",
            "differing",
            "largest",
            "largest_codes",
            "signal_to_noise_db",
            "note",
        ]
    ]
    for row in rows:
        d = row.difference
        apart = (
            ["", "", "", "", ""]
            if d is None
            else [
                d.elements,
                d.differing,
                repr(d.largest),
                "" if d.largest_codes is None else d.largest_codes,
                f"{d.noise_db:.4f}",
            ]
        )
        lines.append(
            [
                row.name,
                row.kind,
                row.macs,
                row.cycles,
                repr(row.seconds),
                repr(row.utilisation),
                *(repr(row.joules[name]) for name in ("device", "core", "chip")),
                *apart,
                row.note,
            ]
        )
    CsvWriter(text).writerows(lines)
    return text.getvalue().encode()
