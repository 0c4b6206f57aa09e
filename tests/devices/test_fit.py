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
from accelsim.devices.fit import Fit, Measurements, fit
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
        np.broadcast_to(GOALS[:, None, None], shape).ravel(),
        g.ravel(),
        np.broadcast_to(TIMES, shape).ravel(),
        np.full(g.size, 298.15),
        np.broadcast_to(number[..., None], shape).ravel(),
    )


def test_a_known_device_is_found_again() -> None:
    device, found = statistical("pcm_like"), fit(measured(), 250e-9)
    x = np.array(found.x)
    for part, curve in (
        (found.programming, device.programming),
        (found.drift_mean, device.drift_mean),
        (found.drift_sd, device.drift_sd),
    ):
        true = curve(x)
        inside = [e.low <= v <= e.high for e, v in zip(part, true, strict=True)]
        assert sum(inside) >= len(inside) - 2
        assert np.array([e.value for e in part]) == pytest.approx(true, rel=0.15)
    assert np.array([e.value for e in found.read]) == pytest.approx(device.read_noise(x), rel=0.1)
    assert found.residual == pytest.approx(1.0, abs=0.05)


def write(path: Path, data: Measurements, every: int = 1) -> None:
    rows = zip(
        data.target[::every], data.g[::every], data.t[::every], data.cell[::every], strict=True
    )
    path.write_text(
        "g_target_uS,g_uS,t,cell\n"
        + "".join(f"{a * 1e6:.9g},{b * 1e6:.9g},{c:.9g},{d}\n" for a, b, c, d in rows)
    )


def test_the_command_writes_a_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that a chip file can name."""
    source, out = tmp_path / "m.csv", tmp_path / "mine.json"
    write(source, measured(60))
    again = load_measurements(source)
    assert len(again.g) == len(GOALS) * 60 * len(TIMES)
    monkeypatch.setattr(
        sys,
        "argv",
        [
            "accelsim",
            "device",
            "fit",
            str(source),
            "--out",
            str(out),
            "--picture",
            str(tmp_path / "m.png"),
        ],
    )
    main()
    assert "residual" in capsys.readouterr().out and (tmp_path / "m.png").stat().st_size > 10_000
    device = device_named(str(out))
    assert device.g_max == pytest.approx(25e-6)
    monkeypatch.setattr(
        sys,
        "argv",
        [
            "accelsim",
            "run",
            "pcm_8level",
            "digits_mlp",
            "--input",
            "digits",
            "--set",
            f"units.tiles.device={out}",
            "--set",
            "units.tiles.cells.levels=0",
        ],
    )
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
def test_wrong_measurements_are_refused(
    name: str,
    head: str | None,
    line: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
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
    monkeypatch.setattr(
        sys, "argv", ["accelsim", "device", "fit", str(source), "--out", str(tmp_path / "o")]
    )
    with pytest.raises(SystemExit) as stop:
        main()
    error = capsys.readouterr().err
    assert stop.value.code == 2 and f"{source}:{line}:" in error and said in error
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"g_max_us": 25}', "not json"])
def test_wrong_device_files_are_refused(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "d.json"
    path.write_text(text)
    monkeypatch.setattr(
        sys,
        "argv",
        ["accelsim", "run", "pcm_8level", "digits_mlp", "--set", f"units.tiles.device={path}"],
    )
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2 and str(path) in capsys.readouterr().err


def device_file(path: Path, g_max: float) -> Path:
    record = {
        "g_max_us": g_max,
        "read_s": 1e-6,
        "reference_s": 20.0,
        "source": "test",
        **{key: {"poly": [0.01]} for key in ("programming", "drift_mean", "drift_sd", "read")},
    }
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


def test_another_process_reads_the_same_device_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker finds the file as it was, or says that it is another one."""
    path = device_file(tmp_path / "mine.json", 10.0)
    name = kept(str(path))
    assert name.startswith(f"{path}#") and kept(name) == name
    monkeypatch.setattr("accelsim.devices.library._FILES", {})
    assert device_named(name).g_max == pytest.approx(10e-6)
    device_file(path, 20.0)
    with pytest.raises(InputError, match="another device"):
        device_named(name)
    assert kept("pcm_like") == "pcm_like" and kept(str(tmp_path / "none.json")).endswith(
        "none.json"
    )


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"g_max_us": ' + "9" * 400 + "}", '{"g_max_us": 1e400}']
)
def test_deep_and_large_device_files_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"JSON file|must be a number"):
        load_device(path)


def cells_of(
    targets: np.ndarray,
    sigma: float,
    nu: float,
    nu_sd: float,
    read: float,
    times: list[float],
    seed: int,
    floor: float | None = None,
    count: int = 60,
) -> str:
    """A table of cells whose parameters are known, in uS; cells are called TARGET_NUMBER."""
    draw, lines = np.random.default_rng(seed), ["cell,g_target_uS,t,g_uS"]
    for i, target in enumerate(targets):
        for j in range(count):
            g, own = target + draw.normal(0, sigma), draw.normal(nu, nu_sd)
            g = g if floor is None else max(g, floor)
            lines += [
                f"{i}_{j},{target},{t},{g * (t / times[0]) ** -own + draw.normal(0, read):.4f}"
                for t in times
            ]
    return "\n".join(lines) + "\n"


