"""Dask: workers of a running cluster, of one made for the sweep, or of a queue (Slurm, LSF, PBS, Kubernetes).

Workers need accelsim, not the store: records come back with the chunk and the driver writes them.
"""

from __future__ import annotations

import contextlib
import pickle
import queue
import threading
import uuid
from importlib import import_module
from typing import Any

from accelsim.errors import InputError, Problem
from accelsim.sweeps.executors.base import Chunk, Done, Executor, Interrupted, Job
from accelsim.sweeps.executors.work import Worker

FIRST = 60.0  # seconds until a running cluster must show a worker

_STOPPED: set[str] = set()
_AT_WORK: dict[
    int, tuple[str, Worker]
] = {}  # of a Dask worker: threads that run a chunk, their job and Worker
_KEPT = threading.local()  # of a Dask worker's thread: its Worker and the job that it is for


class DaskExecutor(Executor):
    """A Dask cluster: --dask ADDRESS, or one of this machine's processes. One slot a thread of the
    workers seen at the start, or so many as --workers says where more are to come."""

    name = "dask"
    ordered = False
    #: where the cluster class is, and the extra that installs it
    cluster_class: tuple[str, str, str] = ("distributed", "LocalCluster", "dask")

    def start(self, job: Job) -> None:
        self.library = needed("distributed", "dask")
        self.job, self.number = pickle.dumps(job), uuid.uuid4().hex
        self.ended: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
        self.running: dict[int, tuple[Chunk, Any]] = {}
        self.stopping = False
        settings = dict(self.settings)
        address = settings.pop("address", None)
        self.cluster = None if address else self._cluster(settings)
        try:
            self.client = self.library.Client(
                address or self.cluster, set_as_default=False, timeout=10
            )
            self.client.wait_for_workers(1, timeout=FIRST if address else None)
        except (OSError, TimeoutError, ValueError) as error:
            self.close()
            raise InputError(
                Problem(
                    "sweep.dask",
                    f"no worker can be reached: {error or 'none came'}",
                    "start `dask scheduler` and `dask worker`, or leave --dask out",
                    file=str(address or self.name),
                )
            ) from None
        self.slots = max(sum(self.client.nthreads().values()), self.workers or 1)

    def _cluster(self, settings: dict[str, Any]) -> Any:
        """A cluster of this executor's own."""
        module, name, extra = self.cluster_class
        found = getattr(needed(module, extra), name)
        if self.name == "dask":
            from accelsim.sweeps.executors.local import cores

            settings = {
                "n_workers": self.workers or cores(),
                "threads_per_worker": 1,
                "dashboard_address": None,
                "silence_logs": 50,
                **settings,
            }
        try:
            with needed("dask", "dask").config.set({"distributed.scheduler.allowed-failures": 1}):
                cluster = found(**settings)
            if self.name != "dask":
                cluster.scale(self.workers or 1)
        except (TypeError, ValueError, OSError, RuntimeError) as error:
            raise InputError(
                Problem(
                    "sweep.cluster",
                    f"{name} does not start: {error}",
                    f"see the settings of {name}",
                    "execution",
                )
            ) from None
        return cluster

    def submit(self, slot: int, chunk: Chunk) -> None:
        assert slot not in self.running, "the slot is taken"
        # bound to no worker: Dask leaves a task unrun that was bound, even loosely, to one that died
        future = self.client.submit(work, self.number, self.job, chunk, pure=False)
        self.running[slot] = (chunk, future)
        future.add_done_callback(lambda ended: self.ended.put((slot, ended)))

    def wait(self, timeout: float) -> list[Done]:
        found = []
        try:
            waiting = [self.ended.get(timeout=timeout)]
            while not self.ended.empty():
                waiting.append(self.ended.get())
        except queue.Empty:
            return []
        for slot, future in waiting:
            if slot in self.running and self.running[slot][1] is future:
                chunk, _ = self.running.pop(slot)
                if (
                    future.status == "lost" and not self.stopping
                ):  # done, but its worker died with the result
                    self.submit(slot, chunk)
                else:
                    found.append(self._done(slot, chunk, future))
        return found

    def _done(self, slot: int, chunk: Chunk, future: Any) -> Done:
        """What came of a chunk. InputError when the cluster is gone or no worker can begin."""
        if future.status in ("cancelled", "lost"):
            if self.stopping:
                return Done(slot, chunk, stopped=True)
            raise InputError(
                Problem(
                    "sweep.dask",
                    "the cluster has gone away",
                    "start it again and run the same command",
                    file=self.name,
                )
            )
        if future.status == "error":
            error = future.exception()
            if isinstance(error, self.library.KilledWorker):
                return Done(slot, chunk, died="a worker process of the cluster ended")
            if isinstance(error, ImportError):
                raise InputError(
                    Problem(
                        "sweep.dask",
                        f"a worker cannot begin: {error}",
                        "install accelsim on the workers",
                        file=self.name,
                    )
                )
            raise error
        outcomes, lines, seconds, stopped, problems = future.result()
        if problems:
            raise InputError(problems)
        return Done(slot, chunk, outcomes, lines, seconds, "", stopped)

    def cancel(self) -> None:
        self.stopping = True
        with contextlib.suppress(Exception):  # workers that are gone have nothing to stop
            self.client.run(stop, self.number)

    def interrupt(self) -> None:
        with contextlib.suppress(Exception):
            self.client.run(give_up, self.number)

    def close(self) -> None:
        client, cluster = getattr(self, "client", None), getattr(self, "cluster", None)
        self.client = self.cluster = None
        if client is not None:
            with contextlib.suppress(Exception):
                client.cancel([future for _, future in self.running.values()], force=True)
            with contextlib.suppress(Exception):
                client.close()
        if cluster is not None:
            with contextlib.suppress(Exception):
                cluster.close()


