"""The dataflow of docs/adding_a_dataflow.md, added from a temporary package: 1 file; and accelsim's own."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from accelsim.errors import InputError
from accelsim.units.dataflows import Dataflow, dataflow_named, library
from tests.arrays.dataflow_contract import DataflowContract
from tests.test_docs import BLOCK

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "adding_a_dataflow.md"
CODE = next(found[2] for found in BLOCK.finditer(PAGE.read_text()) if found[1] == "python")
CONTRACT = """
from mine import DotEngine
from tests.arrays.dataflow_contract import DataflowContract


class TestDotEngine(DataflowContract):
    keys = ("units.array.structure=broadcast",)

    def make(self):
        return DotEngine()
"""


class TestWeightStationary(DataflowContract):
    def make(self) -> Dataflow:
        return dataflow_named("weight_stationary")


class TestBroadcastWeights(TestWeightStationary):
    keys = ("units.array.structure=broadcast", "units.array.stationary_depth=1")


class TestInputStationary(DataflowContract):
    def make(self) -> Dataflow:
        return dataflow_named("input_stationary")


class TestOutputStationary(DataflowContract):
    def make(self) -> Dataflow:
        return dataflow_named("output_stationary")


class TestRowStationary(DataflowContract):
    keys = ("units.array.scratchpads={filter: 24, input: 6, sums: 4, bus: 16 bit}",)

    def make(self) -> Dataflow:
        return dataflow_named("row_stationary")


@pytest.fixture
def package(tmp_path: Path) -> dict[str, str]:
    """The page's class in a package, as pip would leave it; the environment that finds it."""
    (tmp_path / "mine.py").write_text(CODE)
    told = tmp_path / "mine-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text("[accelsim.dataflows]\ndot_engine = mine:DotEngine\n")
    (tmp_path / "test_mine.py").write_text(CONTRACT)
    return {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}


def called(
    environment: dict[str, str], folder: Path, *words: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_dataflow_is_one_file(package: dict[str, str], tmp_path: Path) -> None:
    """From the package alone it is listed, run, explained, searched and refused; nothing else is edited."""
    assert [path.name for path in tmp_path.glob("*.py") if "test" not in path.name] == ["mine.py"]
    cli = "accelsim.cli.main"
    assert "dot_engine: m streams" in called(package, tmp_path, cli, "list", "dataflows").stdout
    keys = ["--set", "units.array.dataflow=dot_engine"]
    broadcast = ["--set", "units.array.structure=broadcast"]
    done = called(package, tmp_path, cli, "run", "int8_edge", "small_gemm", *keys, *broadcast)
    assert done.returncode == 0 and "product" in done.stdout, done.stderr
    done = called(package, tmp_path, cli, "run", "int8_edge", "small_gemm", *keys)
    assert done.returncode == 2 and "dot_engine needs structure: broadcast" in done.stderr
    words = [
        "run",
        "int8_edge",
        "small_gemm",
        *keys,
        *broadcast,
        "--search",
        "cycles",
        "--out",
        "o",
    ]
    assert called(package, tmp_path, cli, *words).returncode == 0
    assert called(package, tmp_path, cli, "explain", "o", "--layer", "product").returncode == 0


def test_it_keeps_the_contract(package: dict[str, str], tmp_path: Path) -> None:
    words = ("pytest", "-q", "-p", "no:cacheprovider", "test_mine.py")
    done = called(package, tmp_path, *words)
    assert done.returncode == 0 and "no tests" not in done.stdout, done.stdout + done.stderr


def offered(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """An installed package that offers a class."""
    point = EntryPoint("mine", value, library.GROUP)
    monkeypatch.setattr(library, "offered", lambda group: [point])
    library.dataflows.cache_clear()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("nowhere.at:all", "cannot be loaded: ModuleNotFoundError"),
        ("builtins:dict", "is no accelsim.units.dataflows.Dataflow"),
        (
            "accelsim.units.dataflows.weight_stationary:WeightStationary",
            "has the name or number of weight_stationary",
        ),
    ],
)
def test_a_wrong_package_is_named(monkeypatch: pytest.MonkeyPatch, value: str, said: str) -> None:
    offered(monkeypatch, value)
    try:
        with pytest.raises(InputError, match=said):
            library.dataflows()
        assert dataflow_named("row_stationary").number == 3  # accelsim's own need no packages
    finally:
        monkeypatch.undo()
        library.dataflows.cache_clear()
