"""Curves as dots: values scaled to rows of dots, columns joined to lines without gaps."""

from __future__ import annotations

from math import copysign, log10

from .axis import Limits
from .braille import stroke
from .buckets import Bucket

_FAR = 1e6


class Scale:
    """From values to rows of dots, 0 at the top."""

    def __init__(self, limits: Limits, height: int, log: bool) -> None:
        self._log = log
        self._low = log10(limits.low) if log else limits.low
        high = log10(limits.high) if log else limits.high
        self._factor = (height - 1) / (high - self._low)
        self._bottom = height - 1

    def __call__(self, value: float) -> int:
        """The row of a value; far outside for one that is far outside the limits."""
        if self._log:
            value = log10(value) if value > 0 else self._low
        row = self._bottom - (value - self._low) * self._factor
        return round(row) if -_FAR < row < _FAR else int(copysign(_FAR, row))


def draw_spread(layer: list[int], found: dict[int, Bucket], scale: Scale, height: int) -> None:
    """Each column from its highest to its lowest value, joined with the column before."""
    before: tuple[int, int] | None = None
    width = len(layer)
    for x, bucket in found.items():
        top, bottom = scale(bucket.maximum), scale(bucket.minimum)
        if before:
            y = before[1]
            if x == before[0] + 1:
                # As nearly always: what joins the two is a part of this column's stroke.
                if y < top:
                    top = y + 1
                elif y > bottom:
                    bottom = y - 1
            else:
                _join(layer, before, (x, min(max(y, top), bottom)), height)
        if 0 <= x < width:
            layer[x] |= stroke(top, bottom, height)
        before = x, scale(bucket.last)


def draw_line(layer: list[int], found: dict[int, float], scale: Scale, height: int) -> None:
    """A line through the values of the columns."""
    before: tuple[int, int] | None = None
    for x, value in found.items():
        y = scale(value)
        if before:
            _join(layer, before, (x, y), height)
        elif 0 <= x < len(layer):
            layer[x] |= stroke(y, y, height)
        before = x, y


def _join(layer: list[int], start: tuple[int, int], end: tuple[int, int], height: int) -> None:
    """A line from the dot ``start`` to ``end``, without gaps, the dot ``start`` left out."""
    (x0, y0), (x1, y1) = start, end
    slope = (y1 - y0) / (x1 - x0)
    previous = y0
    for x in range(max(x0 + 1, 0), min(x1, len(layer) - 1) + 1):
        if x == 0:
            previous = round(y0 + slope * (x - 1 - x0))
        y = y1 if x == x1 else round(y0 + slope * (x - x0))
        if y > previous + 1:
            layer[x] |= stroke(previous + 1, y, height)
        elif y < previous - 1:
            layer[x] |= stroke(y, previous - 1, height)
        else:
            layer[x] |= stroke(y, y, height)
        previous = y
