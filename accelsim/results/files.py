"""A Result as readable files: result.json, inputs.json, operators.csv, energy.csv, units.csv, outputs.npz,
and job.yaml where it came from a job.

checksums.sha256 holds their checksums (`sha256sum -c` reads it) behind the command that makes them anew.

Same inputs, same bytes: the only time stamp is the first line of created.txt; its other lines name the
folder's files, and --force replaces no folder that holds others. Files are written into a temporary folder
beside the target, which is then renamed.
"""

from __future__ import annotations

import io
import json
import os
import shlex
import sys
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from accelsim import __version__
from accelsim.constants.price import AreaRow
from accelsim.drafts import draft_folder
from accelsim.energy.joules import BOUNDARIES
from accelsim.errors import InputError, Problem
from accelsim.escaping import CsvWriter, visible
from accelsim.explore import SearchReport
from accelsim.explore.planned import TABLE
from accelsim.results import fidelity
from accelsim.results.homes import is_listed, stood
from accelsim.results.inputs import VERSION, dump
from accelsim.results.result import OperatorRow, Result, Values
from accelsim.results.units import used_units

CREATED, CHECKSUMS = "created.txt", "checksums.sha256"
MADE_BY = "# made by: "
JOB = "job.yaml"
NEEDED = ("result.json", "inputs.json", "energy.csv")
OPERATOR, AREA = (tuple(field.name for field in fields(row)) for row in (OperatorRow, AreaRow))
STALLS = ("data", "slot", "start", "queue", "port")


def _form(result: Result) -> dict[str, Any]:
    """What was planned of equal layers, if there are any; what the digest is of, where it is not the table."""
    planned = result.planned
    if planned.layers is not None:
        return {"equal_layers": planned.layers.count, "planned_layers": planned.kept}
    return {} if planned.form == TABLE else {"digest_of": planned.form}


def rates(result: Result) -> dict[str, float]:
    """Inferences a second of runs one by one, joules of one at the chip boundary; tokens where there are."""
    work, seconds = result.workload, result.seconds or float("inf")
    tokens = {"tokens_per_second": work.tokens / seconds} if work.tokens else {}
    return {
        "inferences_per_second": work.inferences / seconds,
        "energy_per_inference_joules": result.joules / work.inferences,
        **tokens,
    }


def to_dict(result: Result) -> dict[str, Any]:
    """Everything but the per-command columns, with the unit in every name."""
    chip, energy = result.chip, result.energy
    clock = chip.clocks[chip.core.clock]
    tick = result.tick_hz // clock
    whole: dict[str, Any] = {
        "accelsim": __version__,
        "format": VERSION,
        "chip": {"name": chip.name, "digest": chip.digest},
        "workload": {
            "name": result.workload.name,
            "macs": result.workload.macs,
            "parameters": result.workload.parameters,
            "inferences": result.workload.inferences,
            "tokens": result.workload.tokens,
        },
        "program": {
            "digest": result.program_digest,
            "commands": result.commands,
            **_form(result),
        },
        "weights": dict(chip.core_weights) or chip.weights,
        "clock_hz": clock,
        "makespan_cycles": result.cycles,
        "makespan_seconds": result.seconds,
        "utilisation": result.utilisation,
        **rates(result),
        "energy_joules": {name: energy.boundary(name) for name in BOUNDARIES},
        "energy_band_joules": {name: energy.band_of(name) for name in BOUNDARIES},
        "energy_by_family_joules": result.spread,
        "area_square_metres": [_row(row, AREA) for row in result.area],
        "average_power_watts": energy.total / result.seconds if result.seconds else 0.0,
        "assumptions": result.assumptions,
        "operators": [_row(row, OPERATOR) for row in result.operators],
        "units": [
            {
                "name": unit.name,
                "busy_cycles": unit.busy / tick,
                "drain_cycles": unit.drain / tick,
                "stalled_cycles": {k: v / tick for k, v in unit.stalled.items()},
                "idle_cycles": unit.idle / tick,
            }
            for unit in result.units
        ],
    }
    if result.plan.on:
        whole["on"] = [asdict(one) for one in used_units(chip, result.workload, result.plan)]
    if result.plan.homes.any_on_chip and is_listed(result):
        whole["homes"] = [asdict(one) for one in stood(result)]
    if (runs := result.steady) is not None:
        each = result.workload.inferences
        whole["steady_state_seconds"] = runs.seconds
        whole["steady_state_inferences_per_second"] = each / runs.seconds
        whole["steady_state_energy_per_inference_joules"] = runs.energy.total / each
        whole["steady_state_first_result_seconds"] = runs.first
        whole["steady_state_measured_runs"] = None if runs.proved else runs.measured
    if result.search is not None:
        whole["search"] = _search(result.search)
    if result.values is not None:
        whole["values"] = _values(result, result.values)
    return whole


