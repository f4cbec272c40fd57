"""What is drawn on a chart, how, and what is read off it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .across import STEPS, Across
from .buckets import Bucket, Buckets


@dataclass(frozen=True)
class Curve:
    """One line.

    Attributes:
        parts: the points; where the ranges of parts overlap, earlier parts win.
        color: number of its colour.
        smooth: whether smoothing is for it; a few points far apart are better left as they are.
    """

    name: str
    parts: Sequence[Buckets]
    color: int
    across: Across = STEPS
    smooth: bool = True

    @property
    def mark(self) -> tuple[object, ...]:
        """Another one when another line would be drawn."""
        parts = tuple((part, part.version) for part in self.parts)
        return self.name, self.color, self.smooth, self.across, parts

    @property
    def last(self) -> Bucket | None:
        """The newest bucket."""
        ends = [part.last for part in self.parts if part.last]
        return max(ends, key=lambda bucket: bucket.last_step, default=None)

    def within(self, first: float, last: float, most: int) -> list[tuple[float, Bucket]]:
        """At most about ``most`` buckets of a range across, with their places, in order."""
        begin, end = self.across.step(first), self.across.step(last)
        found: list[Bucket] = []
        for part in self.parts:
            fresh = part.within(begin, end, most)
            if not found:
                found = fresh
                continue
            low, high = found[0].start, found[-1].last_step
            before = [bucket for bucket in fresh if bucket.last_step < low]
            found = before + found + [bucket for bucket in fresh if bucket.start > high]
        if not self.across.is_known:
            return [(bucket.start, bucket) for bucket in found]
        place = self.across.place
        return [(place(bucket.start), bucket) for bucket in found]


@dataclass(frozen=True)
class Look:
    """How a chart is drawn.

    Attributes:
        smoothing: 0 for none; towards 1, older values weigh longer.
        cross: where the crosshair stands, in the units across.
        unicode: braille; else ASCII.
        title: stands before the names of the curves.
    """

    smoothing: float = 0.0
    log: bool = False
    cross: float | None = None
    unicode: bool = True
    title: str = ""


@dataclass(frozen=True)
class Reading:
    """What a curve says at one place."""

    name: str
    color: int
    bucket: Bucket
    smoothed: float | None
