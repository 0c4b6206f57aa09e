"""What nothing expects is one line that says whose fault it is, with the traceback in a file."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from accelsim.cli import list_command, main


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """`accelsim list` raises; temporary files go to the folder."""

    def wrong(*_: object, **__: object) -> None:
        raise KeyError("a\nb\x1b")

    monkeypatch.setattr(list_command.command, "callback", wrong)
    monkeypatch.setattr(sys, "argv", ["accelsim", "list", "chips"])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("ACCELSIM_TRACEBACK", raising=False)
    return tmp_path


def test_a_bug_is_one_line_and_a_file(broken: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main.main()
    assert stopped.value.code == main.BUG == 70
    said = capfd.readouterr().err
    found = re.fullmatch(
        r"accelsim: this is a bug of accelsim, not of the input: KeyError: .*; "
        r"please report it with (\S+)\n",
        said,
    )
    assert found, said
    text = Path(found[1]).read_text(encoding="utf-8")
    assert "Traceback" in text and "arguments: ['list', 'chips']" in text


def test_it_can_be_raised_for_a_debugger(broken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELSIM_TRACEBACK", "1")
    with pytest.raises(KeyError):
        main.main()
