"""Sweep files altered in their values, YAML stays whole: read, or refused with a place, never a crash."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from accelsim.errors import InputError
from accelsim.sweeps.validate import checked_sweep

ROOT = Path(__file__).parents[2]
SOURCES = [
    yaml.safe_load(path.read_text())
    for path in (
        ROOT / "tests/config/sweep.yaml",
        ROOT / "configs/sweeps/array_size.yaml",
        ROOT / "configs/sweeps/pcm_or_int8_digits.yaml",
    )
]
VALUES: list[Any] = [
    0,
    1,
    -1,
    3,
    0.5,
    1e300,
    -1e-300,
    10**40,
    True,
    None,
    "",
    "x",
    "int8",
    "pcm",
    "grid",
    "search",
    "batch",
    "weights",
    "cold",
    "units",
    "units.array",
    "units.array.rows",
    "technology",
    "units.tiles.adc.bits",
    "technology.constants",
    "technology.constants.x",
    "clocks.core",
    "precision",
    "precision.input",
    "memories.dram",
    "base",
    "workload",
    "name",
    ".",
    "..",
    "a.b",
    "64 KiB",
    "1 GHz",
    "10 ns",
    "2 pJ",
    "25 C",
    "-1 K",
    "1e400 Hz",
    "fits",
    "area <= 1 mm2",
    [],
    {},
    [[]],
    [1],
    [1, 1],
    {"from": 1, "to": 4, "step": 1},
    {"from": "1 Hz", "to": "4 Hz", "points": 2},
    {"sobol": 4},
    {"random": 3, "seed": 2},
    {"key": "weights", "values": ["cold"]},
]


def places(node: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a document."""
    found: list[tuple[Any, Any]] = []
    items = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
    for key, inner in items:
        found += [(node, key), *places(inner)]
    return found


def altered(rng: random.Random) -> Any:
    """A good file with one to three values replaced, moved, taken away or put somewhere else."""
    whole = copy.deepcopy(rng.choice(SOURCES))
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        inside = places(whole)
        if not inside:
            break
        node, key = rng.choice(inside)
        kind = rng.randrange(6)
        if kind < 3:
            node[key] = copy.deepcopy(rng.choice(VALUES))
        elif kind == 3:
            del node[key]
        elif kind == 4:
            other, name = rng.choice(inside)
            node[key] = (
                copy.deepcopy(other[name])
                if name in (other if isinstance(other, dict) else range(len(other)))
                else None
            )
        elif isinstance(node, dict):
            node[str(rng.choice(VALUES))] = node.pop(key)
        else:
            node.append(copy.deepcopy(node[key]))
    return whole


@pytest.mark.parametrize(
    "block", [0, *(pytest.param(n, marks=pytest.mark.full) for n in range(1, 20))]
)
def test_altered_values_are_read_or_refused(block: int, tmp_path: Path) -> None:
    path = tmp_path / "altered.yaml"
    refused = 0
    for seed in range(300 * block, 300 * block + 300):
        path.write_text(json.dumps(altered(random.Random(seed)), indent=1))
        try:
            checked_sweep(path)
        except InputError as error:
            refused += 1
            assert all(problem.file and problem.message for problem in error.problems), seed
        except BaseException as error:
            raise AssertionError(f"{seed}: {type(error).__name__}: {error}") from error
    assert 150 < refused < 295
