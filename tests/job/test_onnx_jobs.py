"""ONNX workloads of jobs: dimensions from arrays of their own inputs, fixed inputs, sweeps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from accelsim import Job, api, verbs
from accelsim.errors import InputError
from accelsim.results import files
from accelsim.results.load import load_run
from accelsim.sweeps.asked import How
from tests.job.models import BATCH, rated
from tests.results.test_explained import run_cli


def theirs(path: str, arrays: str, rate: int) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    fed = {**np.load(arrays), "sr": np.array(rate, np.int64)}
    return session.run(None, fed)[0]


@pytest.mark.parametrize("rate", [16000, 8000])
def test_a_fixed_input_takes_its_branch(tmp_path: Path, rate: int) -> None:
    path, arrays = rated(tmp_path)
    result = verbs.run(
        Job(chip="int8_128", workload=path, input=arrays, value={"sr": rate}, rounding="float32")
    )
    assert result.values is not None and result.workload.tensors["x"].shape == (BATCH, 16)
    assert result.workload.tensors["state"].shape == (
        2,
        BATCH,
        8,
    )  # its first dimension is no batch
    assert set(result.workload.notes["dims"].items()) == {("n", BATCH)}
    assert "sr" not in result.workload.tensors
    real = result.values.quantization["y"].decode(result.values.outputs["y"])
    right = theirs(path, arrays, rate)
    assert np.abs(real.reshape(right.shape) - right).max() < 0.06 * np.abs(right).max()
    assert result.values.checked is not None and result.values.checked.tensors > 0
    assert f"the input sr is {rate} everywhere" in result.assumptions


def test_a_saved_onnx_run_is_read_again(tmp_path: Path) -> None:
    path, arrays = rated(tmp_path)
    result = verbs.run(Job(chip="int8_edge", workload=path, input=arrays, value={"sr": 8000}))
    files.save(result, tmp_path / "run")
    again = load_run(tmp_path / "run")
    assert again.workload == result.workload and again.job == result.job
    assert "where the cycles went" in run_cli("explain", str(tmp_path / "run"))


def test_arrays_that_contradict_each_other(tmp_path: Path) -> None:
    path, _ = rated(tmp_path)
    np.savez(tmp_path / "odd.npz", state=np.ones((2, 3, 8)), x=np.ones((4, 16)))
    job = Job(chip="int8_edge", workload=path, input=str(tmp_path / "odd.npz"), value={"sr": 8000})
    with pytest.raises(InputError, match="makes n 4, and state makes it 3"):
        verbs.run(job)


def test_a_batch_is_that_of_the_inputs_that_carry_it(tmp_path: Path) -> None:
    """Of a trace: the array of the table stands first and has other rows."""
    (tmp_path / "t.yaml").write_text(
        "name: t\nbatch: 2\ninputs: {table: [5, 8], x: [2, 8]}\noperators:\n"
        "  - {name: a, kind: gemm, input: x, n: 5, weight: table, weight_transposed: true}\n"
    )
    np.savez(tmp_path / "i.npz", table=np.ones((5, 8)), x=np.ones((6, 8)))
    from accelsim.job.values import JobValues

    job = Job(workload=str(tmp_path / "t.yaml"), input=str(tmp_path / "i.npz"))
    work = JobValues(job).workload()
    assert (work.inferences, work.tensors["table"].shape) == (6, (5, 8))
    np.savez(tmp_path / "i.npz", y=np.ones((6, 8)), x=np.ones((7, 8)))
    (tmp_path / "t.yaml").write_text(
        "name: t\nbatch: 2\ninputs: {x: [2, 8], y: [2, 8]}\noperators:\n"
        "  - {name: a, kind: add, input: [x, y]}\n"
    )
    with pytest.raises(InputError, match="different numbers of inferences: x 7, y 6"):
        JobValues(job).workload()


SWEEP = """
name: onnx
bases: {{int8: {{chip: int8_edge}}}}
workloads:
  - small_gemm
  - {{workload: rated.onnx, dims: {{n: 2}}, value: {{sr: 16000}}}}
  - {{workload: rated.onnx, dims: {{n: 2}}, value: {{sr: 8000}}, bits: {{'*': w4}}{more}}}
