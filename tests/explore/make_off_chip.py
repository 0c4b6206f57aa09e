"""Writes off_chip.json: what shipped networks take on the shipped chips with every tensor off chip.

python tests/explore/make_off_chip.py FILE, with an accelsim whose runs have no tensors at home on chip: that of commit
a15be96, the last with "off_chip" as the default, wrote the file that is kept (git worktree add FOLDER a15be96;
PYTHONPATH=FOLDER).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import accelsim
from accelsim.errors import InputError

CHIPS = (
    "fp8_64",
    "hermes_chip",
    "hermes_core",
    "ibm_quad_like",
    "int4_edge",
    "int8_128",
    "int8_edge",
    "mixed_quad",
    "pcm_8level",
    "pcm_projected",
    "tpu_v1_like",
)
NETWORKS = ("digits_mlp", "small_cnn", "resnet18", "mobilenet_v2")


def taken(chip: str, network: str, **how: str) -> list[object] | str:
    """[ticks, ticks a second, joules] of a run, or what is wrong with it."""
    try:
        result = accelsim.run(accelsim.load_chip(chip), accelsim.load_workload(network), **how)
    except InputError as error:
        return error.problems[0].code
    return [result.makespan, result.tick_hz, result.joules]


def main(path: Path) -> None:
    found = {f"{chip} {network}": taken(chip, network) for chip in CHIPS for network in NETWORKS}
    lines = [f"{json.dumps(name)}: {json.dumps(one)}" for name, one in found.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
