"""Random loop nests for tests/zigzag, with ZigZag's counts of elements: one nest a line of random.jsonl.

    peer/bin/python tests/zigzag/make_random.py [COUNT [SEED [OUT.jsonl]]]

In the environment of make_golden.py, whose docstring says what is counted. Sizes divide here, nothing is padded.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from math import prod
from pathlib import Path
from random import Random
from typing import Any

from make_golden import HERE, TREES, case, conv, counts_of, described, gemm, part, tile

ORDERS = ("mnk", "mkn", "nmk", "nkm", "kmn", "knm")
LEAST = 256  # products of a tile
MOST = 64  # tiles


def divisor(rng: Random, size: int) -> int:
    return rng.choice([d for d in range(1, size + 1) if size % d == 0])


def operator(rng: Random) -> tuple[dict[str, Any], dict[str, int]]:
    """An operator and a tile that divides it."""
    if rng.random() < 0.5:
        m, n, k = (rng.choice([16, 24, 32, 48, 64, 96]) for _ in range(3))
        return gemm(m, n, k), tile(divisor(rng, m), divisor(rng, n), divisor(rng, k))
    kernel, groups, batch = (
        rng.choice([1, 3, 5]),
        rng.choice([1, 1, 1, 2]),
        rng.choice([1, 1, 2, 4]),
    )
    stride = 1 if kernel == 1 else rng.choice([1, 1, 2])
    out, depth, filters = rng.choice([4, 6, 8, 12]), rng.choice([2, 4, 8]), rng.choice([4, 8, 16])
    size, images = (out - 1) * stride + kernel, divisor(rng, batch)
    height = out if images > 1 else divisor(rng, out)
    depths = divisor(rng, depth) * kernel * kernel
    op = conv(depth * groups, size, filters * groups, kernel, batch, stride, 0, groups)
    return op, part(images, height, divisor(rng, filters), depths)


def nests(rng: Random) -> Iterator[dict[str, Any]]:
    """Random cases with what ZigZag counts on the tree without L2."""
    while True:
        op, cut = operator(rng)
        if op["kind"] == "gemm" and cut["m"] * cut["n"] * cut["k"] < LEAST:
            continue
        array = rng.choice([4, 8, 16]), rng.choice([4, 8, 16])
        resident = tuple(name for name in ("input", "weight") if rng.random() < 0.2)
        stays = rng.choice(["weight", "output", "input"])
        one = case("", op, cut, rng.choice(ORDERS), stays, array, resident)
        nest = described(one)
        if prod(size for _, size in nest["over tiles"]) > MOST:
            continue
        if nest["padded"] or any(d == "OX" and size % 1 for d, size in nest["spatial"]):
            continue  # ZigZag cuts rows of outputs into whole numbers
        counts = counts_of(one, TREES["two levels"])
        elements = {
            memory: {name: kinds["elements"] for name, kinds in operands.items()}
            for memory, operands in counts.items()
        }
        yield {**one, "nest": nest, "two levels": elements}


def main(count: int = 60, seed: int = 9, out: str = "") -> None:
    logging.disable(logging.CRITICAL)
    drawn = nests(Random(seed))
    lines = [
        json.dumps({**next(drawn), "name": f"nest {number}"}, separators=(",", ":"))
        for number in range(count)
    ]
    (Path(out) if out else HERE / "random.jsonl").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:3]), *sys.argv[3:])
