"""exp and log of one number, for compiled kernels: the bits of functions.py, step by step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from accelsim.noise.functions import EXP_SERIES, LN2_HIGH, LN2_LOW, LOG_SERIES

(E0, E1, E2, E3, E4, E5, E6, E7, E8, E9, E10, E11, E12, E13) = EXP_SERIES
(L0, L1, L2, L3, L4, L5, L6, L7, L8, L9, L10, L11) = LOG_SERIES
FRACTION = np.int64((1 << 52) - 1)
HALF_EXPONENT = np.int64(1022 << 52)  # of numbers in 0.5 .. 1
ROOT = math.sqrt(0.5)


def exp_one(x: Any) -> Any:
    """e**x for finite x."""
    bounded = min(max(x, -746.0), 710.0)
    whole = np.rint(bounded * 1.4426950408889634)
    r = (bounded - whole * LN2_HIGH) - whole * LN2_LOW
    total = E13 * r + E12
    total = ((((total * r + E11) * r + E10) * r + E9) * r + E8) * r + E7
    total = ((((((total * r + E6) * r + E5) * r + E4) * r + E3) * r + E2) * r + E1) * r + E0
    n = np.int64(whole)
    half = np.int64(n >> np.int64(1))  # in two steps, for results at either end of the range
    low = np.int64((half + np.int64(1023)) << np.int64(52)).view(np.float64)
    high = np.int64((n - half + np.int64(1023)) << np.int64(52)).view(np.float64)
    return total * low * high


def log_one(x: Any) -> Any:
    """Natural logarithm of a positive normal number."""
    bits = np.float64(x).view(np.int64)
    n = np.int64(bits >> np.int64(52)) - np.int64(1022)
    part = np.int64((bits & FRACTION) | HALF_EXPONENT).view(np.float64)
    low = part < ROOT
    part = part + part if low else part
    n = n - np.int64(1) if low else n
    s = np.divide(part - 1.0, part + 1.0)
    z = s * s
    total = L11 * z + L10
    total = ((((total * z + L9) * z + L8) * z + L7) * z + L6) * z + L5
    total = ((((total * z + L4) * z + L3) * z + L2) * z + L1) * z + L0
    return n * LN2_HIGH + (s * total + n * LN2_LOW)
