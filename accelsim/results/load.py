"""A saved run, whole again: its inputs are simulated anew, which gives the same Program."""

from __future__ import annotations

import csv
import os
from math import inf, isclose
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim import __version__, strict_json
from accelsim.chip import Chip
from accelsim.energy import EnergyReport, EnergyRow
from accelsim.energy.joules import BOUNDARIES
from accelsim.errors import InputError, Problem
from accelsim.escaping import uncell
from accelsim.explore.planned import FORMS, TABLE, Planned, run_plan
from accelsim.explore.streamed import Streamed
from accelsim.mapping import compile_program
from accelsim.results.files import JOB, NEEDED, check_files
from accelsim.results.inputs import load
from accelsim.results.result import Result
from accelsim.results.summary import summarise
from accelsim.timing import simulate

MOST = 1e15  # vectors of a command


def load_run(folder: str | Path) -> Result:
    """The Result of a folder that `accelsim run --out` wrote, without its output tensors.

    InputError when the folder is no such one, is damaged, or was made by a version of this program
    that plans otherwise.
    """
    path = Path(folder)
    if lost := [name for name in NEEDED if not os.path.isfile(path / name)]:
        raise _refused(
            "folder", path, f"has no {lost[0]}", "give a folder that `accelsim run --out` wrote"
        )
    check_files(path)
    whole, inputs = (
        strict_json.read(path / name, "run.damaged", "run it again") for name in NEEDED[:2]
    )
    chip, workload, chosen = load(inputs, str(path / "inputs.json"))
    rows = _energy(path / "energy.csv", chip, [op.name for op in workload.operators])
    stored = _stored(whole, path / "result.json")
    if not isclose(sum(row.joules for row in rows), stored.total, rel_tol=1e-9, abs_tol=1e-30):
        raise _damaged(path / "energy.csv", "its joules do not add up to those of result.json")
    if stored.repeated:
        program = compile_program(chip, workload, chosen=chosen)
        activity = _activity(stored.repeated, len(program), path)
        timeline = simulate(program, chip, activity=activity)
        planned: Planned | Streamed = Planned(program, timeline, activity=activity)
    else:
        planned = run_plan(chip, workload, chosen, folds=stored.folded, form=stored.form)
    if planned.digest != stored.digest:
        said = f"was made by version {stored.maker}, whose plan differs from {__version__}'s"
        raise _refused("version", path, said, "run it again")
    energy = EnergyReport(rows)
    operators = summarise(planned, chip, workload, energy, chosen.mappings)
    return Result(
        chip,
        workload,
        planned,
        chosen,
        planned.units,
        energy,
        operators,
        None,
        stored.spread,
        folder=str(path),
        scores=stored.scores,
        job=(path / JOB).read_text("utf-8") if os.path.isfile(path / JOB) else "",
    )


class _Stored(NamedTuple):
    """What result.json says. repeated: vectors read again by command. form: what the digest is of."""

    spread: dict[str, float]
    repeated: dict[int, float]
    folded: bool
    form: str
    digest: str
    maker: str
    scores: dict[str, float]
    total: float


def _stored(whole: Any, file: Path) -> _Stored:
    try:
        values = whole.get("values", {})
        repeated = values.get("vectors_read_again_by_command", {})
        return _Stored(
            {k: _figure(v) for k, v in whole["energy_by_family_joules"].items()},
            {int(k): _figure(v) for k, v in repeated.items()},
            "planned_layers" in whole["program"],
            _form(whole["program"].get("digest_of", TABLE)),
            str(whole["program"]["digest"]),
            str(whole["accelsim"]),
            {k: _figure(v) for k, v in values.get("scores", {}).items()},
            _figure(whole["energy_joules"]["chip"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _damaged(file, f"{type(error).__name__}: {error}") from None


def _form(said: Any) -> str:
    if said not in FORMS:
        raise ValueError(f"program.digest_of is {said!r}, none of {', '.join(FORMS)}")
    return str(said)


def _activity(
    repeated: dict[int, float], commands: int, path: Path
) -> dict[str, NDArray[np.float64]]:
    """The stored vectors read again, as the column that timing takes."""
    column = np.zeros(commands)
    for row, count in repeated.items():
        if not 0 <= row < commands or count >= MOST:
            raise _damaged(path, f"command {row} cannot read {count} vectors again")
        column[row] = count
    return {"repeated": column}


def _figure(value: Any) -> float:
    """A finite number of at least 0; ValueError for anything else."""
    if type(value) not in (int, float) or not 0 <= value < inf:
        raise ValueError(f"{value!r:.60} is no figure")
    return float(value)


def _refused(code: str, path: Path, message: str, fix: str) -> InputError:
    return InputError(Problem(f"run.{code}", message, fix, file=str(path)))


def _damaged(path: Path, why: str) -> InputError:
    return _refused("damaged", path, f"is damaged ({why[:200]})", "run it again")


def _energy(path: Path, chip: Chip, operators: list[str]) -> list[EnergyRow]:
    """The rows of energy.csv: known operators, units and boundaries, finite figures of at least 0."""
    numbers = {name: i for i, name in enumerate(operators)} | {"(whole run)": -1}
    units = {*chip.memories, *chip.units, *chip.links}
    rows: list[EnergyRow] = []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for line in csv.DictReader(file, strict=True):
                row = {key: uncell(text) for key, text in line.items()}
                count, joules, band = (
                    _figure(float(row[key])) for key in ("count", "joules", "band")
                )
                if row["boundary"] not in BOUNDARIES or row["unit"] not in units:
                    raise ValueError(f"{row['unit']!r:.40} or {row['boundary']!r:.40} is not known")
                rows.append(
                    EnergyRow(
                        numbers[row["operator"]],
                        row["unit"],
                        row["action"],
                        count,
                        joules,
                        band,
                        row["boundary"],
                        row["source"],
                    )
                )
    except (OSError, csv.Error, KeyError, ValueError, TypeError, AttributeError) as error:
        raise _damaged(path, f"line {len(rows) + 2}: {type(error).__name__}: {error}") from None
    return rows
