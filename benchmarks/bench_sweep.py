"""Sweeps: cost of the store, of workers and of Dask; a million points opened; a cached run again."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from accelsim import shipped  # noqa: E402
from accelsim.noise import Stream  # noqa: E402
from accelsim.store import Point, Record  # noqa: E402
from accelsim.store.columns import columns  # noqa: E402
from accelsim.store.shards import ShardWriter  # noqa: E402
from accelsim.store.view import index  # noqa: E402
from accelsim.sweeps.executors import executor_named  # noqa: E402
from tests.sweeps.executor_contract import run  # noqa: E402
from tests.sweeps.fakes import sweep  # noqa: E402

#: microseconds of CPU a point; CPU a point of two workers over one; time over that of sleeping alone;
#: seconds and MiB of a process that opens a million points and finds the front; of a whole cached run
BARS = {
    "store_point_us": 60.0,
    "two_workers_cpu_over_one": 1.1,
    "dask_time_over_work": 1.1,
    "ten_thousand_two_workers_ms": 120_000.0,
    "million_open_ms": 5000.0,
    "million_open_mib": 1024.0,
    "cached_10000_ms": 5000.0,
}
OPEN = """
import sys, resource, time
from pathlib import Path
begin = time.perf_counter()
from accelsim.store.columns import columns  # noqa: E402
from accelsim.store.front import front_of
found = columns(Path(sys.argv[1]))
front = front_of(found, ("energy_chip_joules", "latency_seconds"))
passed, peak = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(passed, peak, len(found), front.sum())
"""
SWEEP = """
name: ten_thousand
question: How long does a cached run take?
bases: {pcm: {chip: pcm_8level, set: {units.tiles.count: 16}}}
workloads: [digits_mlp]
vary:
  - {key: units.tiles.mean_conductance, range: {from: 0.1, to: 0.2, step: 0.001}}
  - {key: units.tiles.drive.voltage, range: {from: 0.1 V, to: 0.199 V, step: 1 mV}}
measures: [latency, energy]
"""
#: axes that a user adds to the shipped sweep: what figures of energy hang on, and finer converters
MORE = """
  - {key: technology.node, values: [14 nm, 22 nm, 28 nm]}
  - {key: technology.voltage, values: [0.7 V, 0.75 V, 0.8 V, 0.85 V, 0.9 V]}
"""
ARRAYS = """
name: arrays
question: What do workers cost?
bases: {{int8: {{chip: int8_edge}}}}
workloads: [resnet18]
vary:
  - {{key: units.array.rows, values: {rows}, tie: [units.array.columns]}}
  - {{key: memories.dram.bandwidth, values: [4 GB/s, 8 GB/s, 17 GB/s, 34 GB/s]}}
