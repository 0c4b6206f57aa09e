"""A sum in a word of limited width."""

from __future__ import annotations

from typing import Any, NamedTuple


class Word(NamedTuple):
    """Least and greatest value of a word; whether it saturates (else it wraps)."""

    low: int
    high: int
    saturate: int


def fit_word(value: int, word: Word) -> int:
    """value brought into the word's range."""
    if word.saturate:
        return min(max(value, word.low), word.high)
    return (value - word.low) % (word.high - word.low + 1) + word.low


def put(target: Any, source: Any) -> None:
    """target = source, lane by lane: what makes no array, so that kernels need not count who holds theirs."""
    for lane in range(len(target)):
        target[lane] = source[lane]
