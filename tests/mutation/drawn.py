"""make mutation N=...: draws faults by the commit's hash, plants one at a time, and runs tests until one fails.

Nearest tests first, then more, then all of make test's. A test that fails counts only if it passes without
the fault. Every fault's outcome is kept in a results file as soon as it is known, so a run that was cut short
goes on; what a changed source makes of a fault is found out anew. Ends with every survivor as
file:line:column and the share noticed of each part; with status 1 if that share is below --least.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.mutation.mutator import Fault, drawn, iter_sources, part_of, seed_of  # noqa: E402
from tests.mutation.nearest import nearest_first  # noqa: E402

PARTS = ("timing", "energy", "numerics", "devices", "analog", "results")
#: test files of the first and the second round; the third has all
ROUNDS = (6, 30)
NOTICED, SURVIVED, OUT_OF_TIME = "noticed", "SURVIVED", "out of time"
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)
LINKED = (
    "configs",
    "workloads",
    "docs",
    "scripts",
    "benchmarks",
    "reports",
    "pyproject.toml",
    "README.md",
    "CHANGELOG.md",
    "Makefile",
    "constraints.txt",
    "LICENSE",
    ".ci",
    ".git",
)


@dataclass
class Results:
    """outcomes: fault key -> (outcome, by which test, source digest). sound: test -> passes without a fault."""

    path: Path
    outcomes: dict[str, list[str]] = field(default_factory=dict)
    sound: dict[str, bool] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Results:
        if not path.exists():
            return cls(path)
        kept = json.loads(path.read_text())
        return cls(path, kept["outcomes"], kept["sound"])

    def write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(".draft")
        draft.write_text(json.dumps({"outcomes": self.outcomes, "sound": self.sound}, indent=1))
        draft.replace(self.path)


class Bench:
    """A copy of the package and its tests in which faults are planted. Files keep their times, so that
    compiled code of what has not changed is found again."""

    def __init__(self, folder: Path, plain: bool) -> None:
        self.folder, self.plain = folder, plain
        skip = shutil.ignore_patterns("__pycache__")
        for part in ("accelsim", "tests"):
            shutil.rmtree(folder / part, ignore_errors=True)
            shutil.copytree(ROOT / part, folder / part, ignore=skip)
        for name in LINKED:
            link = folder / name
            if (ROOT / name).exists() and not link.is_symlink():
                link.symlink_to(ROOT / name)

    def run(self, tests: list[str], left_out: list[str], seconds: float) -> tuple[str, str]:
        """(outcome, first test that failed) of some tests with what is planted."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "ACCELSIM_CACHE_DIR": str(self.folder / "cache"),
        }
        if self.plain:
            environment["NUMBA_DISABLE_JIT"] = "1"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "--tb=no",
            "-rfE",
            "-p",
            "no:cacheprovider",
            "-m",
            "not full",
            *(f"--deselect={name}" for name in left_out),
            *tests,
        ]
        try:
            done = subprocess.run(
                command,
                cwd=self.folder,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            return OUT_OF_TIME, ""
        if done.returncode in (0, 5):
            return SURVIVED, ""
        found = FAILED.search(done.stdout)
        return NOTICED, found.group(1) if found else tests[0]


@dataclass
class Drawing:
    """One run over drawn faults."""

    bench: Bench
    results: Results
    sources: dict[str, str]
    each: float
    ends: float
    files: int = 0

    def outcome(self, fault: Fault) -> tuple[str, str]:
        """Plant a fault and run tests until one notices."""
        target = self.bench.folder / "accelsim" / fault.file
        clean, times = target.read_text(), target.stat()
        target.write_text(fault.planted(self.sources[fault.file]))
        try:
            return self.sought(fault, target, clean)
        finally:
            target.write_text(clean)
            os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))

    def sought(self, fault: Fault, target: Path, clean: str) -> tuple[str, str]:
        order = nearest_first(fault.file)[: self.files or None]
        until = min(time.monotonic() + self.each, self.ends)
        first = 0
        for last in (*ROUNDS, len(order)):
            tests = order[first:last]
            first = last
            while tests:
                unsound = [name for name, good in self.results.sound.items() if not good]
                left = until - time.monotonic()
                if left <= 0:
                    return OUT_OF_TIME, ""
                outcome, test = self.bench.run(tests, unsound, left)
                if outcome == OUT_OF_TIME:
                    return outcome, test
                if outcome == SURVIVED:
                    break
                if self.is_sound(test, fault, target, clean):
                    return outcome, test
        return SURVIVED, ""

    def is_sound(self, test: str, fault: Fault, target: Path, clean: str) -> bool:
        """Whether a test passes without the fault."""
        if test not in self.results.sound:
            target.write_text(clean)
            outcome, _ = self.bench.run([test], [], 600)
            target.write_text(fault.planted(self.sources[fault.file]))
            self.results.sound[test] = outcome == SURVIVED
        return self.results.sound[test]


