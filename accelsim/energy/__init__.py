"""The second reader of a Program: how much."""

from accelsim.energy.account import account, prices
from accelsim.energy.report import EnergyReport, EnergyRow
from accelsim.energy.rows import families

__all__ = ["EnergyReport", "EnergyRow", "account", "families", "prices"]
