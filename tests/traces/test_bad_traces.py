"""Wrong traces: one clear line each with file and array, exit status 2, nothing written."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import accelsim
from accelsim.errors import InputError
from accelsim.traces import check_arrays, load_trace
from tests.config.test_bad_inputs import call
from tests.traces import hand_made
from tests.traces.bad_traces import ARRAYS, FILES, TEXTS, Edit

ROOT = Path(__file__).parents[2]
Said = Callable[..., tuple[int, str]]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Said:
    return lambda *arguments: call(capsys, monkeypatch, *arguments)


def codes_of(folder: Path) -> set[str]:
    """Codes of all problems of a trace."""
    with pytest.raises(InputError) as found:
        trace = load_trace(folder)
        check_arrays(trace, trace.workload.operators)
    return {problem.code for problem in found.value.problems}


def refused(said: Said, folder: Path, place: Path) -> str:
    """The command line on a wrong trace."""
    status, text = said("replay", "int8_edge", str(folder), "--out", str(folder.parent / "out"))
    assert status == 2, text
    assert "Traceback" not in text
    lines = text.strip().splitlines()
    assert lines and len(lines) <= 8, text  # one cause, no flood
    assert all(line.startswith(str(place)) for line in lines), text
    assert not (folder.parent / "out").exists()
    return text


@pytest.mark.parametrize(
    ("name", "edit", "code", "array"), ARRAYS, ids=[case[0] for case in ARRAYS]
)
def test_wrong_arrays(
    name: str, edit: Edit, code: str, array: str, tmp_path: Path, said: Said
) -> None:
    arrays = hand_made.arrays()
    edit(arrays)
    folder = hand_made.write(tmp_path / "trace", arrays)
    text = refused(said, folder, folder / "values.npz")
    assert f"values.npz: {array}: " in text, text
    assert code in codes_of(folder), text


@pytest.mark.parametrize(("name", "old", "new", "code"), TEXTS, ids=[case[0] for case in TEXTS])
def test_wrong_texts(name: str, old: str, new: str, code: str, tmp_path: Path, said: Said) -> None:
    assert old in hand_made.TEXT, "the case no longer fits its text"
    folder = hand_made.write(tmp_path / "trace", text=hand_made.TEXT.replace(old, new, 1))
    refused(said, folder, folder)
    assert code in codes_of(folder)


@pytest.mark.parametrize(("name", "edit", "code"), FILES, ids=[case[0] for case in FILES])
def test_wrong_files(
    name: str, edit: Callable[[Path], None], code: str, tmp_path: Path, said: Said
) -> None:
    folder = hand_made.write(tmp_path / "trace")
    edit(folder)
    refused(said, folder, folder)
    assert code in codes_of(folder)


def test_all_problems_at_once(tmp_path: Path, said: Said) -> None:
    arrays = hand_made.arrays()
    del arrays["x"], arrays["conv.weight"]
    arrays["wide"] = np.zeros((4, 3), np.int32)
    folder = hand_made.write(tmp_path / "trace", arrays)
    text = refused(said, folder, folder / "values.npz")
    assert all(f": {name}: " in text for name in ("x", "conv.weight", "wide")), text
    status, text = said("check", str(folder))
    assert status == 2 and all(f": {name}: " in text for name in ("x", "conv.weight", "wide")), text


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--layer", "fcc"], "fc"),
        (["--layer", "q*"], "write one of: fc"),
        (["--layer", ""], "fc"),
        (["--point", "fast"], "--point"),
        (["--set", "units.array.rows=0"], "rows"),
        (["--model", "none.onnx"], "none.onnx"),
        (["--model", "{model}"], "--dim"),
        (["--model", "{model}", "--dim", "batch=2"], "is not the model"),
        (["--out", "{folder}"], "not empty"),
        (["--out", "/dev/full/x"], "cannot be written"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_arguments(arguments: list[str], word: str, tmp_path: Path, said: Said) -> None:
    folder = hand_made.write(tmp_path / "trace")
    model = ROOT / "tests/onnx_models/residual_cnn.onnx"
    given = [text.format(folder=folder, model=model) for text in arguments]
    status, text = said("replay", "int8_edge", str(folder), *given)
    assert status == 2 and word in text and "Traceback" not in text, text


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--save-trace", "{new}"], "--input"),
        (["--reference", "{trace}"], "--input"),
        (["--save-trace", "{new}", "--reports", "scalesim"], "--reports"),
        (["--input", "digits", "--save-trace", "{trace}"], "not empty"),
        (["--input", "digits", "--save-trace", "{trace}/trace.yaml"], "not a folder"),
        (["--input", "digits", "--save-trace", "/dev/full/x"], "cannot be written"),
        (["--input", "digits", "--reference", "{new}"], "no such file"),
        (["--input", "digits", "--reference", "{trace}"], "another workload"),
        (["--input", "digits", "--reference", "{hand}"], "records no tensor"),
        (["--input", "digits", "--reference", "{batch}"], "has shape"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_arguments_of_run(
    arguments: list[str], word: str, tmp_path: Path, said: Said
) -> None:
    hand = hand_made.write(
        tmp_path / "hand",
        {"a": np.zeros((4, 2)), "b": np.zeros((4, 3)), "b.weight": np.zeros((2, 3))},
        OTHER,
    )
    batch = hand_made.write(tmp_path / "batch", {"x": np.zeros((7, 64))}, SMALL)
    known = accelsim.traces.recorded.workload_digest(load_trace(hand).workload)
    other = OTHER.replace("  version: 1", f"  version: 1\n  workload: {known}")
    trace = hand_made.write(tmp_path / "trace", {"a": np.zeros((4, 2))}, other)
    given = [
        text.format(new=tmp_path / "new", trace=trace, hand=hand, batch=batch) for text in arguments
    ]
    status, text = said("run", "int8_edge", "digits_mlp", *given)
    assert status == 2 and word in text and "Traceback" not in text, text
    assert not (tmp_path / "new").exists()
    assert sorted(path.name for path in trace.iterdir()) == ["trace.yaml", "values.npz"]


OTHER = """\
name: other
inputs: {a: [4, 2]}
operators:
  - {name: b, kind: gemm, input: a, n: 3}
recorded:
  version: 1
"""
SMALL = """\
name: other
inputs: {x: [7, 64]}
operators:
  - {name: fc1, kind: gemm, input: x, n: 3}
recorded: {version: 1}
"""


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "accelsim.cli.main",
            "run",
            "int8_edge",
            "digits_mlp",
            "--input",
            "digits",
            "--save-trace",
            str(tmp_path / "trace"),
        ],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )
    assert done.returncode == 2, done.stderr
    assert "cannot be written" in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert list(tmp_path.iterdir()) == []
