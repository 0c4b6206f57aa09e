"""QPyTorch's rate for the product of bench_formats: python qpytorch_loop.py FIGURE.json.

Runs in an environment of its own (qtorch 0.3.0, torch, ninja, a C++ compiler), one thread. QPyTorch rounds
tensors; an accumulator in 1-6-9 is a loop over k that rounds the sums after every product, here with
chunks of 64. The figure is its rate over float32 BLAS in the same process.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch
from qtorch.quant import float_quantize

M, K, N, CHUNK = 256, 1024, 512, 64


def rounded(x: torch.Tensor) -> torch.Tensor:
    return float_quantize(x, exp=6, man=9, rounding="nearest")


def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    total = torch.zeros(M, N)
    for k0 in range(0, K, CHUNK):
        part = torch.zeros(M, N)
        for k in range(k0, k0 + CHUNK):
            part = rounded(part + a[:, k : k + 1] * b[k : k + 1])
        total = rounded(total + part)
    return total


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    a, b = (
        float_quantize(torch.randn(*s), exp=5, man=2, rounding="nearest") for s in ((M, K), (K, N))
    )
    blas = loop = float("inf")
    for _ in range(3):
        begin = time.process_time()
        product(a, b)
        loop = min(loop, time.process_time() - begin)
        for _ in range(5):
            begin = time.process_time()
            torch.mm(a, b)
            blas = min(blas, time.process_time() - begin)
    found = {
        "macs_per_second": M * K * N / loop,
        "over_blas": blas / loop,
        "torch": torch.__version__,
        "shape": [M, K, N],
        "chunk": CHUNK,
    }
    Path(sys.argv[1]).write_text(json.dumps(found, indent=1) + "\n")
    print(found)


if __name__ == "__main__":
    main()
