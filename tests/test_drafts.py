"""Files that stand whole or not at all, and what killed processes leave behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from accelsim.drafts import OLD, draft_file, draft_folder


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_file_that_fails_leaves_the_old_one(error: type[BaseException], tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_text("old")
    with pytest.raises(error), draft_file(target) as file:
        file.write(b"new")
        raise error
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"] and target.read_text() == "old"
    with draft_file(target) as file:
        file.write(b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"] and target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o644


def test_drafts_older_than_a_day_go_with_the_next(tmp_path: Path) -> None:
    kept = [".a.json.abcdefgh", ".b.json.abcdefgh", ".a.json", ".a.json.own", "a.json.abcdefgh"]
    for name in (*kept, ".a.json.abcd_123"):
        (tmp_path / name).write_text("x")
    (tmp_path / ".run.old.abcdefgh").mkdir()
    (tmp_path / ".run.old.abcdefgh" / "was").write_text("x")
    before = time.time() - OLD - 60
    for path in tmp_path.iterdir():
        if path.name != kept[0]:  # that one is young
            os.utime(path, (before, before))
    with draft_file(tmp_path / "a.json"):
        pass
    with draft_folder(tmp_path / "run"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept, "a.json"])


def test_a_terminated_command_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = (
        "import time, accelsim.reports\n"
        "def draw(result, folder):\n"
        "    (folder / 'x.png').write_text('x'); print('drawing', flush=True); time.sleep(60)\n"
        "accelsim.reports.draw = draw\n"
        "import sys; sys.argv = ['accelsim', 'run', 'int8_edge', 'small_gemm', '--out', sys.argv[1]]\n"
        "from accelsim.cli.main import main; main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "drawing\n"
    assert len(list(tmp_path.iterdir())) == 1
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 143 and said.strip() == "terminated"
    assert not list(tmp_path.iterdir())
