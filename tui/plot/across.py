"""What a chart has across: steps, epochs or seconds, and how they follow from the step."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Literal

Kind = Literal["step", "epoch", "time"]
KINDS: tuple[Kind, ...] = ("step", "epoch", "time")


class Across:
    """Places across by step. Between known points it is a straight line, and beyond them too.

    Args:
        kind: what is across.
        known: pairs of step and place. Pairs that lead backwards are passed over. Without two
            pairs every step has its own number as its place.
    """

    def __init__(self, kind: Kind = "step", known: Iterable[tuple[float, float]] = ()) -> None:
        self.kind = kind
        self._steps: list[float] = []
        self._places: list[float] = []
        for step, place in sorted(known):
            if not self._steps or (step > self._steps[-1] and place > self._places[-1]):
                self._steps.append(step)
                self._places.append(place)

    @property
    def is_known(self) -> bool:
        """Whether places are more than step numbers."""
        return len(self._steps) > 1

    def place(self, step: float) -> float:
        """Where a step lies."""
        return _along(self._steps, self._places, step) if self.is_known else step

    def step(self, place: float) -> float:
        """The step that lies there."""
        return _along(self._places, self._steps, place) if self.is_known else place


STEPS = Across()


def _along(froms: list[float], tos: list[float], value: float) -> float:
    right = min(max(1, bisect_right(froms, value)), len(froms) - 1)
    low, high = froms[right - 1], froms[right]
    return tos[right - 1] + (value - low) / (high - low) * (tos[right] - tos[right - 1])


_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200)
_DAY = 86_400


def time_step(span: float, count: int) -> float:
    """The round length of time that cuts ``span`` seconds into at most ``count`` parts."""
    wanted = span / max(1, count)
    if wanted <= _SECONDS[-1]:
        return _SECONDS[bisect_left(_SECONDS, wanted)]
    days = 1
    while days * _DAY < wanted:
        days *= 2
    return days * _DAY


def time_label(seconds: float) -> str:
    """A short text for a mark on an axis of time, such as 1h30 or 45s."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}" if whole % 60 else f"{whole // 60}m"
    if whole < _DAY:
        minutes = whole % 3600 // 60
        return f"{whole // 3600}h{minutes:02d}" if minutes else f"{whole // 3600}h"
    hours = whole % _DAY // 3600
    return f"{whole // _DAY}d{hours}h" if hours else f"{whole // _DAY}d"
