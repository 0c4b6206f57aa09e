"""Several cores: what more of them give, with bandwidth for each, and the CPU of runs on four and on 64."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import accelsim  # noqa: E402
from tests.mapping.test_cores import SCALING, scaled  # noqa: E402

BARS = {"rapid_like_resnet50_ms": 2000.0, "bert_layer_on_64_cores_ms": 5000.0}
BARS |= {f"{name}_{batch}_one_over_four": least for name, batch, least in SCALING}
BARS |= {f"{name}_{batch}_fewer_over_more": 1.0 for name, batch, _ in SCALING}
COUNTS = (1, 2, 4, 8, 16)
RUN = """
import json, sys, time
from dataclasses import replace
import accelsim
from accelsim.workload.repeats import reads_of
from tests.mapping.test_cores import scaled
if sys.argv[1] == "rapid_like":
    chip, work = accelsim.load_chip("rapid_like"), accelsim.load_workload("resnet50")
else:
    chip, work = scaled(64), accelsim.load_workload("bert_base")
    operators = tuple(op for op in work.operators if op.name.startswith("layer1_"))
    given, read = {op.output for op in operators}, {x for op in operators for x in reads_of(op)}
    tensors = {x: spec for x, spec in work.tensors.items() if x in given | read}
    outside = {x: replace(spec, role="input") for x, spec in tensors.items()
               if x not in given and spec.role == "intermediate"}
    work = replace(work, operators=operators, tensors=tensors | outside)
begin = time.process_time()
accelsim.run(chip, work)
print(json.dumps((time.process_time() - begin) * 1e3))
"""


def run(which: str) -> float:
    """Milliseconds of CPU of the first run in a new process, what numba takes to start with it."""
    out = subprocess.run(
        [sys.executable, "-c", RUN, which], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return float(json.loads(out))


def measure(scale: float = 1.0) -> dict[str, float]:
    """Times as fast as one core, and of every step to twice as many the least gain. scale below 1: batch 1 only."""
    figures: dict[str, float] = {}
    for which, name in (
        ("rapid_like", "rapid_like_resnet50_ms"),
        ("64", "bert_layer_on_64_cores_ms"),
    ):
        run(which)  # kernels that are compiled now are loaded next time
        figures[name] = run(which)
    for name, batch, _ in SCALING:
        if batch > 1 and scale < 1:
            continue
        work = accelsim.load_workload(name, batch if batch > 1 else None)
        cycles = [accelsim.run(scaled(count), work).cycles for count in COUNTS]
        figures[f"{name}_{batch}_one_over_four"] = cycles[0] / cycles[COUNTS.index(4)]
        figures[f"{name}_{batch}_one_over_sixteen"] = cycles[0] / cycles[-1]
        steps = pairwise(cycles)
        figures[f"{name}_{batch}_fewer_over_more"] = min(few / many for few, many in steps)
    return figures


if __name__ == "__main__":
    for key, value in measure().items():
        print(f"{key}: {value:.3f}")
