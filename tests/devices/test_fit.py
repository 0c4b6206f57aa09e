"""Fitting what a known device gave finds that device again; wrong CSVs are refused with their line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from accelsim import load_chip
from accelsim.cli.main import main
from accelsim.config.measurements_file import load_measurements
from accelsim.devices import device_named, kept, statistical
from accelsim.devices.files import load_device
from accelsim.devices.fit import Measurements, fit
from accelsim.errors import InputError
from accelsim.noise import Stream

TIMES = np.geomspace(20.0, 1e6, 12)
GOALS = np.array([2.5, 5.0, 10.0, 15.0, 20.0, 25.0]) * 1e-6


def measured(cells: int = 400) -> Measurements:
    """pcm_like cells read at twelve ages; age 0 of the model is 20 s after programming."""
    device, stream = statistical("pcm_like"), Stream(3, ("fit",))
    made = device.program(np.repeat(GOALS[:, None], cells, axis=1), stream)
    rows = [device.read(made, float(t - 20.0), stream.of("read", i)) for i, t in enumerate(TIMES)]
    g = np.stack(rows, axis=-1)
    shape = g.shape
    number = np.arange(shape[0] * shape[1]).reshape(shape[:2])
    return Measurements(
        np.broadcast_to(GOALS[:, None, None], shape).ravel(), g.ravel(),
        np.broadcast_to(TIMES, shape).ravel(), np.full(g.size, 298.15),
        np.broadcast_to(number[..., None], shape).ravel(),
    )  # fmt: skip


def test_a_known_device_is_found_again() -> None:
    device, found = statistical("pcm_like"), fit(measured(), 250e-9)
    x = np.array(found.x)
    for part, curve in ((found.programming, device.programming), (found.drift_mean, device.drift_mean),
                        (found.drift_sd, device.drift_sd)):  # fmt: skip
        true = curve(x)
        inside = [e.low <= v <= e.high for e, v in zip(part, true, strict=True)]
        assert sum(inside) >= len(inside) - 2
        assert np.array([e.value for e in part]) == pytest.approx(true, rel=0.15)
    assert np.array([e.value for e in found.read]) == pytest.approx(device.read_noise(x), rel=0.1)
    assert found.residual == pytest.approx(1.0, abs=0.05)


def write(path: Path, data: Measurements, every: int = 1) -> None:
    rows = zip(data.target[::every], data.g[::every], data.t[::every], data.cell[::every], strict=True)
    path.write_text("g_target_uS,g_uS,t,cell\n" + "".join(
        f"{a * 1e6:.9g},{b * 1e6:.9g},{c:.9g},{d}\n" for a, b, c, d in rows))


def test_the_command_writes_a_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                     capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    """One that a chip file can name."""
    source, out = tmp_path / "m.csv", tmp_path / "mine.json"
    write(source, measured(60))
    again = load_measurements(source)
    assert len(again.g) == len(GOALS) * 60 * len(TIMES)
    monkeypatch.setattr(sys, "argv", ["accelsim", "device", "fit", str(source), "--out", str(out),
                                      "--picture", str(tmp_path / "m.png")])  # fmt: skip
    main()
    assert "residual" in capsys.readouterr().out and (tmp_path / "m.png").stat().st_size > 10_000
    device = device_named(str(out))
    assert device.g_max == pytest.approx(25e-6)
    monkeypatch.setattr(sys, "argv", ["accelsim", "run", "pcm_8level", "digits_mlp", "--input", "digits",
                                      "--set", f"units.tiles.device={out}", "--set",
                                      "units.tiles.cells.levels=0"])  # fmt: skip
    main()
    assert "top-1" in capsys.readouterr().out


WRONG = [
    ("no column g", "g_target_uS,t,cell", 1, "g"),
    ("unit of another thing", "g_target_uS,g_V,t,cell", 1, "g_V"),
    ("microsiemens as siemens", "g_target,g_uS,t,cell", 2, "microsiemens"),
    ("time of nothing", None, 3, "after programming"),
    ("text for a number", None, 4, "no number"),
    ("a short row", None, 5, "no number"),
]


@pytest.mark.parametrize(("name", "head", "line", "said"), WRONG, ids=[case[0] for case in WRONG])
def test_wrong_measurements_are_refused(name: str, head: str | None, line: int, said: str, tmp_path: Path,
                                        monkeypatch: pytest.MonkeyPatch,
                                        capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    source = tmp_path / "m.csv"
    write(source, measured(10), 4)
    lines = source.read_text().splitlines()
    lines[0] = head or lines[0]
    if name == "time of nothing":
        lines[2] = "2.5,2.4,0,1"
    if name == "text for a number":
        lines[3] = "2.5,many,20,1"
    if name == "a short row":
        lines[4] = "2.5"
    source.write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(sys, "argv", ["accelsim", "device", "fit", str(source), "--out", str(tmp_path / "o")])
    with pytest.raises(SystemExit) as stop:
        main()
    error = capsys.readouterr().err
    assert stop.value.code == 2 and f"{source}:{line}:" in error and said in error
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"g_max_us": 25}', "not json"])
def test_wrong_device_files_are_refused(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                        capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    path = tmp_path / "d.json"
    path.write_text(text)
    monkeypatch.setattr(sys, "argv", ["accelsim", "run", "pcm_8level", "digits_mlp", "--set",
                                      f"units.tiles.device={path}"])  # fmt: skip
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2 and str(path) in capsys.readouterr().err


def device_file(path: Path, g_max: float) -> Path:
    record = {"g_max_us": g_max, "read_s": 1e-6, "reference_s": 20.0, "source": "test",
              **{key: {"poly": [0.01]} for key in ("programming", "drift_mean", "drift_sd", "read")}}
    path.write_text(json.dumps(record))
    return path


def test_a_changed_device_file_is_another_device(tmp_path: Path) -> None:
    """Within one process: a chip keeps what it was read with, the next one has what stands there then."""
    path = device_file(tmp_path / "mine.json", 10.0)
    sets = [f"units.tiles.device={path}", "units.tiles.cells.levels=0"]
    first = load_chip("pcm_8level", sets)
    assert device_named(str(path)).g_max == pytest.approx(10e-6)
    device_file(path, 20.0)
    second = load_chip("pcm_8level", sets)
    assert first.crossbar is not None and second.crossbar is not None
    assert first.digest != second.digest and first.timing_digest == second.timing_digest
    assert first.crossbar.tile().device.g_max == pytest.approx(10e-6)
    assert second.crossbar.tile().device.g_max == pytest.approx(20e-6)
    assert device_named(str(path)).g_max == pytest.approx(20e-6)
    path.write_text("garbage")
    for read in (lambda: device_named(str(path)), lambda: load_chip("pcm_8level", sets)):
        with pytest.raises(InputError, match="is not a JSON file"):
            read()
    assert first.crossbar.tile().device.g_max == pytest.approx(10e-6)


def test_another_process_reads_the_same_device_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker finds the file as it was, or says that it is another one."""
    path = device_file(tmp_path / "mine.json", 10.0)
    name = kept(str(path))
    assert name.startswith(f"{path}#") and kept(name) == name
    monkeypatch.setattr("accelsim.devices.library._FILES", {})
    assert device_named(name).g_max == pytest.approx(10e-6)
    device_file(path, 20.0)
    with pytest.raises(InputError, match="another device"):
        device_named(name)
    assert kept("pcm_like") == "pcm_like" and kept(str(tmp_path / "none.json")).endswith("none.json")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"g_max_us": ' + "9" * 400 + "}", '{"g_max_us": 1e400}'])
def test_deep_and_large_device_files_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"JSON file|must be a number"):
        load_device(path)
