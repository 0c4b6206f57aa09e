"""Chips made alike before they are compared: the same memories, the same area, the same latency."""

from accelsim.matching.changes import Change, changes
from accelsim.matching.rules import RULES, Matched, made_alike, model_of

__all__ = ["RULES", "Change", "Matched", "changes", "made_alike", "model_of"]
