"""Transistors of the multiply-accumulate units, by synthesis: writes accelsim/constants/tables/mac_area.json.

Run it as PYTHONPATH=. python scripts/make_area.py. Needs Yosys (Debian: apt-get install yosys).
Units with their accumulator's register, operands from outside;
generic gates, then Yosys's estimate of CMOS transistors, flip-flops included: good for ratios, not for areas.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.rtl.multipliers import SOURCES, UNITS, parameters

TABLE = Path(__file__).parent.parent / "accelsim" / "constants" / "tables" / "mac_area.json"
FLOW = (
    "read_verilog {source}; chparam {values} {module}; synth -flatten -top {module}; "
    "dfflegalize -cell $_DFF_P_ x; abc -g cmos; opt_clean; tee -o {out} stat -tech cmos"
)


def transistors(name: str) -> int:
    """Of one unit."""
    module, values = parameters(name)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "stat"
        given = " ".join(f"-set {key} {value}" for key, value in values.items())
        script = FLOW.format(source=SOURCES / f"{module}.v", module=module, out=out, values=given)
        subprocess.run(["yosys", "-q", "-p", script], check=True, capture_output=True)
        found = re.search(r"number of transistors:\s+(\d+)(\+?)", out.read_text())
    if found is None or found[2]:
        raise RuntimeError(f"{name}: Yosys did not know every cell")
    return int(found[1])


def main() -> None:
    """Write the table, or compare with it (--check): exit status 1 where a ratio moved by over 20 %."""
    if shutil.which("yosys") is None:
        sys.exit("there is no yosys; on Debian: apt-get install yosys")
    counts = {name: transistors(name) for name in UNITS}
    for name, count in counts.items():
        print(f"{name:10} {count:7,} transistors, {count / counts['int8']:6.3f} of int8")
    if "--check" in sys.argv:
        known = json.loads(TABLE.read_text())["transistors"]
        change = {
            name: counts[name] / counts["int8"] * known["int8"] / known[name] for name in UNITS
        }
        moved = [name for name in UNITS if abs(change[name] - 1) > 0.2]
        sys.exit(f"ratios moved by over 20 %: {', '.join(moved)}" if moved else 0)
    version = subprocess.run(
        ["yosys", "-V"], check=True, capture_output=True, text=True
    ).stdout.split(" (")[0]
    whole = {
        "source": "scripts/make_area.py on tests/rtl/verilog/{integer,float}_mac.v",
        "tool": version,
        "confidence": "run",
        "technology": "generic CMOS gates",
        "band": 0.2,
        "accumulators": {name: total for name, (_, total) in UNITS.items()},
        "transistors": counts,
    }
    TABLE.write_text(json.dumps(whole, indent=1) + "\n")


if __name__ == "__main__":
    main()
