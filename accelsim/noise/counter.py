"""Counter-based random numbers: a pure function of (seed, what, where).

Philox 4x64-10 (Salmon et al., SC 2011), as NumPy carries it: integers, so equal on every machine.
``what`` names the use ("programming", "read 7"), ``where`` is the element's number; neither the
order of calls nor threads nor batching can change a value.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from accelsim.noise.functions import normal_quantile

WORDS = 4  # a counter gives four 64-bit words


@dataclass(frozen=True, slots=True)
class Stream:
    """Random numbers of one use. seed: of the run. what: parts that name the use."""

    seed: int
    what: tuple[str | int, ...] = ()
    _key: tuple[int, int] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        text = "\0".join([str(self.seed), *(f"{type(part).__name__}:{part}" for part in self.what)])
        digest = hashlib.sha256(text.encode()).digest()
        key = (int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:16], "little"))
        object.__setattr__(self, "_key", key)

    def of(self, *more: str | int) -> Stream:
        """The stream of a part of this use."""
        return Stream(self.seed, (*self.what, *more))

    def raw(self, count: int, first: int = 0) -> NDArray[np.uint64]:
        """64-bit words of elements first .. first + count."""
        skip = first % WORDS
        source = np.random.Philox(
            key=np.array(self._key, np.uint64),
            counter=np.array([first // WORDS, 0, 0, 0], np.uint64),
        )
        return np.asarray(source.random_raw(count + skip)[skip:], np.uint64)

    @property
    def key(self) -> tuple[int, int]:
        """128 bits that stand for (seed, what)."""
        return self._key

    def uniform(self, shape: int | tuple[int, ...], first: int = 0) -> NDArray[np.float64]:
        """Numbers in (0, 1), 52 bits, never 0 or 1; elements in C order."""
        words = self.raw(int(np.prod(shape)), first) >> np.uint64(12)
        return ((words.astype(np.float64) + 0.5) * 2.0**-52).reshape(shape)

    def normal_at(self, count: int, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Elements ``index`` of normal(count): the words are cheap, the deviates are not."""
        words = self.raw(count)[index] >> np.uint64(12)
        return normal_quantile((words.astype(np.float64) + 0.5) * 2.0**-52)

    def normal(self, shape: int | tuple[int, ...], first: int = 0) -> NDArray[np.float64]:
        """Standard normal deviates; elements in C order."""
        return normal_quantile(self.uniform(shape, first))