measures: [latency, energy]
"""


def record(number: int, draws: list[float]) -> Record:
    """A record as large as a real one."""
    names = (
        "latency_seconds",
        "throughput_per_second",
        "energy_device_joules",
        "energy_core_joules",
        "energy_chip_joules",
        "energy_band_joules",
        "energy_per_inference_joules",
        "watts",
        "area_square_metres",
        "utilisation",
    )
    sets = (
        ("units.tiles.adc.bits", number % 7),
        ("units.tiles.rows", 64 << number % 4),
        ("x", number),
    )
    made = Record(
        f"{number * 0x9E3779B97F4A7C15 % (1 << 128):032x}",
        "0.1.0+0123456789ab",
        Point("pcm", "resnet18", sets),
    )
    made.measures = {
        "cycles": number,
        "macs": 10**9,
        **{name: draws[i] for i, name in enumerate(names)},
    }
    made.parts = {
        name: draws[i] for i, name in enumerate(("cells", "adc", "dac", "sram", "dram", "vector"))
    }
    made.run = {
        "cpu_s": 0.005,
        "at": "2026-01-01T00:00:00+00:00",
        "worker": "node-17-12345",
        "tries": 1,
    }
    return made


def store_point_us(folder: Path, count: int) -> float:
    """Microseconds of CPU to turn a record into a line and write it."""
    draws = Stream(1, ("bench",)).uniform((count, 10)).tolist()
    records = [record(number, draws[number]) for number in range(count)]
    writer = ShardWriter(folder)
    begin = time.process_time()
    for one in records:
        writer.append(one.line())
    passed = time.process_time() - begin
    writer.close()
    return passed / count * 1e6


def million(folder: Path, count: int) -> dict[str, float]:
    """A store of so many points: its columns made, then opened by a new process."""
    draws = Stream(2, ("bench",)).uniform((count, 10)).tolist()
    writer = ShardWriter(folder)
    for number in range(count):
        writer.append(record(number, draws[number]).line())
    writer.close()
    del draws
    begin = time.process_time()
    columns(folder)
    made = time.process_time() - begin
    out = subprocess.run(
        [sys.executable, "-c", OPEN, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert int(out[2]) == count and int(out[3]) > 0
    return {
        "million_open_ms": float(out[0]) * 1e3,
        "million_open_mib": float(out[1]),
        "columns_made_ms": made * 1e3,
    }


def worker_cpu(folder: Path, workers: int, count: int) -> float:
    """CPU seconds a point of an array sweep with compiled kernels, workers' start and all."""
    path = folder / "sweep.yaml"
    path.write_text(ARRAYS.format(rows=list(range(8, 8 + max(1, count // 4)))))
    command = [
        sys.executable,
        "-m",
        "accelsim.cli.main",
        "sweep",
        str(path),
        "--store",
        str(folder / "s"),
        "--workers",
        str(workers),
        "--json",
    ]
    environment = {"ACCELSIM_CACHE_DIR": str(folder / "cache"), "PATH": "/usr/bin:/bin"}
    warm = [
        sys.executable,
        "-m",
        "accelsim.sweeps.warm",
        "analog",
    ]  # compiling is no cost of a worker's
    subprocess.run(warm, cwd=ROOT, check=True, env=environment, capture_output=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True, env=environment
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = json.loads(done.stdout)
    assert found["measured"] == found["total"]
    whole = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return whole / float(found["total"])


def digital_or_pcm(folder: Path) -> dict[str, float]:
    """The shipped sweep of digital against PCM with two axes more, 10,350 points, by two workers: time of
    the whole command, and CPU."""
    path, (begin, end) = (
        folder / "sweep.yaml",
        shipped.find("sweep", "digital_or_pcm").read_text().split("measures:"),
    )
    path.write_text(begin.rstrip() + MORE + "measures:" + end)
    command = [
        sys.executable,
        "-m",
        "accelsim.cli.main",
        "sweep",
        str(path),
        "--store",
        str(folder / "s"),
        "--workers",
        "2",
        "--json",
    ]
    subprocess.run(
        [sys.executable, "-m", "accelsim.sweeps.warm", "analog"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    passed, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    found = json.loads(done.stdout)
    assert found["measured"] == found["total"] >= 10_000
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"ten_thousand_two_workers_ms": passed * 1e3, "ten_thousand_cpu_ms": cpu * 1e3}


def dask_over_work(folder: Path, count: int) -> float:
    """Time of points of 50 ms (asleep) on a Dask cluster of two processes, start aside, over the sleep."""
    import distributed

    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as cluster:
        address = {"address": cluster.scheduler_address}
        run(folder / "first", executor_named("dask", None, address), 4)
        begin = time.perf_counter()
        run(
            folder / "s",
            executor_named("dask", None, address),
            count,
            sweep(execution={"delay": 0.05}),
        )
        return (time.perf_counter() - begin) / (0.05 * count / 2)


def cached_ms(folder: Path) -> float:
    """Milliseconds of CPU of the whole command on a store that holds all 10,000 points."""
    path = folder / "sweep.yaml"
    path.write_text(SWEEP)
    command = [
        sys.executable,
        "-m",
        "accelsim.cli.main",
        "sweep",
        str(path),
        "--json",
        "--store",
        str(folder / "s"),
    ]
    first = json.loads(
        subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    )
    assert first["total"] >= 10_000 and len(index(folder / "s").keys) == first["total"]
    begin = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    passed = time.perf_counter() - begin
    assert json.loads(done.stdout)["run"] == 0
    return passed * 1e3


def measure(scale: float = 1.0) -> dict[str, float]:
    """Every figure; scale shrinks the store of a million."""
    figures = {}
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / str(number) for number in range(7)]
        for folder in folders:
            folder.mkdir()
        figures["store_point_us"] = store_point_us(folders[0], 20_000)
        one, two = (worker_cpu(folders[i], i, int(640 * scale)) for i in (1, 2))
        figures |= {"one_worker_point_ms": one * 1e3, "two_workers_cpu_over_one": two / one}
        figures |= digital_or_pcm(folders[6])
        figures["dask_time_over_work"] = dask_over_work(folders[3], 400)
        figures |= million(folders[4], int(1_000_000 * scale))
        figures["cached_10000_ms"] = cached_ms(folders[5])
    return figures


if __name__ == "__main__":
    for key, value in measure(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0).items():
        print(f"{key:28s} {value:12.3f}  bar {BARS.get(key, '')}", flush=True)
