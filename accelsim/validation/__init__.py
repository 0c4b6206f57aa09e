"""The program held against published chips: docs/validation.md is the guide."""

from accelsim.validation.outcomes import Outcome, Summary, outcomes, summaries
from accelsim.validation.reader import load_case, load_cases
from accelsim.validation.record import Case, Figure

__all__ = [
    "Case",
    "Figure",
    "Outcome",
    "Summary",
    "load_case",
    "load_cases",
    "outcomes",
    "summaries",
]
