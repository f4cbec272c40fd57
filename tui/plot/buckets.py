"""Points of one metric in stable power-of-two buckets, each with its minimum and maximum.

A bucket spans 2^k steps and begins at a multiple of 2^k, so a new point never moves the buckets
that are drawn already: at most the last column of a growing chart changes. When there are more
buckets than wanted, pairs of neighbours become one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass
class Bucket:
    """The points whose step lies in ``[start, start + width)`` of its series."""

    start: int
    minimum: float
    maximum: float
    last: float
    last_step: int

    def add(self, step: int, low: float, high: float, value: float) -> None:
        """Take in a point, or a bucket of points that ends with ``value`` at ``step``."""
        self.minimum = min(self.minimum, low)
        self.maximum = max(self.maximum, high)
        if step >= self.last_step:
            self.last, self.last_step = value, step


class Buckets:
    """A series in at most ``most`` buckets (at least 2)."""

    def __init__(self, most: int = 2048) -> None:
        if most < 2:
            raise ValueError("a series needs at least two buckets")
        self._most = most
        self._width = 1
        self._starts: list[int] = []
        self._buckets: list[Bucket] = []

    def __len__(self) -> int:
        return len(self._buckets)

    def __iter__(self) -> Iterator[Bucket]:
        return iter(self._buckets)

    @property
    def width(self) -> int:
        """Steps that a bucket spans: a power of two."""
        return self._width

    def add(
        self, step: int, value: float, low: float | None = None, high: float | None = None
    ) -> None:
        """Take in one point; ``low`` and ``high`` when it stands for several."""
        low, high = (value if low is None else low), (value if high is None else high)
        start = step - step % self._width
        place = bisect_left(self._starts, start)
        if place < len(self._starts) and self._starts[place] == start:
            self._buckets[place].add(step, low, high, value)
            return
        self._starts.insert(place, start)
        self._buckets.insert(place, Bucket(start, low, high, value, step))
        while len(self._buckets) > self._most:
            self._double()

    def within(self, first: float, last: float) -> list[Bucket]:
        """The buckets that begin in ``[first, last]``, and the one before, oldest first."""
        begin = max(0, bisect_left(self._starts, first) - 1)
        return self._buckets[begin : bisect_right(self._starts, last)]

    def at(self, step: float) -> Bucket | None:
        """The bucket that begins nearest before ``step``; the first when there is none."""
        if not self._buckets:
            return None
        return self._buckets[max(0, bisect_right(self._starts, step) - 1)]

    def _double(self) -> None:
        self._width *= 2
        self._buckets = _merged(self._buckets, self._width)
        self._starts = [bucket.start for bucket in self._buckets]


def columns(
    buckets: Iterable[Bucket], first: float, last: float, count: int
) -> list[Bucket | None]:
    """The buckets gathered into ``count`` equal columns of ``[first, last]``; None where empty."""
    found: list[Bucket | None] = [None] * count
    span = (last - first) or 1.0
    for bucket in buckets:
        column = int((bucket.start - first) / span * (count - 1) + 0.5)
        if 0 <= column < count:
            held = found[column]
            if held is None:
                found[column] = Bucket(**vars(bucket))
            else:
                held.add(bucket.last_step, bucket.minimum, bucket.maximum, bucket.last)
    return found


def _merged(buckets: list[Bucket], width: int) -> list[Bucket]:
    merged: list[Bucket] = []
    for bucket in buckets:
        start = bucket.start - bucket.start % width
        if merged and merged[-1].start == start:
            merged[-1].add(bucket.last_step, bucket.minimum, bucket.maximum, bucket.last)
        else:
            bucket.start = start
            merged.append(bucket)
    return merged
