"""docs/chip_files.md has every key of a chip file with its default, and its chips run."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest

import accelsim
from accelsim.chip import Technology
from accelsim.chip.chip import COMMANDS_AHEAD
from accelsim.config.chip_file import CORE_KEYS, KEYS
from accelsim.config.chip_keys import own_value
from accelsim.config.quantities import quantity
from accelsim.config.reader import rules_of
from accelsim.constants.rows import families
from accelsim.devices.library import device_names
from accelsim.errors import InputError
from accelsim.fields import Quantity
from accelsim.units.kinds import link_kinds, memory_kinds, unit_kinds
from accelsim.units.link import HopEnergy
from tests.chip.graphs import ROOT, load

PAGE = (ROOT / "docs" / "chip_files.md").read_text()
CELLS = re.compile(r"(?<!\\)\|")
SECTIONS: dict[str, Any] = {
    "### technology": [Technology],
    **{f"### {kind}": [cls] for kind, cls in (memory_kinds() | unit_kinds()).items()},
    "## Links": list(link_kinds().values()),
}


def section(title: str) -> str:
    """The page from a title to the next one."""
    begin = PAGE.index(f"\n{title}\n") + len(title) + 2
    end = re.search(r"^##+ ", PAGE[begin:], re.MULTILINE)
    return PAGE[begin : begin + end.start() if end else len(PAGE)]


def table(text: str) -> dict[str, str]:
    """Defaults by key of the tables of a section that have a third column."""
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in CELLS.split(line)[1:-1]]
        if len(cells) == 3 and cells[0].startswith("`"):
            found |= dict.fromkeys(re.findall(r"`(\w+)`", cells[0]), cells[2])
    return found


def keys(cls: Any) -> dict[str, Any]:
    """Fields that a file may write, by name; none of what is no record."""
    if not dataclasses.is_dataclass(cls):
        return {}
    left_out = ("name", *getattr(cls, "given", ()))
    return {
        item.name: item
        for item in dataclasses.fields(cls)
        if item.name in rules_of(cls) and item.name not in left_out
    }


def is_default(cls: Any, item: Any, said: str) -> bool:
    """Whether the page says a field's default; of records and of what is none it may say it in words."""
    value = item.default
    hint = get_type_hints(cls, include_extras=True)[item.name]
    marks = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    units = [mark.unit for mark in marks if isinstance(mark, Quantity)]
    if units and value is not None:
        return quantity(said, units[0]) == pytest.approx(value, rel=1e-12)
    if isinstance(value, bool):
        return said == str(value).lower()
    if isinstance(value, int | float):
        return said == f"{value:g}"
    return said == value or not isinstance(value, str) or not value


@pytest.mark.parametrize("title", SECTIONS)
def test_every_key_stands_with_its_default(title: str) -> None:
    defaults = table(section(title))
    known: set[str] = set()
    for cls in SECTIONS[title]:
        for name, item in keys(cls).items():
            known.add(name)
            assert name in defaults or name == "clock", f"{title}: {name} is not documented"
            if rules_of(cls)[name].required:
                assert not defaults.get(name), f"{title}: {name} has no default"
            elif name in defaults:
                said = defaults[name]
                assert is_default(cls, item, said), f"{title}: {name} is {item.default} by default"
    extra = {"nodes", "places"} if title == "## Links" else set()
    assert set(defaults) <= known | extra, "the page has keys that there are not"


@pytest.mark.parametrize(
    ("title", "row", "field"),
    [
        ("### crossbar", row, row)
        for row in ("cells", "drive", "adc", "wires", "wear", "writing", "accumulator", "profile")
    ]
    + [("### mac_array", "rates", "rates"), ("### mac_array", "scratchpads", "scratchpads")]
    + [("### technology", "constants", "constants")],
)
def test_keys_within_keys(title: str, row: str, field: str) -> None:
    cls = SECTIONS[title][0]
    kind = rules_of(cls)[field].kind
    kind = kind[1] if isinstance(kind, tuple) else kind
    line = next(line for line in section(title).splitlines() if line.startswith(f"| `{row}`"))
    for name in rules_of(kind):
        assert f"`{name}`" in line, (row, name)


