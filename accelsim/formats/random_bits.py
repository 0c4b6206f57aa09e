"""Random bits of stochastic rounding: a pure function of (seed, where), never of call order.

One 64-bit word an element, by the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) of
a key and the element's number; integer arithmetic, so the same on every machine.
"""

from __future__ import annotations

from typing import Any

import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST = np.uint64(0xBF58476D1CE4E5B9)
SECOND = np.uint64(0x94D049BB133111EB)
U30, U27, U31 = np.uint64(30), np.uint64(27), np.uint64(31)


def mixed(word: Any) -> Any:
    """A 64-bit word with every bit depending on every bit of the argument; a bijection."""
    x = np.uint64(word)
    x = np.uint64(np.uint64(x ^ np.uint64(x >> U30)) * FIRST)
    x = np.uint64(np.uint64(x ^ np.uint64(x >> U27)) * SECOND)
    return np.uint64(x ^ np.uint64(x >> U31))


def word_at(key: Any, index: Any) -> Any:
    """The random word of element ``index`` (int64) under a key."""
    return mixed(np.uint64(key) + np.uint64(np.uint64(index) * GOLDEN))


def key_of(seed: int, *parts: int) -> np.uint64:
    """The key of a seed and of what the bits are for. seed: any integer, taken modulo 2^64."""
    with np.errstate(over="ignore"):
        key = mixed(np.array([seed % (1 << 64)], np.uint64))
        for part in parts:
            key = mixed((key ^ mixed(np.array([part % (1 << 64)], np.uint64))) + GOLDEN)
    return np.uint64(key[0])
