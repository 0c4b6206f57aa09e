"""Sweep files: YAML to a SweepSpec, every problem at once. docs/sweeps.md is the guide."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from accelsim.config.chip_keys import UnknownKey
from accelsim.config.reader import FieldRule, Reader
from accelsim.config.sweep_axes import SEARCHES, AxisReader
from accelsim.config.sweep_bases import BaseReader
from accelsim.config.sweep_combinations import TooMany, combinations, of_the_run
from accelsim.config.sweep_overrides import override_sweep
from accelsim.config.versions import version_of
from accelsim.config.yaml_source import Node, Place, parse_yaml, read_text
from accelsim.devices import device_named
from accelsim.errors import InputError, Problem
from accelsim.job.record import Job
from accelsim.mapping.homes import MODES
from accelsim.store.spec import Joint, Plain, SweepSpec, Work
from accelsim.sweeps.settings import LARGEST_SEED, MOST_REPEATS, SettingsReader
from accelsim.sweeps.shared import with_job
from accelsim.sweeps.works import WorkReader

KEYS = (
    "format",
    "name",
    "question",
    "answer",
    "bases",
    "workloads",
    "vary",
    "exclude",
    "sample",
    "search",
    "homes",
    "measures",
    "values",
    "seed",
    "repeats",
    "constraints",
    "objectives",
    "objective",
    "execution",
)
REQUIRED = ("name", "bases", "workloads")


def load_sweep(
    path: str | Path, overrides: Sequence[str] = (), job: Job | None = None
) -> SweepSpec:
    """The SweepSpec of a YAML file, with KEY=VALUE of the sweep's own keys replaced, and with what a job says of
    all its workloads and values. Raises InputError
    with every problem, each with file, line and column. Chips of single steps and of combinations are
    built by sweeps/validate.py."""
    reader = SweepReader(read_text(path), str(path))
    reader.root = override_sweep(reader.root, overrides)
    if job is not None:
        reader.root = with_job(reader.root, job)
    return reader.read()


class SweepReader(Reader):
    """Reads one sweep file."""

    def __init__(self, text: str, source: str) -> None:
        super().__init__()
        self.source, self.content = source, text
        self.root = parse_yaml(text, source)
        self.folder = Path(source).parent
        self.bases = BaseReader(self.folder, self.problems)
        self.exclude_places: list[Place] = []

    def read(self) -> SweepSpec:
        """The SweepSpec; InputError with every problem."""
        items = self.mapping(self.root, "")
        if items is None:
            raise InputError(self.problems)
        self.keys(items, KEYS, "", REQUIRED, self.root.place)
        version_of(self, items)

        def part(key: str) -> Node | None:
            return items[key][1] if key in items else None

        values: dict[str, Any] = {"source": self.source, "text": self.content, "question": ""}
        for key in ("name", "question"):
            if (node := part(key)) is not None:
                values[key] = self.text(node, key)
        if (node := part("answer")) is not None:
            values["answer"] = node.value if node.value in ("", None) else self.text(node, "answer")
            values["answer"] = values["answer"] or ""
        if (node := part("bases")) is not None:
            self.bases.all_bases(node)
        if (node := part("search")) is not None:
            found = self.choice(node, SEARCHES, "search")
            values["search"] = None if found == "none" else found
        if (node := part("homes")) is not None:
            values["homes"] = self.choice(node, MODES, "homes")
        for key, low, high in (("seed", 0, LARGEST_SEED), ("repeats", 1, MOST_REPEATS)):
            if (node := part(key)) is not None:
                values[key] = self.value(
                    node, FieldRule(key, int, (), "", low, high, False, True), key
                )
        settings = self.settings(items, values.get("seed") or 0)
        axes = AxisReader(self.bases.rules, settings.found.get("points", 0))
        axes.problems = self.problems
        if (node := part("vary")) is not None and self.bases.bases:
            axes.read(node)
        elif settings.found.get("sampling", "grid") != "grid":
            self.wrong(
                "sweep.sample",
                items["sample"][0],
                "sample",
                "there is nothing to sample",
                "add vary:",
            )
        varied = {key for axis in axes.axes for key in axis.keys if of_the_run(key)}
        works = WorkReader(self.folder, varied, settings.found.get("values"), self.problems)
        values["works"] = works.works(node) if (node := part("workloads")) is not None else ()
        values["exclude"] = self.exclude(part("exclude"), axes)
        if self.problems:
            raise InputError(few(self.problems))
        self.weights(items, settings.found.get("joint"), values["works"])
        values |= {
            "bases": tuple(self.bases.bases.values()),
            "axes": tuple(axes.axes),
            **settings.found,
        }
        spec = SweepSpec(**values)
        self.combine(spec, axes)
        if self.problems:
            raise InputError(few(self.problems))
        return spec

    def settings(self, items: dict[str, tuple[Place, Node]], seed: int) -> SettingsReader:
        reader = SettingsReader(self.folder, seed)
        reader.problems = self.problems
        if "sample" in items:
            reader.sample(items["sample"][1])
        if "values" in items:
            reader.values_of(items["values"][1])
        if "execution" in items:
            reader.execution(items["execution"][1])
        self.temperatures(items, reader)
        nodes = [
            items[key][1] if key in items else None
            for key in ("measures", "constraints", "objectives", "objective")
        ]
        reader.measures(*nodes)
        return reader

    def weights(
        self, items: dict[str, tuple[Place, Node]], joint: Joint | None, works: Sequence[Work]
    ) -> None:
        """Note weights of the joint objective that are not one for each workload."""
        if joint is None or joint.by != "weights" or not works:
            return
        place, names, given = (
            items["objective"][0],
            [work.name for work in works],
            dict(joint.weights),
        )
        listed = ", ".join(names)
        for name in given:
            if name not in names:
                self.wrong(
                    "sweep.weights",
                    place,
                    f"objective.weights.{name}",
                    "is no workload of the sweep",
                    f"write one of {listed}",
                )
        for name in names:
            if name not in given:
                self.wrong(
                    "sweep.weights",
                    place,
                    f"objective.weights.{name}",
                    "is missing",
                    "write a number for every workload, 0 for one that does not count",
                )
        if given and not any(given.values()):
            self.wrong(
                "sweep.weights", place, "objective.weights", "are all 0", "write one above 0"
            )

    def temperatures(self, items: dict[str, tuple[Place, Node]], reader: SettingsReader) -> None:
        """Note temperatures that a base's cells have no model for."""
        values = reader.found.get("values")
        if values is None:
            return
        for name, chip in self.bases.chips.items():
            if (crossbar := chip.crossbar) is None:
                continue
            low, high = device_named(crossbar.device).temperatures
            for kelvin in values.temperatures:
                if not low <= kelvin <= high:
                    self.wrong(
                        "sweep.temperature",
                        items["values"][0],
                        "values.temperatures",
                        f"{kelvin:g} K is outside what {crossbar.device} of {name} holds for",
                        f"write {low:g} K to {high:g} K",
                    )

    # -- exclusions and combinations -------------------------------------------------------------

    def exclude(
        self, node: Node | None, axes: AxisReader
    ) -> tuple[tuple[tuple[str, Plain], ...], ...]:
        if node is None:
            return ()
        found = []
        for number, item in enumerate(node.value if node.is_list else [node]):
            path = f"exclude[{number}]"
            items = self.mapping(item, path)
            if not items:
                if items is not None:
                    self.wrong("sweep.exclude", item.place, path, "names nothing", "leave it out")
                continue
            for key, (place, _) in items.items():
                if key not in ("base", "workload") and not self.anywhere(key):
                    self.wrong(
                        "sweep.key",
                        place,
                        path,
                        f"no base has the key {key}",
                        "write a key that varies",
                    )
            found.append(tuple((key, value.plain()) for key, (_, value) in items.items()))
            self.exclude_places.append(item.place)
        return tuple(found)

    def anywhere(self, key: str) -> bool:
        for name in self.bases.chips:
            try:
                self.bases.rules.of(key, name)
            except UnknownKey:
                continue
            return True
        return not self.bases.chips

    def combine(self, spec: SweepSpec, axes: AxisReader) -> None:
        """Axes that never vary, exclusions that hit nothing or everything."""
        varied: set[int] = set()
        hit: set[int] = set()
        named = any(key == "workload" for rule in spec.exclude for key, _ in rule)
        total = 0
        try:
            for base in spec.bases:
                for work in spec.works if named else spec.works[:1]:
                    found = combinations(spec, base, work.name)
                    total += found.count()
                    varied |= found.varied
                    hit |= found.hit
        except TooMany:
            return  # sweep/space.py refuses it
        if total == 0:
            self.wrong(
                "sweep.empty",
                self.exclude_places[0],
                "exclude",
                "leaves no point to run",
                "exclude less",
            )
            return
        for number, node in enumerate(axes.nodes):
            if number not in varied:
                self.wrong(
                    "sweep.never",
                    node.place,
                    f"vary[{number}]",
                    f"{spec.axes[number].name} varies nowhere: its conditions never hold",
                    "change when",
                )
        for number, place in enumerate(self.exclude_places):
            if number not in hit:
                self.wrong(
                    "sweep.exclude",
                    place,
                    f"exclude[{number}]",
                    "hits no combination",
                    "compare its values with those that vary, or leave it out",
                )


def few(problems: list[Problem]) -> list[Problem]:
    """Each problem once, twenty at most."""
    once = list(dict.fromkeys(problems))
    if len(once) > 20:
        once = [*once[:20], Problem("sweep.more", f"and {len(once) - 20} more", file=once[0].file)]
    return once


__all__ = ["SweepReader", "few", "load_sweep"]