class SlurmExecutor(DaskExecutor):
    """Workers as jobs of Slurm; settings are those of dask_jobqueue.SLURMCluster."""

    name = "slurm"
    cluster_class = ("dask_jobqueue", "SLURMCluster", "jobqueue")


class LsfExecutor(DaskExecutor):
    """Workers as jobs of LSF; settings are those of dask_jobqueue.LSFCluster."""

    name = "lsf"
    cluster_class = ("dask_jobqueue", "LSFCluster", "jobqueue")


class PbsExecutor(DaskExecutor):
    """Workers as jobs of PBS; settings are those of dask_jobqueue.PBSCluster."""

    name = "pbs"
    cluster_class = ("dask_jobqueue", "PBSCluster", "jobqueue")


class KubernetesExecutor(DaskExecutor):
    """Workers as pods; settings are those of dask_kubernetes.operator.KubeCluster."""

    name = "kubernetes"
    cluster_class = ("dask_kubernetes.operator", "KubeCluster", "kubernetes")


def needed(module: str, extra: str) -> Any:
    """A library that is installed on request; InputError says how."""
    try:
        return import_module(module)
    except ImportError:
        raise InputError(
            Problem(
                "sweep.extra",
                f"this executor needs {module.split('.')[0]}",
                f"pip install 'accelsim[{extra}]'",
                "execution.executor",
            )
        ) from None


def work(number: str, job: bytes, chunk: Chunk) -> Any:
    """On a Dask worker: a chunk's outcomes, lines, seconds, whether it was stopped, and problems of a
    worker that cannot begin. Workers are kept by thread, for their caches."""
    if getattr(_KEPT, "number", None) != number:
        try:
            _KEPT.worker, _KEPT.number = Worker(pickle.loads(job)), number
        except InputError as error:
            return [], [], 0.0, False, error.problems
    lines: list[str] = []
    _AT_WORK[threading.get_ident()] = (number, _KEPT.worker)
    try:
        done = _KEPT.worker.run(0, chunk, lines.append, lambda: number in _STOPPED)
    finally:
        del _AT_WORK[threading.get_ident()]
    return done.outcomes, lines, done.seconds, done.stopped, ()


def stop(number: str) -> None:
    """On every Dask worker: end running chunks of a job behind their points."""
    _STOPPED.add(number)


def give_up(number: str) -> None:
    """On every Dask worker: end the points of a job that are evaluated now, at their next bytecode."""
    import ctypes

    for thread, (job, worker) in list(_AT_WORK.items()):
        if job == number and worker.evaluating:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread), ctypes.py_object(Interrupted)
            )
