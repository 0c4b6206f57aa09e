"""Options that say how values become codes, of the commands that compute values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

OPTIONS = (
    click.option(
        "--calibrate",
        metavar="METHOD",
        help="Ranges of activations from values: max, percentile, mse or pact.",
    ),
    click.option(
        "--weight-clip",
        metavar="METHOD",
        help="Clips of weights: max or mse a channel, sawb a tensor.",
    ),
    click.option(
        "--percentile", type=float, metavar="P", help="Of --calibrate percentile, default 99.99."
    ),
    click.option(
        "--samples",
        metavar="FILE",
        help="Inputs to calibrate on, in whole batches; default: those of --input.",
    ),
    click.option(
        "--bits",
        multiple=True,
        metavar="OPERATOR=N",
        help="Precision by name or pattern, like conv1=8, 'layer3.*=4' or fc=w4a8.",
    ),
    click.option(
        "--edges",
        type=click.IntRange(2, 16),
        metavar="N",
        help="Bits of the first and the last layer with weights.",
    ),
    click.option(
        "--reference-check",
        default="first",
        show_default=True,
        type=click.Choice(["first", "all", "off"]),
        help="Samples on which an ONNX model's float reference is held against onnxruntime: the "
        "first 8, all, or none.",
    ),
    click.option(
        "--image-mean", metavar="R,G,B", help="Subtracted from a picture's channels of 0 to 1."
    ),
    click.option("--image-std", metavar="R,G,B", help="A picture's channels are divided by it."),
)


def quantisation_options(function: Callable[..., None]) -> Callable[..., None]:
    """The options of Quantisation."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


class Quantisation:
    """What was asked for; inputs, labels and samples are read once. InputError for anything wrong."""

    def __init__(
        self,
        input_file: str | None,
        calibrate: str | None,
        weight_clip: str | None,
        percentile: float | None,
        samples: str | None,
        bits: tuple[str, ...],
        edges: int | None,
        reference_check: str,
        image_mean: str | None,
        image_std: str | None,
    ) -> None:
        from accelsim.config.image_file import channel_numbers, is_image
        from accelsim.config.inputs_file import load_arrays
        from accelsim.numerics.ranges import Calibration

        self.rules, self.edges = bits, edges
        self.reference_check = reference_check
        self.mean = channel_numbers(image_mean, "--image-mean")
        self.deviation = channel_numbers(image_std, "--image-std")
        self.calibration = None
        if calibrate or weight_clip or samples or percentile is not None:
            _needs(input_file, "--calibrate")
            if percentile is not None and calibrate != "percentile":
                _refuse(
                    "calibrate.percentile",
                    "is the percentile of --calibrate percentile",
                    "add that",
                    "--percentile",
                )
            self.calibration = Calibration(
                calibrate or "max", weight_clip or "", 99.99 if percentile is None else percentile
            )
        self.picture = Path(input_file) if input_file is not None and is_image(input_file) else None
        if (image_mean or image_std) and self.picture is None:
            _refuse(
                "image.numbers", "normalise pictures", "give a picture as --input", "--image-mean"
            )
        self.arrays = {} if self.picture is not None else load_arrays(input_file)
        self.sampled = load_arrays(samples)

    @property
    def held(self) -> int | None:
        """Images or rows of the inputs, None without inputs."""
        from accelsim.config.inputs_file import batch_of

        return 1 if self.picture is not None else batch_of(self.arrays) if self.arrays else None

    def applied(self, workload: Any) -> Any:
        """The workload with the formats of --edges and --bits."""
        from accelsim.workload.precision import with_bits

        return with_bits(workload, self.rules, self.edges)

    def inputs(self, workload: Any) -> tuple[Any, Any]:
        """(inputs, labels), None without."""
        from accelsim.config.image_file import load_image
        from accelsim.config.inputs_file import inputs_of

        if self.picture is not None:
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
        return inputs_of(self.arrays, workload) if self.arrays else (None, None)

    def samples(self, workload: Any) -> Any:
        """Inputs to calibrate on, None for those of the run."""
        from accelsim.config.inputs_file import inputs_of

        return inputs_of(self.sampled, workload)[0] if self.sampled else None


def _needs(input_file: str | None, option: str) -> None:
    if input_file is None:
        _refuse("calibrate.input", "needs inputs to compute", "add --input FILE", option)


def _refuse(code: str, message: str, fix: str, file: str) -> None:
    from accelsim.errors import InputError, Problem

    raise InputError(Problem(code, message, fix, file=file))
