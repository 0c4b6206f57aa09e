"""A sum in a word of limited width."""

from __future__ import annotations


def fit_word(value: int, low: int, high: int, saturate: int) -> int:
    """value brought into low..high, by saturation or by wrapping."""
    if saturate:
        return min(max(value, low), high)
    return (value - low) % (high - low + 1) + low
