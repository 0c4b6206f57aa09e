"""How far a sweep is: a bar on a terminal, elsewhere one line every ten seconds."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

from accelsim.escaping import raw, visible
from accelsim.sweeps.executors.base import Outcome

MOST_BESTS = 6  # said in a line
EVERY = 10.0  # seconds between lines


class Progress:
    """Counts points and says so. total: of the sweep; held: those that the store has. say: takes a line."""

    def __init__(
        self,
        total: int,
        held: int,
        objectives: tuple[str, ...],
        say: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total, self.held, self.objectives = total, held, objectives
        self.done = self.failed = self.misfits = 0
        self.best: dict[tuple[str, str], tuple[float, str]] = {}
        self.say, self.clock = say, clock
        self.begin = self.last = clock()

    def note(self, outcome: Outcome, label: Callable[[], str], work: str = "") -> None:
        """One more point. label: names it, asked only when it is the best so far of its workload."""
        self.done += 1
        if outcome.code:
            self.failed += outcome.fits
            self.misfits += not outcome.fits
        for name, value in zip(self.objectives, outcome.values, strict=True):
            if value is None:
                continue
            sign = -1 if name.startswith("-") else 1
            if (work, name) not in self.best or sign * value < sign * self.best[work, name][0]:
                self.best[work, name] = (value, label())

    def tick(self) -> None:
        """Say how far it is when it is time to."""
        if self.say is not None and self.clock() - self.last >= EVERY:
            self.last = self.clock()
            self.say(self.line())

    def tell(self, line: str) -> None:
        """Say something at once; may be called from a signal handler."""
        os.write(2, f"{line}\n".encode())

    @property
    def rate(self) -> float:
        """Points a second since the start; 0 before the first."""
        passed = self.clock() - self.begin
        return self.done / passed if passed > 0 else 0.0

    def line(self) -> str:
        """All of it in a line."""
        left = self.total - self.held - self.done
        parts = [f"{self.held + self.done:,} of {self.total:,} points"]
        if self.held:
            parts.append(f"{self.held:,} of them from the store")
        parts.append(f"{self.rate:,.3g} a second")
        if self.rate and left:
            parts.append(f"{duration(left / self.rate)} left")
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        if self.misfits:
            parts.append(f"{self.misfits:,} do not fit")
        return "; ".join([", ".join(parts), *self.bests()])

    def bests(self) -> list[str]:
        """The best so far of each objective on each workload, the first few."""
        found = [
            f"best {name.removeprefix('-')} {value:.4g} ({label})"
            for (_, name), (value, label) in self.best.items()
        ]
        more = [f"and {len(found) - MOST_BESTS} more"] if len(found) > MOST_BESTS else []
        return found[:MOST_BESTS] + more


class BarProgress(Progress):
    """The same with a bar that moves."""

    def __enter__(self) -> BarProgress:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        console = Console(file=raw(sys.stderr))
        self.bar = Progress(
            BarColumn(30),
            TextColumn("{task.description}", markup=False),
            console=console,
            transient=True,
            refresh_per_second=4,
        )
        self.task = self.bar.add_task("", total=self.total, completed=self.held)
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def tick(self) -> None:
        if self.clock() - self.last >= 0.25:
            self.last = self.clock()
            self.bar.update(
                self.task, completed=self.held + self.done, description=visible(self.line())
            )


def progress_for(
    total: int, held: int, objectives: tuple[str, ...], stream: TextIO | None = None
) -> Any:
    """A bar where the stream (standard error) is a terminal, lines elsewhere."""
    stream = stream or sys.stderr
    if stream.isatty():
        return BarProgress(total, held, objectives)
    return LineProgress(total, held, objectives, lambda line: print(line, file=stream, flush=True))


class LineProgress(Progress):
    """Lines every ten seconds."""

    def __enter__(self) -> LineProgress:
        return self

    def __exit__(self, *_: object) -> None:
        return


def duration(seconds: float) -> str:
    """A time for a person."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 360_000 else f"{seconds / 86400:.0f} days"
