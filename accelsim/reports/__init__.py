"""Pictures of results."""

from accelsim.reports.pictures import draw

__all__ = ["draw"]
