"""The ``workloads`` part of a sweep file."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import replace
from pathlib import Path

from accelsim import shipped
from accelsim.config.inputs_file import batch_of, inputs_of, load_arrays
from accelsim.config.reader import Reader
from accelsim.config.sweep_axes import BATCH, OWN
from accelsim.config.sweep_bases import moved
from accelsim.config.sweep_combinations import PARAMETER
from accelsim.config.yaml_source import Node, Place
from accelsim.errors import InputError, Problem
from accelsim.job.reader import JobReader, blamed, plain_job
from accelsim.job.record import Job
from accelsim.job.values import JobValues
from accelsim.numerics.seeded import seed_of
from accelsim.store.record import canonical
from accelsim.store.spec import ValuesSpec, Work
from accelsim.workload import Workload

MOST_WORKS = 1000
#: keys of a workload's entry that are a job's
WORK_KEYS = ("dims", "value", "parameters", "gemm", "bits", "edges")


class WorkReader(Reader):
    """Reads the workloads. folder: of the sweep file. varied: keys of the run that vary. values: what
    they must be able to compute."""

    def __init__(
        self, folder: Path, varied: set[str], values: ValuesSpec | None, problems: list[Problem]
    ) -> None:
        super().__init__()
        self.folder, self.values, self.problems = folder, values, problems
        self.varied = varied
        self.drawn = {} if values is None else values.drawn
        self.arrays = {} if values is None or self.drawn else load_arrays(values.input)

    @property
    def varies(self) -> bool:
        """Whether the batch is an axis."""
        return BATCH in self.varied

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
            self.keys(items, ("workload", "batch", *WORK_KEYS), path, ("workload",), item.place)
            for work in self.entry(items, path):
                if work.name in found:
                    self.wrong(
                        "sweep.twice", item.place, path, f"{work.name} stands twice", "keep one"
                    )
                found[work.name] = work
        return tuple(found.values())

    def entry(self, items: dict[str, tuple[Place, Node]], path: str) -> list[Work]:
        """The workloads of one entry: one at each of its batch sizes."""
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
        reader = JobReader(self.folder)
        asked = reader.values({key: item for key, item in items.items() if key in WORK_KEYS})
        self.problems += [replace(one, path=f"{path}.{one.path}") for one in reader.problems]
        if (
            reader.problems
            or "workload" not in items
            or (name := self.text(items["workload"][1], path)) is None
        ):
            return []
        place = items["workload"][1].place
        job = Job(workload=name, **asked, places=reader.places)
        made = [self.work(place, path, replace(job, batch=size)) for size in sizes]
        return [work for work in made if work is not None]

    def work(self, place: Place, path: str, job: Job) -> Work | None:
        """One workload at one batch size."""
        name, batch = str(job.workload), job.batch
        before = len(self.problems)
        for key in sorted(self.varied):
            if key.startswith(PARAMETER) and key.removeprefix(PARAMETER) in job.parameters:
                self.wrong("sweep.twice", place, path, f"{key} varies already", "keep one")
        try:
            file = shipped.find("workload", name, self.folder)
            shapes = {k: a.shape for k, a in self.arrays.items() if k != "labels" and a.ndim}
            images = None if self.values is None else self.values.images
            loaded = read_work(str(file), replace(job, **self.drawn), cut(shapes, images))
            self.computes(loaded, place, path, batch)
            self.has_parameters(loaded, place, path)
        except InputError as error:
            error = blamed(job, error)
            if all(problem.line for problem in error.problems):
                self.problems += [
                    problem for problem in error.problems if problem not in self.problems
                ]
            else:
                moved(self, error, place, path, name)
            return None
        if len(self.problems) > before:
            return None
        own = {key: value for key, value in plain_job(job).items() if key in WORK_KEYS}
        said = [
            f"{key}={value}"
            for pairs in own.values()
            for key, value in (pairs.items() if isinstance(pairs, dict) else ())
        ]
        said += [f"{key} {own[key]}" for key in ("edges",) if key in own]
        shown = " ".join([loaded.name, *([] if batch is None else [f"batch {batch}"]), *said])
        return Work(shown, str(file), batch, work_digest(loaded), own)

    def has_parameters(self, work: Workload, place: Place, path: str) -> None:
        """Note parameters that vary and that a workload does not have."""
        own = work.notes.get("parameters", {})
        for key in sorted(self.varied):
            if key.startswith(PARAMETER) and key.removeprefix(PARAMETER) not in own:
                name = key.removeprefix(PARAMETER)
                self.wrong(
                    "sweep.parameter",
                    place,
                    path,
                    f"{work.name} has no parameter {name!r}, which varies",
                    "write one of " + (", ".join(own) or "none: it has no parameters"),
                )

    def computes(self, work: Workload, place: Place, path: str, batch: int | None) -> None:
        """Note a workload that cannot compute the values that are asked for."""
        if self.values is None or self.drawn:
            return
        if work.values is None:
            self.wrong(
                "sweep.values",
                place,
                path,
                f"{work.name} holds no values to compute with",
                "leave out values:, write input: seeded, or take a workload like digits_mlp",
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


def cut(shapes: dict[str, tuple[int, ...]], images: int | None) -> dict[str, tuple[int, ...]]:
    """Shapes of arrays of which only the first images are taken."""
    if images is None:
        return shapes
    return {name: (min(images, shape[0]), *shape[1:]) for name, shape in shapes.items()}


def read_work(source: str, job: Job, shapes: dict[str, tuple[int, ...]]) -> Workload:
    """A workload as a sweep's job says, with its bits. shapes: of the arrays whose values are computed."""
    return JobValues(replace(job, workload=source, places={})).workload(shapes)


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
        seed = seed_of(work.values)
        total.update(work.values.encode() if seed is not None else Path(work.values).read_bytes())
    return total.hexdigest()
