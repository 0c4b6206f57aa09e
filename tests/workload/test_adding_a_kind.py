"""The kind of docs/adding_an_operator.md, from a package of one file: cost, traces, values, and the contract."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_docs import BLOCK, ROOT

TRACE = """
name: squashed
inputs: {x: [4, 16]}
operators:
  - {name: first, kind: gemm, input: x, n: 32}
  - {name: bent, kind: squash, input: first}
  - {name: last, kind: gemm, input: bent, n: 10}
values: v.npz
"""
RUN = """
import numpy as np
import accelsim
rng = np.random.default_rng(1)
made = {"first.weight": rng.normal(size=(16, 32)), "last.weight": rng.normal(size=(32, 10))}
np.savez("v.npz", **made, **{f"{n}.range": np.array([-9.0, 9.0]) for n in ("x", "first", "last")},
         **{"bent.range": np.array([-1.0, 1.0])})
work = accelsim.load_workload("t.yaml")
x = rng.normal(size=(4, 16))
result = accelsim.run(accelsim.load_chip("int8_edge"), work, {"x": x})
h = x @ made["first.weight"]
right = (h / (1.0 + np.abs(h))) @ made["last.weight"]
found = result.values.outputs["last"] * result.values.quantization["last"].scale
print(20 * np.log10(np.linalg.norm(right) / np.linalg.norm(right - found)))
print(work.operators[1].work)
"""

STEP = """
import numpy as np
import accelsim
from accelsim.importers.vector_values import evaluator
from accelsim.numerics.accuracy import float_forward
from accelsim.training import Sgd, expand
rng = np.random.default_rng(1)
step = expand(accelsim.load_workload("t.yaml"), "mean_square_error", Sgd(1.0))
inputs = {"x": rng.normal(size=(4, 16)), "targets": rng.normal(size=(4, 10))}
stored = {"first.weight": rng.normal(size=(16, 32)), "last.weight": rng.normal(size=(32, 10))}
def run(w):
    values = {**stored, "first.weight": w}
    return float_forward(step, inputs, values, evaluator(values))
w, way = stored["first.weight"], rng.normal(size=(16, 32))
up, down = (float(run(w + h * way)["loss"][0, 0]) for h in (1e-6, -1e-6))
print(((w - run(w)["first.weight.next"]) * way).sum(), (up - down) / 2e-6)
"""


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """The environment of a process that has the package."""
    page = (ROOT / "docs" / "adding_an_operator.md").read_text()
    code, gradient = [found[2] for found in BLOCK.finditer(page) if found[1] == "python"]
    folder = tmp_path / "site"
    (info := folder / "squash_kind-1.dist-info").mkdir(parents=True)
    (folder / "squash_kind.py").write_text(code)
    (folder / "squash_gradient.py").write_text(gradient)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: squash_kind\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[accelsim.vector_kinds]\nsquash = squash_kind:SQUASH\n"
        "[accelsim.gradients]\nsquash = squash_gradient\n"
    )
    return {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}


def done(environment: dict[str, str], where: Path, *words: str) -> str:
    made = subprocess.run(
        [sys.executable, *words],
        cwd=where,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return made.stdout


def test_its_values_are_right_and_its_work_is_counted(
    installed: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "t.yaml").write_text(TRACE)
    decibel, work = map(float, done(installed, tmp_path, "-c", RUN).split())
    assert 25 < decibel < 60 and work == 3 * 4 * 32


def test_its_gradient_is_right(installed: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(TRACE.replace("values: v.npz\n", ""))
    found, difference = map(float, done(installed, tmp_path, "-c", STEP).split())
    assert abs(found - difference) < 1e-6 * abs(difference)


def test_it_keeps_the_contract_of_every_kind(installed: dict[str, str]) -> None:
    said = done(
        installed,
        ROOT,
        "-m",
        "pytest",
        "-v",
        "-p",
        "no:cacheprovider",
        "tests/workload/test_vector_kinds.py",
        "-k",
        "squash or every_kind_reads",
    )
    assert "2 passed" in said
