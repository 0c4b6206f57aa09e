"""Pictures of sweeps: docs/sweeps.md says what a sweep is, docs/adding_a_plot.md how to add a picture."""

from accelsim.reports.sweeps.base import Drawn, NotDrawn, Plot, View
from accelsim.reports.sweeps.context import BaseNote, Context
from accelsim.reports.sweeps.table import Table

__all__ = ["BaseNote", "Context", "Drawn", "NotDrawn", "Plot", "Table", "View"]
