"""The parts of a sweep file that say what is measured and how it is run."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from accelsim.config.inputs_file import load_arrays
from accelsim.config.quantities import QuantityError, quantity
from accelsim.config.reader import FieldRule, Reader
from accelsim.config.yaml_source import Node, Place
from accelsim.errors import InputError
from accelsim.job.reader import JobReader, blamed, plain_job
from accelsim.job.record import Job
from accelsim.job.values import calibration_of
from accelsim.store.joint import RULES
from accelsim.store.measures import GROUPS, MAIN, MEASURES, members, usual_objectives
from accelsim.store.spec import Joint, ValuesSpec

EXECUTORS = ("serial", "local", "dask", "slurm", "lsf", "pbs", "kubernetes")
FREE = (
    "dask",
    "slurm",
    "lsf",
    "pbs",
    "kubernetes",
)  # their other keys go to the cluster's own class
#: keys of ``values`` that are a job's
VALUE_KEYS = (
    "calibrate",
    "weight_clip",
    "percentile",
    "samples",
    "rounding",
    "reference_check",
)
SEEDED = "seeded"  # the input of values that are drawn
SAMPLINGS = ("sobol", "random")
MOST_SAMPLES = 1 << 20
MOST_REPEATS = 1000
LARGEST_SEED = (1 << 31) - 1
CELSIUS = 273.15
_AREAS = {"m2": 1.0, "cm2": 1e-4, "mm2": 1e-6, "um2": 1e-12}
_BOUND = re.compile(r"\s*([A-Za-z0-9_]+)\s*(<=|>=|<|>|==|=)\s*(.+?)\s*")
_CELSIUS = re.compile(r"\s*([-+]?[0-9.]+)\s*C\s*")


class SettingsReader(Reader):
    """Reads measures, bounds, values, sampling and execution; ``found`` collects SweepSpec's fields. seed: of
    values that are seeded."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        super().__init__()
        self.folder, self.seed = folder, seed
        self.found: dict[str, Any] = {}
        self.labels = False

    def whole(self, node: Node, path: str, low: int, high: int) -> int | None:
        """A whole number in a range."""
        found: int | None = self.value(
            node, FieldRule(path, int, (), "", low, high, False, True), path
        )
        return found

    def entries(self, node: Node, path: str) -> list[Node]:
        """The entries of a list; a lone value is one."""
        if node.is_map or (node.is_list and not node.value):
            self.wrong("type.list", node.place, path, "must be a list", "write [a, b]")
            return []
        return node.value if node.is_list else [node]

    def sample(self, node: Node) -> None:
        """grid, or {sobol: 256, seed: 3}."""
        self.found |= {"sampling": "grid", "points": 0}
        if node.value == "grid":
            return
        if not node.is_map:
            self.wrong(
                "sweep.sample",
                node.place,
                "sample",
                "is neither grid nor a mapping",
                "write grid, {sobol: 256} or {random: 100}",
            )
            return
        self.keys(node.value, (*SAMPLINGS, "seed"), "sample", (), node.place)
        named = [name for name in SAMPLINGS if name in node.value]
        if len(named) != 1:
            self.wrong(
                "sweep.sample",
                node.place,
                "sample",
                "must name one way of sampling",
                "write {sobol: 256} or {random: 100}",
            )
            return
        self.found["sampling"] = named[0]
        self.found["points"] = (
            self.whole(node.value[named[0]][1], f"sample.{named[0]}", 1, MOST_SAMPLES) or 0
        )
        if "seed" in node.value:
            self.found["sample_seed"] = self.whole(
                node.value["seed"][1], "sample.seed", 0, LARGEST_SEED
            )

    def values_of(self, node: Node) -> None:
        """What values are computed."""
        items = self.mapping(node, "values")
        if items is None:
            return
        own = ("input", "images", "ages", "temperatures")
        self.keys(items, (*own, *VALUE_KEYS), "values", ("input",), node.place)
        job = self.job_of({key: item for key, item in items.items() if key in VALUE_KEYS})
        images = (
            self.whole(items["images"][1], "values.images", 1, 1 << 24)
            if "images" in items
            else None
        )
        ages = self.listed(items, "ages", "s", 0.0, 1e10)
        kelvins = self.listed(items, "temperatures", "K", 200.0, 500.0)
        if "input" not in items or (name := self.text(items["input"][1], "values.input")) is None:
            return
        place = items["input"][1].place
        if name == SEEDED:
            if images is not None:
                message = "are the batch where values are seeded"
                self.wrong(
                    "sweep.values", items["images"][0], "values.images", message, "write batch"
                )
            asked = {**job, "values": SEEDED, "seed": self.seed}
            self.found["values"] = ValuesSpec(SEEDED, None, ages, kelvins, SEEDED, asked)
            return
        beside = self.folder / name
        source = str(beside) if beside.suffix == ".npz" and os.path.isfile(beside) else name
        try:
            arrays = load_arrays(source)
        except InputError as error:
            for problem in error.problems:
                self.wrong(
                    problem.code,
                    place,
                    "values.input",
                    f"{name}: {problem.message}",
                    problem.fix or "give a shipped set, like digits, an .npz file, or seeded",
                )
            return
        digest = hashlib.sha256()
        sampled = load_arrays(job.get("samples")) if not self.problems else {}
        for key, array in [*sorted(arrays.items()), *sorted(sampled.items())]:
            digest.update(f"{key} {array.dtype.str} {array.shape}".encode() + array.tobytes())
        self.labels = "labels" in arrays
        self.found["values"] = ValuesSpec(source, images, ages, kelvins, digest.hexdigest(), job)

    def job_of(self, items: dict[str, tuple[Place, Node]]) -> dict[str, Any]:
        """Keys of the values that are those of a job, as plain values; samples with their content."""
        reader = JobReader(self.folder)
        made = Job(**reader.values(items))
        self.problems += [
            replace(problem, path=f"values.{problem.path}") for problem in reader.problems
        ]
        found = plain_job(made)
        if not self.problems:
            try:
                calibration_of(replace(made, input="the file's own"))
            except InputError as error:
                for problem in blamed(replace(made, places=reader.places), error).problems:
                    path = f"values.{problem.path}" if problem.path else "values"
                    self.problems.append(replace(problem, path=path))
        return found

    def listed(
        self, items: Any, name: str, unit: str, low: float, high: float
    ) -> tuple[float, ...]:
        """Quantities of a list, each once; degrees Celsius are understood."""
        found: list[float] = []
        path = f"values.{name}"
        for node in self.entries(items[name][1], path) if name in items else []:
            warm = (
                _CELSIUS.fullmatch(node.value)
                if unit == "K" and isinstance(node.value, str)
                else None
            )
            if warm:
                node = Node(f"{float(warm[1]) + CELSIUS:.9g} K", node.place)
            value = self.value(node, FieldRule(name, float, (), unit, low, high, False, True), path)
            if value in found:
                self.wrong(
                    "sweep.values", node.place, path, f"{node.plain()} stands twice", "keep one"
                )
            if value is not None:
                found.append(float(value))
        return tuple(found)

    # -- measures ------------------------------------------------------------------------------

    def measures(
        self,
        node: Node | None,
        constraints: Node | None,
        objectives: Node | None,
        joint: Node | None = None,
    ) -> None:
        """Measures with what constraints and objectives ask for beside."""
        values = self.found.get("values")
        named: dict[str, Place] = {}
        for item in self.entries(node, "measures") if node is not None else []:
            for name in self.known(item, "measures"):
                if name == "top1" and item.value == "values" and not self.labels:
                    continue
                named[name] = item.place
        if node is None:
            here = Place("")
            named = {name: here for group in GROUPS[:3] for name in members(group)}
            if values is not None:
                named |= {name: here for name in members("values") if name != "top1" or self.labels}
        bounds = []
        for item in self.entries(constraints, "constraints") if constraints is not None else []:
            bound = self.bound(item)
            if bound is not None:
                bounds.append(bound)
                if bound[0] != "fits":
                    named.setdefault(bound[0], item.place)
        aims = []
        for item in self.entries(objectives, "objectives") if objectives is not None else []:
            aim = self.main(item, "objectives")
            if aim is not None:
                aims.append(f"-{aim}" if MEASURES[aim].larger else aim)
                named.setdefault(aim, item.place)
        if joint is not None and (aim := self.joint(joint)) is not None:
            named.setdefault(aim, joint.place)
        for name, place in named.items():
            if MEASURES[name].random and values is None:
                self.wrong(
                    "sweep.measure",
                    place,
                    "measures",
                    f"{name} needs values to compute",
                    "add values: {input: digits}",
                )
            elif name == "top1" and not self.labels and values is not None:
                self.wrong(
                    "sweep.measure",
                    place,
                    "measures",
                    "top1 needs labels, the input has none",
                    "measure signal_to_noise_db",
                )
        order = [name for name in MEASURES if name in named]
        self.found |= {
            "measures": tuple(order),
            "constraints": tuple(bounds),
            "objectives": tuple(dict.fromkeys(aims)) or usual_objectives(order),
        }

    def joint(self, node: Node) -> str | None:
        """The measure of {of: latency, over: workloads, by: sum}; ``found`` takes the objective."""
        items = self.mapping(node, "objective")
        if items is None:
            return None
        self.keys(items, ("of", "over", "by", "weights"), "objective", ("of", "by"), node.place)
        if "over" in items:
            self.choice(items["over"][1], ("workloads",), "objective.over")
        by = self.choice(items["by"][1], RULES, "objective.by") if "by" in items else None
        aim = self.main(items["of"][1], "objective.of") if "of" in items else None
        weights: dict[str, float] = {}
        if "weights" in items and by != "weights":
            self.wrong(
                "sweep.weights",
                items["weights"][0],
                "objective.weights",
                f"has no meaning by {by}",
                "write by: weights, or leave it out",
            )
        elif by == "weights" and "weights" not in items:
            self.wrong(
                "key.missing",
                node.place,
                "objective.weights",
                "is missing",
                "write a number for each workload, like {resnet18: 2, speech_dnn: 1}",
            )
        elif by == "weights":
            listed = self.mapping(items["weights"][1], "objective.weights") or {}
            for name, (_, value) in listed.items():
                path = f"objective.weights.{name}"
                rule = FieldRule(path, float, (), "", 0.0, 1e12, False, True)
                weights[name] = float(self.value(value, rule, path) or 0.0)
        if aim is None or by is None:
            return aim
        signed = f"-{aim}" if MEASURES[aim].larger else aim
        self.found["joint"] = Joint(signed, by, tuple(weights.items()))
        return aim

    def known(self, item: Node, path: str) -> tuple[str, ...]:
        names = members(item.value) if isinstance(item.value, str) else ()
        if not names:
            self.choice(item, [*dict.fromkeys([*GROUPS, *MAIN, *MEASURES])], path)
        return names

    def main(self, item: Node, path: str) -> str | None:
        """The one measure that a name stands for."""
        names = self.known(item, path)
        return MAIN.get(item.value, names[0]) if names else None

    def bound(self, item: Node) -> tuple[str, str, float] | None:
        """A constraint: "area <= 40 mm2", or fits."""
        if item.value == "fits":
            return "fits", "", 0.0
        match = _BOUND.fullmatch(item.value) if isinstance(item.value, str) else None
        if not match or match[2] not in ("<=", ">="):
            self.wrong(
                "sweep.constraint",
                item.place,
                "constraints",
                f"{item.plain()!r} is no constraint",
                'write "area <= 40 mm2", "top1 >= 0.95" or fits',
            )
            return None
        name = self.main(Node(match[1], item.place), "constraints")
        if name is None:
            return None
        try:
            return name, match[2], _measured(match[3], MEASURES[name].unit)
        except QuantityError as error:
            self.wrong(
                "sweep.constraint",
                item.place,
                "constraints",
                f"{name}: {error.args[0]}",
                error.args[1],
            )
            return None

    # -- execution -----------------------------------------------------------------------------

    def execution(self, node: Node) -> None:
        """The executor and its settings."""
        if not node.is_map:
            node = Node({"executor": (node.place, node)}, node.place)
        items = node.value
        if "executor" not in items:
            self.wrong(
                "key.missing",
                node.place,
                "execution.executor",
                "is missing",
                "write executor: " + " | ".join(EXECUTORS),
            )
            return
        name = self.choice(items["executor"][1], EXECUTORS, "execution.executor")
        if name is not None and name not in FREE:
            self.keys(items, ("executor", "workers"), "execution", (), node.place)
        if "workers" in items:
            self.whole(items["workers"][1], "execution.workers", 1, 100_000)
        if name in FREE and "address" in items:
            self.text(items["address"][1], "execution.address")
        self.found["execution"] = node.plain()


def _measured(text: str, unit: str) -> float:
    """The SI number of a bound on a measure."""
    number, _, written = text.strip().partition(" ")
    if unit == "m2":
        try:
            return float(f"{float(number) * _AREAS[written.strip()]:.12g}")
        except (ValueError, KeyError):
            raise QuantityError(f"{text!r} is no area", "write it like 40 mm2") from None
    if unit in ("", "dB", "1/s"):
        try:
            found = float(number)
        except ValueError:
            found = float("nan")
        if found != found or abs(found) == float("inf") or written.strip() not in ("", unit):
            raise QuantityError(
                f"{text!r} is not a number", f"write it like 10 {unit}".rstrip()
            ) from None
        return found
    return float(quantity(text, unit))
