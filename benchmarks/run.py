"""make bench: every figure of speed beside its bar, in one run on one machine.

Prints a table; --json FILE also writes the figures. Rates must reach their bar, milliseconds
must stay below it. A missed bar is shown, not hidden, and does not fail the command.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import bench_cores
import bench_crossbar
import bench_engine
import bench_formats
import bench_gemm
import bench_points
import bench_program
import bench_scalesim
import bench_search
import bench_startup
import bench_sweep
import bench_values
import bench_zoo

BENCHES = {
    "engine": bench_engine,
    "program": bench_program,
    "gemm": bench_gemm,
    "startup": bench_startup,
    "search": bench_search,
    "points": bench_points,
    "scalesim": bench_scalesim,
    "crossbar": bench_crossbar,
    "cores": bench_cores,
    "formats": bench_formats,
    "sweep": bench_sweep,
    "zoo": bench_zoo,
    "values": bench_values,
}


def processor() -> str:
    """The machine that the figures belong to."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    known = {
        key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)
    }
    flags = known.get("flags", "").split()
    wide = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "avx_vnni") if flag in flags]
    return ", ".join([known.get("model name") or platform.processor() or platform.machine(), *wide])


def shown(name: str, value: float) -> str:
    """A figure with its unit."""
    if name.endswith("_ms"):
        return f"{value:,.1f} ms"
    if name.endswith("_us"):
        return f"{value:,.1f} us"
    if name.endswith("_mib"):
        return f"{value:,.0f} MiB"
    if name.endswith("_gmacs"):
        return f"{value:,.1f} GMAC/s"
    if "over" in name:
        return f"{value:.2f} x"
    return f"{value:,.0f}" + ("" if name.endswith("commands") else "/s")


def verdict(name: str, value: float, bar: float | None) -> str:
    """The bar and how far the figure is from it."""
    if bar is None:
        return ""
    small = name.endswith(
        ("_ms", "_us", "_mib", "_over_one", "_over_work")
    )  # the smaller the better
    met = value <= bar if small else value >= bar
    far = bar / value if small else value / bar
    return f"bar {shown(name, bar)}: {'met' if met else 'MISSED'}, {far:.2f} of it"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("names", nargs="*", choices=[*BENCHES, []], help="default: all")
    parser.add_argument("--scale", type=float, default=1.0, help="size and repeats")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    chosen = parser.parse_args()
    everything: dict[str, dict[str, float]] = {}
    for name in chosen.names or BENCHES:
        bench = BENCHES[name]
        print(f"{name}: {(bench.__doc__ or '').splitlines()[0]}", flush=True)
        figures = bench.measure(chosen.scale)
        everything[name] = figures
        for key, value in figures.items():
            print(
                f"  {key:36s}{shown(key, value):>18s}   {verdict(key, value, bench.BARS.get(key))}"
            )
    print(f"Python {platform.python_version()}, {processor()}")
    if chosen.json:
        chosen.json.write_text(json.dumps(everything, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
