"""One process, the driver's own: for small sweeps, debuggers and tests."""

from __future__ import annotations

from pathlib import Path

from accelsim.store.shards import ShardWriter
from accelsim.sweeps.executors.base import Chunk, Done, Executor, Job
from accelsim.sweeps.executors.work import Worker


class SerialExecutor(Executor):
    """Works inside wait(). A point that ends the process ends the sweep, which can be resumed."""

    name = "serial"
    inline = True

    def start(self, job: Job) -> None:
        self.worker = Worker(job)
        self.writer: ShardWriter | None = ShardWriter(Path(job.store))
        self.chunk: Chunk | None = None
        self.stopping = False

    def submit(self, slot: int, chunk: Chunk) -> None:
        assert self.chunk is None, "the slot is taken"
        self.chunk = chunk

    def wait(self, timeout: float) -> list[Done]:
        if self.chunk is None or self.writer is None:
            return []
        chunk, self.chunk = self.chunk, None
        return [self.worker.run(0, chunk, self.writer.append, lambda: self.stopping)]

    def cancel(self) -> None:
        self.stopping = True

    def interrupt(self) -> None:
        self.stopping = True
        self.worker.interrupt()

    def close(self) -> None:
        writer, self.writer = getattr(self, "writer", None), None
        if writer is not None:
            writer.close()
