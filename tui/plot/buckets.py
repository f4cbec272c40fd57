"""Points of one metric in stable power-of-two buckets, each with its minimum and maximum.

A bucket spans 2^k steps and begins at a multiple of 2^k, so a new point never moves the buckets
that are drawn already: at most the last column of a growing chart changes. When there are more
buckets than wanted, pairs of neighbours become one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter

_start = attrgetter("start")


@dataclass(slots=True)
class Bucket:
    """The points whose step lies in ``[start, start + width)`` of its series.

    Attributes:
        total, count: sum and number of the values taken in, for their mean. A point that stands
            for several counts as one.
    """

    start: int
    minimum: float
    maximum: float
    last: float
    last_step: int
    total: float = 0.0
    count: int = 1

    @classmethod
    def of(cls, start: int, step: int, value: float, low: float, high: float) -> Bucket:
        """A bucket with one point."""
        return cls(start, low, high, value, step, value, 1)

    @property
    def mean(self) -> float:
        """The mean of the values."""
        return self.total / self.count

    def copy(self, start: int) -> Bucket:
        """The same points in a bucket that begins at ``start``."""
        return Bucket(
            start, self.minimum, self.maximum, self.last, self.last_step, self.total, self.count
        )

    def add(self, other: Bucket) -> None:
        """Take in the points of another bucket."""
        if other.minimum < self.minimum:
            self.minimum = other.minimum
        if other.maximum > self.maximum:
            self.maximum = other.maximum
        if other.last_step >= self.last_step:
            self.last, self.last_step = other.last, other.last_step
        self.total += other.total
        self.count += other.count


@dataclass
class _Level:
    """Buckets of one width. ``whole``: none that begins before it has changed since."""

    width: int
    buckets: list[Bucket] = field(default_factory=list)
    whole: int = 0


class Buckets:
    """A series in at most ``most`` buckets (at least 2), and in coarser ones when asked.

    Args:
        width: steps that a bucket spans at first, a power of two: the width of the points when
            they stand for several steps each.
    """

    def __init__(self, most: int = 2048, width: int = 1) -> None:
        if most < 2:
            raise ValueError("a series needs at least two buckets")
        self._most = most
        self._width = width
        self._buckets: list[Bucket] = []
        self._coarser: list[_Level] = []
        self._version = 0
        self._revision = 0

    def __len__(self) -> int:
        return len(self._buckets)

    def __iter__(self) -> Iterator[Bucket]:
        return iter(self._buckets)

    @property
    def width(self) -> int:
        """Steps that a bucket spans: a power of two."""
        return self._width

    @property
    def version(self) -> int:
        """Goes up with every point."""
        return self._version

    @property
    def revision(self) -> int:
        """Goes up when another bucket than the newest one changes."""
        return self._revision

    @property
    def last(self) -> Bucket | None:
        """The newest bucket."""
        return self._buckets[-1] if self._buckets else None

    def add(
        self, step: int, value: float, low: float | None = None, high: float | None = None
    ) -> None:
        """Take in one point; ``low`` and ``high`` when it stands for several."""
        start = step - step % self._width
        self.take(
            Bucket.of(start, step, value, value if low is None else low,
                      value if high is None else high)
        )  # fmt: skip

    def take(self, bucket: Bucket) -> None:
        """Take in the points of a bucket, which is kept; it must lie within one of these."""
        self._version += 1
        bucket.start -= bucket.start % self._width
        newest = self._buckets[-1].start if self._buckets else -1
        if bucket.start > newest:
            self._buckets.append(bucket)
        else:
            place = bisect_left(self._buckets, bucket.start, key=_start)
            if self._buckets[place].start == bucket.start:
                self._buckets[place].add(bucket)
            else:
                self._buckets.insert(place, bucket)
            if place < len(self._buckets) - 1:
                self._coarser.clear()
                self._revision += 1
        while len(self._buckets) > self._most:
            self._width *= 2
            self._buckets = _merged(self._buckets, self._width)
            self._coarser.clear()
            self._revision += 1

    def at(self, step: float) -> Bucket | None:
        """The bucket that begins nearest before ``step``; the first when there is none."""
        if not self._buckets:
            return None
        return self._buckets[max(0, bisect_right(self._buckets, step, key=_start) - 1)]

    def within(self, first: float, last: float, most: int | None = None) -> list[Bucket]:
        """The buckets that begin in ``[first, last]`` and their neighbours on both sides.

        Args:
            most: put them together, by two and again, until no more begin in the range.
        """
        level, buckets = 0, self._buckets
        begin, end = _span(buckets, first, last)
        while most is not None and end - begin > max(1, most):
            level += 1
            buckets = self._level(level)
            begin, end = _span(buckets, first, last)
        return buckets[max(0, begin - 1) : end + 1]

    def _level(self, number: int) -> list[Bucket]:
        """The buckets that are 2^number times as wide, brought up to date."""
        if number == 0:
            return self._buckets
        below = self._level(number - 1)
        while len(self._coarser) < number:
            self._coarser.append(_Level(self._width << (len(self._coarser) + 1)))
        level = self._coarser[number - 1]
        begin = level.whole - level.whole % level.width
        while level.buckets and level.buckets[-1].start >= begin:
            level.buckets.pop()
        level.buckets += _merged(below[bisect_left(below, begin, key=_start) :], level.width)
        level.whole = below[-1].start if below else 0
        return level.buckets


def columns(
    buckets: Iterable[tuple[float, Bucket]], first: float, last: float, count: int
) -> dict[int, Bucket]:
    """The buckets gathered into equal columns of ``[first, last]``, by number.

    Column 0 is centred on ``first`` and column ``count - 1`` on ``last``; buckets outside have
    numbers below and above.

    Args:
        buckets: each with its place across, in that order.
    """
    found: dict[int, Bucket] = {}
    scale = (count - 1) / ((last - first) or 1.0)
    for place, bucket in buckets:
        column = round((place - first) * scale)
        held = found.get(column)
        if held is None:
            found[column] = bucket.copy(bucket.start)
        else:
            held.add(bucket)
    return found


def column_of(place: float, first: float, last: float, count: int) -> int:
    """The column of ``columns`` that a place belongs to."""
    return round((place - first) * ((count - 1) / ((last - first) or 1.0)))


def _span(buckets: list[Bucket], first: float, last: float) -> tuple[int, int]:
    begin = bisect_left(buckets, first, key=_start)
    return begin, bisect_right(buckets, last, lo=begin, key=_start)


def _merged(buckets: list[Bucket], width: int) -> list[Bucket]:
    merged: list[Bucket] = []
    newest = -1
    for bucket in buckets:
        start = bucket.start - bucket.start % width
        if start == newest:
            merged[-1].add(bucket)
        else:
            merged.append(bucket.copy(start))
            newest = start
    return merged
