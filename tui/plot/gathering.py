"""A curve in columns of dots, brought up to date where only its newest points differ."""

from __future__ import annotations

import math

from .axis import Limits
from .buckets import Bucket, column_of, columns
from .curve import Curve, Look

# Buckets looked at for each column of dots; more change nothing that could be seen.
_FINE = 2
# Values that still weigh on a smoothed one: this over one minus the smoothing factor.
_MEMORY = 4.0


class Gathering:
    """One curve as it was drawn last.

    Attributes:
        columns: what lies in each column of dots, by number and in that order.
        smoothed: the smoothed line over them; empty without smoothing.
    """

    def __init__(self) -> None:
        self.columns: dict[int, Bucket] = {}
        self.smoothed: dict[int, float] = {}
        self._key: tuple[object, ...] = ()
        self._newest: list[tuple[int, Bucket | None]] = []
        self._buckets: list[tuple[float, Bucket]] = []

    def update(self, curve: Curve, visible: Limits, dots: int, look: Look) -> int | None:
        """Gather what is seen of a curve; the first column that may differ, None: all may."""
        smoothing = look.smoothing if curve.smooth else 0.0
        low, high = visible.low, visible.high
        if smoothing:
            # The line must not depend on where the window begins, so it begins earlier.
            low -= (high - low) * min(1.0, _MEMORY / (1 - smoothing) / dots)
        buckets = curve.within(low, high, dots * _FINE)
        if look.log:
            buckets = [(place, bucket) for place, bucket in buckets if bucket.maximum > 0]
        same = self._same(curve, buckets, (curve.across, visible, dots, smoothing, look.log))
        before, self._buckets = self._buckets, buckets
        first = visible.low, visible.high, dots
        changed: int | None = None
        if same:
            places = [pairs[same][0] for pairs in (before, buckets)]
            changed = min(column_of(place, *first) for place in places)
            while same and column_of(buckets[same - 1][0], *first) >= changed:
                same -= 1
            for column in [column for column in self.columns if column >= changed]:
                del self.columns[column]
            self.columns |= columns(buckets[same:], *first)
        else:
            self.columns = columns(buckets, *first)
        self.smoothed = _smooth(self.columns, smoothing) if smoothing else {}
        return changed

    def _same(
        self, curve: Curve, buckets: list[tuple[float, Bucket]], key: tuple[object, ...]
    ) -> int:
        """How many of the buckets are as they were; 0 when that is not certain."""
        key = (*key, tuple((part, part.revision) for part in curve.parts))
        before, self._key = self._key, key
        known, self._newest = self._newest, [(part.version, part.last) for part in curve.parts]
        if key != before:
            return 0
        # Without a new revision only what was a part's newest bucket may have taken in more.
        changed = min(
            (last.start for (version, last), part in zip(known, curve.parts, strict=True)
             if last is not None and version != part.version),
            default=math.inf,
        )  # fmt: skip
        same = min(len(buckets), len(self._buckets)) - 1
        while same > 0 and buckets[same - 1][1].start >= changed:
            same -= 1
        return same if same > 0 and buckets[:same] == self._buckets[:same] else 0


def _smooth(found: dict[int, Bucket], factor: float) -> dict[int, float]:
    """Exponential moving average of the means, in which the first ones are not too heavy."""
    smoothed = {}
    total = weight = 0.0
    for column, bucket in found.items():
        total = total * factor + bucket.mean * (1 - factor)
        weight = weight * factor + (1 - factor)
        smoothed[column] = total / weight
    return smoothed
