"""The picture of a chip: everything is in it, inside what holds it, and nothing lies on anything else."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import pytest
from click.testing import CliRunner

import accelsim
from accelsim.chip import Chip, machine
from accelsim.cli.main import cli
from accelsim.errors import InputError
from accelsim.reports.chip_layout import Box, Group, layout
from accelsim.reports.chip_picture import draw, rows, summary
from tests.chip.graphs import MESHED, NESTED, load
from tests.chip.test_cores import SHIPPED, SYSTEM, drawn

ROOM = 1e-9


def chips(tmp_path: Path) -> list[Chip]:
    system = SYSTEM.replace("one/mine.yaml", "pcm_8level")
    return [*(load(tmp_path, text) for text in (NESTED, MESHED, system)), *drawn(9, 25)]


def check(group: Group) -> list[str]:
    """Names of what lies in it."""
    items = [item for row in group.rows for item in row]
    for one, other in combinations(items, 2):
        apart = (
            one.x + one.w <= other.x + ROOM
            or other.x + other.w <= one.x + ROOM
            or one.y + one.h <= other.y + ROOM
            or other.y + other.h <= one.y + ROOM
        )
        assert apart, (one.name, other.name)
    found = []
    for item in items:
        wide = group.frame if group.framed else group.w
        assert group.x - ROOM <= item.x and item.x + item.w <= group.x + wide + ROOM, item.name
        assert group.y - ROOM <= item.y and item.y + item.h <= group.y + group.h + ROOM, item.name
        found += [item.name, *(check(item) if isinstance(item, Group) else [])]
    return found


def test_everything_lies_in_its_core(tmp_path: Path) -> None:
    for chip in [*chips(tmp_path), *map(accelsim.load_chip, SHIPPED)]:
        names = sorted(check(layout(chip)))
        wanted = [*chip.memories, *chip.units, *chip.links, *chip.templates, ""]
        assert names == sorted(wanted), chip.name


def test_text_fits_its_box(tmp_path: Path) -> None:
    """As matplotlib measures it."""
    from accelsim.reports import chip_picture
    from accelsim.reports.style import blank

    for chip in chips(tmp_path)[:8]:
        whole = layout(chip)
        figure = blank(whole.h + 1.0)
        figure.set_layout_engine("none")
        figure.set_figwidth(whole.w + 1.0)
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_xlim(0.0, whole.w + 1.0)
        axes.set_ylim(whole.h + 1.0, 0.0)
        boxes: list[Box] = list(chip_picture._all(whole))
        for box in boxes:
            before = len(axes.texts)
            chip_picture._box(axes, box)
            for text in axes.texts[before:]:
                extent = text.get_window_extent().transformed(axes.transData.inverted())
                low, high = sorted((extent.y0, extent.y1))
                assert box.x <= extent.x0 and extent.x1 <= box.x + box.w, text.get_text()
                assert box.y <= low + 0.02 and high - 0.02 <= box.y + box.h, text.get_text()


def test_the_same_bytes_each_time(tmp_path: Path) -> None:
    chip = load(tmp_path, NESTED)
    once = draw(chip)
    assert once == draw(load(tmp_path, NESTED)) and once.startswith(b"\x89PNG")
    assert once != draw(load(tmp_path, NESTED, "links.bus.hop=4"))


def test_rows_say_how_often_each_stands(tmp_path: Path) -> None:
    for chip in chips(tmp_path)[:12]:
        times = {row[0]: int(row[2].replace(",", "")) for row in rows(chip)}
        assert list(times) == [*chip.memories, *chip.links, *chip.units]
        tables = machine(chip)
        units = [
            row for row in tables.units if not row.name.endswith((".preload", ".weight", ".output"))
        ]
        assert sum(times[name] for name in chip.units) == len(units)
        buffers = sum(
            times[name] * memory.size
            for name, memory in chip.memories.items()
            if memory.part == "sram"
        )
        held = {
            row.name: row.bytes
            for row in tables.memories
            if not row.name.endswith((".registers", ".cells"))
        }
        off = sum(
            times[name] * memory.size
            for name, memory in chip.memories.items()
            if memory.part == "dram"
        )
        assert buffers == sum(held.values()) - off
        assert str(len(tables.units)) in summary(chip)


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "nested.yaml").write_text(NESTED)
    run = CliRunner().invoke
    shown = run(
        cli, ["show", "chip", str(tmp_path / "nested.yaml"), "--set", "cores.cluster.count=5"]
    )
    assert re.search(r"cluster\.core\.l1 +sram +15 ", shown.output)
    assert "nested: 20 cores" in shown.output
    picture = tmp_path / "nested.png"
    args = ["show", "chip", str(tmp_path / "nested.yaml"), "--picture", str(picture)]
    assert run(cli, args).exit_code == 0 and picture.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="is there already"):
        run(cli, args, catch_exceptions=False)
    assert run(cli, [*args, "--force"]).exit_code == 0


@pytest.mark.parametrize("name", ["drawn.svg", "drawn", "drawn.png.txt", ""])
def test_a_picture_is_a_png_by_its_name(name: str, tmp_path: Path) -> None:
    """What was drawn was a PNG whatever the name said."""
    path = tmp_path / name
    commands = (
        ("show", "chip", "int8_edge"),
        ("format", "show", "int8"),
        ("device", "fit", "none.csv", "--out", str(tmp_path / "device.json")),
    )
    for command in commands:
        with pytest.raises(InputError, match=r"is no name of a PNG.*\.png"):
            CliRunner().invoke(cli, [*command, "--picture", str(path)], catch_exceptions=False)
    assert not list(tmp_path.iterdir())
