"""Charts: one, and a screen's worth of them that zoom and pan together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.timer import Timer

from ..bindings import bindings
from ..plot.axis import Limits
from ..plot.chart import Memory, draw
from ..plot.curve import Curve, Look, Reading
from ..plot.drawing import Row
from ..plot.legend import GUTTER
from ..plot.view import ChartView
from .picture import Picture

MOST_CHARTS = 4
# A person who zooms step by step should cause one request, not ten.
_SETTLED_SECONDS = 0.15


class Chart(Picture, can_focus=True):
    """Curves over each other on common axes.

    Args:
        view: shared by the charts that move together.
    """

    ALLOW_SELECT = False

    class Looked(Message):
        """The mouse changed the view."""

    def __init__(self, view: ChartView, unicode: bool, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view = view
        self.unicode = unicode
        self.log_scale = False
        self.title = ""
        self.curves: Sequence[Curve] = ()
        self.readings: Sequence[Reading] = ()
        self._limits: Limits | None = None
        self._names: tuple[str, ...] = ()
        self._drawn_of: tuple[object, ...] = ()
        self._drawn: list[Row] = []
        self._memory = Memory()

    def show(self, curves: Sequence[Curve], title: str) -> None:
        """Draw these curves."""
        names = (title, *(curve.name for curve in curves))
        self.title = title
        if names != self._names:
            self._names, self._limits = names, None
        self.curves = curves
        self.redraw()

    def draw(self, width: int, height: int) -> list[Row]:
        """The chart."""
        view = self.view
        look = Look(view.smoothing, self.log_scale, view.cross, self.unicode, self.title)
        # It is asked for again when tabs are turned and sizes settle, with nothing new.
        drawn_of = (width, height, look, view.visible, *(curve.mark for curve in self.curves))
        if drawn_of != self._drawn_of:
            picture = draw(
                self.curves, view.visible, width, height, look, self._limits, self._memory
            )
            self._limits, self.readings = picture.limits, picture.readings
            self._drawn_of, self._drawn = drawn_of, picture.rows
        return self._drawn

    def toggle_log(self) -> None:
        """Logarithmic values, or not."""
        self.log_scale = not self.log_scale
        self._limits = None
        self.redraw()

    @property
    def dots(self) -> int:
        """Columns of dots across."""
        return max(2, (self.size.width - GUTTER) * 2)

    def _place_at(self, x: int) -> float:
        seen = self.view.visible
        share = min(1.0, max(0.0, (x - GUTTER) / max(1, self.size.width - GUTTER - 1)))
        return seen.low + share * (seen.high - seen.low)

    def on_click(self, event: events.Click) -> None:
        """Put the crosshair there."""
        self.view.cross = self._place_at(event.x)
        self.post_message(self.Looked())

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """The crosshair goes with the mouse."""
        if self.view.cross is not None:
            self.view.cross = self._place_at(event.x)
            self.post_message(self.Looked())

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Zoom in where the mouse is."""
        self._zoom(0.5, event)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Zoom out from where the mouse is."""
        self._zoom(2.0, event)

    def _zoom(self, factor: float, event: events.MouseEvent) -> None:
        event.stop()
        self.view.zoom(factor, self._place_at(event.x))
        self.post_message(self.Looked())


class ChartGrid(Vertical):
    """The first chart above, large; the others below it, side by side."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("charts")]
    DEFAULT_CSS = """
    ChartGrid {
        & Chart { height: 1fr; width: 1fr; padding: 0 1; }
        & #chart-0 { height: 3fr; }
        & #smaller-charts { height: 2fr; }
    }
    """

    class RangeChanged(Message):
        """Another range across is seen, for a moment already."""

    class KindChanged(Message):
        """Something else is across now."""

    class Pick(Message):
        """The person wants to choose what is drawn."""

    def __init__(self, unicode: bool, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view = ChartView()
        self._charts = [Chart(self.view, unicode, id=f"chart-{n}") for n in range(MOST_CHARTS)]
        self._shown = 1
        self._single = False
        self._settled: Timer | None = None

    def compose(self) -> ComposeResult:
        """All charts there may be; those without curves are hidden."""
        yield self._charts[0]
        with Horizontal(id="smaller-charts"):
            yield from self._charts[1:]

    def use(self, unicode: bool) -> None:
        """Draw with these characters."""
        for chart in self._charts:
            chart.unicode = unicode
            chart.redraw()

    def show(
        self,
        curves: Sequence[Sequence[Curve]],
        expected: float | None,
        titles: Sequence[str] = (),
    ) -> None:
        """Draw these curves, a list for each chart.

        Args:
            expected: how far they will reach across, when that is known.
            titles: what each chart shows, where the names of the curves do not say it.
        """
        self.view.cover([curve for each in curves for curve in each], expected)
        self._shown = min(len(curves), MOST_CHARTS)
        for chart, each, title in zip(
            self._charts, curves, chain(titles, repeat("")), strict=False
        ):
            chart.show(each, title)
        self._arrange()

    @property
    def current(self) -> Chart:
        """The chart that the keys act on."""
        return next((chart for chart in self._charts if chart.has_focus), self._charts[0])

    def focus_first(self) -> None:
        """Give the keys to the first chart that is seen."""
        next((chart for chart in self._charts if chart.display), self._charts[0]).focus()

    def step_back(self) -> bool:
        """Take the crosshair away, or see everything again; False when neither is needed."""
        if self.view.cross is not None:
            self.view.cross = None
        elif self.view.window.is_zoomed:
            self.view.whole()
        else:
            return False
        self._redraw(moved=True)
        return True

    def _arrange(self) -> None:
        single = self.current if self._single and self._shown > 1 else None
        for number, chart in enumerate(self._charts):
            seen = number < max(1, self._shown) and single in (None, chart)
            if chart.display != seen:
                chart.display = seen
        below = self.query_one("#smaller-charts")
        some = any(chart.display for chart in self._charts[1:])
        if below.display != some:
            below.display = some

    def _redraw(self, *, moved: bool = False) -> None:
        for chart in self._charts:
            if chart.display:
                chart.redraw()
        if moved:
            if self._settled is not None:
                self._settled.stop()
            self._settled = self.set_timer(_SETTLED_SECONDS, self._say_settled)

    def _say_settled(self) -> None:
        self.post_message(self.RangeChanged())

    def on_chart_looked(self, event: Chart.Looked) -> None:
        """All charts follow the one that was touched."""
        event.stop()
        self._redraw(moved=True)

    def action_zoom(self, factor: float) -> None:
        """Zoom around the crosshair, or the middle."""
        self.view.zoom(factor)
        self._redraw(moved=True)

    def action_sideways(self, moves: int) -> None:
        """Move the crosshair, or what is seen."""
        self.view.sideways(moves, self.current.dots)
        self._redraw(moved=True)

    def action_whole(self) -> None:
        """See everything across."""
        self.view.whole()
        self._redraw(moved=True)

    def action_smooth(self) -> None:
        """Smooth more, or no longer."""
        self.view.next_smoothing()
        self._redraw()

    def action_log(self) -> None:
        """Logarithmic values in this chart, or not."""
        self.current.toggle_log()

    def action_cross(self) -> None:
        """The crosshair, or none."""
        self.view.toggle_cross()
        self._redraw()

    def action_across(self) -> None:
        """Steps, epochs or time across."""
        self.view.next_kind()
        self.post_message(self.KindChanged())

    def action_metrics(self) -> None:
        """Let the person choose what is drawn."""
        self.post_message(self.Pick())

    def action_maximise(self) -> None:
        """This chart alone, or all of them."""
        self._single = not self._single
        self._arrange()
