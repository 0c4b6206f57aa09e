"""Writes measured.csv: what a device fit starts from, here drawn from pcm_like's statistics.

python tests/devices/make_measured.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from accelsim.devices import statistical
from accelsim.noise import Stream

CELLS, TARGETS, TIMES = 24, (5.0, 10.0, 15.0, 20.0, 25.0), (20.0, 100.0, 1e3, 1e4, 1e5)


def main() -> None:
    device, stream = statistical("pcm_like"), Stream(1, ("measured",))
    goals = np.repeat(np.array(TARGETS)[:, None] * 1e-6, CELLS, axis=1)
    made = device.program(goals, stream)
    lines = ["g_target_uS,g_uS,t,T,cell"]
    for number, t in enumerate(TIMES):
        g = device.read(made, t - 20.0, stream.of("read", number)).ravel() * 1e6
        lines += [
            f"{goal * 1e6:g},{value:.4f},{t:g},298.15,{cell}"
            for cell, (goal, value) in enumerate(zip(goals.ravel(), g, strict=True))
        ]
    (Path(__file__).parent / "measured.csv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
