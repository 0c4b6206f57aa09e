"""What a worker does, whoever started it: points of a chunk to records, each kept before the next begins."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from accelsim.errors import InputError, Problem
from accelsim.store import Failure, Point, Record
from accelsim.store.folder import unwritable
from accelsim.sweeps.executors.base import Chunk, Done, Interrupted, Job, outcome_of

LONGEST = 300  # characters of a failure's message


class Worker:
    """Evaluates chunks of one job."""

    def __init__(self, job: Job) -> None:
        self.job = job
        module, _, name = job.evaluator.partition(":")
        self.evaluator: Any = getattr(import_module(module), name)(job.spec, job.cache_folder)
        self.name = f"{socket.gethostname()}-{os.getpid()}"
        self.evaluating = False

    def interrupt(self) -> None:
        """From a signal handler: give up the point in work, if one is."""
        if self.evaluating:
            self.evaluating = False
            raise Interrupted

    def run(
        self, slot: int, chunk: Chunk, keep: Callable[[str], None], stop: Callable[[], bool]
    ) -> Done:
        """Do a chunk. keep: takes a record's line; what it raises as OSError ends the chunk. stop: asked
        between points."""
        done = Done(slot, chunk)
        begin = time.perf_counter()
        for point, key in zip(chunk.points, chunk.keys, strict=True):
            if stop():
                done.stopped = True
                break
            try:
                self.evaluating = True
                record, line = self.record(point, key)
                self.evaluating = False
            except Interrupted:
                done.stopped = True
                break
            finally:
                self.evaluating = False
            try:
                keep(line)
            except OSError as error:
                done.error = _problem(self.job.store, error)
                break
            done.outcomes.append(outcome_of(record, self.job.spec.objectives))
        done.seconds = time.perf_counter() - begin
        return done

    def record(self, point: Point, key: str) -> tuple[Record, str]:
        """The record of a point and its line. One that went wrong is tried again."""
        for tries in range(1, self.job.tries + 1):
            record = self._evaluated(point, key)
            record.run |= {
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "worker": self.name,
                "tries": tries,
            }
            try:
                line = record.line()
            except (ValueError, TypeError) as error:  # a NaN among the measures, or no plain value
                record = Record(key, record.model, point, failure=_internal(error), run=record.run)
                line = record.line()
            if record.failure is None or not record.failure.fits:
                break
        return record, line

    def _evaluated(self, point: Point, key: str) -> Record:
        try:
            record: Record = self.evaluator.evaluate(point)
        except Exception as error:  # an evaluator of a user's that breaks its contract
            return Record(key, "", point, failure=_internal(error))
        return record


def _internal(error: Exception) -> Failure:
    return Failure("internal", f"{type(error).__name__}: {error}"[:LONGEST])


def _problem(store: str, error: OSError) -> Problem:
    from pathlib import Path

    found: InputError = unwritable(Path(store), error)
    return found.problems[0]
