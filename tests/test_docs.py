"""Every example in README.md and docs/ runs: Python blocks as they stand, `$ accelsim` lines too."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)\)")


def blocks(language: str) -> list[tuple[str, str]]:
    return [
        (f"{page.name}:{page.read_text()[: found.start()].count(chr(10)) + 1}", found[2])
        for page in PAGES
        for found in BLOCK.finditer(page.read_text())
        if found[1] == language
    ]


@pytest.mark.parametrize(("place", "code"), blocks("python"), ids=lambda value: value[:30])
def test_python_blocks_run(
    place: str, code: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    module = ModuleType("example")  # classes look their names up in their module
    monkeypatch.setitem(sys.modules, "example", module)
    exec(compile(code, place, "exec", dont_inherit=True), vars(module))


COMMANDS: dict[str, list[str]] = {}
for _place, _text in blocks("console"):
    COMMANDS.setdefault(_place.split(":")[0], []).extend(
        line[2:] for line in _text.splitlines() if line.startswith("$ ")
    )


@pytest.mark.parametrize("page", COMMANDS)
def test_commands_run(page: str, tmp_path: Path) -> None:
    """A page's commands in order, from a copy of the checkout's inputs, so that what they write is
    thrown away."""
    for name in ("configs", "workloads", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for command in COMMANDS[page]:
        words = shlex.split(command)
        assert words[0] == "accelsim", f"{page}: only accelsim commands can be checked"
        done = subprocess.run(
            [sys.executable, "-m", "accelsim.cli.main", *words[1:]],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{page}: {command}: {done.stdout}{done.stderr}"


def test_every_command_is_in_the_docs() -> None:
    from accelsim.cli.main import COMMANDS as KNOWN

    used = {shlex.split(command)[1] for commands in COMMANDS.values() for command in commands}
    assert used == set(KNOWN)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = [link for link in LINK.findall(page.read_text()) if "://" not in link]
    missing = [link for link in targets if not (page.parent / link).exists()]
    assert not [link for link in missing if not link.startswith("reports/")], missing


def test_named_files_exist() -> None:
    """`timing/events.py` and the like, as the pages name them."""
    wrong = []
    for page in PAGES:
        for name in re.findall(r"`((?:\w+/)+\w+\.\w+)`", page.read_text()):
            if not any((base / name).exists() for base in (ROOT, ROOT / "accelsim")):
                wrong.append(f"{page.name}: {name}")
    assert not wrong, wrong


def figures() -> list[str]:
    """Commands whose output a page shows, the long ones last."""
    sys.path.insert(0, str(ROOT / "scripts"))
    from figures import BLOCK  # type: ignore[import-not-found]

    return [found["lines"] for page in PAGES for found in BLOCK.finditer(page.read_text())]


def test_blocks_of_figures_are_found() -> None:
    assert sum(lines.count("\n$ accelsim") for lines in figures()) >= 6


@pytest.mark.full
def test_every_printed_figure_is_what_its_command_prints() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/figures.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"make figures; {done.stdout}{done.stderr}"
