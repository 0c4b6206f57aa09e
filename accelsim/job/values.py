"""Values of a job: what its files hold, read once, and the workload that they fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from accelsim.config.image_file import channel_numbers, is_image, load_image
from accelsim.config.inputs_file import inputs_of, load_arrays
from accelsim.config.values_file import load_npz
from accelsim.errors import InputError, Problem
from accelsim.importers.base import Reading
from accelsim.job.record import Job
from accelsim.loading import read_workload
from accelsim.numerics.ranges import Calibration
from accelsim.numerics.seeded import marked, seeded_inputs
from accelsim.training.losses import TARGETS
from accelsim.training.settings import stepped
from accelsim.workload import Workload
from accelsim.workload.precision import with_bits

Arrays = Mapping[str, NDArray[Any]]


class JobValues:
    """calibration: of ranges, None for the default. arrays, sampled: of ``input`` and ``samples``; a picture
    is decoded when its input is known. InputError for anything wrong."""

    def __init__(self, job: Job, images: int | None = None) -> None:
        """images: only the first so many of the arrays."""
        self.job = job
        self.mean = channel_numbers(job.image_mean, "--image-mean")
        self.deviation = channel_numbers(job.image_std, "--image-std")
        if job.values == "given" and job.input is None:
            _refuse("values.input", "are given by nothing", "add --input FILE", "--values")
        self.calibration = calibration_of(job)
        given = job.input
        self.picture = Path(given) if given is not None and is_image(given) else None
        if (job.image_mean or job.image_std) and self.picture is None:
            _refuse(
                "image.numbers", "normalise pictures", "give a picture as --input", "--image-mean"
            )
        arrays = {} if self.picture is not None else load_arrays(given)
        self.arrays = {
            name: array[:images] if array.ndim else array for name, array in arrays.items()
        }
        self.sampled = load_arrays(job.samples)

    @property
    def reading(self) -> Reading:
        """How the workload's file is read for these arrays; a picture is one image."""
        job = self.job
        alone = 1 if self.picture is not None and job.batch is None else job.batch
        shapes = {
            name: array.shape
            for name, array in self.arrays.items()
            if name != "labels" and array.ndim
        }
        return Reading(
            alone, dict(job.dims), dict(job.value), dict(job.parameters), job.gemm, shapes
        )

    def workload(self, shapes: Mapping[str, tuple[int, ...]] | None = None) -> Workload:
        """The job's workload, with the formats of its bits and edges. shapes: of input arrays, default its own."""
        assert self.job.workload is not None
        reading = self.reading if shapes is None else replace(self.reading, shapes=shapes)
        made = narrowed(read_workload(self.job.workload, reading), self.job)
        if self.job.step:
            made = stepped(made, self.job.step)
        if self.job.values == "seeded" and made.values is None:
            return replace(made, values=marked(self.job.seed))
        return made

    def inputs(self, workload: Workload) -> tuple[Any, Any]:
        """(inputs, labels) of a workload, None without."""
        if self.job.values == "none":
            return None, None
        given, labels = self._given(workload)
        if self.job.values == "seeded":
            own = str(workload.values)
            stored = load_npz(own) if own.endswith(".npz") else {}
            given = seeded_inputs(workload, self.job.seed, given, stored)
        return given, labels

    def _given(self, workload: Workload) -> tuple[Any, Any]:
        if self.job.step and self.arrays:
            return self._of_step(workload), None
        if self.picture is None:
            return inputs_of(dict(self.arrays), workload) if self.arrays else (None, None)
        names = [name for name, spec in workload.tensors.items() if spec.role == "input"]
        if len(names) != 1:
            _refuse(
                "image.inputs",
                f"is one picture for {len(names)} inputs",
                "give an .npz file",
                "--input",
            )
        shape = workload.tensors[names[0]].shape
        return {names[0]: load_image(self.picture, shape, self.mean, self.deviation)}, None

    def _of_step(self, workload: Workload) -> Arrays:
        """Inputs of the network, and targets: those given, else a label for each row."""
        arrays, tensors = dict(self.arrays), dict(workload.tensors)
        targets = tensors.pop(TARGETS)
        given = arrays.pop(TARGETS, arrays.get("labels"))
        found, _ = inputs_of(arrays, replace(workload, tensors=tensors))
        if given is None or given.size != targets.elements:
            there = "are none" if given is None else f"are {given.size}"
            wanted = f"add {TARGETS} of {list(targets.shape)}, or labels"
            _refuse(
                "training.given", f"{there}, the step reads {targets.elements}", wanted, TARGETS
            )
        return {**found, TARGETS: given.reshape(targets.shape)}

    def samples(self, workload: Workload) -> Arrays | None:
        """Inputs to calibrate on, None for those of the run."""
        return inputs_of(dict(self.sampled), workload)[0] if self.sampled else None


def calibration_of(job: Job) -> Calibration | None:
    """How a job's ranges follow from values, None for the default; InputError for what is no method."""
    asked = (job.calibrate, job.weight_clip, job.samples, job.percentile)
    if all(one is None for one in asked):
        return None
    if job.input is None and job.values != "seeded":
        _refuse("calibrate.input", "needs inputs to compute", "add --input FILE", "--calibrate")
    if job.percentile is not None and job.calibrate != "percentile":
        _refuse(
            "calibrate.percentile",
            "is the percentile of --calibrate percentile",
            "add that",
            "--percentile",
        )
    share = 99.99 if job.percentile is None else job.percentile
    return Calibration(job.calibrate or "max", job.weight_clip or "", share)


def narrowed(workload: Workload, job: Job) -> Workload:
    """A workload with the formats of a job's bits and edges."""
    rules = [f"{pattern}={bits}" for pattern, bits in job.bits.items()]
    return with_bits(workload, rules, job.edges)


def _refuse(code: str, message: str, fix: str, file: str) -> None:
    raise InputError(Problem(code, message, fix, file=file))
