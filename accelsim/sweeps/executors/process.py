"""A worker process of the local executor: python -m accelsim.sweeps.executors.process DESCRIPTOR.

It reads the job and then chunks from a socket, writes its own shard, and ends when the socket closes: a
driver that was killed leaves no worker behind the point in work.
"""

from __future__ import annotations

import signal
import sys
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path

from accelsim import jit
from accelsim.errors import InputError
from accelsim.store.shards import ShardWriter
from accelsim.sweeps.executors.base import Chunk, Job
from accelsim.sweeps.executors.work import Worker
from accelsim.sweeps.warm import cold

STOP = "stop"
LOOK = 0.02  # seconds between two looks whether the driver wants something


class _Ears:
    """Whether the driver said stop, or is gone, while a chunk is worked on."""

    def __init__(self, wire: Connection) -> None:
        self.wire, self.last, self.stopped = wire, 0.0, False

    def __call__(self) -> bool:
        now = time.monotonic()
        if not self.stopped and now - self.last > LOOK:
            self.last = now
            if self.wire.poll():
                self.stopped = self.wire.recv() == STOP
        return self.stopped


def main() -> None:
    """Serve one driver until it hangs up. SIGINT gives up the point in work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    wire = Connection(int(sys.argv[1]))
    try:
        job: Job = wire.recv()
        if job.prepare and not cold(any(base.analog for base in job.spec.bases)):
            jit.load()
        try:
            worker = Worker(job)
        except InputError as error:
            wire.send(error.problems)
            return
        except Exception:
            wire.send(traceback.format_exc())
            return
        signal.signal(signal.SIGINT, lambda number, frame: worker.interrupt())
        writer = ShardWriter(Path(job.store))
        wire.send(writer.path.name)
        ears = _Ears(wire)
        while True:
            chunk: Chunk | str = wire.recv()
            if isinstance(chunk, str):
                continue  # a stop that came when the chunk had ended
            done = worker.run(0, chunk, writer.append, ears)
            wire.send((done.outcomes, done.seconds, done.stopped, done.error, writer.size))
            ears.stopped = False
    except (EOFError, ConnectionError):
        return


if __name__ == "__main__":
    main()
