"""Every plot of accelsim holds the contract."""

from __future__ import annotations

from accelsim.reports.sweeps.library import ORDER, own_plots
from tests.reports.plot_contract import PlotContract

for _name, _plot in own_plots().items():
    globals()[f"Test{_name.capitalize()}"] = type(
        f"Test{_name.capitalize()}", (PlotContract,), {"plot": _plot}
    )


def test_what_there_is() -> None:
    assert set(own_plots()) == set(ORDER)
