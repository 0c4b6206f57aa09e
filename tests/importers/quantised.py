"""Quantised models by onnxruntime's static quantiser, from the committed float models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx

from tests.importers.models import TORCH


def fixed(name: str, folder: Path) -> Path:
    """A committed model with its dimensions bound, prepared as the quantiser wants it."""
    model = onnx.load(TORCH / f"{name}.onnx")
    for item in (*model.graph.input, *model.graph.output):
        for axis in item.type.tensor_type.shape.dim:
            if axis.dim_param:
                axis.dim_value = 2
    path = folder / f"{name}.onnx"
    onnx.save(onnx.shape_inference.infer_shapes(model), path)
    return path


def quantised(
    name: str,
    form: str,
    folder: Path,
    per_channel: bool = True,
    weights: str = "QInt8",
    activations: str = "QUInt8",
) -> tuple[Path, dict[str, np.ndarray]]:
    """(model, inputs) of a float model in the form QOperator or QDQ. Calibrated on the inputs."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    source = fixed(name, folder)
    described = {
        item.name: tuple(d.dim_value for d in item.type.tensor_type.shape.dim)
        for item in onnx.load(source).graph.input
    }
    rng = np.random.default_rng(11)
    feeds = {key: rng.normal(size=shape).astype(np.float32) for key, shape in described.items()}

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.left = [feeds]

        def get_next(self) -> Any:
            return self.left.pop() if self.left else None

    path = folder / f"{name}.{form}.{weights}.{per_channel}.onnx"
    quantize_static(
        str(source),
        str(path),
        Reader(),
        quant_format=QuantFormat[form],
        per_channel=per_channel,
        activation_type=QuantType[activations],
        weight_type=QuantType[weights],
        extra_options={"ActivationSymmetric": activations == "QInt8"},
    )
    return path, feeds
