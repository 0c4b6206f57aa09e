"""The record of a job: what is run, said once.

A field here is a key of a job file, a keyword of Job() and an option of every verb that takes it; the table in
docs/jobs.md is made of these fields too. So a new option of `run` is a field here and the line that reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Literal

from accelsim.fields import Bounds

VERBS = ("run", "compare", "sweep", "sensitivity", "replay", "explain", "report")
AGES = "20 s,1 h,1 day,30 days,1 year"
ROOM = "298.15 K"
MOST_SEED = 999_999_999

#: why a verb does not take an option
RECORDED = "the trace recorded it"
OF_A_SWEEP = "the sweep file says it"
ONE_CHIP = "of one chip; a sweep has many"
EQUAL_TIMES = "all engines give the same times"
#: what a job of a verb cannot do without
NEEDED = {
    "run": ("chip", "workload"),
    "compare": ("chip", "workload"),
    "sweep": ("sweep",),
    "sensitivity": ("chip", "workload", "input"),
    "replay": ("chip", "workload"),
    "explain": ("chip", "workload"),
    "report": ("chip", "workload"),
}


@dataclass(frozen=True, slots=True)
class Option:
    """How a field is asked for.

    option: its long option, "" for none of its own. pairs: several NAME=VALUE. listed: text with commas, in
    files a list too. but: verb -> why it does not take it. path: names a file, which is looked for beside
    the job's own file first.
    """

    help: str
    option: str = ""
    metavar: str = ""
    short: str = ""
    pairs: bool = False
    listed: bool = False
    but: Mapping[str, str] = field(default_factory=dict)
    path: bool = False

    def verbs(self) -> tuple[str, ...]:
        """The verbs that take it."""
        return tuple(verb for verb in VERBS if verb not in self.but)


def only(*verbs: str, reason: str) -> dict[str, str]:
    """Exceptions of what few verbs take."""
    return {verb: reason for verb in VERBS if verb not in verbs}


def _asked(help: str, option: str = "", *, default: Any = None, **more: Any) -> Any:
    made = Option(help, option, **more)
    if made.pairs:
        return field(default_factory=dict, metadata={"option": made})
    return field(default=default, metadata={"option": made})


@dataclass(frozen=True, slots=True)
class Job:
    """What is run, on what, with which values: everything that its results depend on.

    Fields are those of a job file; None and empty ones mean "as the chip or the workload says". chip: files
    or shipped names, several for a comparison (one may be given as text). Quantities of ``set`` are as in
    chip files ("64 KiB"). Nothing is checked here; checked() and every verb do so. places: where a file says
    what, (file, line, column) by key, for messages.
    """

    chip: tuple[str, ...] = _asked(
        "Chip, a file or a shipped name; of `compare` several.",
        "--chip",
        default=(),
        metavar="CHIP",
        path=True,
        but={"sweep": OF_A_SWEEP},
    )
    workload: str | None = _asked(
        "Workload, a file or a shipped name; of `replay` a trace of values.",
        "--workload",
        short="-w",
        metavar="WORKLOAD",
        path=True,
        but={"sweep": OF_A_SWEEP},
    )
    sweep: str | None = _asked(
        "Sweep, a file or a shipped name.",
        metavar="SWEEP",
        path=True,
        but=only("sweep", reason="it asks for one job, not for a space of them"),
    )
    set: Mapping[str, Any] = _asked(
        "Replace a value of the chip file, like units.array.rows=64, or with `workload.` before it a "
        "parameter of the layer trace, like workload.context=4096. Of `compare`: in every chip that has the "
        "key. Of `sweep`: a key of the sweep file, like sample.random=20.",
        "--set",
        metavar="KEY=VALUE",
        pairs=True,
    )
    parameters: Mapping[str, Any] = _asked(
        "Parameters of the layer trace; as an option --set workload.NAME=VALUE.",
        pairs=True,
        but={"replay": RECORDED},
    )
    point: str | None = _asked(
        "Operating point of the chip file.",
        "--point",
        metavar="NAME",
        but={"sweep": "voltages and clocks are keys that vary"},
    )
    batch: Annotated[int | None, Bounds(1, 1 << 20)] = _asked(
        "Images or rows at a time; default: what the arrays of --input hold, else the file's own.",
        "--batch",
        metavar="N",
        but={"replay": RECORDED},
    )
    step: Mapping[str, Any] = _asked(
        "Run a step of the workload's training: loss=cross_entropy or mean_square_error, optimiser=sgd (rate, "
        "momentum, decay) or adam (rate, betas, floor, decay, step), frozen=PATTERNS.",
        "--step",
        metavar="KEY=VALUE",
        pairs=True,
        but={
            "replay": RECORDED,
            "sweep": "its workloads are networks",
            "sensitivity": "one step has no accuracy",
        },
    )
    dims: Mapping[str, int] = _asked(
        "Value of a symbolic dimension of an ONNX or ONNXim model, like batch=1; default: that of the array "
        "of the input that has it.",
        "--dim",
        metavar="NAME=N",
        pairs=True,
    )
    value: Mapping[str, float] = _asked(
        "Fix an input of an ONNX model at one number, like sr=16000: it is no input of the run any more.",
        "--value",
        metavar="NAME=NUMBER",
        pairs=True,
    )
    gemm: bool = _asked(
        "A topology .csv has M, N, K lines.", "--gemm", default=False, but={"replay": RECORDED}
    )
    input: str | None = _asked(
        "Values of the input tensors (and labels), .npz, .npy or a picture: outputs.",
        "--input",
        metavar="FILE",
        path=True,
        but={"replay": RECORDED},
    )
    values: Literal["none", "given", "seeded"] | None = _asked(
        "Values that are computed: none, given (those of --input and the workload), or seeded (where there are "
        "none: weights and inputs of stated distributions); default: given with --input, else none.",
        "--values",
        but={"replay": RECORDED, "sweep": "its values are those of values.input"},
    )
    calibrate: str | None = _asked(
        "Ranges of activations from values: max, percentile, mse or pact.",
        "--calibrate",
        metavar="METHOD",
        but={"replay": RECORDED},
    )
    weight_clip: str | None = _asked(
        "Clips of weights: max or mse a channel, sawb a tensor.",
        "--weight-clip",
        metavar="METHOD",
        but={"replay": RECORDED},
    )
    percentile: float | None = _asked(
        "Of --calibrate percentile, default 99.99.",
        "--percentile",
        metavar="P",
        but={"replay": RECORDED},
    )
    samples: str | None = _asked(
        "Inputs to calibrate on, in whole batches; default: those of --input.",
        "--samples",
        metavar="FILE",
        path=True,
        but={"replay": RECORDED},
    )
    bits: Mapping[str, str] = _asked(
        "Precision by name or pattern, like conv1=8, 'layer3.*=4' or fc=w4a8.",
        "--bits",
        metavar="OPERATOR=N",
        pairs=True,
        but={"replay": RECORDED},
    )
    edges: Annotated[int | None, Bounds(2, 16)] = _asked(
        "Bits of the first and the last layer with weights.",
        "--edges",
        metavar="N",
        but={"replay": RECORDED},
    )
    reference_check: Literal["first", "all", "off"] = _asked(
        "Samples on which an ONNX model's float reference is held against onnxruntime: the first 8, all, or "
        "none.",
        "--reference-check",
        default="first",
        but={"replay": "the record is the reference"},
    )
    image_mean: str | None = _asked(
        "Subtracted from a picture's channels of 0 to 1.",
        "--image-mean",
        metavar="R,G,B",
        listed=True,
        but={"replay": RECORDED, "sweep": "its inputs are arrays"},
    )
    image_std: str | None = _asked(
        "A picture's channels are divided by it.",
        "--image-std",
        metavar="R,G,B",
        listed=True,
        but={"replay": RECORDED, "sweep": "its inputs are arrays"},
    )
    rounding: Literal["single", "gemmlowp", "float32"] = _asked(
        "How sums become codes.", "--rounding", default="single", but={"replay": RECORDED}
    )
    seed: Annotated[int, Bounds(0, MOST_SEED)] = _asked(
        "Of the crossbars' cells, added to the chip's, and of seeded values.",
        "--seed",
        default=0,
        metavar="N",
        but={"sweep": OF_A_SWEEP},
    )
    weights: Literal["cold", "resident"] | None = _asked(
        "Where weights are at the start; default: what the chip file says.",
        "--weights",
        but={"sweep": "it is a key that varies"},
    )
    mapping: str | None = _asked(
        "Explicit mappings (YAML).",
        "--mapping",
        metavar="FILE",
        path=True,
        but={"sweep": ONE_CHIP, "replay": "each layer runs alone"},
    )
    homes: Literal["off_chip", "on_chip"] | None = _asked(
        "Where tensors between operators stand: off_chip, or on_chip where they fit and that pays; default: what "
        "the mapping or sweep file says, else on_chip.",
        "--homes",
        but={"replay": "each layer runs alone"},
    )
    search: Literal["cycles", "energy", "edp"] | None = _asked(
        "Search mappings that make this small, instead of the default ones.",
        "--search",
        but={"replay": "each layer runs alone"},
    )
    budget: Annotated[int, Bounds(1, 100_000)] = _asked(
        "Runs of the workload for --search.",
        "--budget",
        default=3,
        metavar="N",
        but={"replay": "each layer runs alone", "sweep": "kept points are of the default"},
    )
    engine: Literal["auto", "plain", "compiled", "simpy"] = _asked(
        "Timing engine; all give the same times.",
        "--engine",
        default="auto",
        but={"sweep": EQUAL_TIMES},
    )
    fold: bool = _asked(
        "Plan and time every one of equal layers; same figures.",
        "--no-fold",
        default=True,
        but={"sweep": EQUAL_TIMES, "replay": "each layer runs alone"},
    )
    throughput: bool = _asked(
        "Also measure runs back to back.",
        "--throughput",
        default=False,
        but=only("run", "explain", "report", reason="a figure of one run"),
    )
    match: str = _asked(
        "Also compare the chips made alike: memory, area, latency, or several with commas, each on top of those "
        "before.",
        "--match",
        default="",
        metavar="RULE",
        listed=True,
        but=only("compare", reason="of several chips"),
    )
    ages: str = _asked(
        "Ages at which crossbars compute values.",
        "--ages",
        default=AGES,
        metavar="LIST",
        listed=True,
        but={
            **only("compare", reason="one run has its chip's age"),
            "sweep": OF_A_SWEEP,
        },
    )
    temperatures: str = _asked(
        "Temperatures of those reads.",
        "--temperatures",
        default=ROOM,
        metavar="LIST",
        listed=True,
        but={
            **only("compare", reason="one run has its chip's temperature"),
            "sweep": OF_A_SWEEP,
        },
    )
    programmings: Annotated[int, Bounds(1, 1000)] = _asked(
        "Programmings of the cells at each age.",
        "--programmings",
        default=1,
        metavar="N",
        but={
            **only("compare", reason="one run programs once"),
            "sweep": "repeats of the sweep file",
        },
    )
    to: Annotated[int, Bounds(2, 8)] = _asked(
        "Bits of the layer in question.",
        "--to",
        default=4,
        metavar="N",
        but=only("sensitivity", reason="no layer is in question"),
    )
    layers: tuple[str, ...] = _asked(
        "A layer, or a pattern like 'conv*'; default: all.",
        "--layer",
        default=(),
        metavar="NAME",
        but=only("replay", reason="the whole workload runs"),
    )
    model: str | None = _asked(
        "The model that the trace was recorded of, for operators that only it says.",
        "--model",
        metavar="FILE.onnx",
        path=True,
        but=only("replay", reason="the workload is the model"),
    )
    places: Mapping[str, tuple[str, int, int]] = field(
        default_factory=dict, compare=False, repr=False
    )

    def __post_init__(self) -> None:
        """One chip or layer may be given as text."""
        for name in ("chip", "layers"):
            given = getattr(self, name)
            if isinstance(given, str):
                object.__setattr__(self, name, (given,))
            elif isinstance(given, list):
                object.__setattr__(self, name, tuple(given))


def options() -> dict[str, Option]:
    """The Option of every field, in order."""
    return {item.name: item.metadata["option"] for item in fields(Job) if item.metadata}


def placed_by(option: str) -> str:
    """The field that an option or a key of a message ("--dim", "--set units.array.rows") asks for, "" if none."""
    first, _, rest = option.partition(" ")
    found = next((name for name, one in options().items() if one.option == first), "")
    return f"{found}.{rest}" if found and rest else found