def _row(row: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _search(report: SearchReport) -> dict[str, Any]:
    """What a search of mappings found."""
    return {
        **_row(report, ("objective", "budget", "default_cycles", "default_joules", "kept_default")),
        "operators": {
            name: {
                **_row(found, ("seen", "tried", "cycles", "default_cycles", "bound_cycles")),
            }
            for name, found in report.found.items()
        },
    }


def _values(result: Result, values: Values) -> dict[str, Any]:
    """What values came to. The float reference's last bits differ between machines; ours do not."""
    noise = {
        name: round(value, 4) if np.isfinite(value) else "exact" if value > 0 else "no signal"
        for name, value in values.signal_to_noise_db.items()
    }
    whole = {"scores": values.scores, "signal_to_noise_db": noise, **fidelity.plain(result)}
    if values.repeated:
        whole["vectors_read_again_by_command"] = {
            str(row): count for row, count in values.repeated.items()
        }
    return whole


def _csv(rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    CsvWriter(text).writerows(rows)
    return text.getvalue().encode()


def operators_csv(result: Result) -> bytes:
    """One line an operator."""
    at = OPERATOR.index("stalled_cycles")
    stalls = (f"stalled_{name}_cycles" for name in STALLS)
    rows: list[list[Any]] = [["operator", *OPERATOR[1:at], *stalls, *OPERATOR[at + 1 :]]]
    for row in result.operators:
        cells = list(_row(row, OPERATOR).values())
        cells[at : at + 1] = [row.stalled_cycles.get(name, 0) for name in STALLS]
        rows.append(cells)
    return _csv(rows)


def energy_csv(result: Result) -> bytes:
    """One line for each (operator, unit, action)."""
    names = [op.name for op in result.workload.operators]
    head = ("unit", "action", "count", "joules", "boundary", "band", "source")
    rows: list[list[Any]] = [["operator", *head]]
    for row in result.energy.rows:
        name = names[row.operator] if row.operator >= 0 else "(whole run)"
        rows.append([name, *_row(row, head).values()])
    return _csv(rows)


def units_csv(result: Result) -> bytes:
    """One line a unit, in ticks, which add up exactly."""
    rows: list[list[Any]] = [
        [
            "unit",
            "busy_ticks",
            "of_which_drain_ticks",
            *(f"stalled_{name}_ticks" for name in STALLS),
            "idle_ticks",
            "makespan_ticks",
        ]
    ]
    for unit in result.units:
        rows.append(
            [
                unit.name,
                unit.busy,
                unit.drain,
                *(unit.stalled[name] for name in STALLS),
                unit.idle,
                result.makespan,
            ]
        )
    return _csv(rows)


def outputs_npz(result: Result) -> bytes:
    """Output codes with their scales and zeros, without time stamps inside."""
    assert result.values is not None
    arrays: dict[str, Any] = {}
    for name, codes in result.values.outputs.items():
        quant = result.values.quantization[name]
        arrays[name] = codes
        arrays[f"{name}.scale"] = np.asarray(quant.scale)
        arrays[f"{name}.zero"] = np.asarray(quant.zero)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for key, array in arrays.items():
            one = io.BytesIO()
            np.lib.format.write_array(one, np.asarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{key}.npy"), one.getvalue())
    return buffer.getvalue()


def contents(result: Result) -> dict[str, bytes]:
    """File name -> bytes."""
    files = {
        "result.json": (json.dumps(to_dict(result), indent=1) + "\n").encode(),
        "inputs.json": (
            json.dumps(dump(result.chip, result.workload, result.plan), indent=1) + "\n"
        ).encode(),
        "operators.csv": operators_csv(result),
        "energy.csv": energy_csv(result),
        "units.csv": units_csv(result),
    }
    if result.values is not None:
        files["outputs.npz"] = outputs_npz(result)
    if result.job:
        files[JOB] = result.job.encode()
    files[CHECKSUMS] = checksums(files)
    return files


def checksums(files: Mapping[str, bytes]) -> bytes:
    """The command and a line a file, as sha256sum writes them."""
    lines = [
        f"{MADE_BY}{_command()}",
        *(f"{sha256(data).hexdigest()}  {name}" for name, data in files.items()),
    ]
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def _command() -> str:
    """What makes the files anew, where the command line made them."""
    program, *words = [visible(word) for word in sys.argv or [""]]
    if Path(program).name != "accelsim":
        return "a program that saved a Result"
    return shlex.join(["accelsim", *words, *([] if "--force" in words else ["--force"])])


def check_files(folder: Path) -> None:
    """InputError unless a run's files are those that were written; a file that is gone counts only where it
    is read."""
    path = folder / CHECKSUMS
    try:
        first, *lines = path.read_text("utf-8").splitlines()
        sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    except FileNotFoundError:
        raise InputError(
            Problem(
                "run.folder",
                f"has no {CHECKSUMS}: it is no run's, or of an earlier version",
                "give a folder that `accelsim run --out` wrote, or run it again",
                file=str(folder),
            )
        ) from None
    except (OSError, ValueError):
        raise InputError(
            Problem("run.damaged", "is damaged", "run it again", file=str(path))
        ) from None
    anew = (
        f"make it anew: {first.removeprefix(MADE_BY)}"
        if first.startswith(MADE_BY)
        else "run it again"
    )
    problems = []
    for name, wanted in sums.items():
        file = folder / name
        if Path(name).name != name or not os.path.isfile(file):
            continue
        if sha256(file.read_bytes()).hexdigest() != wanted:
            problems.append(
                Problem(
                    "run.damaged",
                    "is not what was written: its checksum is another",
                    anew,
                    file=str(file),
                )
            )
    listed = [name for name in NEEDED if name not in sums]
    problems += [
        Problem("run.damaged", f"has no checksum of {name}", anew, file=str(path))
        for name in listed
    ]
    if problems:
        raise InputError(problems)


def refuse_occupied(folder: Path, force: bool, option: str = "--out") -> None:
    """InputError unless the folder can become the run's: absent, empty, or forced and ours alone. option: that
    named it."""
    where = str(folder)
    if os.path.islink(folder) or (os.path.exists(folder) and not os.path.isdir(folder)):
        raise InputError(
            Problem("out.file", "is not a folder", f"give another {option}", file=where)
        )
    if os.path.isdir(folder) and any(folder.iterdir()) and not force:
        raise InputError(
            Problem(
                "out.occupied", "is not empty", f"give another {option}, or --force", file=where
            )
        )
    if force and (foreign := _foreign(folder)):
        raise InputError(
            Problem(
                "out.foreign",
                f"holds {foreign}, no file of earlier results, and --force would delete it",
                f"move it away, or give another {option}",
                file=where,
            )
        )


def refuse_source(folder: Path, sources: Iterable[str | Path]) -> None:
    """InputError when results would take the place of a run that they are made of."""
    for source in sources:
        if folder.resolve() == Path(source).resolve():
            raise InputError(
                Problem(
                    "out.source",
                    "is a run that is read here",
                    "give another --out",
                    file=str(folder),
                )
            )


def _foreign(folder: Path) -> str:
    """A file of the folder that its created.txt does not list, or nothing. Folders of a time when created.txt
    held the date alone count as ours whole."""
    if not os.path.isdir(folder):
        return ""
    try:
        stamp, *listed = (folder / CREATED).read_text(encoding="utf-8").splitlines()
        datetime.fromisoformat(stamp)
    except (OSError, ValueError):
        stamp, listed = "", []
    if stamp and not listed:
        return ""
    ours = {CREATED, *listed} if stamp else set()
    return next((name for name in _names(folder) if name not in ours), "")


def _names(folder: Path) -> list[str]:
    """Everything below a folder but its folders, in order, as lines of created.txt."""
    found = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return sorted(str(path.relative_to(folder)).encode("unicode_escape").decode() for path in found)


def save(
    result: Result,
    folder: str | Path,
    force: bool = False,
    draw: Callable[[Result, Path], None] | None = None,
) -> None:
    """Write a run's files into a folder, all or nothing. draw: adds pictures to the folder.

    InputError when the folder is occupied (and not forced) or cannot be written.
    """
    pictures = None if draw is None else lambda draft: draw(result, draft)
    write_folder(contents(result), folder, force, pictures)


def write_folder(
    files: Mapping[str, bytes],
    folder: str | Path,
    force: bool = False,
    more: Callable[[Path], None] | None = None,
    option: str = "--out",
) -> None:
    """Write files into a folder, all or nothing; more: adds others to the draft of the folder. option: of
    the command line that named it."""
    target = Path(folder)
    refuse_occupied(target, force, option)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with draft_folder(target) as draft:
            for name, data in files.items():
                (draft / name).write_bytes(data)
            if more is not None:
                more(draft)
            stamp = datetime.now(UTC).isoformat(timespec="seconds")
            (draft / CREATED).write_text(
                "\n".join([stamp, *_names(draft)]) + "\n", encoding="utf-8"
            )
            draft.chmod(0o755)
            _replace(draft, target)
    except OSError as error:
        raise _unwritable(target, error, option) from None


def _replace(draft: Path, target: Path) -> None:
    """Put the draft in the target's place; the old folder goes only once the new one stands."""
    if not target.exists():
        os.rename(draft, target)
        return
    with draft_folder(target, "old.") as old:
        os.rename(target, old / "was")
        try:
            os.rename(draft, target)
        except BaseException:
            os.rename(old / "was", target)
            raise


def _unwritable(target: Path, error: OSError, option: str) -> InputError:
    reason = error.strerror or str(error)
    return InputError(
        Problem(
            "out.unwritable",
            f"cannot be written: {reason}",
            f"give another {option}",
            file=str(target),
        )
    )
