"""What users' scripts rest on: public names, columns of files, versions of files.

Anything here that changes needs a line in CHANGELOG.md that names it.
"""

from __future__ import annotations

import csv
import importlib
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

import accelsim
from accelsim import api, config, shipped
from accelsim.chip import Chip
from accelsim.cli.main import cli
from accelsim.config.format_file import load_format
from accelsim.config.schema import chip_schema, workload_schema
from accelsim.devices.files import device_of
from accelsim.errors import InputError
from accelsim.results import files
from accelsim.sweeps.file import load_sweep
from accelsim.sweeps.schema import sweep_schema

ROOT = Path(__file__).parents[1]
PUBLIC = ["Job", "__version__", "compare", "load_chip", "load_job", "load_workload", "run"]
STALLS = [f"stalled_{name}" for name in ("data", "slot", "start", "queue", "port")]
#: file of a run, a diff or a report -> its columns
COLUMNS = {
    "operators.csv": [
        "operator",
        "kind",
        "macs",
        "cycles",
        "from_cycle",
        "to_cycle",
        "busy_cycles",
        *(f"{name}_cycles" for name in STALLS),
        "utilisation",
        "computing_cycles",
        "dram_read_bytes",
        "dram_written_bytes",
        "joules",
        "mapping",
    ],
    "energy.csv": ["operator", "unit", "action", "count", "joules", "boundary", "band", "source"],
    "units.csv": [
        "unit",
        "busy_ticks",
        "of_which_drain_ticks",
        *(f"{name}_ticks" for name in STALLS),
        "idle_ticks",
        "makespan_ticks",
    ],
    "cycles_terms.csv": ["operator", "cause", "change_cycles"],
    "joules_terms.csv": ["operator", "unit", "action", "change_joules", "by_count", "by_constant"],
    "timeline_points.csv": ["unit", "operator", "start_ms", "end_ms", "busy_ms", "waiting_ms"],
    "roofline_points.csv": [
        "workload",
        "chip",
        "operator",
        "macs_per_byte",
        "gmacs_per_second",
        "peak_gmacs_per_second",
        "off_chip_gbytes_per_second",
    ],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, a diff and a report."""
    place = tmp_path_factory.mktemp("stable")
    work = api.load_workload("small_gemm")
    for name, keys in (("a", []), ("b", ["memories.dram.bandwidth=8 GB/s"])):
        files.save(api.run(api.load_chip("int8_edge", keys), work), place / name)
    for words in (
        ["diff", str(place / "a"), str(place / "b"), "--out", str(place / "diff")],
        ["report", str(place / "a"), "--out", str(place / "page")],
    ):
        done = CliRunner().invoke(cli, words, standalone_mode=False)
        assert done.exception is None, done.output
    return place


def test_public_names() -> None:
    assert sorted(accelsim.__all__) == PUBLIC
    assert set(PUBLIC) <= set(dir(accelsim)) and "__all__" not in dir(accelsim)
    assert all(getattr(accelsim, name) is not None for name in dir(accelsim))
    assert (ROOT / "accelsim/py.typed").is_file()
    for name in accelsim._PARTS:
        assert importlib.import_module(f"accelsim.{name}") is getattr(accelsim, name)


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_of_files(folder: Path, name: str) -> None:
    (path,) = [path for part in ("a", "diff", "page") for path in (folder / part).rglob(name)][:1]
    with path.open(newline="", encoding="utf-8") as file:
        assert next(csv.reader(file)) == COLUMNS[name]


def test_short_representations() -> None:
    for name in shipped.names("chip"):
        assert len(repr(api.load_chip(name))) < 400
    for name in ("resnet50", "digits_mlp"):
        assert len(repr(api.load_workload(name))) < 400
    assert len(repr(api.run(api.load_chip("int8_edge"), api.load_workload("small_gemm")))) < 400


def load(kind: str, text: str, folder: Path) -> object:
    path = folder / f"{kind}.yaml"
    path.write_text(text)
    readers = {
        "chip": config.load_chip,
        "workload": config.load_workload,
        "sweep": load_sweep,
        "format": load_format,
    }
    return readers[kind](path)


FILES = {
    kind: shipped.find(kind, name).read_text("utf-8")
    for kind, name in (("chip", "int8_edge"), ("workload", "small_cnn"), ("sweep", "array_size"))
}
FILES["format"] = "name: tiny\nexponent: 2\nfraction: 1\n"


@pytest.mark.parametrize("kind", FILES)
def test_versions_of_files(tmp_path: Path, kind: str) -> None:
    """Absent means 1; 1 is read alike; a higher one is refused in one line that names the place."""
    plain = load(kind, FILES[kind], tmp_path)
    stated = load(kind, "format: 1\n" + FILES[kind], tmp_path)
    if isinstance(plain, Chip) and isinstance(stated, Chip):
        assert plain.digest == stated.digest
    for value, said in (
        ("2", "a newer accelsim wrote this file"),
        ("0", "no version of a file"),
        ("one", "no version of a file"),
        ("true", "no version of a file"),
    ):
        with pytest.raises(InputError) as caught:
            load(kind, f"format: {value}\n" + FILES[kind], tmp_path)
        (problem,) = caught.value.problems
        assert said in str(problem) and (problem.path, problem.line) == ("format", 1)


def test_versions_of_device_files_results_and_schemas(folder: Path) -> None:
    with pytest.raises(InputError, match="a newer accelsim wrote this file"):
        device_of(b'{"format": 2}', "device.json")
    assert yaml.safe_load((folder / "a/result.json").read_text())["format"] >= 1
    for schema in (chip_schema(), workload_schema(), sweep_schema()):
        assert schema["properties"]["format"]["minimum"] == 1 and "format" not in schema["required"]
