"""A saved run, whole again: its inputs are simulated anew, which gives the same Program."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim import __version__
from accelsim.energy import EnergyReport, EnergyRow
from accelsim.errors import InputError, Problem
from accelsim.explore.planned import Planned, run_plan
from accelsim.mapping import Plan, compile_program
from accelsim.mapping.tensors import tensor_formats
from accelsim.program.digest import program_digest
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
    whole, inputs = (_json(path, name) for name in ("result.json", "inputs.json"))
    try:
        chip, workload, mappings = load(inputs)
        rows = _energy(path / "energy.csv", [op.name for op in workload.operators])
        spread = {str(k): float(v) for k, v in whole["energy_by_family_joules"].items()}
        again = whole.get("values", {}).get("vectors_read_again_by_command", {})
        repeated = {int(k): float(v) for k, v in again.items()}
        folded = "planned_layers" in whole["program"]
        digest, maker = str(whole["program"]["digest"]), str(whole["accelsim"])
        scores = {str(k): float(v) for k, v in whole.get("values", {}).get("scores", {}).items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from None
    chosen = Plan(mappings, tensor_formats(workload, chip))
    if repeated:
        program = compile_program(chip, workload, chosen=chosen)
        planned = Planned(program, simulate(program, chip, activity=_activity(repeated, len(program), path)))
    else:
        planned = run_plan(chip, workload, chosen, folds=folded)
    if program_digest(planned.program) != digest:
        raise InputError(
            Problem("run.version", f"was made by version {maker}, whose plan differs from "
                    f"{__version__}'s", "run it again", file=str(path))
        )  # fmt: skip
    program, timeline = planned.program, planned.timeline
    energy = EnergyReport(rows)
    operators = summarise(program, chip, workload, timeline, energy, mappings)
    return Result(chip, workload, planned, chosen, timeline.units(program), energy, operators, None, spread,
                  folder=str(path), scores=scores)  # fmt: skip


def _activity(repeated: dict[int, float], commands: int, path: Path) -> dict[str, NDArray[np.float64]]:
    """The stored vectors read again, as the column that timing takes."""
    column = np.zeros(commands)
    for row, count in repeated.items():
        if not 0 <= row < commands or not 0 <= count < MOST:
            raise _damaged(path, f"command {row} cannot read {count} vectors again")
        column[row] = count
    return {"repeated": column}


def _json(folder: Path, name: str) -> Any:
    path = folder / name
    try:
        whole = json.loads(path.read_text())
    except OSError as error:
        raise InputError(
            Problem("run.folder", f"has no readable {name}: {error.strerror or error}",
                    "give a folder that `accelsim run --out` wrote", file=str(folder))
        ) from None  # fmt: skip
    except (ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from None
    if not isinstance(whole, dict):
        raise _damaged(path, "it is no object")
    return whole


def _damaged(path: Path, why: str) -> InputError:
    return InputError(Problem("run.damaged", f"is damaged ({why[:200]})", "run it again",
                              file=str(path)))  # fmt: skip


def _energy(path: Path, operators: list[str]) -> list[EnergyRow]:
    numbers = {name: i for i, name in enumerate(operators)} | {"(whole run)": -1}
    try:
        with path.open(newline="") as file:
            return [
                EnergyRow(numbers[row["operator"]], row["unit"], row["action"], float(row["count"]),
                          float(row["joules"]), float(row["band"]), row["boundary"], row["source"])
                for row in csv.DictReader(file)
            ]  # fmt: skip
    except (OSError, csv.Error) as error:
        raise ValueError(f"{path.name}: {error}") from None
