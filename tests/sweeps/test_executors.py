"""Executors: each keeps the contract; local ones also survive what happens to processes."""

from __future__ import annotations

import queue
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dask
import distributed
import pytest

from accelsim.errors import InputError
from accelsim.sweeps.executors import Executor, classes, executor_named
from accelsim.sweeps.executors.base import Chunk
from accelsim.sweeps.executors.dask import DaskExecutor
from accelsim.sweeps.executors.local import LocalExecutor
from accelsim.sweeps.executors.serial import SerialExecutor
from accelsim.sweeps.settings import EXECUTORS
from tests.sweeps.executor_contract import ExecutorContract, run, undisturbed
from tests.sweeps.fakes import view


class TestSerial(ExecutorContract):
    survives = False

    def make(self, workers: int = 2) -> Executor:
        return SerialExecutor()


class TestLocal(ExecutorContract):
    def make(self, workers: int = 2) -> Executor:
        return LocalExecutor(workers)


class TestDask(ExecutorContract):
    """A real cluster with worker processes for the whole class."""

    cluster: Any = None

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def processes(cls) -> Iterator[None]:
        with (
            dask.config.set({"distributed.scheduler.allowed-failures": 1}),
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
            ) as made,
        ):
            cls.cluster = made
            yield

    def make(self, workers: int = 2) -> Executor:
        return DaskExecutor(None, {"address": self.cluster.scheduler_address})


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_any_number_of_workers_gives_the_same_view(workers: int, tmp_path: Path) -> None:
    wanted = undisturbed(tmp_path / "serial", 300, fail=7, misfit=8)
    run(tmp_path / "local", LocalExecutor(workers), 300, fail=7, misfit=8)
    assert view(tmp_path / "local") == wanted


def test_workers_that_end_at_once_end_the_sweep(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="end at once \\(status 7\\)"):
        run(tmp_path / "s", LocalExecutor(2), evaluator="tests.sweeps.fakes:Dead")


def test_files_that_change_while_a_sweep_runs_are_noticed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="another accelsim, or another chip"):
        run(tmp_path / "s", SerialExecutor(), evaluator="tests.sweeps.fakes:Changed")


def test_executors_are_found_by_place(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(EXECUTORS) == set(classes())
    mine = EntryPoint(
        "mine", "accelsim.sweeps.executors.serial:SerialExecutor", "accelsim.executors"
    )
    monkeypatch.setattr("accelsim.sweeps.executors.offered", lambda group: [mine])
    assert isinstance(executor_named("mine"), SerialExecutor)
    monkeypatch.undo()
    assert isinstance(executor_named("serial"), SerialExecutor)
    with pytest.raises(InputError, match=r"no executor 'lokal'.*serial"):
        executor_named("lokal")


def test_local_has_no_settings(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the local executor has no queue"):
        run(tmp_path / "s", LocalExecutor(1, {"queue": "long"}))


@pytest.mark.parametrize("workers", [1, 2, pytest.param(4, marks=pytest.mark.full)])
def test_dask_makes_its_own_cluster(workers: int, tmp_path: Path) -> None:
    wanted = undisturbed(tmp_path / "serial", 60, fail=7, misfit=8)
    run(tmp_path / "dask", executor_named("dask", workers), 60, fail=7, misfit=8)
    assert view(tmp_path / "dask") == wanted


@pytest.mark.parametrize(
    ("name", "module", "kind"),
    [
        ("slurm", "dask_jobqueue", "SLURMCluster"),
        pytest.param("lsf", "dask_jobqueue", "LSFCluster", marks=pytest.mark.full),
        pytest.param("pbs", "dask_jobqueue", "PBSCluster", marks=pytest.mark.full),
        pytest.param(
            "kubernetes", "dask_kubernetes.operator", "KubeCluster", marks=pytest.mark.full
        ),
    ],
)
def test_queues_get_the_settings_of_the_file(
    name: str, module: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a cluster class that notes what it is asked for and gives a real cluster."""
    asked: list[Any] = []

    def cluster(**settings: Any) -> Any:
        asked.append(settings)
        return distributed.LocalCluster(
            n_workers=0, threads_per_worker=1, dashboard_address=None, silence_logs=50
        )

    monkeypatch.setitem(sys.modules, module, SimpleNamespace(**{kind: cluster}))
    run(tmp_path / "s", executor_named(name, 2, {"queue": "long", "cores": 1}), 30)
    assert asked == [{"queue": "long", "cores": 1}]
    assert len(view(tmp_path / "s").splitlines()) == 30


def test_what_dask_cannot_do_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"tcp://127\.0\.0\.1:9: no worker can be reached"):
        run(tmp_path / "s", DaskExecutor(None, {"address": "tcp://127.0.0.1:9"}))
    with pytest.raises(InputError, match="LocalCluster does not start"):
        run(tmp_path / "s", DaskExecutor(1, {"colour": "red"}))
    for name, extra in (("slurm", "jobqueue"), ("kubernetes", "kubernetes")):
        with pytest.raises(InputError, match=rf"pip install 'accelsim\[{extra}\]'"):
            run(tmp_path / "s", executor_named(name, 1))
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'accelsim\[dask\]'"):
        run(tmp_path / "s", DaskExecutor(1))


def test_a_result_that_died_with_its_worker_is_asked_for_again() -> None:
    """Dask says "lost" of a future that was done when its worker ended before the result came."""

    class Future:
        def __init__(self, status: str) -> None:
            self.status = status

        def add_done_callback(self, call: Any) -> None:
            call(self)

        def result(self) -> Any:
            return ["outcome"], ["line"], 0.5, False, ()

    given = iter([Future("lost"), Future("finished")])
    executor = DaskExecutor(1)
    executor.client = SimpleNamespace(submit=lambda *work, pure: next(given))
    executor.job, executor.number, executor.running, executor.stopping = b"", "", {}, False
    executor.ended = queue.SimpleQueue()
    executor.submit(0, chunk := Chunk((), ()))
    assert executor.wait(1.0) == []
    (done,) = executor.wait(1.0)
    assert done.chunk is chunk and done.lines == ["line"] and not done.died
