"""Run every .cfg and topology .csv of a SCALE-Sim checkout: each runs or says one clear line.

    python tests/scalesim/run_repository.py CHECKOUT

Prints a line a file, and totals at the end; exit status 1 if anything crashed.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from accelsim import api
from accelsim.config.scalesim_cfg import ScaleSimConfig, chip_of, load_cfg
from accelsim.config.scalesim_topology import load_topology
from accelsim.errors import InputError
from accelsim.results.scalesim_reports import report_files


def topology(path: Path, config: ScaleSimConfig) -> str:
    """What became of one topology, in one line."""
    head = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()[0]
    gemm = [cell.strip().lower() for cell in head.split(",")][1:4] == ["m", "n", "k"]
    try:
        work = load_topology(path, gemm)
        rows = api.run_compatible(chip_of(config, compatible=True), work)
    except InputError as error:
        return f"refused: {str(error.problems[0]).removeprefix(str(path))} ({len(error.problems)})"
    assert len(report_files(rows)) == 3
    return f"ran: {len(rows)} lines, {sum(row.cycles for row in rows):,} cycles"


def main(checkout: str) -> int:
    root = Path(checkout)
    config = ScaleSimConfig("each", 32, 32, 64, 64, 64, "ws")
    counts = {"ran": 0, "refused": 0}
    for path in sorted((root / "configs").glob("*.cfg")):
        try:
            made = load_cfg(path)
            chip_of(made, compatible=True), chip_of(made, compatible=False)
            said = f"ran: {made.rows} x {made.columns} {made.dataflow}"
        except InputError as error:
            said = f"refused: {error.problems[0]}"
        counts[said.split(":")[0]] += 1
        print(f"{path.relative_to(root)}: {said}")
    for path in sorted((root / "topologies").rglob("*.csv")):
        start = time.process_time()
        said = topology(path, config)
        counts[said.split(":")[0]] += 1
        print(f"{path.relative_to(root)}: {said}, {time.process_time() - start:.1f} s")
    print(f"{counts['ran']} ran, {counts['refused']} refused with a line")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
