"""The question of a sweep as plain values: bases, workloads, what varies, what is measured.

Everything here can be pickled and sent to another machine; chips travel as the text of their files.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Plain = None | bool | int | float | str | list[Any] | dict[str, Any]


@dataclass(frozen=True, slots=True)
class Base:
    """A chip file to start from. source: its path, for messages. text: the file's content (YAML).
    sets: keys replaced in it, in the chip file's own syntax, nested bases already merged. analog: computes
    in memory. digest: of the Chip that text and sets make, with the content of files that it names."""

    name: str
    source: str
    text: str
    sets: tuple[tuple[str, Plain], ...]
    analog: bool
    digest: str


@dataclass(frozen=True, slots=True)
class Work:
    """A workload: name (as results show it), source path, batch (None: the file's own), and the digest of
    its operators, tensors and values. job: keys of a job file that say how it is read, like dims."""

    name: str
    source: str
    batch: int | None
    digest: str
    job: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Axis:
    """One thing that varies. keys: chip keys ("units.array.rows") that change together, or one of the run's
    own keys: "search", "homes", "batch". values: one tuple a step, a value for each key, in the chip file's
    syntax. bases: names it applies to (empty: all). when: earlier keys and the values that they must have
    (a list: any of) for this axis to vary; elsewhere the base's own value stays. places: (file, line,
    column) of each step. numbers: SI numbers of the first key's values for axes of pictures, None for words."""

    keys: tuple[str, ...]
    values: tuple[tuple[Plain, ...], ...]
    bases: tuple[str, ...] = ()
    when: tuple[tuple[str, Plain], ...] = ()
    places: tuple[tuple[str, int, int], ...] = ()
    numbers: tuple[float | None, ...] = ()

    @property
    def name(self) -> str:
        """How tables and pictures call it: its first key."""
        return self.keys[0]


@dataclass(frozen=True, slots=True)
class ValuesSpec:
    """Values to compute: input (a shipped name or .npz path), how many images (None: all), ages (s),
    temperatures (K), digest of the inputs and samples. job: keys of a job file that say how values are drawn and
    become codes, like calibrate."""

    input: str
    images: int | None
    ages: tuple[float, ...]
    temperatures: tuple[float, ...]
    digest: str
    job: dict[str, Any] = field(default_factory=dict)

    @property
    def drawn(self) -> dict[str, Any]:
        """Keys of a job that say that values are drawn; none where they are given."""
        return {key: self.job[key] for key in ("values", "seed") if "values" in self.job}


@dataclass(frozen=True, slots=True)
class Joint:
    """One objective over all workloads of a sweep. of: a measure, "-" before one of which more is
    better. by: "sum", "geomean", "worst" or "weights". weights: of each workload, by its name."""

    of: str
    by: str
    weights: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class SweepSpec:
    """The whole question.

    sampling: "grid", "random" or "sobol"; points: how many of the latter two, on every base
    and workload, drawn with sample_seed. seed, repeats: seeds seed,
    seed + 1, ... of every design. exclude: combinations left out. measures: names in
    sweep/measures.py. constraints: (measure, "<=" or ">=", SI number); ("fits", "", 0) alone. objectives:
    measures that count for the Pareto fronts, one a workload, and "best so far" ("-" before a name:
    larger is better). joint: an objective over all workloads.
    homes: of every point whose axes do not say, "" for the default.
    execution: executor's own settings. text, source: the sweep file.
    """

    name: str
    question: str
    source: str
    text: str
    bases: tuple[Base, ...]
    works: tuple[Work, ...]
    axes: tuple[Axis, ...] = ()
    exclude: tuple[tuple[tuple[str, Plain], ...], ...] = ()
    sampling: str = "grid"
    points: int = 0
    seed: int = 0
    repeats: int = 1
    measures: tuple[str, ...] = ()
    constraints: tuple[tuple[str, str, float], ...] = ()
    objectives: tuple[str, ...] = ("energy_chip_joules", "latency_seconds")
    values: ValuesSpec | None = None
    search: str | None = None
    homes: str = ""
    answer: str = ""
    execution: dict[str, Any] = field(default_factory=dict)
    sample_seed: int = 0
    joint: Joint | None = None
