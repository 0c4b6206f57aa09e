"""The last rounding of a sum: from the accumulator's format to the format it leaves in.

Where the sums themselves are exact (a wide fixed-point accumulator, rounding: exact) this is the one
rounding of a dot product, as Gupta et al. (ICML 2015) build it: products into a wide register, one
stochastic rounding behind it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.formats import Format
from accelsim.formats.random_bits import key_of
from accelsim.formats.rounding import draws
from accelsim.units.accumulation import Accumulation

Floats = NDArray[np.float64]
RESULT = 1  # sets these random bits apart from those of the additions


def finished_sums(
    total: Floats, record: Format, how: Accumulation, index: int = 0, columns: int | None = None
) -> Floats:
    """Sums (m, n) rounded to the format they leave in, by ``how.result`` (default the format's own).

    index: number of output (0, 0) among all outputs, its rows ``columns`` (default n) apart. Of a
    stochastic rounding the random bits, ``how.random_bits`` of them, depend on ``how.seed`` and an
    output's number alone.
    """
    rounding = how.result or None
    if rounding is None or not draws(rounding):
        return record.quantize(total, rounding)
    m, n = total.shape
    number: Any = index + np.arange(m)[:, None] * (n if columns is None else columns) + np.arange(n)
    return record.quantize(
        total,
        rounding,
        seed=int(key_of(how.seed, RESULT)),
        random_bits=how.random_bits,
        first=number,
    )
