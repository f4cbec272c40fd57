"""Numbers, times and small drawings as people read them. Pure functions."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII_LEVELS = "_.-~=+*#"
# C0 and C1 controls but for tab and newline.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def duration(seconds: float | None) -> str:
    """A length of time in its two largest units; an empty text when it is not known."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def age(seconds: float) -> str:
    """How long ago something was, in its largest unit, for narrow columns."""
    whole = max(0, int(seconds))
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if whole >= size:
            return f"{whole // size} {unit}"
    return f"{whole} s"


def size(count: float | None) -> str:
    """Bytes in binary units; an empty text when the number is not known."""
    if count is None:
        return ""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def number(value: float | None) -> str:
    """A metric's value in four digits; not-a-number shows as such."""
    if value is None:
        return "nan"
    return f"{value:.4g}"


def count(amount: int, noun: str) -> str:
    """``3 runs``, ``1 run``."""
    return f"{amount} {noun}" if amount == 1 else f"{amount} {noun}s"


def percent(done: float, total: float) -> str:
    """How much of it is done, such as ``42%``; rounded down, so that 100% means all of it."""
    return f"{int(done * 100 / total)}%"


def sparkline(values: Sequence[float | None], width: int, *, unicode: bool = True) -> str:
    """The course of ``values`` in ``width`` characters at most; gaps are left out."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known or width < 1:
        return ""
    points = _means(known, width)
    low, high = min(points), max(points)
    levels = _BLOCKS if unicode else _ASCII_LEVELS
    if high == low:
        return levels[0] * len(points)
    top = len(levels) - 1
    # Halved, because the range of very large numbers may be more than a float holds.
    span = high / 2 - low / 2
    return "".join(levels[round((point / 2 - low / 2) / span * top)] for point in points)


def _means(values: Sequence[float], buckets: int) -> list[float]:
    if len(values) <= buckets:
        return list(values)
    edges = [index * len(values) // buckets for index in range(buckets + 1)]
    return [
        sum(value / (end - start) for value in values[start:end]) for start, end in pairwise(edges)
    ]


def bar(done: float, total: float, width: int, *, unicode: bool = True) -> str:
    """A progress bar of ``width`` characters; an empty one when the total is not known."""
    full, empty = ("━", "╌") if unicode else ("#", "-")
    share = min(1.0, max(0.0, done / total)) if total > 0 else 0.0
    filled = int(share * width)
    return full * filled + empty * (width - filled)


def printable(text: str) -> str:
    """``text`` without the control characters by which it could command a terminal."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def one_line(text: str, width: int) -> str:
    """``text`` on one line, cut to ``width`` characters."""
    flat = printable(" ".join(text.split()))
    return flat if len(flat) <= width else flat[: max(0, width - 3)] + "..."
