"""A driver of fake points as a process: FOLDER COUNT DELAY WORKERS [LARGEST_FILE]."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from accelsim.errors import InputError
from accelsim.sweeps.executors import executor_named
from tests.sweeps.executor_contract import run
from tests.sweeps.fakes import sweep


def main() -> int:
    folder, count, delay, workers = (
        Path(sys.argv[1]),
        int(sys.argv[2]),
        float(sys.argv[3]),
        int(sys.argv[4]),
    )
    if len(sys.argv) > 5:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[5]), resource.RLIM_INFINITY))
    executor = executor_named("local" if workers else "serial", workers or None)
    try:
        done = run(
            folder, executor, count, sweep(execution={"delay": delay, "marks": str(folder.parent)})
        )
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    print(done.held, done.done, *done.notes, sep="\n")
    return 130 if done.stopped else 0


if __name__ == "__main__":
    sys.exit(main())