def test_the_rest_of_the_language() -> None:
    for name in KEYS:
        assert f"`{name}`" in PAGE[: PAGE.index("### technology")], name
    assert f"command memory, default {COMMANDS_AHEAD}:" in PAGE
    for name in (*CORE_KEYS, "use"):
        assert f"`{name}`" in section("## Cores"), name
    for name in (*link_kinds(), *rules_of(HopEnergy)):
        assert f"`{name}" in section("## Links") or f"{{{name}:" in section("## Links"), name
    accumulator = rules_of(rules_of(unit_kinds()["mac_array"])["accumulator"].kind)
    for name in accumulator:
        assert f"`{name}`" in section("### mac_array"), name


def written(title: str) -> str:
    """The chip file of a section."""
    text = re.search(r"```yaml\n(name: .*?)```", section(title), re.DOTALL)
    assert text is not None and len(text[1].splitlines()) <= 30
    return text[1]


def test_the_chip_of_the_page(tmp_path: Path) -> None:
    chip = load(tmp_path, written("## A chip of two cores with an L2"))
    assert list(chip.cores) == ["", "core[0]", "core[1]"]
    way = chip.route("dram", "core[1].l1")
    assert way.storages == ("l2",) and way.ports == ("bus.port",)
    assert accelsim.run(chip, accelsim.load_workload("digits_mlp")).joules > 0


def test_the_mesh_of_the_page(tmp_path: Path) -> None:
    text = written("## A chip of two cores with an L2")
    link = re.search(r"^links: (\{noc: .*\})$", section("## Links"), re.MULTILINE)
    assert link is not None and "grid: [1, 2]" in section("## Links")
    begin = text.index("links:")
    chip = load(tmp_path, f"{text[:begin]}links: {link[1]}\n".replace("count: 2", "grid: [1, 2]"))
    assert chip.route("l2", "core[0,1].l1").ports == ("noc.0,0>0,1",)
    assert chip.route("l2", "core[0,0].l1").ports == ()
    assert accelsim.run(chip, accelsim.load_workload("digits_mlp")).joules > 0


def test_the_crossbars_of_the_page(tmp_path: Path) -> None:
    chip = load(tmp_path, written("## A PCM chip"))
    assert chip.weights == "resident" and chip.crossbar is not None
    assert (chip.crossbar.outputs, chip.crossbar.settle, chip.crossbar.age) == (256, 0, 0)
    assert accelsim.run(chip, accelsim.load_workload("digits_cnn")).joules > 0


def test_names_that_stand_in_lists() -> None:
    for kind, names in (
        ("### technology", families()),
        ("### crossbar", device_names()),
    ):
        assert all(name in section(kind) for name in names), (kind, names)


def left_out() -> Iterator[tuple[str, str]]:
    """Chips of the page, and a key of a record that each leaves out, at its default."""
    two, pcm = written("## A chip of two cores with an L2"), written("## A PCM chip")
    for text, place, kind in (
        (two, "cores.core.units.array", "mac_array"),
        (pcm, "units.tiles", "crossbar"),
    ):
        for field, rule in rules_of(unit_kinds()[kind]).items():
            for name, inner in keys(rule.kind).items() if isinstance(rule.kind, type) else ():
                if isinstance(inner.default, int | float | bool):
                    unit = rules_of(rule.kind)[name].unit
                    value = f"{json.dumps(inner.default)} {unit}".strip()
                    yield text, f"{place}.{field}.{name}={value}"


def test_keys_of_records_that_a_file_leaves_out_can_be_set(tmp_path: Path) -> None:
    """The page says: any value."""
    tried = list(left_out())
    assert len(tried) > 12
    path = tmp_path / "chip.yaml"
    for text, change in tried:
        path.write_text(text)
        key, _, said = change.partition("=")
        try:
            chip = accelsim.load_chip(path, [change])
        except InputError as error:  # a value may need another beside it
            assert all(problem.code != "set.path" for problem in error.problems), change
            continue
        assert own_value(chip, key) == json.loads(said.split()[0]), change
    path.write_text(written("## A PCM chip"))
    assert accelsim.load_chip(path, ["precision.weight=int4"]).precision.weight == "int4"
    with pytest.raises(InputError, match="no key 'precison'"):
        accelsim.load_chip(path, ["precison.input=int4"])
    with pytest.raises(InputError, match="did you mean cells"):
        accelsim.load_chip(path, ["units.tiles.cels.levels=8"])
