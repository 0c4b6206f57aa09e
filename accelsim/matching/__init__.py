"""Chips made alike before they are compared: the same memories, the same area, the same latency."""

from accelsim.matching.changes import Change, changes
from accelsim.matching.rules import RULES, Matched, like, model_of

__all__ = ["RULES", "Change", "Matched", "changes", "like", "model_of"]
