"""Whole models in integers: INT8 outputs follow the float model, on one Program with time and energy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from accelsim import api
from tests.importers.models import DIMS, TORCH


@pytest.mark.parametrize(
    ("name", "least"),
    [("residual_cnn", 22), ("encoder", 15), ("decoder", 20), ("sizes", 20), ("speech_lstm", 15)],
)
def test_int8_outputs_follow_the_float_model(name: str, least: float) -> None:
    work = api.load_workload(TORCH / f"{name}.onnx", dims=DIMS.get(name))
    rng = np.random.default_rng(11)
    inputs = {
        key: rng.normal(size=spec.shape)
        for key, spec in work.tensors.items()
        if spec.role == "input"
    }
    result = api.run(api.load_chip("int8_128"), work, inputs)
    assert result.values is not None
    for output in (key for key, spec in work.tensors.items() if spec.role == "output"):
        assert result.values.signal_to_noise_db[output] > least, result.values.signal_to_noise_db
    same = api.run(replace(api.load_chip("int8_edge")), work, inputs)
    assert same.values is not None
    for output, codes in result.values.outputs.items():  # another chip, other tiles, the same codes
        assert (same.values.outputs[output] == codes).all()
