"""Kills, full disks, two drivers: after going on, the view is that of an undisturbed sweep, to the byte."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from accelsim.errors import InputError
from accelsim.store.shards import shards
from accelsim.store.view import index
from accelsim.sweeps.executors.local import LocalExecutor
from accelsim.sweeps.executors.serial import SerialExecutor
from tests.sweeps.executor_contract import children, run, undisturbed
from tests.sweeps.fakes import sweep, view

ROOT = Path(__file__).parents[2]
FULL = pytest.mark.full


def driver(
    folder: Path, count: int, delay: float, workers: int = 2, *more: int
) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "tests.sweeps.drive_fake",
        *map(str, (folder, count, delay, workers, *more)),
    ]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def lines_in(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in shards(folder))


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=FULL)])
def test_a_driver_killed_at_random_moments(kills: int, tmp_path: Path) -> None:
    count = 100 * kills
    wanted = undisturbed(tmp_path / "calm", count)
    moments = random.Random(kills)
    for _ in range(kills):
        process = driver(tmp_path / "s", count, 0.01)
        before = lines_in(tmp_path / "s")
        until = time.monotonic() + 20
        if moments.random() < 0.7:  # most of them in the midst of work, some at the start
            while lines_in(tmp_path / "s") <= before and time.monotonic() < until:
                time.sleep(0.02)
        time.sleep(moments.random() * 0.4)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if moments.random() < 0.3:  # a machine that stopped in the midst of a write
            with max(shards(tmp_path / "s"), default=tmp_path / "s" / "points-x-0.jsonl").open(
                "ab"
            ) as file:
                file.write(b'{"v":1,"key":"half a')
    time.sleep(0.3)  # the killed driver's workers end behind their points
    done = run(tmp_path / "s", LocalExecutor(2), count)
    assert view(tmp_path / "s") == wanted
    assert done.held + done.done == count and done.held > 0
    assert run(tmp_path / "s", SerialExecutor(), count).done == 0


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=FULL)])
def test_workers_killed_at_random_moments(kills: int, tmp_path: Path) -> None:
    count = 150 * kills
    wanted = undisturbed(tmp_path / "calm", count)
    moments, killed = random.Random(kills), []

    def kill() -> None:
        while len(killed) < kills:
            time.sleep(0.2 + 0.4 * moments.random())
            found = children() if lines_in(tmp_path / "s") else []
            for number in moments.sample(found, min(1, len(found))):
                os.kill(int(number), signal.SIGKILL)
                killed.append(number)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    spec = sweep(execution={"delay": 0.01, "marks": str(tmp_path)})
    run(tmp_path / "s", LocalExecutor(2), count, spec)
    assert len(killed) >= kills - 1
    run(tmp_path / "s", SerialExecutor(), count)
    assert view(tmp_path / "s") == wanted


def test_a_stop_keeps_what_is_done(tmp_path: Path) -> None:
    process = driver(tmp_path / "s", 2000, 0.01)
    while not lines_in(tmp_path / "s"):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130 and "Traceback" not in err
    held, done = map(int, out.split()[:2])
    assert held == 0 and 0 < done < 2000 and done == len(index(tmp_path / "s").keys)


@pytest.mark.parametrize(
    ("workers", "number"), [(0, signal.SIGINT), (2, signal.SIGINT), (2, signal.SIGTERM)]
)
def test_long_points_are_given_up_between_operators(
    workers: int, number: int, tmp_path: Path
) -> None:
    process = driver(tmp_path / "s", 6, 60.0, workers)
    time.sleep(4.0)  # workers are at their first points by then, or still start
    process.send_signal(number)
    begin = time.monotonic()
    assert process.stderr is not None
    said = process.stderr.readline()
    answered = time.monotonic() - begin
    out, err = process.communicate(timeout=40)
    assert process.returncode == 130 and "Traceback" not in err
    assert re.fullmatch(
        r"finishing [12] points, then the sweep stops; Ctrl-C again leaves them\n", said
    )
    assert answered < 5 and time.monotonic() - begin < 30, (
        "points take 60 s; 2 and 4 s on a quiet machine"
    )
    assert out.split()[:2] == ["0", "0"] and lines_in(tmp_path / "s") == 0
    assert run(tmp_path / "s", SerialExecutor(), 6).done == 6


def test_a_dask_worker_gives_up_its_point(tmp_path: Path) -> None:
    from accelsim.sweeps.executors.dask import DaskExecutor

    begin = time.monotonic()
    timer = threading.Timer(8.0, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    done = run(
        tmp_path / "s",
        DaskExecutor(1),
        4,
        sweep(execution={"delay": 120.0, "marks": str(tmp_path)}),
    )
    timer.cancel()
    assert done.stopped and done.done == 0 and done.dropped == 0
    assert time.monotonic() - begin < 60


def test_two_drivers_share_the_work(tmp_path: Path) -> None:
    wanted = undisturbed(tmp_path / "calm", 600)
    both = [driver(tmp_path / "s", 600, 0.02, 1) for _ in range(2)]
    for process in both:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert view(tmp_path / "s") == wanted
    assert lines_in(tmp_path / "s") < 1.5 * 600, "each leaves out most of what the other did"


@pytest.mark.parametrize("workers", [0, 2])
def test_a_disk_that_is_full(workers: int, tmp_path: Path) -> None:
    """The largest file that may be written takes the part of the disk."""
    wanted = undisturbed(tmp_path / "calm", 300)
    process = driver(tmp_path / "s", 300, 0.0, workers, 20_000)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    (line,) = err.strip().splitlines()
    assert "cannot be written: File too large; make room" in line
    assert all(path.read_bytes().endswith(b"\n") for path in shards(tmp_path / "s"))
    kept = len(index(tmp_path / "s").keys)
    assert kept > 20
    assert run(tmp_path / "s", LocalExecutor(2), 300).held == kept
    assert view(tmp_path / "s") == wanted


def test_a_small_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount")
    try:
        with pytest.raises(InputError, match="No space left on device; make room"):
            run(disk / "s", LocalExecutor(2), 2000)
        kept = len(index(disk / "s").keys)
        assert kept > 50
        subprocess.run(["mount", "-o", "remount,size=16m", str(disk)], check=True)
        assert run(disk / "s", LocalExecutor(2), 2000).held == kept
        assert view(disk / "s") == undisturbed(tmp_path / "calm", 2000)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize(
    ("place", "what"),
    [
        ("file", "is not a folder"),
        ("file/below", "cannot be written"),
        ("/proc/sweep", "cannot be written"),
    ],
)
def test_a_store_that_cannot_be(place: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match=what):
        run(tmp_path / place, SerialExecutor())
    assert (tmp_path / "file").read_text() == "mine"


def test_a_clock_that_runs_backwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = undisturbed(tmp_path / "calm", 50)
    now = iter(range(10_000_000, 0, -100))
    monkeypatch.setattr(time, "time", lambda: float(next(now)))
    for count in (10, 30, 50):
        run(tmp_path / "s", SerialExecutor(), count)
        os.utime(shards(tmp_path / "s")[-1], (1e9 - count, 1e9 - count))
    assert view(tmp_path / "s") == wanted
    for part in ("store", "sweeps"):
        paths = list((ROOT / "accelsim" / part).rglob("*.py"))
        assert paths
        for path in paths:
            assert not re.search(r"\btime\.time\b|st_mtime\b(?!_ns)", path.read_text()), path