def digest(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()[:12]


def head() -> str:
    """The hash of the commit that is checked out."""
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def report(faults: list[Fault], results: Results) -> Iterator[str]:
    """Survivors, then the share noticed of each part."""
    tried = [fault for fault in faults if fault.key in results.outcomes]
    for fault in tried:
        if results.outcomes[fault.key][0] != NOTICED:
            yield f"{results.outcomes[fault.key][0]}: {fault}"
    outcomes = Counter((part_of(fault.file), results.outcomes[fault.key][0]) for fault in tried)
    for part in sorted({part for part, _ in outcomes}):
        noticed, all_ = (
            outcomes[part, NOTICED],
            sum(n for (of, _), n in outcomes.items() if of == part),
        )
        yield f"{part:12s} {noticed:4d} of {all_:4d} noticed ({noticed / all_:.0%})"
    noticed = sum(n for (_, outcome), n in outcomes.items() if outcome == NOTICED)
    yield f"{'all':12s} {noticed:4d} of {len(tried):4d} noticed; {len(faults) - len(tried)} not tried yet"


def options(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("parts", nargs="*", default=PARTS, help="folders of accelsim/ (default: %(default)s)")
    add("--count", "-n", type=int, default=20, help="faults to draw (default: %(default)s)")
    add("--seed", type=int, help="default: of the commit's hash")
    add("--seconds", type=float, default=3600, help="of the whole run (default: %(default)s)")
    add("--each", type=float, default=900, help="of one fault at most (default: %(default)s)")
    add("--files", type=int, default=0, help="nearest test files that are tried; 0: all (default)")
    add("--least", type=float, default=0.0, help="share noticed below which the status is 1")
    add("--plain", action="store_true", help="with NUMBA_DISABLE_JIT=1: kernels as plain Python")
    add("--results", type=Path, default=Path(tempfile.gettempdir()) / "accelsim_mutation.json")
    add(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "accelsim_mutation",
        help="folder of the copy and of its compiled code",
    )
    add("--list", action="store_true", help="print the drawn faults and plant none")
    add("--again", action="store_true", help="try survivors of the results file once more")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    chosen = options(words)
    seed = seed_of(head()) if chosen.seed is None else chosen.seed
    sources = dict(iter_sources(ROOT / "accelsim", chosen.parts))
    faults = drawn(sources, chosen.count, seed)
    print(f"{len(faults)} faults in {', '.join(chosen.parts)}, seed {seed}", flush=True)
    if chosen.list:
        print(*faults, sep="\n")
        return 0
    results = Results.read(chosen.results)
    drawing = Drawing(
        Bench(chosen.work, chosen.plain),
        results,
        sources,
        chosen.each,
        time.monotonic() + chosen.seconds,
        chosen.files,
    )
    for fault in faults:
        known = results.outcomes.get(fault.key)
        again = known is not None and chosen.again and known[0] != NOTICED
        if known is not None and known[2] == digest(sources[fault.file]) and not again:
            continue
        if time.monotonic() >= drawing.ends:
            break
        outcome, test = drawing.outcome(fault)
        if outcome == OUT_OF_TIME and time.monotonic() >= drawing.ends:
            break
        results.outcomes[fault.key] = [outcome, test, digest(sources[fault.file])]
        results.write()
        print(f"{outcome:11s} {fault} {'by ' + test if test else ''}", flush=True)
    print(*report(faults, results), sep="\n")
    tried = [results.outcomes[fault.key][0] for fault in faults if fault.key in results.outcomes]
    return int(bool(tried) and tried.count(NOTICED) < chosen.least * len(tried))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
