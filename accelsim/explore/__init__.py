"""Searching what the readers of a Program judge: mappings, and later whole designs."""

from accelsim.explore.plan_search import SearchReport, search_plan

__all__ = ["SearchReport", "search_plan"]
