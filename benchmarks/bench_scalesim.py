"""Against SCALE-Sim 3.0.0, AlexNet's convolutions, weight stationary, 32 x 32: CPU time in one run.

SCALE-Sim runs in an environment of its own: the python named by ACCELSIM_SCALESIM_PYTHON, else one
made here with pip. It takes two minutes. Our side is counted once started: kernels loaded.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import accelsim
from accelsim import api
from accelsim.config.scalesim_cfg import ScaleSimConfig, chip_of
from tests.scalesim.test_compatibility import golden, workload_of

ROOT = Path(__file__).parent.parent
BARS = {
    "compatible_over_scalesim": 1000.0,
    "default_with_energy_over_scalesim": 200.0,
    "resnet50_six_runs_ms": 5000.0,
    "resnet50_peak_mib": 300.0,
}
THEIRS = """
import contextlib, io, json, sys, time
sys.path.insert(0, {folder!r})
import make_golden
make_golden.CONFIG = make_golden.CONFIG.replace("1024", "64")
layers = json.load(sys.stdin)
start = time.process_time()
cycles = []
for entry in layers:
    simulation = make_golden.layer(32, 32, "ws", entry)
    with contextlib.redirect_stdout(io.StringIO()):
        simulation.run()
        cycles.append(int(simulation.get_compute_report_items()[1]))
print(json.dumps([time.process_time() - start, cycles]))
"""
SIX = """
import resource, time
from dataclasses import replace
import accelsim
work = accelsim.load_workload("resnet50")
base = accelsim.load_chip("int8_edge")
accelsim.run(base, work)
start = time.process_time()
for size in (32, 64):
    for flow in ("output_stationary", "weight_stationary", "input_stationary"):
        array = replace(base.array, rows=size, columns=size, dataflow=flow)
        accelsim.run(replace(base, units={**base.units, "array": array}), work)
print(time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def peer_python(folder: Path) -> str:
    """A python with scalesim 3.0.0."""
    given = os.environ.get("ACCELSIM_SCALESIM_PYTHON")
    if given:
        return given
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = str(folder / "bin/python")
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "numpy<2.4", "scalesim==3.0.0"],
        check=True,
        capture_output=True,
    )
    return python


def measure(scale: float = 1.0) -> dict[str, float]:
    """Seconds and ratios; scale below 1 leaves SCALE-Sim itself out."""
    rows = [row for row in golden() if row["set"] == "AlexNet" and row["dataflow"] == "ws"]
    work = workload_of(rows)
    config = ScaleSimConfig("bench", 32, 32, 64, 64, 64, "ws")
    ours, default = chip_of(config, True), chip_of(config, False)

    def best(action: object) -> float:
        least = float("inf")
        for _ in range(5):
            start = time.process_time()
            action()  # type: ignore[operator]
            least = min(least, time.process_time() - start)
        return least

    compatible = best(lambda: api.run_compatible(ours, work))
    whole = best(lambda: accelsim.run(default, work))
    figures = {"compatible_ms": compatible * 1e3, "default_with_energy_ms": whole * 1e3}
    if scale >= 1:
        keys = (
            "name",
            "height",
            "width",
            "filter_height",
            "filter_width",
            "channels",
            "filters",
            "stride",
            "stride",
        )
        layers = [[row["name"], *(int(row[key]) for key in keys[1:]), 1, 1] for row in rows]
        with tempfile.TemporaryDirectory() as folder:
            code = THEIRS.format(folder=str(ROOT / "tests/scalesim"))
            done = subprocess.run(
                [peer_python(Path(folder)), "-c", code],
                check=True,
                text=True,
                capture_output=True,
                input=json.dumps(layers),
            )
        seconds, cycles = json.loads(done.stdout.strip().splitlines()[-1])
        assert cycles == [row.cycles for row in api.run_compatible(ours, work)]
        figures |= {
            "scalesim_ms": seconds * 1e3,
            "compatible_over_scalesim": seconds / compatible,
            "default_with_energy_over_scalesim": seconds / whole,
        }
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", SIX], check=True, text=True, capture_output=True, env=environment
    )
    seconds, peak = map(float, done.stdout.split())
    figures |= {"resnet50_six_runs_ms": seconds * 1e3, "resnet50_peak_mib": peak}
    return figures
