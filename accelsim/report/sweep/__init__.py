"""Pictures of sweeps: docs/sweeps.md says what a sweep is, docs/adding_a_plot.md how to add a picture."""

from accelsim.report.sweep.base import Drawn, NotDrawn, Plot, View
from accelsim.report.sweep.context import BaseNote, Context
from accelsim.report.sweep.table import Table

__all__ = ["BaseNote", "Context", "Drawn", "NotDrawn", "Plot", "Table", "View"]
