"""Random graphs of the supported operators: the float reference is what onnxruntime computes, and the integer
chip runs them."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from accelsim import api
from accelsim.importers.onnx_model import import_model
from accelsim.importers.onnx_values import ModelValues
from accelsim.numerics.accuracy import float_forward
from tests.importers.onnx_graphs import right
from tests.importers.random_graphs import random_model

CLOSE = 1e-3  # of the peak


def check(number: int, folder: Path, chip: bool) -> None:
    model, outputs = random_model(number)
    path = model.save(folder / "random.onnx", *outputs)
    try:
        theirs = right(path, model.inputs)
    except Exception:  # onnxruntime's own kinds: it refuses this graph
        return
    imported = import_model(path)
    values = ModelValues(imported)
    reals = {
        name: np.asarray(value, np.float64)
        for name, value in model.inputs.items()
        if name in imported.workload.tensors
    }
    ours = float_forward(imported.workload, reals, values.stored(), values.evaluate)
    for name in outputs:
        if name in ours and np.isfinite(theirs[name]).all():
            peak = max(1e-3, float(np.abs(theirs[name]).max()))
            assert (
                np.abs(ours[name].reshape(theirs[name].shape) - theirs[name]).max() <= CLOSE * peak
            ), name
    if chip:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            made = api.run(
                api.load_chip("int8_edge"), imported.workload, model.inputs, reference_check="off"
            )
        assert made.values is not None


@seed(15)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(number=st.integers(0, 1 << 30))
def test_float_reference_equals_onnxruntime(number: int, tmp_path: Path) -> None:
    check(number, tmp_path, chip=number % 6 == 0)


@pytest.mark.full
@pytest.mark.parametrize("start", range(0, 2000, 250))
def test_many_graphs(start: int, tmp_path: Path) -> None:
    for number in range(start, start + 250):
        check(number, tmp_path, chip=number % 5 == 0)
