"""Pictures of results."""

from accelsim.report.pictures import draw

__all__ = ["draw"]
