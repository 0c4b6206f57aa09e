"""The contract of reports/sweeps/base.py. A package that offers a plot inherits the class and gives its own."""

from __future__ import annotations

import copy
import io
from typing import ClassVar

import numpy as np
import pytest

from accelsim.reports.style import COLUMN_INCHES
from accelsim.reports.sweeps.base import Drawn, NotDrawn, Plot, View
from accelsim.reports.sweeps.caption import LETTERS, TIE, caption
from accelsim.reports.sweeps.table import Table, table_of
from tests.reports import synthetic

SMALLEST = 8.0  # pt


class PlotContract:
    """plot: an instance. draws: whether the made-up sweep with reruns must give a picture."""

    plot: ClassVar[Plot]
    draws: ClassVar[bool] = True

    @pytest.fixture(scope="class")
    @classmethod
    def view(cls) -> View:
        return synthetic.runnable()

    @pytest.fixture(scope="class")
    @classmethod
    def drawn(cls, view: View) -> Drawn:
        try:
            return cls.plot.draw(view)
        except NotDrawn:
            assert not cls.draws
            pytest.skip("not drawn from this sweep")

    def test_says_what_it_is(self) -> None:
        assert self.plot.name.replace("_", "").isalpha() and self.plot.name.islower()
        assert self.plot.title and self.plot.question.endswith("?")

    def test_text_can_be_read(self, drawn: Drawn) -> None:
        if drawn.figure is None:
            assert drawn.table is not None
            return
        assert drawn.figure.get_size_inches()[0] == pytest.approx(COLUMN_INCHES)
        from matplotlib.text import Text

        small = {
            t.get_text(): t.get_fontsize()
            for t in drawn.figure.findobj(Text)
            if t.get_text() and t.get_visible() and t.get_fontsize() < SMALLEST
        }
        assert not small

    def test_axes_have_units_or_are_words(self, drawn: Drawn) -> None:
        if drawn.figure is None:
            return
        for axis in "xy":
            labels = [getattr(axes, f"get_{axis}label")() for axes in drawn.figure.axes]
            ticks = [
                text.get_text()
                for axes in drawn.figure.axes
                for text in getattr(axes, f"get_{axis}ticklabels")()
            ]
            assert any(labels) or all(any(c.isalpha() for c in text) for text in ticks if text), (
                axis
            )

    def test_points(self, drawn: Drawn) -> None:
        assert drawn.rows and len(set(drawn.head)) == len(drawn.head)
        for row in drawn.rows:
            assert len(row) == len(drawn.head)
            for cell in row:
                assert isinstance(cell, str | int | float)
                assert not isinstance(cell, float) or np.isfinite(cell)

    def test_answer_and_caption(self, view: View, drawn: Drawn) -> None:
        assert drawn.answer.endswith(".") and "nan" not in drawn.answer.lower().split()
        text = caption(view, drawn)
        assert "Boundary: " in text or "No energy is shown" in text
        text = text.replace(TIE, " ")
        assert "22 nm, 0.8 V" in text and "Assumed: " in text and "nan" not in text.split()
        assert all(work in text for work in (drawn.works or synthetic.WORKS))
        assert max(len(line) for line in text.splitlines()) <= LETTERS
        joules = any("oules" in word or word.endswith(": J") for word in drawn.head)
        assert bool(drawn.boundary) or not joules

    def test_same_bytes_again_and_nothing_changed(self, view: View, drawn: Drawn) -> None:
        before = _frozen(view.points)
        again = self.plot.draw(view)
        assert again.rows == drawn.rows and again.answer == drawn.answer
        if again.figure is not None:
            pictures = []
            for one in (drawn, again):
                out = io.BytesIO()
                one.figure.savefig(out, format="png", dpi=60, metadata={"Software": None})
                pictures.append(out.getvalue())
            assert pictures[0] == pictures[1]
        assert _frozen(view.points) == before

    def test_technologies_differ_without_colour(self, drawn: Drawn) -> None:
        """Marks of the two technologies have different shapes, bars different hatches."""
        if drawn.figure is None:
            return
        lines = {}
        for legend in drawn.figure.legends:
            for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True):
                if "(digital)" in text.get_text() or "(PCM)" in text.get_text():
                    lines[text.get_text()] = _shape(handle)
        assert len(set(lines.values())) == len(lines), lines

    @pytest.mark.parametrize("case", ["empty", "failures", "cut"])
    def test_says_why_not(self, case: str) -> None:
        records = list(synthetic.records())
        if case == "empty":
            view = View(table_of([], {}), synthetic.context())
        elif case == "failures":
            bad = [copy.copy(r) for r in records if r.failure is not None]
            view = View(table_of(bad, synthetic.ANALOG), synthetic.context())
        else:
            view = View(
                table_of(records, synthetic.ANALOG),
                synthetic.context(constraints=(("top1", ">=", 2.0),)),
            )
        with pytest.raises(NotDrawn) as why:
            self.plot.draw(view)
        assert str(why.value) and "\n" not in str(why.value)

    @pytest.mark.parametrize("case", ["one", "digital", "pcm", "bare", "one_work"])
    def test_small_stores_draw_or_say_why(self, case: str) -> None:
        """One point, one technology, points with cycles alone, one workload: no traceback, no NaN."""
        records = list(synthetic.records())
        if case == "one":
            records = records[:1]
        elif case in ("digital", "pcm"):
            records = [r for r in records if (r.point.base == "pcm") == (case == "pcm")]
        elif case == "one_work":
            records = [r for r in records if r.point.work == "resnet18" and r.point.seed == 0]
        else:
            for r in records:
                r.measures = {name: r.measures[name] for name in ("cycles",) if name in r.measures}
                r.parts, r.aged = {}, []
        view = View(
            table_of(records, synthetic.ANALOG),
            synthetic.context(constraints=()),
            lambda point: synthetic.result(synthetic.ANALOG[point.base]),
        )
        try:
            drawn = self.plot.draw(view)
        except NotDrawn as why:
            assert str(why) and "\n" not in str(why)
            return
        assert all(
            np.isfinite(cell) for row in drawn.rows for cell in row if isinstance(cell, float)
        )
        if drawn.figure is not None:
            drawn.figure.savefig(io.BytesIO(), format="png", dpi=40)


def _shape(handle: object) -> str:
    """Marker, hatch and line of a legend's entry."""
    found = [
        str(getattr(handle, f"get_{name}", str)()) for name in ("marker", "hatch", "linestyle")
    ]
    paths = getattr(handle, "get_paths", list)()
    return " ".join([*found, *(str(np.round(path.vertices[:4], 2).tolist()) for path in paths)])


def _frozen(table: Table) -> list[bytes]:
    return [
        table.base.codes.tobytes(),
        table.seed.tobytes(),
        table.ok.tobytes(),
        *(column.tobytes() for column in table.measures.values()),
        *(column.codes.tobytes() for column in table.sets.values()),
    ]
