"""init, convert, schemas: what they write is read back as the same thing, and runs."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from accelsim import api, shipped
from accelsim.cli.init_command import TEMPLATES
from accelsim.cli.main import cli
from accelsim.config.schema import chip_schema, workload_schema
from accelsim.config.writer import chip_yaml, workload_yaml, written
from accelsim.errors import InputError
from accelsim.sweeps.schema import sweep_schema

SWEEP = Path(__file__).parent / "sweep.yaml"
CFG = """[general]
run_name = little
[architecture_presets]
ArrayHeight: 8
ArrayWidth:  4
IfmapSramSzkB:   64
FilterSramSzkB:  32
OfmapSramSzkB:   16
IfmapOffset: 0
Dataflow : ws
Bandwidth : 10
[run_presets]
InterfaceBandwidth: USER
"""
CSV = """Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,
Conv1, 12, 12, 3, 3, 2, 5, 2,

Conv2DP, 9, 9, 3, 3, 4, 1, 1,
"""


def run_cli(*arguments: str) -> str:
    done = CliRunner().invoke(cli, arguments, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.output


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_is_commented_fits_its_schema_and_runs(tmp_path: Path, template: str) -> None:
    name = tmp_path / "mine"
    run_cli("init", str(name), "--template", template)
    text = name.with_suffix(".yaml").read_text()
    first = text.splitlines()[0]
    schema = json.loads((tmp_path / first.split("$schema=")[1]).read_text())
    jsonschema.validate(yaml.safe_load(text), schema)
    assert "# " in text.split("\n", 1)[1] or template == "workload-gemm"
    assert "name: mine" in text
    if template == "sweep":
        assert "points of" in run_cli("check", str(name) + ".yaml")
        return
    chip = template.startswith("chip")
    pair = (str(name) + ".yaml", "small_gemm") if chip else ("int8_edge", str(name) + ".yaml")
    assert "cycles at" in run_cli("run", *pair)
    with pytest.raises(InputError, match="is there already"):
        run_cli("init", str(name), "--template", template)


def test_schemas_say_what_a_core_is_once() -> None:
    """Every record of every schema had the cores of a chip in it: 1.9 MB for workloads."""
    chip, workload = (json.dumps(made()) for made in (chip_schema, workload_schema))
    assert chip.count('"$defs"') == 1 and chip_schema()["$defs"]["core"]["properties"]["use"]
    assert "$defs" not in workload


def test_a_name_that_is_no_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="plain name"):
        run_cli("init", str(tmp_path / "no name!"), "--template", "chip")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "path", [*shipped.folder("sweep").glob("*.yaml"), SWEEP], ids=lambda path: path.stem
)
def test_sweeps_fit_their_schema(path: Path) -> None:
    whole = yaml.safe_load(path.read_text())
    jsonschema.validate(whole, sweep_schema())
    for key, wrong in (
        ("bases", {}),
        ("vary", []),
        ("vary", [{"values": [1]}]),
        ("sample", {"sobol": 0}),
        ("seed", -1),
        ("mesures", ["energy"]),
        ("measures", ["enery"]),
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**whole, key: wrong}, sweep_schema())


@pytest.mark.parametrize("name", shipped.names("chip"))
def test_shipped_chips_fit_the_schema_and_survive_writing(tmp_path: Path, name: str) -> None:
    path = shipped.find("chip", name)
    jsonschema.validate(yaml.safe_load(path.read_text()), chip_schema())
    chip = api.load_chip(path)
    (tmp_path / "again.yaml").write_text(chip_yaml(chip, "a note"))
    again = api.load_chip(tmp_path / "again.yaml")
    assert again.digest == chip.digest
    assert (again.name, again.description) == (chip.name, chip.description)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.full)  # a schema tries every kind on every operator
        if shipped.find("workload", name).stat().st_size > 20_000
        else name
        for name in shipped.names("workload")
    ],
)
def test_shipped_workloads_fit_the_schema_and_survive_writing(tmp_path: Path, name: str) -> None:
    path = shipped.find("workload", name)
    jsonschema.validate(yaml.safe_load(path.read_text()), workload_schema())
    work = api.load_workload(path)
    (tmp_path / "again.yaml").write_text(workload_yaml(work))
    again = api.load_workload(tmp_path / "again.yaml")
    assert again.operators == work.operators and again.tensors == work.tensors


def test_schemas_refuse_what_the_reader_refuses() -> None:
    good = yaml.safe_load(shipped.find("chip", "int8_edge").read_text())
    for change in ({"precisoin": {}}, {"weights": "warm"}, {"units": {"array": {"kind": "mac"}}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**good, **change}, chip_schema())
    work = yaml.safe_load(shipped.find("workload", "small_cnn").read_text())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(
            {**work, "operators": [{"name": "a", "kind": "conv3d"}]}, workload_schema()
        )


def test_converted_files_are_equal_to_what_they_came_from(tmp_path: Path) -> None:
    (tmp_path / "c.cfg").write_text(CFG)
    (tmp_path / "t.csv").write_text(CSV)
    text = run_cli("convert", str(tmp_path / "c.cfg"), str(tmp_path / "c.yaml"))
    assert "IfmapOffset" in text
    run_cli("convert", str(tmp_path / "t.csv"), str(tmp_path / "t.yaml"))
    assert api.load_chip(tmp_path / "c.yaml").digest == api.load_chip(tmp_path / "c.cfg").digest
    here, there = (api.load_workload(tmp_path / f"t.{end}") for end in ("csv", "yaml"))
    assert here.operators == there.operators and here.macs == there.macs
    assert here.operators[1].groups == 4
    one = run_cli("run", str(tmp_path / "c.cfg"), str(tmp_path / "t.csv"), "--json")
    two = run_cli("run", str(tmp_path / "c.yaml"), str(tmp_path / "t.yaml"), "--json")
    assert json.loads(one)["makespan_cycles"] == json.loads(two)["makespan_cycles"]
    with pytest.raises(InputError, match="is there already"):
        run_cli("convert", str(tmp_path / "c.cfg"), str(tmp_path / "c.yaml"))
    with pytest.raises(InputError, match=r"neither a \.cfg nor a \.csv"):
        run_cli("convert", str(tmp_path / "c.yaml"), str(tmp_path / "d.yaml"))


def test_quantities_are_written_so_that_they_read_back() -> None:
    from accelsim.config.quantities import quantity

    for value, unit in (
        (65536, "B"),
        (1000, "B"),
        (3, "bit"),
        (800_000_000, "Hz"),
        (17e9, "B/s"),
        (100e-9, "s"),
        (22e-9, "m"),
        (22 * 1e-9, "m"),
        (1 / 3, "V"),
        (1.7e-3, "W"),
    ):
        assert quantity(written(value, unit), unit) == value


def test_the_peaks_of_the_ibm_like_chip_are_the_published_ones() -> None:
    text = run_cli("check", str(shipped.find("chip", "ibm_quad_like")))
    assert "13.11 T int16" in text and "26.21 T int8" in text and "104.9 T int4" in text
    chip = api.load_chip("ibm_quad_like")
    assert {point.name for point in chip.operating_points} == {"peak_speed", "peak_efficiency"}
    work = api.load_workload("small_gemm")
    fast, frugal = (api.run(chip.at(name), work) for name in ("peak_speed", "peak_efficiency"))
    assert fast.seconds < frugal.seconds
    assert fast.energy.boundary("device") > frugal.energy.boundary("device")
