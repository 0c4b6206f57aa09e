"""Picture of a device fit: parameters over the target with their intervals, and the drift."""

from __future__ import annotations

import io

import numpy as np

from accelsim.devices.fit import Fit, Measurements
from accelsim.reports.style import below, blank


def draw(data: Measurements, found: Fit) -> bytes:
    """The picture as a PNG."""
    made = blank(4.2)
    axes = made.subplots(2, 2)
    x = np.array(found.x) * found.g_max * 1e6
    panels = (
        ("programming", "programming error (uS)"),
        ("drift_mean", "drift exponent"),
        ("read", "read noise Q"),
    )
    for place, (name, label) in zip(axes.ravel(), panels, strict=False):
        part = getattr(found, name)
        value = np.array([e.value for e in part])
        bars = np.abs(np.array([[e.value - e.low, e.high - e.value] for e in part]).T)
        place.errorbar(
            x, value, bars, marker="o", color="#0072B2", markerfacecolor="white", capsize=2
        )
        place.set_xlabel("target (uS)")
        place.set_ylabel(label)
        place.set_ylim(bottom=0)
    last = axes.ravel()[3]
    goals = np.unique(data.target)
    for number, goal in enumerate(goals[:: max(1, len(goals) // 5)]):
        mine = data.target == goal
        times = np.unique(data.t[mine])
        mean = [data.g[mine & (data.t == t)].mean() * 1e6 for t in times]
        colour = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")[number % 6]
        last.plot(
            times, mean, marker="os^Dv*"[number % 6], linestyle="none", color=colour, markersize=4
        )
        nu = np.interp(goal / found.g_max, found.x, [e.value for e in found.drift_mean])
        grid = np.geomspace(times.min(), times.max(), 30)
        last.plot(grid, goal * 1e6 * (grid / found.reference) ** -nu, color=colour, linewidth=0.9)
    last.set_xscale("log")
    last.set_xlabel("time after programming (s)")
    last.set_ylabel("mean conductance (uS)")
    below(
        made,
        f"{found.rows:,} rows, {found.held_out:,} held out, residual {found.residual:.3f}; "
        f"bars: 95 %",
    )
    buffer = io.BytesIO()
    made.savefig(buffer, format="png", dpi=200, metadata={"Software": None})
    return buffer.getvalue()
