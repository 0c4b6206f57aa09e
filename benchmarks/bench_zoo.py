"""The zoo on a 128 x 128 array: CPU and memory of timing and energy, each network in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
NETWORKS = (
    "alexnet",
    "bert_base",
    "dlrm",
    "efficientnet_b0",
    "gpt2_decode",
    "gpt2_prefill",
    "llama_7b_decode",
    "llama_7b_prefill",
    "mobilenet_v2",
    "resnet18",
    "resnet50",
    "speech_dnn",
    "speech_lstm",
    "transformer_base",
    "vgg16",
    "vit_b16",
)
LARGEST = "llama_7b_prefill"
#: milliseconds of CPU of a run once the process has started, and MiB at the peak of the process
BARS = {
    f"{name}{unit}": bar for name in NETWORKS for unit, bar in (("_ms", 2000.0), ("_mib", 300.0))
}
RUN = """
import json, resource, sys, time
from dataclasses import replace
import accelsim
from accelsim.mapping import plan
from accelsim.mapping.fold import layers_of
from accelsim.workload.repeats import reads_of
name, how = sys.argv[1:]
chip, work = accelsim.load_chip("int8_128"), accelsim.load_workload(name)
if how == "layer":
    layers = layers_of(chip, work, plan(chip, work))
    operators = work.operators[layers.first + layers.length : layers.first + 2 * layers.length]
    given, read = {op.output for op in operators}, {x for op in operators for x in reads_of(op)}
    tensors = {x: spec for x, spec in work.tensors.items() if x in given | read}
    outside = {x: replace(spec, role="input") for x, spec in tensors.items()
               if x not in given and spec.role == "intermediate"}
    work = replace(work, operators=operators, tensors=tensors | outside)
begin = time.process_time()
result = accelsim.run(chip, work, fold=how == "fold")
passed = time.process_time() - begin
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([passed * 1e3, peak, result.commands]))
"""


def run(name: str, how: str) -> tuple[float, float, int]:
    """Milliseconds of CPU, MiB and commands of one run in a new process; how: fold, full, or layer, one
    of the equal layers alone."""
    out = subprocess.run(
        [sys.executable, "-c", RUN, name, how], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    passed, peak, commands = json.loads(out)
    return passed, peak, commands


def measure(scale: float = 1.0) -> dict[str, float]:
    """Every network; the largest one without folding, and one of its layers. scale below 1: fewer."""
    figures: dict[str, float] = {}
    for name in NETWORKS[:: max(1, round(1 / scale))]:
        run(name, "fold")  # kernels that are compiled now are loaded next time
        figures[f"{name}_ms"], figures[f"{name}_mib"], _ = run(name, "fold")
    for how in ("full", "layer"):
        run(LARGEST, how)
        passed, peak, commands = run(LARGEST, how)
        figures |= {
            f"{LARGEST}_{how}_ms": passed,
            f"{LARGEST}_{how}_mib": peak,
            f"{LARGEST}_{how}_commands": commands,
        }
    return figures


if __name__ == "__main__":
    for key, value in measure(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0).items():
        print(f"{key:28s} {value:12.1f}  bar {BARS.get(key, '')}", flush=True)
