"""Loads damaged copies of shipped files: python -m tests.fuzz.worker KIND FIRST COUNT FOLDER.

Ends with status 0 when every copy was read or refused with an InputError that names the file.
"""

from __future__ import annotations

import random
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import accelsim
from accelsim.config.mapping_file import load_mappings
from accelsim.config.values_file import load_npz
from accelsim.errors import InputError
from accelsim.sweep.validate import checked_sweep
from accelsim.traces import check_arrays, load_trace, replay
from tests.traces import hand_made

ROOT = Path(__file__).parents[2]
MEMORY = 6 << 30  # bytes of address space that a loader may take
WORDS = ["0", "-1", "1e999", ".nan", ".inf", "99999999999999999999", "null", "true", "[]", "{}",
         "[[[[[[[[", "&a", "*a", "<<: *a", "!!python/object:os.system", "|", ">", "'", '"', ":",
         "- ", "? ", "\t", "\x00", "\ufeff", "\u2028", "64 KiB", "1 GHz", "-5 nm", "int8", "cold",
         "x", "name", "kind", "3.5", "0x10", "1_000", "08", "1:30", "2026-11-24", "~"]  # fmt: skip
SOURCES = {
    "chip": sorted((ROOT / "configs/chips").glob("*.yaml")),
    "trace": [p for p in sorted((ROOT / "workloads").glob("*.yaml")) if p.stem != "resnet18"],
    "mapping": sorted((ROOT / "configs/mappings").glob("*.yaml")),
    "values": [ROOT / "workloads/digits_mlp.npz"],
    "cfg": [ROOT / "tests/scalesim/small.cfg"],
    "csv": [ROOT / "tests/scalesim/small.csv"],
    "sweep": [ROOT / "tests/config/sweep.yaml", ROOT / "configs/sweeps/array_size.yaml"],
    "recorded": [], "arrays": [],  # hand-made, see prepared()
}


def damaged(data: bytes, rng: random.Random, text: bool) -> bytes:
    """One to four random edits."""
    for _ in range(rng.randrange(1, 5)):
        kind = rng.randrange(7 if text else 3)
        at = rng.randrange(len(data) + 1)
        if kind == 0:
            data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
        elif kind == 1:
            data = data[:at] if rng.random() < 0.3 else data[:at] + data[at + rng.randrange(1, 40) :]
        elif kind == 2:
            data = data[:at] + data[at : at + rng.randrange(1, 60)] * rng.randrange(1, 4) + data[at:]
        else:
            lines = data.split(b"\n")
            row = rng.randrange(len(lines))
            word = rng.choice(WORDS).encode("utf-8", "surrogatepass")
            if kind == 3:
                other = rng.randrange(len(lines))
                lines[row], lines[other] = lines[other], lines[row]
            elif kind == 4:
                head, sign, _ = lines[row].partition(b":")
                lines[row] = head + sign + b" " + word
            elif kind == 5:
                parts = lines[row].split(b" ")
                parts[rng.randrange(len(parts))] = word
                lines[row] = b" ".join(parts)
            else:
                lines[row] = b" " * rng.randrange(9) + lines[row].strip()
            data = b"\n".join(lines)
    return data


def prepared(kind: str, folder: Path) -> bytes:
    """The text or the arrays of the hand-made trace, with the other beside the file to be damaged."""
    name = "fuzzed.npz" if kind == "arrays" else "values.npz"
    hand_made.write(folder, text=hand_made.TEXT.replace("values.npz", name))
    return (folder / ("trace.yaml" if kind == "recorded" else "values.npz")).read_bytes()


def checked_trace(path: Path) -> None:
    """A trace with all its arrays; what is accepted can be replayed too."""
    trace = load_trace(path)
    check_arrays(trace, trace.workload.operators)
    if sum(spec.elements for spec in trace.workload.tensors.values()) < 1 << 12:
        try:
            replay(accelsim.load_chip("int8_edge"), trace)
        except InputError as error:  # a chip that cannot run it: not of the file
            assert error.problems


def main(kind: str, first: int, count: int, folder: Path) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    chip, workload = accelsim.load_chip("int8_edge"), accelsim.load_workload("small_gemm")
    load: dict[str, Callable[[Path], object]] = {
        "chip": accelsim.load_chip, "trace": accelsim.load_workload,
        "mapping": lambda path: load_mappings(path, chip, workload), "values": load_npz,
        "cfg": accelsim.load_chip, "csv": accelsim.load_workload, "sweep": checked_sweep,
        "recorded": checked_trace, "arrays": lambda path: checked_trace(path.parent / "trace.yaml"),
    }  # fmt: skip
    ending = {"values": "npz", "arrays": "npz", "cfg": "cfg", "csv": "csv"}.get(kind, "yaml")
    path = folder / f"fuzzed.{ending}"
    sources = [source.read_bytes() for source in SOURCES[kind]] or [prepared(kind, folder)]
    refused = 0
    for seed in range(first, first + count):
        rng = random.Random(f"{kind} {seed}")
        path.write_bytes(damaged(rng.choice(sources), rng, kind not in ("values", "arrays")))
        try:
            load[kind](path)
        except InputError as error:
            refused += 1
            if not error.problems or not all(problem.file for problem in error.problems):
                print(f"{kind} {seed}: a problem without a file: {error}")
                return 1
        except BaseException as error:
            print(f"{kind} {seed}: {type(error).__name__}: {error}")
            raise
    print(refused)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))
