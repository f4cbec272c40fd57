"""How a person looks at charts: one view for all charts of a screen, so that they move together."""

from __future__ import annotations

from collections.abc import Iterable

from .across import KINDS, Kind
from .axis import Limits
from .curve import Curve
from .window import Window

SMOOTHINGS = (0.0, 0.6, 0.9, 0.97)
_LEAST: dict[Kind, float] = {"step": 4.0, "epoch": 1e-3, "time": 4.0}
# A window's width goes sideways in so many moves.
_MOVES = 8


class ChartView:
    """Zoom, crosshair, smoothing and what is across.

    Attributes:
        cross: where the crosshair stands, None while there is none.
        newest: the farthest point of the curves.
    """

    def __init__(self) -> None:
        self.kind: Kind = "step"
        self.smoothing = SMOOTHINGS[0]
        self.cross: float | None = None
        self.newest = 0.0
        self.window = Window(_LEAST[self.kind])

    @property
    def visible(self) -> Limits:
        """The range that is seen."""
        return self.window.visible

    def cover(self, curves: Iterable[Curve], expected: float | None) -> None:
        """Take in how far the curves reach, and will reach."""
        ends = [curve.across.place(end.last_step) for curve in curves if (end := curve.last)]
        self.newest = max(ends, default=0.0)
        self.window.cover(0.0, self.newest, expected)

    def next_smoothing(self) -> None:
        """Smooth more, after the most not at all."""
        place = SMOOTHINGS.index(self.smoothing)
        self.smoothing = SMOOTHINGS[(place + 1) % len(SMOOTHINGS)]

    def next_kind(self) -> None:
        """Steps, epochs, time, and from the start; everything is seen again."""
        self.kind = KINDS[(KINDS.index(self.kind) + 1) % len(KINDS)]
        self.window = Window(_LEAST[self.kind])
        self.cross = None

    def zoom(self, factor: float, centre: float | None = None) -> None:
        """See ``factor`` times as much, around ``centre``, the crosshair or the middle."""
        around = centre if centre is not None else self.cross
        self.window.zoom(factor, around, self.newest)
        self._keep_cross_in_sight()

    def whole(self) -> None:
        """See everything."""
        self.window.reset()

    def toggle_cross(self) -> None:
        """Put the crosshair on the newest point that is seen, or take it away."""
        seen = self.visible
        self.cross = None if self.cross is not None else min(self.newest, seen.high)
        self._keep_cross_in_sight()

    def sideways(self, moves: int, dots: int) -> None:
        """Move the crosshair by dots, taking the window along, or else the window."""
        seen = self.visible
        span = seen.high - seen.low
        if self.cross is None:
            self.window.pan(moves / _MOVES, self.newest)
            return
        self.cross += moves * span / max(1, dots - 1)
        if not seen.low <= self.cross <= seen.high:
            self.window.pan((1 if moves > 0 else -1) / _MOVES, self.newest)
        self._keep_cross_in_sight()

    def _keep_cross_in_sight(self) -> None:
        if self.cross is not None:
            self.cross = min(max(self.cross, self.visible.low), self.visible.high)
