"""What part of a chart is seen: all of it, or a window that zooms, pans and follows the newest."""

from __future__ import annotations

from .axis import Limits, limits_for

# How much of the window a following one goes on at once: seldom, because it moves every cell.
_FOLLOW_SHARE = 0.25
_SAME = 0.01
# A chart that shows the whole of a long run from its first steps on shows nothing of them.
_MOST_PARTS = 32


class Window:
    """The visible range across.

    The whole range stays put while the data fits into it, and then doubles.

    Args:
        least: the narrowest range that can be seen.
    """

    def __init__(self, least: float) -> None:
        self.whole = Limits(0.0, max(1.0, least))
        self._least = least
        self._held: Limits | None = None
        self._chosen: Limits | None = None
        self._follows = False

    @property
    def visible(self) -> Limits:
        """The range that is seen."""
        return self._chosen or self.whole

    @property
    def is_zoomed(self) -> bool:
        """Whether only a part is seen."""
        return self._chosen is not None

    def cover(self, first: float, last: float, expected: float | None = None) -> None:
        """The data reaches from ``first`` to ``last``, and will reach to ``expected``."""
        high = max(last, first + self._least)
        if expected is None or expected < high:
            self._held = limits_for(first, high, self._held)
            end = self._held.high
        else:
            end = _part_of(first, expected, high)
            if high <= self.whole.high and abs(self.whole.high - end) < _SAME * end:
                # An estimate that wavers must not repaint everything each time.
                end = self.whole.high
        self.whole = Limits(first, end)
        if self._chosen and self._follows and last > self._chosen.high:
            span = self._chosen.high - self._chosen.low
            self._show(last - span * (1 - _FOLLOW_SHARE), span)

    def zoom(self, factor: float, centre: float | None = None, newest: float = 0.0) -> None:
        """See ``factor`` times as much, around ``centre``, which keeps its place.

        A window that has the ``newest`` point in it follows what comes.
        """
        seen = self.visible
        span = max((seen.high - seen.low) * factor, self._least)
        if span >= self.whole.high - self.whole.low:
            self.reset()
            return
        middle = (seen.low + seen.high) / 2 if centre is None else centre
        share = (middle - seen.low) / (seen.high - seen.low)
        self._show(middle - share * span, span)
        self._follows = self.visible.low <= newest <= self.visible.high

    def pan(self, share: float, newest: float = 0.0) -> None:
        """Go right by a share of what is seen, left when it is negative."""
        if self._chosen:
            span = self._chosen.high - self._chosen.low
            self._show(self._chosen.low + share * span, span)
            self._follows = self.visible.low <= newest <= self.visible.high

    def reset(self) -> None:
        """See everything."""
        self._chosen = None
        self._follows = False

    def _show(self, low: float, span: float) -> None:
        low = max(self.whole.low, min(low, self.whole.high - span))
        self._chosen = Limits(low, low + span)


def _part_of(first: float, expected: float, high: float) -> float:
    """The end of the smallest part of ``[first, expected]``, halved and again, with ``high``."""
    parts = 1
    while parts < _MOST_PARTS and first + (expected - first) / (parts * 2) >= high:
        parts *= 2
    return first + (expected - first) / parts
