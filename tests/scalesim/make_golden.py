"""Golden figures of SCALE-Sim 3.0.0, for test_compatibility.py.

Run it in an environment of its own, with its repository's topologies beside:

    python3 -m venv peer && peer/bin/pip install "numpy<2.4" scalesim==3.0.0
    peer/bin/python tests/scalesim/make_golden.py TOPOLOGIES OUT.csv

GEMMs run its whole simulator; of the networks' layers, whose memory model takes hours and cannot
stall in CALC mode, only its compute system, which was seen to give the same cycles on the GEMMs.
"""

from __future__ import annotations

import contextlib
import csv
import io
import sys
import tempfile
from pathlib import Path
from random import Random

ARRAYS = ((8, 4), (4, 8), (16, 16), (32, 32), (12, 14), (1, 16), (16, 1), (7, 5))
FEW = ((8, 4), (7, 5))
NETWORKS = {
    "AlexNet": "conv_nets/alexnet.csv",
    "ResNet-18": "conv_nets/Resnet18.csv",
    "ResNet-50": "mlperf/Resnet50.csv",
}
HEAD = [
    "set",
    "name",
    "height",
    "width",
    "filter_height",
    "filter_width",
    "channels",
    "filters",
    "stride",
    "dataflow",
    "rows",
    "columns",
    "cycles",
    "overall_util",
    "mapping",
    "compute_util",
    "ifmap_start",
    "ifmap_stop",
    "ifmap_reads",
    "filter_start",
    "filter_stop",
    "filter_reads",
    "ofmap_start",
    "ofmap_stop",
    "ofmap_writes",
]
CONFIG = """[general]
run_name = golden
[architecture_presets]
ArrayHeight: {rows}
ArrayWidth: {columns}
IfmapSramSzkB: 1024
FilterSramSzkB: 1024
OfmapSramSzkB: 1024
IfmapOffset: 0
FilterOffset: 10000000
OfmapOffset: 20000000
Dataflow: {flow}
Bandwidth: 10
ReadRequestBuffer: 32
WriteRequestBuffer: 32
[layout]
IfmapCustomLayout: False
IfmapSRAMBankBandwidth: 10
IfmapSRAMBankNum: 10
IfmapSRAMBankPort: 2
FilterCustomLayout: False
FilterSRAMBankBandwidth: 10
FilterSRAMBankNum: 10
FilterSRAMBankPort: 2
[sparsity]
SparsitySupport: false
[run_presets]
InterfaceBandwidth: CALC
UseRamulatorTrace: False
"""


def layer(rows: int, columns: int, flow: str, entry: list) -> object:
    """A single-layer simulation object of the peer."""
    from scalesim.layout_utils import layouts
    from scalesim.scale_config import scale_config
    from scalesim.single_layer_sim import single_layer_sim
    from scalesim.topology_utils import topologies

    config = scale_config()
    with tempfile.NamedTemporaryFile("w", suffix=".cfg") as file:
        file.write(CONFIG.format(rows=rows, columns=columns, flow=flow))
        file.flush()
        config.read_conf_file(file.name)
    topology = topologies()
    topology.append_topo_arrays(entry[0], entry)
    topology.num_layers, topology.topo_load_flag = 1, True
    simulation = single_layer_sim()
    simulation.set_params(0, config, topology, layouts(), verbose=False)
    return simulation


def full(simulation: object) -> list:
    """Compute and SRAM columns of its reports after a whole run."""
    with contextlib.redirect_stdout(io.StringIO()):
        simulation.run()
    compute, detail = simulation.get_compute_report_items(), simulation.get_detail_report_items()
    return [compute[1], *compute[3:], *detail[:9]]


def compute_only(simulation: object) -> list:
    """The same columns without its memory model; start and stop cycles are left empty."""
    operands, system = simulation.op_mat_obj, simulation.compute_system
    matrices = [
        getattr(operands, f"get_{name}_matrix")()[1] for name in ("ifmap", "filter", "ofmap")
    ]
    more = {}
    if simulation.dataflow == "ws":
        more = {
            "sparsity_ratio_N": 1,
            "sparsity_ratio_M": 1,
            "ifmap_op_mat_original": operands.ifmap_addr_matrix_original,
            "sparsity_filter_array": operands.sparse_filter_array,
        }
    system.set_params(
        config_obj=simulation.config,
        ifmap_op_mat=matrices[0],
        filter_op_mat=matrices[1],
        ofmap_op_mat=matrices[2],
        **more,
    )
    with contextlib.redirect_stdout(io.StringIO()):
        demand = system.get_demand_matrices()[2]
    cycles = demand.shape[0] - 1
    topology = simulation.topo
    macs = topology.get_layer_num_ofmap_px(0) * topology.get_layer_window_size(0)
    return [
        cycles,
        macs * 100 / (cycles * simulation.num_mac_unit),
        system.get_avg_mapping_efficiency() * 100,
        system.get_avg_compute_utilization() * 100,
        "",
        "",
        system.get_ifmap_requests(),
        "",
        "",
        system.get_filter_requests(),
        "",
        "",
        system.get_ofmap_requests(),
    ]


def gemms() -> list[list]:
    """Seeded sizes: small, prime, one, multiples of the arrays."""
    random = Random(3)
    sizes = [(1, 1, 1), (1, 7, 13), (17, 1, 5), (31, 29, 1), (32, 32, 32), (64, 16, 48)]
    sizes += [
        tuple(random.choice((random.randint(1, 12), random.randint(1, 90))) for _ in range(3))
        for _ in range(10)
    ]
    return [[f"{m}x{n}x{k}", m, k, 1, k, 1, n, 1] for m, n, k in sizes]


def network(path: Path) -> list[list]:
    """Layers of a topology file."""
    found = []
    for line in path.read_text(encoding="utf-8-sig").splitlines()[1:]:
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) >= 8 and cells[0]:
            found.append([cells[0], *map(int, cells[1:8])])
    return found


def main(topologies: str, out: str, part: str = "all") -> None:
    """part: "few" for products on two small arrays alone, which need no topologies."""
    arrays, networks = (ARRAYS, NETWORKS) if part == "all" else (FEW, {})
    cases = [("gemm", entry, array) for array in arrays for entry in gemms()]
    cases += [
        (name, entry, (32, 32))
        for name, path in networks.items()
        for entry in network(Path(topologies) / path)
    ]
    checked = 0
    with open(out, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEAD)
        for kind, entry, (rows, columns) in cases:
            for flow in ("os", "ws", "is"):
                whole = [*entry, entry[7], 1, 1]
                figures = (full if kind == "gemm" else compute_only)(
                    layer(rows, columns, flow, whole)
                )
                if kind == "gemm" and checked < 60:
                    checked += 1
                    quick = compute_only(layer(rows, columns, flow, whole))
                    assert [a for a, b in zip(figures, quick, strict=True) if b != ""] == [
                        b for b in quick if b != ""
                    ], (entry, flow, figures, quick)
                writer.writerow(
                    [
                        kind,
                        *entry,
                        flow,
                        rows,
                        columns,
                        *(x if isinstance(x, str) else repr(float(x)) for x in figures),
                    ]
                )
                file.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
