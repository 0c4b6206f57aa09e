"""Chip files of cores and links for the tests, and chips drawn at random from the language."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from accelsim.chip import Chip
from accelsim.config import load_chip
from accelsim.config.chip_file import ChipReader
from accelsim.config.overrides import node_of
from accelsim.config.yaml_source import Place

ROOT = Path(__file__).parents[2]
ARRAY = {
    "kind": "mac_array",
    "clock": "core",
    "rows": 8,
    "columns": 8,
    "rates": [{"input": "int8", "weight": "int8"}],
}
#: two clusters of three cores, each with an L1, on the ring of a cluster and a mesh between the clusters
NESTED = """\
name: nested
technology: {node: 22 nm, voltage: 0.8 V, family: horowitz_45nm}
clocks: {core: 800 MHz, slow: 400 MHz}
memories:
  dram: {kind: dram, standard: lpddr4, bandwidth: 17 GB/s}
  l3: {kind: sram, clock: core, size: 1 MiB, width: 128 bit}
cores:
  cluster:
    count: 2
    memories:
      l2: {kind: sram, clock: core, size: 128 KiB, width: 128 bit, behind: l3}
    cores:
      core:
        count: 3
        memories:
          l1: {kind: sram, clock: core, size: 16 KiB, width: 64 bit, behind: l2}
        units:
          array: {kind: mac_array, clock: core, count: 2, rows: 8, columns: 8, input: l1, weight: l1,
                  output: l1, rates: [{input: int8, weight: int8}]}
          vector: {kind: vector_unit, clock: core, lanes: 8, input: l1, output: l1}
    links:
      ring: {kind: ring, nodes: [core, l2], clock: core, width: 16 B, hop: 2}
links:
  bus: {kind: bus, nodes: [cluster.l2, l3], clock: slow, width: 32 B, hop: 3}
units:
  dma: {kind: dma, clock: core}
"""
#: six processing elements on a mesh, behind one buffer
MESHED = """\
name: meshed
technology: {node: 16 nm, voltage: 0.72 V, family: horowitz_45nm}
clocks: {core: 1 GHz}
memories:
  dram: {kind: dram, standard: ddr4, bandwidth: 19.2 GB/s}
  shared: {kind: sram, clock: core, size: 64 KiB, behind: dram}
cores:
  pe:
    grid: [2, 3]
    memories:
      weights: {kind: sram, clock: core, size: 32 KiB, behind: shared}
      sums: {kind: sram, clock: core, size: 4 KiB, behind: shared}
    units:
      array: {kind: mac_array, clock: core, rows: 8, columns: 8, input: weights, weight: weights,
              output: sums, rates: [{input: int8, weight: int8}]}
      vector: {kind: vector_unit, clock: core, input: sums, output: sums}
      dma: {kind: dma, clock: core}
links:
  noc: {kind: mesh, nodes: [pe], clock: core, width: 64 B, hop: 10, places: {shared: [0, 1]}}
  port: {kind: point, nodes: [dram, shared], clock: core, width: 32 B}
"""


def load(tmp_path: Path, text: str, *sets: str) -> Chip:
    """The chip of a text."""
    path = tmp_path / "chip.yaml"
    path.write_text(text)
    return load_chip(path, sets)


def read(document: dict[str, Any]) -> Chip:
    """The chip of plain values."""
    return ChipReader(node_of(document, Place("random")), "random").chip()


def random_chip(rng: random.Random) -> dict[str, Any]:
    """Plain values of a chip: up to three levels, one or two kinds of core, links of any kind between what is filled
    from one another."""
    memories: dict[str, Any] = {
        "dram": {"kind": "dram", "standard": "lpddr4", "bandwidth": "17 GB/s"}
    }
    outer = "dram"
    for level in range(rng.randrange(3)):
        name = f"shared{level}"
        memories[name] = sram(rng, 256) | ({"behind": outer} if outer != "dram" else {})
        outer = name
    links: dict[str, Any] = {}
    cores: dict[str, Any] = {}
    for number in range(rng.randint(1, 2)):
        cores[f"kind{number}"] = _core(rng, outer)
    nodes = [f"{core}.{name}" for core, made in cores.items() for name in made["memories"]]
    whole = rng.random() < 0.5
    kind = rng.choice(["bus", "ring", "crossbar", "mesh", "torus", "none"])
    if kind in ("mesh", "torus"):
        links["net"] = link(rng, kind, list(cores)) | _places(rng, cores, outer)
    elif kind != "none":
        links["net"] = link(rng, kind, [outer, *(list(cores) if whole else nodes)])
        if kind == "ring" and rng.random() < 0.3:
            links["net"]["both_ways"] = False
    if outer != "dram" and rng.random() < 0.5:
        behind = memories[outer].get("behind", "dram")
        links["port"] = link(rng, "point", [behind, outer])
    units = {"dma": {"kind": "dma", "clock": "core"}}
    return {
        "name": "drawn",
        "technology": {"node": "22 nm", "voltage": "0.8 V", "family": "horowitz_45nm"},
        "clocks": {"core": "800 MHz"},
        "memories": memories,
        "cores": cores,
        "units": units,
        "links": links,
    }


def sram(rng: random.Random, most: int) -> dict[str, Any]:
    return {
        "kind": "sram",
        "clock": "core",
        "size": f"{rng.randint(4, most)} KiB",
        "width": f"{8 * rng.randint(1, 16)} bit",
    }


def link(rng: random.Random, kind: str, nodes: list[str]) -> dict[str, Any]:
    return {
        "kind": kind,
        "nodes": nodes,
        "clock": "core",
        "width": f"{rng.randint(1, 64)} B",
        "hop": rng.randrange(5),
        "multicast": rng.random() < 0.5,
    }


def _core(rng: random.Random, outer: str) -> dict[str, Any]:
    names = rng.sample(["near", "far", "sums"], rng.randint(1, 3))
    held = {name: sram(rng, 64) | {"behind": outer} for name in names}
    keys = {key: rng.choice(names) for key in ("input", "weight", "output")}
    used = list(dict.fromkeys(keys.values()))
    vector = {"kind": "vector_unit", "clock": "core", "input": used[0], "output": used[-1]}
    units: dict[str, Any] = {"array": {**ARRAY, **keys}, "vector": vector}
    if rng.random() < 0.5:
        units["dma"] = {"kind": "dma", "clock": "core"}
    often: dict[str, Any] = {"count": rng.randint(1, 5)}
    if rng.random() < 0.5:
        often = {"grid": [rng.randint(1, 4), rng.randint(1, 4)]}
    return {**often, "memories": {name: held[name] for name in used}, "units": units}


def _places(rng: random.Random, cores: dict[str, Any], outer: str) -> dict[str, Any]:
    """Places of all nodes of a mesh of 4 x 4 that no grid gives."""
    grids = [name for name, made in cores.items() if "grid" in made]
    rows, columns = cores[grids[0]]["grid"] if grids else (4, 4)
    free = [[r, c] for r in range(rows) for c in range(columns)]
    places = {}
    for name, made in cores.items():
        if name not in grids[:1]:
            count = made.get("count") or made["grid"][0] * made["grid"][1]
            places[name] = [rng.choice(free) for _ in range(count)]
    return {"places": {**places, outer: rng.choice(free)}}
