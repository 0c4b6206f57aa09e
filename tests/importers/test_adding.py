"""The importer of docs/adding_an_importer.md, added from a temporary package: 1 file; and those here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import ClassVar

import pytest

from accelsim import api
from accelsim.errors import InputError
from accelsim.importers import files as here
from accelsim.importers import library as registry
from accelsim.importers.base import Importer
from tests.importers.importer_contract import ImporterContract
from tests.importers.test_other_files import LLAMA, ZIGZAG
from tests.test_docs import BLOCK

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/adding_an_importer.md"
CODE = next(found[2] for found in BLOCK.finditer(PAGE.read_text()) if found[1] == "python")
LAYERS = b"16\n32\n10\n"
TRACE = b"name: t\ninputs: {x: [1, 8]}\noperators:\n  - {name: f, kind: gemm, input: x, n: 4}\n"


def example() -> type[Importer]:
    """The page's class."""
    names: dict[str, object] = {"__name__": "example"}
    exec(compile(CODE, str(PAGE), "exec"), names)
    made = names["FcList"]
    assert isinstance(made, type) and issubclass(made, Importer)
    return made


class TestExample(ImporterContract):
    good = ("mlp.fc", LAYERS)
    bad: ClassVar = {b"16\n x\n": ("fc.width", 2, 2), b"16\n": ("fc.few", 1, 1)}

    def make(self) -> Importer:
        return example()()


def of(name: str) -> Importer:
    return registry.own_importers()[name]


class TestTable(ImporterContract):
    good = ("t.mnk", b"1 2 3\n")
    bad: ClassVar = {b"1 2 3\n1 x 3\n": ("table.number", 2, 3), b"": ("table.empty", 1, 1)}

    def make(self) -> Importer:
        return of("mnk_table")


class TestZigzag(ImporterContract):
    good = ("z.yaml", ZIGZAG.encode())
    bad: ClassVar = {b"- 3\n": ("zigzag.layer", 1, 3)}
    shares = True

    def make(self) -> Importer:
        return of("zigzag")


class TestOnnxim(ImporterContract):
    good = ("l.json", json.dumps(LLAMA).encode())
    bad: ClassVar = {b'{"vocab_size": 0}': ("onnxim.number", 1, 16)}

    def make(self) -> Importer:
        return of("onnxim")


class TestTopology(ImporterContract):
    good = ("s.csv", b"name, 1,2,3,4,5,6,7,\nc1, 8, 8, 3, 3, 2, 4, 1,\n")
    bad: ClassVar = {
        b"name, 1,2,3,4,5,6,7,\nc1, 8, 8, 3, 3, x, 4, 1,\n": ("topology.number", 2, 17)
    }

    def make(self) -> Importer:
        return of("scalesim_topology")


class TestTrace(ImporterContract):
    good = ("t.yaml", TRACE)
    bad: ClassVar = {TRACE.replace(b"n: 4", b"n: x"): ("type.number", 4, 40)}

    def make(self) -> Importer:
        return of("layer_trace")


class TestOnnx(ImporterContract):
    good = ("cnn.onnx", (ROOT / "tests/onnx_models/residual_cnn.onnx").read_bytes())

    def read(self, folder: Path, content: bytes, reading: object = None) -> object:  # type: ignore[override]
        from accelsim.importers.base import Reading

        sizes = Reading(dims={"batch": 1}) if reading is None else reading
        return super().read(folder, content, sizes)  # type: ignore[arg-type]

    def make(self) -> Importer:
        return of("onnx")


def test_every_kind_here_has_its_contract() -> None:
    made = {type(kind().make()).__name__ for kind in ImporterContract.__subclasses__()}
    assert {type(one).__name__ for one in registry.own_importers().values()} <= made


def test_one_file_in_its_place_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(registry.own_importers())
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "fc_list.py").write_text(CODE)
    monkeypatch.setattr(here, "__path__", [*here.__path__, str(folder)])
    registry.own_importers.cache_clear()
    registry.library.cache_clear()
    try:
        assert set(registry.own_importers()) - before == {"fc_list"}
        (tmp_path / "mlp.fc").write_bytes(LAYERS)
        work = api.load_workload(tmp_path / "mlp.fc", batch=3)
        assert work.macs == 3 * (16 * 32 + 32 * 10)
    finally:
        registry.own_importers.cache_clear()
        registry.library.cache_clear()
        sys.modules.pop("accelsim.importers.files.fc_list", None)
    assert len(list(folder.glob("*.py"))) == 1


def test_a_package_gives_one_to_every_command(tmp_path: Path) -> None:
    """Installed as pip would: one module, and the metadata that names it."""
    site = tmp_path / "site"
    meta = site / "mine-1.dist-info"
    meta.mkdir(parents=True)
    (site / "mine.py").write_text(CODE)
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1\n")
    (meta / "entry_points.txt").write_text("[accelsim.importers]\nfc_list = mine:FcList\n")
    (tmp_path / "mlp.fc").write_bytes(LAYERS)
    (tmp_path / "bad.fc").write_bytes(b"16\n  y\n")

    def accelsim(*words: str) -> subprocess.CompletedProcess[str]:
        paths = os.pathsep.join([str(ROOT), str(site)])
        return subprocess.run(
            [sys.executable, "-m", "accelsim.cli.main", *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=False,
        )

    done = accelsim("run", "int8_edge", "mlp.fc", "--batch", "2", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["workload"]["macs"] == 2 * (16 * 32 + 32 * 10)
    assert "fc1" in accelsim("check", "mlp.fc").stdout
    done = accelsim("convert", "mlp.fc", "mlp.yaml")
    assert done.returncode == 0 and "assumed: no biases" in done.stdout
    done = accelsim("check", "bad.fc")
    assert (done.returncode, done.stderr) == (2, "bad.fc:2:3: 'y' is no width; write 64\n")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("tests.importers.test_adding:nothing", "cannot be loaded"),
        ("builtins:dict", "is no accelsim.importers.base.Importer"),
        ("tests.importers.test_adding:Nameless", "has no name"),
        ("tests.importers.test_adding:Dotless", "without their dot"),
        ("tests.importers.test_adding:Greedy", "takes colour"),
    ],
)
def test_what_a_package_offers_is_held_to_the_contract(value: str, said: str) -> None:
    found = registry.library_with([EntryPoint("other", value, registry.GROUP)])
    assert said in found.broken["other"] and set(found.importers) == set(registry.own_importers())


class Nameless(Importer):
    suffixes = (".n",)


class Dotless(Nameless):
    name = "without a dot"
    suffixes = ("n",)


class Greedy(Nameless):
    name = "greedy"
    takes = ("colour",)


def test_a_foreign_name_is_refused_by_each_kind(tmp_path: Path) -> None:
    path = tmp_path / "t.mnk"
    path.write_text("1 2 3\n")
    for given, code in (({"batch": 2}, "import.batch"), ({"dims": {"n": 1}}, "onnx.dimension")):
        with pytest.raises(InputError) as caught:
            api.load_workload(path, **given)  # type: ignore[arg-type]
        assert [problem.code for problem in caught.value.problems] == [code]
