"""Executors: each keeps the contract; local ones also survive what happens to processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import distributed
import pytest

from accelsim.errors import InputError
from accelsim.sweep.executors import Executor, classes, executor_named
from accelsim.sweep.executors.dask import DaskExecutor
from accelsim.sweep.executors.local import LocalExecutor
from accelsim.sweep.executors.serial import SerialExecutor
from tests.sweep.executor_contract import ExecutorContract, run, undisturbed
from tests.sweep.fakes import view


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
        with dask.config.set({"distributed.scheduler.allowed-failures": 1}), distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as made:  # fmt: skip
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
        run(tmp_path / "s", LocalExecutor(2), evaluator="tests.sweep.fakes:Dead")


def test_executors_are_found_by_place() -> None:
    assert {"serial", "local"} <= set(classes())
    assert isinstance(executor_named("serial"), SerialExecutor)
    with pytest.raises(InputError, match=r"no executor 'lokal'.*serial"):
        executor_named("lokal")


def test_local_has_no_settings(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the local executor has no queue"):
        run(tmp_path / "s", LocalExecutor(1, {"queue": "long"}))
