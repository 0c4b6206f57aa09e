"""Wrong files and arguments: one clear line each with its place, exit status 2, nothing written."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from accelsim.cli.main import main
from tests.config.bad_inputs import ARGUMENTS, CFG, CHIP, CSV, MAPPING, PCM, TRACE

ROOT = Path(__file__).parents[2]
SOURCES = {
    "chip": ROOT / "configs/chips/int8_edge.yaml",
    "pcm": ROOT / "configs/chips/pcm_8level.yaml",
    "trace": ROOT / "workloads/digits_cnn.yaml",
    "mapping": ROOT / "configs/mappings/small_gemm.yaml",
    "cfg": ROOT / "tests/scalesim/small.cfg",
    "csv": ROOT / "tests/scalesim/small.csv",
}
CASES = [
    (kind, *case)
    for kind, cases in (
        ("chip", CHIP),
        ("pcm", PCM),
        ("trace", TRACE),
        ("mapping", MAPPING),
        ("cfg", CFG),
        ("csv", CSV),
    )
    for case in cases
]


def call(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> tuple[int, str]:
    """(exit status, standard error) of the command line, in this process."""
    monkeypatch.setattr(sys, "argv", ["accelsim", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
        raise SystemExit(0)
    return int(stop.value.code or 0), capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "name", "old", "new", "marker"), CASES, ids=[f"{case[0]}: {case[1]}" for case in CASES]
)
def test_wrong_files(
    kind: str,
    name: str,
    old: str,
    new: str,
    marker: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = SOURCES[kind].read_text()
    assert old in text, "the case no longer fits its file"
    wrong = text.replace(old, new, 1)
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(ROOT / "workloads/digits_cnn.npz", folder)
    path = folder / f"wrong.{kind if kind in ('cfg', 'csv') else 'yaml'}"
    path.write_bytes(wrong.encode(errors="surrogateescape"))
    out = tmp_path / "out"
    files = {
        "chip": (str(path), "small_gemm"),
        "pcm": (str(path), "digits_cnn"),
        "trace": ("int8_edge", str(path)),
        "mapping": ("int8_edge", "small_gemm", "--mapping", str(path)),
        "cfg": (str(path), "small_gemm"),
        "csv": ("int8_edge", str(path)),
    }[kind]
    status, said = call(capsys, monkeypatch, "run", *files, "--out", str(out))
    assert status == 2, said
    assert "Traceback" not in said
    assert not out.exists()
    lines = said.strip().splitlines()
    assert lines and len(lines) <= 6, said  # one cause, no flood
    assert any(line.startswith(str(path)) for line in lines), said
    if marker:
        number = 1 + wrong[: wrong.index(marker)].count("\n")
        assert any(line.startswith(f"{path}:{number}:") for line in lines), f"line {number}: {said}"


@pytest.mark.parametrize(("name", "arguments", "word"), ARGUMENTS, ids=[a[0] for a in ARGUMENTS])
def test_wrong_arguments(
    name: str,
    arguments: list[str],
    word: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    status, said = call(
        capsys, monkeypatch, "run", "int8_edge", "small_gemm", *arguments, "--out", str(out)
    )
    assert status == 2, said
    assert "Traceback" not in said
    assert said.strip()
    assert word in said or word.split(".")[0] in said, said
    assert not out.exists()


def test_a_folder_with_files_is_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    arguments = ("run", "int8_edge", "small_gemm", "--out", str(tmp_path))
    status, said = call(capsys, monkeypatch, *arguments)
    assert status == 2 and "--force" in said
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    taken = tmp_path / "mine.txt"
    status, said = call(capsys, monkeypatch, *arguments[:-1], str(taken))
    assert status == 2 and str(taken) in said
    assert taken.read_text() == "mine"
    status, said = call(capsys, monkeypatch, *arguments[:-1], "/dev/full/results")
    assert status == 2 and "Traceback" not in said


def test_missing_and_unreadable_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(bytes(range(256)))
    empty = tmp_path / "empty.yaml"
    empty.write_text("")
    for wrong in (str(tmp_path / "none.yaml"), str(tmp_path), str(binary), str(empty), "int8_egde"):
        for files in ((wrong, "small_gemm"), ("int8_edge", wrong)):
            status, said = call(capsys, monkeypatch, "run", *files)
            assert status == 2, (wrong, said)
            assert said.strip() and "Traceback" not in said
        status, said = call(capsys, monkeypatch, "check", wrong)
        assert status == 2, (wrong, said)


@pytest.mark.parametrize("wait", [0.05, 0.5, 1.5])
def test_interrupt_ends_within_two_seconds(wait: float, tmp_path: Path) -> None:
    """A run of many images, interrupted while it starts, plans and computes."""
    out = tmp_path / "out"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "accelsim.cli.main",
            "run",
            "int8_edge",
            "resnet18",
            "--batch",
            "64",
            "--out",
            str(out),
        ],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_DFL
        ),  # a job in the background has none
    )
    time.sleep(wait)
    process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    _, said = process.communicate(timeout=60)
    late = time.monotonic() - begin
    starting = (1,) if wait < 0.3 else ()  # Python's own status before it runs a line of ours
    assert process.returncode in (130, -signal.SIGINT, *starting), said
    assert late < 10, "far more than the two seconds promised"
    assert not out.exists()
    if wait > 0.3:
        assert "Traceback" not in said, said


def test_a_broken_array_header_is_refused(tmp_path: Path) -> None:
    """NumPy's header parser raises a TokenError here, found by fuzzing."""
    import zipfile

    from accelsim.config.values_file import load_npz
    from accelsim.errors import InputError

    header = b"{'descr': '<f8', 'shape': (3,\n"
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        magic = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
        archive.writestr("x.npy", magic + header)
    with pytest.raises(InputError, match="readable"):
        load_npz(path)
