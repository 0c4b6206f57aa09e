"""Units are found by their place and in packages; each keeps the contract; adding one takes one file."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import ClassVar

import pytest

import accelsim
from accelsim.chip import machine
from accelsim.errors import InputError
from accelsim.offered import look_again
from accelsim.program.opcodes import Opcode
from accelsim.program.table import Shapes
from accelsim.units import kinds
from accelsim.units.base import Unit
from accelsim.units.kinds import memory_kinds, unit_kinds
from accelsim.units.vector_unit import VectorUnit
from accelsim.workload import Operator, TensorSpec, VectorOperator, Workload
from tests.test_docs import BLOCK, ROOT
from tests.units.unit_contract import UnitContract, shapes_of

OWN = {"mac_array", "crossbar", "vector_unit", "dma"}


def of_chip(chip: str, part: str) -> Unit:
    return next(unit for unit in accelsim.load_chip(chip).units.values() if unit.part == part)


class TestMacArray(UnitContract):
    def make(self) -> Unit:
        return of_chip("int8_edge", "mac_array")

    def shapes(self) -> Shapes:
        rows = [(Opcode.PRELOAD, [0, 8, 8, 1, 0]), (Opcode.MATMUL, [5, 8, 8, 1, 0])]
        return shapes_of(self.make(), [(int(code), sizes) for code, sizes in rows])


class TestVectorUnit(UnitContract):
    def make(self) -> Unit:
        return of_chip("int8_edge", "vector_unit")

    def shapes(self) -> Shapes:
        rows = [(Opcode.VECTOR, [10, 20]), (Opcode.REQUANTIZE, [33, 33]), (Opcode.VECTOR, [1, 1])]
        return shapes_of(self.make(), [(int(code), sizes) for code, sizes in rows])


class TestDma(UnitContract):
    def make(self) -> Unit:
        return of_chip("int8_edge", "dma")

    def shapes(self) -> Shapes:
        rows = [(Opcode.LOAD, [64]), (Opcode.STORE, [1000])]
        return shapes_of(self.make(), [(int(code), sizes) for code, sizes in rows])


class TestCrossbar(UnitContract):
    def base(self) -> str:
        return "pcm_8level"

    def make(self) -> Unit:
        return of_chip("pcm_8level", "crossbar")

    def shapes(self) -> Shapes:
        rows = [(Opcode.MVM, [3, 10, 20, 0]), (Opcode.PROGRAM, [0, 10, 20, 0])]
        return shapes_of(self.make(), [(int(code), sizes) for code, sizes in rows])


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Unit]]:
    """The unit of docs/adding_a_unit.md, installed as a package of one file."""
    page = (ROOT / "docs" / "adding_a_unit.md").read_text()
    (code,) = [found[2] for found in BLOCK.finditer(page) if found[1] == "python"]
    (tmp_path / "two_rates_unit.py").write_text(code)
    (folder := tmp_path / "two_rates_unit-1.dist-info").mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: two_rates_unit\nVersion: 1\n")
    (folder / "entry_points.txt").write_text(
        "[accelsim.units]\ntwo_rates = two_rates_unit:TwoRates\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    look_again()
    kinds._classes.cache_clear()
    yield unit_kinds()["two_rates"]
    look_again()
    kinds._classes.cache_clear()
    sys.modules.pop("two_rates_unit")


def test_the_page_adds_a_unit_in_one_file(added: type[Unit]) -> None:
    own = of_chip("int8_edge", "vector_unit")

    class Contract(TestVectorUnit):
        def make(self) -> Unit:
            taken = {field.name: getattr(own, field.name) for field in fields(own)}
            return added(**taken, scale_lanes=32)  # type: ignore[call-arg]

    contract = Contract()
    tests = [name for name in dir(contract) if name.startswith("test_")]
    assert len(tests) >= 8
    for name in tests:
        getattr(contract, name)()
    assert set(unit_kinds()) == OWN | {"two_rates"}


def test_its_keys_are_read_and_checked(added: type[Unit], tmp_path: Path) -> None:
    text = (ROOT / "configs" / "chips" / "int8_edge.yaml").read_text()
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace("kind: vector_unit", "kind: two_rates\n    scale_lanes: 256"))
    chip = accelsim.load_chip(path)
    assert type(chip.vector_unit) is added and chip.vector_unit.scale_lanes == 256  # type: ignore[attr-defined]
    work = accelsim.load_workload("small_cnn", 1)
    fast, slow = (
        accelsim.run(accelsim.load_chip(path, [f"units.vector.scale_lanes={n}"]), work)
        for n in (256, 1)
    )
    assert fast.cycles <= slow.cycles
    path.write_text(path.read_text().replace("scale_lanes: 256", "scale_lanes: 0"))
    with pytest.raises(InputError, match=r"mine.yaml:\d+:\d+: units.vector.scale_lanes: "):
        accelsim.load_chip(path)


def test_kinds_are_those_of_the_folder() -> None:
    assert set(unit_kinds()) == OWN and set(memory_kinds()) == {"sram", "dram"}
    assert unit_kinds()["dma"].part == "dma" and "fold_array" not in unit_kinds()


def test_instances_of_several_arrays_are_in_the_machine() -> None:
    chip = accelsim.load_chip("int8_edge")
    more = replace(chip, units={**chip.units, "array": replace(chip.array, count=3)})
    names = [one.name for one in more.array.instances()]
    assert names == [f"array.{i}{part}" for i in range(3) for part in ("", ".preload")]
    rows = [row.name for row in machine(more).units]
    assert rows[:6] == names and len(rows) == 6 + 1 + 3  # the vector unit, three channels
    held = [row.bytes for row in machine(more).memories if row.name.endswith(".registers")]
    assert held == [more.array.register_bytes] * 3


@dataclass(frozen=True, slots=True)
class NoExponentials(VectorUnit):
    """A vector unit without a table of exponentials."""

    kind: ClassVar[str] = "no_exponentials"
    in_files: ClassVar[bool] = False

    def runs(self, operator: Operator | VectorOperator) -> bool:
        return VectorUnit.runs(self, operator) and operator.kind != "softmax"


def test_an_operator_that_no_unit_runs_is_refused() -> None:
    chip = accelsim.load_chip("int8_edge")
    own = {field.name: getattr(chip.vector_unit, field.name) for field in fields(chip.vector_unit)}
    less = replace(chip, units={**chip.units, "vector": NoExponentials(**own)})
    shape = (2, 8)
    soft, plain = (
        Workload(
            "one",
            (VectorOperator("y", kind, ("x",), "y", (shape,), shape),),
            {
                name: TensorSpec(name, shape, role)
                for name, role in (("x", "input"), ("y", "output"))
            },
        )
        for kind in ("softmax", "tanh")
    )
    with pytest.raises(InputError, match="y: no unit of int8_edge runs a softmax; give the chip"):
        accelsim.run(less, soft)
    assert accelsim.run(less, plain).cycles == accelsim.run(chip, plain).cycles > 0
