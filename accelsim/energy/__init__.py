"""The second reader of a Program: how much."""

from accelsim.constants.rows import families
from accelsim.energy.account import account, charge, family_spread, prices, spread
from accelsim.energy.area import AreaRow, area
from accelsim.energy.counts import Counts, Work, compact, counts_of, work_of
from accelsim.energy.joules import Charge, EnergyReport, EnergyRow

__all__ = [
    "AreaRow",
    "Charge",
    "Counts",
    "EnergyReport",
    "EnergyRow",
    "Work",
    "account",
    "area",
    "charge",
    "compact",
    "counts_of",
    "families",
    "family_spread",
    "prices",
    "spread",
    "work_of",
]
