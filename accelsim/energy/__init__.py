"""The second reader of a Program: how much."""

from accelsim.energy.account import account, family_spread, prices
from accelsim.energy.area import AreaRow, area
from accelsim.energy.report import EnergyReport, EnergyRow
from accelsim.energy.rows import families

__all__ = ["AreaRow", "EnergyReport", "EnergyRow", "account", "area", "families",
           "family_spread", "prices"]  # fmt: skip