vary:
  - {{key: units.array.rows, values: [16, 32], tie: [units.array.columns]}}
measures: [latency, energy]
"""


def test_a_sweep_of_onnx_models(tmp_path: Path) -> None:
    path, _ = rated(tmp_path)
    (tmp_path / "s.yaml").write_text(SWEEP.format(more=""))
    how = How(store=str(tmp_path / "store"), executor="serial")
    done = verbs.sweep(Job(sweep=str(tmp_path / "s.yaml")), how)
    assert (len(done.run.keys), done.run.failed) == (6, 0)
    names = [work.name for work in done.spec.works]
    assert names == ["small_gemm", "rated n=2 sr=16000.0", "rated n=2 sr=8000.0 *=w4"]
    energy = {best.workload: best.value for best in done.summary.best if "energy" in best.measure}
    for name, value, bits in ((names[1], 16000, {}), (names[2], 8000, {"*": "w4"})):
        job = Job(chip="int8_edge", workload=path, dims={"n": 2}, value={"sr": value}, bits=bits)
        runs = []
        for size in (16, 32):
            sets = {"units.array.rows": size, "units.array.columns": size}
            runs.append(verbs.run(Job(**{**_plain(job), "set": sets})).joules)
        assert energy[name] == min(runs)


def _plain(job: Job) -> dict[str, object]:
    from accelsim.job import plain_job

    return plain_job(job)


def test_values_of_an_onnx_model_in_a_sweep(tmp_path: Path) -> None:
    path, arrays = rated(tmp_path)
    (tmp_path / "s.yaml").write_text(
        "name: v\nbases: {int8: {chip: int8_edge}}\nworkloads:\n"
        "  - {workload: rated.onnx, value: {sr: 16000}}\n"
        "vary: [{key: precision.weight, values: [int8, int4]}]\n"
        "values: {input: rated.npz, calibrate: mse}\nmeasures: [energy, signal_to_noise_db]\n"
    )
    how = How(store=str(tmp_path / "store"), executor="serial")
    done = verbs.sweep(Job(sweep=str(tmp_path / "s.yaml")), how)
    assert (len(done.run.keys), done.run.failed) == (2, 0)
    columns = done.run.columns
    assert columns is not None
    found = sorted(float(x) for x in columns.measure("signal_to_noise_db"))
    right = []
    for weight in ("int4", "int8"):
        result = verbs.run(
            Job(
                chip="int8_edge",
                workload=path,
                input=arrays,
                value={"sr": 16000},
                calibrate="mse",
                set={"precision.weight": weight},
            )
        )
        assert result.values is not None
        right.append(round(result.values.signal_to_noise_db["y"], 4))
    assert found == sorted(right) and found[0] < found[1] - 5


def test_what_is_fixed_must_be_there_and_whole(tmp_path: Path) -> None:
    path, _ = rated(tmp_path)
    for fixed, said in (({"sir": 1.0}, "has no input 'sir'"), ({"sr": 0.5}, "holds whole numbers")):
        with pytest.raises(InputError, match=said):
            api.load_workload(path, dims={"n": 1}, fixed=fixed)
    with pytest.raises(InputError, match="fixes inputs of ONNX model"):
        api.load_workload("small_cnn", fixed={"x": 1.0})


def test_inputs_json_of_an_onnx_run_holds_what_reads_it_alike(tmp_path: Path) -> None:
    path, arrays = rated(tmp_path)
    result = verbs.run(Job(chip="int8_edge", workload=path, input=arrays, value={"sr": 8000}))
    notes = json.loads(files.contents(result)["inputs.json"])["workload"]["notes"]
    assert notes["fixed"] == {"sr": 8000.0} and notes["dims"] == {"n": BATCH}
