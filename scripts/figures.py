"""make figures: prints every figure of README and docs/ anew, and says what moved.

A block whose content a command prints stands behind a comment that says so:

    <!-- figures
    == a line of its own
    $ accelsim run int8_edge resnet18 => resnet18 on|area
    -->

Behind "=>" is a regular expression: lines that do not begin with it are left out. Galleries come from
scripts/gallery.py (--gallery). With --check nothing is written; the status is 1 when a block differs.

python scripts/figures.py [--check] [--gallery] [PAGE...]
"""

from __future__ import annotations

import difflib
import re
import shlex
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(
    r"<!-- figures\n(?P<lines>.*?)-->\n+```\w*\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


def main(words: list[str]) -> int:
    check, gallery = "--check" in words, "--gallery" in words
    chosen = [ROOT / word for word in words if not word.startswith("--")] or PAGES
    moved = 0
    for page in chosen:
        old = page.read_text(encoding="utf-8")
        new = BLOCK.sub(lambda found: found[0].replace(found["text"], printed(found["lines"])), old)
        print(
            *difflib.unified_diff(old.splitlines(), new.splitlines(), page.name, n=0, lineterm=""),
            sep="\n",
        )
        moved += new != old
        if not check:
            page.write_text(new, encoding="utf-8")
    if gallery:
        subprocess.run([sys.executable, str(ROOT / "scripts" / "gallery.py")], check=True)
        subprocess.run(["git", "diff", "--stat", "--", "reports"], check=True, cwd=ROOT)
    return int(check and moved > 0)


def printed(lines: str) -> str:
    """The text of a block: literal lines as they stand, those of commands as they print them."""
    found = []
    for line in lines.splitlines():
        if not line.startswith("$ "):
            found.append(line)
            continue
        command, _, wanted = line[2:].partition(" => ")
        found += [
            text.rstrip() for text in output(command).splitlines() if re.match(wanted.strip(), text)
        ]
    return "".join(f"{line}\n" for line in found)


@lru_cache(maxsize=64)
def output(command: str) -> str:
    """What a command prints on its standard output, run in an empty folder beside the shipped inputs."""
    program, *words = shlex.split(command)
    assert program == "accelsim", f"{command}: blocks hold accelsim commands"
    with tempfile.TemporaryDirectory() as folder:
        for name in ("configs", "workloads", "tests"):
            (Path(folder) / name).symlink_to(ROOT / name)
        done = subprocess.run(
            [sys.executable, "-m", "accelsim.cli.main", *words],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
        )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