def fitted(path: Path, text: str) -> Fit:
    path.write_text(text)
    return fit(load_measurements(path), 250e-9)


def test_small_reads_below_0_are_fitted(tmp_path: Path) -> None:
    """An offset of 0.15 uS at cells of 0.2 uS: what can be told is right, the rest is said."""
    text = cells_of(np.array([0.2, 10.0, 20.0]), 0.1, 0.03, 0.005, 0.15, [20, 200, 2000], 4)
    assert text.count(",-0.") > 10
    found = fitted(tmp_path / "m.csv", text)
    assert [e.value for e in found.programming] == pytest.approx([0.1] * 3, abs=0.04)
    for estimate, true in zip(found.drift_mean, (0.03,) * 3, strict=True):
        assert estimate.low - 0.01 <= true <= estimate.high + 0.01
    assert [e.value for e in found.drift_sd] == pytest.approx([0.005] * 3, abs=0.002)
    span = np.log(np.array([20, 200, 2000]) / 5e-7)
    q = 0.15 * np.sqrt(np.mean(1.0 / span)) / np.array([0.2, 10.0, 20.0])
    assert [e.value for e in found.read] == pytest.approx(q, rel=0.2)
    assert len(found.notes) == 1 and "drift at 0.2 uS cannot be told" in found.notes[0]
    assert (
        "that of 10 uS is taken" in found.notes[0]
        and found.notes[0] in found.record("m", 1e-6)["source"]
    )
    assert found.residual == pytest.approx(1.0, abs=0.2)


def test_one_read_a_cell_gives_the_error_of_programming(tmp_path: Path) -> None:
    found = fitted(
        tmp_path / "m.csv", cells_of(np.linspace(2, 30, 8), 1.0, 0, 0, 0, [1.0], 0, 0.05)
    )
    assert np.mean([e.value for e in found.programming]) == pytest.approx(1.0, abs=0.1)
    for part in (found.drift_mean, found.drift_sd, found.read):
        assert all(e.value == 0.0 for e in part)
    assert [note.split(" at ")[0] for note in found.notes] == [
        "drift",
        "the spread of drift",
        "read noise",
    ]
    assert all("2, 6, 10, 14, 18, 22, 26, 30 uS cannot be told" in note for note in found.notes)
    twice = cells_of(np.array([5.0, 20.0]), 1.0, 0, 0, 0.3, [10.0], 1).splitlines()
    noise = [
        f"{a.rsplit(',', 1)[0]},{float(a.rsplit(',', 1)[1]) + d:.4f}"
        for a, d in zip(twice[1:], np.random.default_rng(3).normal(0, 0.3, 120), strict=True)
    ]
    found = fitted(tmp_path / "n.csv", "\n".join([*twice, *noise]) + "\n")
    assert [e.value for e in found.programming] == pytest.approx([1.0, 1.0], rel=0.25)
    assert all(e.value > 0 for e in found.read) and len(found.notes) == 2


def test_two_reads_a_cell_have_a_drift(tmp_path: Path) -> None:
    found = fitted(
        tmp_path / "m.csv", cells_of(np.array([5.0, 20.0]), 0.5, 0.05, 0, 0.01, [20, 2e5], 1)
    )
    assert [e.value for e in found.drift_mean] == pytest.approx([0.05, 0.05], abs=0.002)
    assert [e.value for e in found.programming] == pytest.approx([0.5, 0.5], rel=0.25)


def test_cells_may_be_called_anything(tmp_path: Path) -> None:
    """Python reads 1_0 as 10: names of cells are names, so that 1_0 and 0_10 are two."""
    text = cells_of(
        np.linspace(2, 30, 8), 0.8, 0.05, 0.01, 0, [20, 200, 2000, 20000, 200000], 2, 0.1
    )
    found = fitted(tmp_path / "m.csv", text)
    assert np.mean([e.value for e in found.programming]) == pytest.approx(0.8, abs=0.06)
    assert found.programming[0].value == pytest.approx(0.8, abs=0.2)
    assert np.mean([e.value for e in found.drift_mean]) == pytest.approx(0.05, abs=0.002)
    assert np.mean([e.value for e in found.drift_sd]) == pytest.approx(0.01, abs=0.001)
    assert max(e.value for e in found.read) < 1e-4 and found.notes == []
    named = text.replace("\n3_", "\ncell three of die A ")
    other = fitted(tmp_path / "n.csv", named)
    assert other.programming == found.programming


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("0_0,0.2,20,-25", "further below 0 than the largest target"),
        ("0_0,0.2,20,1_0", "is no number"),
        ("0_0,0.2,20,nan", "is no number"),
        (",0.2,20,1", "has no name of its cell"),
        ("0_0,0.2,20,20000", "looks like microsiemens"),
        ("0_0,-0.2,20,1", "outside"),
    ],
)
def test_what_is_no_read_is_refused(row: str, said: str, tmp_path: Path) -> None:
    text = cells_of(np.array([0.2, 10.0, 20.0]), 0.1, 0.03, 0.005, 0.15, [20, 200, 2000], 4)
    with pytest.raises(InputError, match=said) as stop:
        fitted(tmp_path / "m.csv", text + row + "\n")
    assert stop.value.problems[0].line == len(text.splitlines()) + 1
