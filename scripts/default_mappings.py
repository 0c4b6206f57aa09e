"""Cycles under this checkout's default mappings against those of another commit, on shipped chips and networks.

    python scripts/default_mappings.py --commit HASH [--folder DIR]

The other commit is installed in an environment of its own under DIR (kept, for the next time). Every pair that both
run is printed where this checkout takes more cycles; then the least, the mean, the geometric mean and the most of the
ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import fmean, geometric_mean

from same_programs import ROOT, installed

CHIPS = [
    "int8_edge",
    "int4_edge",
    "int8_128",
    "mixed_quad",
    "fp8_64",
    "ibm_quad_like",
    "tpu_v1_like",
]
NETWORKS = [
    "small_cnn",
    "small_gemm",
    "digits_cnn",
    "digits_mlp",
    "digits_residual",
    "resnet18",
    "mobilenet_v2",
    "bert_base",
    "alexnet",
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--commit", default="51ccdf2")
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--dump", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.dump:
        options.dump.write_text(json.dumps(cycles()))
        return 0
    folder = options.folder or Path(tempfile.mkdtemp(prefix="default_mappings"))
    folder.mkdir(parents=True, exist_ok=True)
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    runs = {
        "other": (str(installed(options.commit, folder)), clean),
        "own": (sys.executable, {**clean, "PYTHONPATH": str(ROOT)}),
    }
    found = {}
    for name, (python, environment) in runs.items():
        file = folder / f"{name}.json"
        command = [python, str(Path(__file__)), "--dump", str(file)]
        subprocess.run(command, check=True, cwd=folder, env=environment)
        found[name] = json.loads(file.read_text())
    return compared(found["other"], found["own"])


def cycles() -> dict[str, int]:
    """Cycles of every pair that runs, as "chip/network"."""
    import accelsim
    from accelsim.errors import InputError

    found = {}
    for chip in CHIPS:
        for network in NETWORKS:
            try:
                result = accelsim.run(accelsim.load_chip(chip), accelsim.load_workload(network))
            except InputError:
                continue
            found[f"{chip}/{network}"] = int(result.cycles)
    return found


def compared(other: dict[str, int], own: dict[str, int]) -> int:
    """Print what takes longer, and the ratios; 1 where a pair runs no more."""
    gone = [name for name in other if name not in own]
    ratios = {name: own[name] / took for name, took in other.items() if name in own}
    for name, ratio in sorted(ratios.items(), key=lambda item: item[1]):
        if ratio > 1:
            print(f"{name}: {ratio:.3f}")
    least, most = (of(ratios, key=lambda name: ratios[name]) for of in (min, max))
    values = list(ratios.values())
    print(
        f"{len(ratios)} pairs: {ratios[least]:.3f} ({least}) to {ratios[most]:.3f} ({most}), mean "
        f"{fmean(values):.3f}, geometric {geometric_mean(values):.3f}"
    )
    for name in gone:
        print(f"{name} runs no more")
    return 1 if gone else 0


if __name__ == "__main__":
    sys.exit(main())
