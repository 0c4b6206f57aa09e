"""The ``workloads`` part of a sweep file."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

from accelsim import shipped
from accelsim.config.inputs_file import batch_of, inputs_of, load_arrays
from accelsim.config.reader import Reader
from accelsim.config.sweep_axes import BATCH, OWN
from accelsim.config.sweep_bases import moved
from accelsim.config.workload_file import load_workload
from accelsim.config.yaml_source import Node, Place
from accelsim.errors import InputError, Problem
from accelsim.store.record import canonical
from accelsim.store.spec import ValuesSpec, Work
from accelsim.workload import Workload

MOST_WORKS = 1000


class WorkReader(Reader):
    """Reads the workloads. folder: of the sweep file. varies: whether the batch is an axis. values: what
    they must be able to compute."""

    def __init__(
        self, folder: Path, varies: bool, values: ValuesSpec | None, problems: list[Problem]
    ) -> None:
        super().__init__()
        self.folder, self.varies, self.values, self.problems = folder, varies, values, problems
        self.arrays = {} if values is None else load_arrays(values.input)

    def works(self, node: Node) -> tuple[Work, ...]:
        """Each once, in the file's order."""
        if not node.is_list or not node.value or len(node.value) > MOST_WORKS:
            self.wrong(
                "sweep.workloads",
                node.place,
                "workloads",
                f"must be a list of 1 to {MOST_WORKS}",
                "write [resnet18]",
            )
            return ()
        found: dict[str, Work] = {}
        for number, item in enumerate(node.value):
            path = f"workloads[{number}]"
            items = (
                self.mapping(item, path)
                if not isinstance(item.value, str)
                else {"workload": (item.place, item)}
            )
            if items is None:
                continue
            self.keys(items, ("workload", "batch"), path, ("workload",), item.place)
            sizes: list[int | None] = [None]
            if "batch" in items:
                if self.varies:
                    self.wrong(
                        "sweep.batch",
                        items["batch"][0],
                        f"{path}.batch",
                        "batch varies already",
                        "keep one",
                    )
                given = items["batch"][1]
                sizes = [
                    self.value(one, OWN[BATCH], f"{path}.batch")
                    for one in (given.value if given.is_list else [given])
                ]
            if "workload" not in items or (name := self.text(items["workload"][1], path)) is None:
                continue
            for size in sizes:
                work = self.work(items["workload"][1].place, path, name, size)
                if work is not None and work.name in found:
                    self.wrong(
                        "sweep.twice", item.place, path, f"{work.name} stands twice", "keep one"
                    )
                if work is not None:
                    found[work.name] = work
        return tuple(found.values())

    def work(self, place: Place, path: str, name: str, batch: int | None) -> Work | None:
        """One workload at one batch size."""
        try:
            file = shipped.find("workload", name, self.folder)
            if file.suffix == ".csv":
                from accelsim.config.scalesim_topology import load_topology

                if batch is not None:
                    self.wrong(
                        "batch.csv",
                        place,
                        path,
                        "a topology has its own batch size",
                        "leave it out",
                    )
                    return None
                loaded = load_topology(file)
            else:
                loaded = load_workload(file, batch)
            digest = work_digest(loaded)
            self.computes(loaded, place, path, batch)
        except InputError as error:
            if all(problem.line for problem in error.problems):
                self.problems += [
                    problem for problem in error.problems if problem not in self.problems
                ]
            else:
                moved(self, error, place, path, name)
            return None
        shown = loaded.name if batch is None else f"{loaded.name} batch {batch}"
        return Work(shown, str(file), batch, digest)

    def computes(self, work: Workload, place: Place, path: str, batch: int | None) -> None:
        """Note a workload that cannot compute the values that are asked for."""
        if self.values is None:
            return
        if work.values is None:
            self.wrong(
                "sweep.values",
                place,
                path,
                f"{work.name} holds no values to compute with",
                "leave out values:, or take a workload like digits_mlp",
            )
            return
        images = min(self.values.images or 1 << 30, batch_of(self.arrays) or 0)
        if self.varies or batch not in (None, images):
            self.wrong(
                "sweep.batch",
                place,
                path,
                f"the {images} images of values are one batch",
                f"leave batch out, or values: {{images: {batch or 1}}}",
            )
        inputs, _ = inputs_of(dict(self.arrays), work)
        for name, spec in work.tensors.items():
            wanted = spec.elements // spec.shape[0]
            if spec.role == "input" and (name not in inputs or inputs[name][0].size != wanted):
                shape = list(spec.shape[1:])
                self.wrong(
                    "sweep.values",
                    place,
                    path,
                    f"{self.values.input} gives no {name} of shape {shape} for {work.name}",
                    "take inputs of this workload",
                )


def work_digest(work: Workload) -> str:
    """SHA-256 of operators, tensors and the content of the values' file."""
    plain = [[type(op).__name__, dataclasses.asdict(op)] for op in work.operators]
    # what a tensor holds follows from operators and file
    tensors = [
        [name, {key: value for key, value in dataclasses.asdict(spec).items() if key != "holds"}]
        for name, spec in sorted(work.tensors.items())
    ]
    total = hashlib.sha256(
        canonical(json.loads(json.dumps([plain, tensors], default=str))).encode()
    )
    first = next((spec.shape[0] for spec in work.tensors.values() if spec.role == "input"), 1)
    if work.inferences != first or work.tokens:  # else they follow from the tensors
        total.update(f"{work.inferences} {work.tokens}".encode())
    if work.values is not None:
        total.update(Path(work.values).read_bytes())
    return total.hexdigest()
