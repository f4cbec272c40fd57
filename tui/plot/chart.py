"""A chart as rows of styled text: curves with the spread of their values, axes, legend, crosshair.

Styles are names, which the widget turns into colours: ``line-N`` and ``raw-N`` for curve N,
``axis``, ``label``, ``name``, ``cross``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10

from rich.cells import cell_len

from .across import STEPS, Across, time_label, time_step
from .axis import Limits, label, limits_for, marks
from .braille import BLANK, Canvas, stroke
from .buckets import Bucket, Buckets, columns
from .drawing import Row, fitted, pieces

GUTTER = 9
"""Cells left of the curves, for the marks of the values."""

_LEAST_WIDTH, _LEAST_HEIGHT = 24, 4
# Buckets looked at for each column of dots; more change nothing that could be seen.
_FINE = 2
# Values that still weigh on a smoothed one: this over one minus the smoothing factor.
_MEMORY = 4.0
_CROSS = BLANK - 1


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


@dataclass(frozen=True)
class Picture:
    """A drawn chart. ``limits`` are those of the values, to be handed to the next drawing."""

    rows: list[Row]
    limits: Limits | None
    readings: list[Reading]


def draw(
    curves: Sequence[Curve],
    visible: Limits,
    width: int,
    height: int,
    look: Look,
    held: Limits | None = None,
) -> Picture:
    """The curves over the ``visible`` range, in ``width`` times ``height`` cells.

    Args:
        held: limits of the values that were drawn before; kept while they fit.
    """
    if width < _LEAST_WIDTH or height < _LEAST_HEIGHT:
        return Picture([fitted([("too small", "label")], width)] * height, held, [])
    dots = (width - GUTTER) * 2
    gathered = [_gather(curve, visible, dots, look) for curve in curves]
    limits = _limits(gathered, dots, look, held)
    readings = [_reading(c, g, visible, dots, look) for c, g in zip(curves, gathered, strict=True)]
    known = [reading for reading in readings if reading]
    rows = [fitted(_legend(curves, known, width, look), width)]
    if limits is None:
        rows += _empty(width, height - 2)
    else:
        rows += _plot(curves, gathered, limits, visible, (width, height - 2), look)
    rows.append(fitted(_across(curves, visible, width, look), width))
    return Picture(rows, limits, known)


@dataclass(frozen=True)
class _Gathered:
    """Columns of dots by number, and the smoothed line over them."""

    columns: dict[int, Bucket]
    smoothed: dict[int, float]


def _gather(curve: Curve, visible: Limits, dots: int, look: Look) -> _Gathered:
    low, high = visible.low, visible.high
    smoothing = look.smoothing if curve.smooth else 0.0
    if smoothing:
        # The line must not depend on where the window begins, so it begins earlier.
        low -= (high - low) * min(1.0, _MEMORY / (1 - smoothing) / dots)
    buckets = curve.within(low, high, dots * _FINE)
    if look.log:
        buckets = [(place, bucket) for place, bucket in buckets if bucket.maximum > 0]
    found = columns(buckets, visible.low, visible.high, dots)
    return _Gathered(found, _smooth(found, smoothing) if smoothing else {})


def _smooth(found: dict[int, Bucket], factor: float) -> dict[int, float]:
    """Exponential moving average of the means, in which the first ones are not too heavy."""
    smoothed = {}
    total = weight = 0.0
    for column, bucket in found.items():
        total = total * factor + bucket.mean * (1 - factor)
        weight = weight * factor + (1 - factor)
        smoothed[column] = total / weight
    return smoothed


def _limits(
    gathered: Sequence[_Gathered], dots: int, look: Look, held: Limits | None
) -> Limits | None:
    seen = [
        bucket
        for each in gathered
        for column, bucket in each.columns.items()
        if 0 <= column < dots
    ]
    if not seen:
        return held
    low, high = min(b.minimum for b in seen), max(b.maximum for b in seen)
    if look.log:
        low = min((b.minimum for b in seen if b.minimum > 0), default=high)
        held = held if held and held.low > 0 else None
    return limits_for(low, high, held, log=look.log)


class _Scale:
    """From values to rows of dots, 0 at the top."""

    def __init__(self, limits: Limits, height: int, log: bool) -> None:
        self._log = log
        self._low = log10(limits.low) if log else limits.low
        high = log10(limits.high) if log else limits.high
        self._factor = (height - 1) / (high - self._low)
        self._bottom = height - 1

    def __call__(self, value: float) -> int:
        if self._log:
            value = log10(value) if value > 0 else self._low
        return round(self._bottom - (value - self._low) * self._factor)


def _plot(
    curves: Sequence[Curve],
    gathered: Sequence[_Gathered],
    limits: Limits,
    visible: Limits,
    size: tuple[int, int],
    look: Look,
) -> list[Row]:
    width, height = size
    canvas = Canvas(width - GUTTER, height)
    scale = _Scale(limits, height * 4, look.log)
    styles = {BLANK: "", _CROSS: "cross"}
    for number, (curve, each) in enumerate(zip(curves, gathered, strict=True)):
        raw = "raw" if each.smoothed else "line"
        styles[number] = f"{raw}-{curve.color}"
        _trace(canvas.layer(number), each.columns, scale, height * 4)
    for number, (curve, each) in enumerate(zip(curves, gathered, strict=True), len(curves)):
        if each.smoothed:
            styles[number] = f"line-{curve.color}"
            _line(canvas.layer(number, covers=True), each.smoothed, scale, height * 4)
    cross = _cross_cell(visible, width - GUTTER, look)
    rows = []
    gutter = _value_marks(limits, height, scale, look)
    for y, (characters, owners) in enumerate(canvas.rows(ascii_only=not look.unicode)):
        if cross is not None and owners[cross] == BLANK:
            line = "│" if look.unicode else "|"
            characters = characters[:cross] + line + characters[cross + 1 :]
            owners = owners[:cross] + bytes([_CROSS]) + owners[cross + 1 :]
        rows.append([*gutter[y], *pieces(characters, owners, styles)])
    return rows


def _trace(layer: list[int], found: dict[int, Bucket], scale: _Scale, height: int) -> None:
    """Each column from its highest to its lowest value, joined with the column before."""
    before: tuple[int, int] | None = None
    for x, bucket in found.items():
        top, bottom = scale(bucket.maximum), scale(bucket.minimum)
        if before:
            _join(layer, before, (x, min(max(before[1], top), bottom)), height)
        if 0 <= x < len(layer):
            layer[x] |= stroke(top, bottom, height)
        before = x, scale(bucket.last)


def _line(layer: list[int], found: dict[int, float], scale: _Scale, height: int) -> None:
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


def _reading(
    curve: Curve, each: _Gathered, visible: Limits, dots: int, look: Look
) -> Reading | None:
    """The curve at the crosshair, or its newest point where there is none."""
    if not each.columns:
        return None
    if look.cross is None:
        column = max(each.columns)
        bucket = curve.last or each.columns[column]
        return Reading(curve.name, curve.color, bucket, each.smoothed.get(column))
    wanted = (look.cross - visible.low) / (visible.high - visible.low) * (dots - 1)
    column = min(each.columns, key=lambda number: abs(number - wanted))
    return Reading(curve.name, curve.color, each.columns[column], each.smoothed.get(column))


def _legend(
    curves: Sequence[Curve], readings: Sequence[Reading], width: int, look: Look
) -> Row:
    values = {reading.color: f" {_value_text(reading, look)}" for reading in readings}
    flags = [f"smoothed {look.smoothing:g}"] if look.smoothing else []
    flags += [*(["log"] * look.log), f"by {curves[0].across.kind}" if curves else ""]
    right = "  ".join(flags)
    row = _names(curves, values, look, width)
    used = sum(cell_len(text) for text, _ in row)
    if used + len(right) > width:
        # What does not fit goes, the names last.
        row = _names(curves, {}, look, width // max(1, len(curves)) - 5)
        used = sum(cell_len(text) for text, _ in row)
    room = width - used - len(right)
    return [*row, (" " * room, ""), (right, "label")] if room >= 0 else row


def _names(
    curves: Sequence[Curve], values: Mapping[int, str], look: Look, most: int
) -> Row:
    dash = "━ " if look.unicode else "= "
    row: Row = [(f"{look.title}  ", "title")] if look.title else []
    if look.cross is not None:
        row.append((f"{_cross_text(curves, look.cross)}  ", "cross"))
    for curve in curves:
        row += [(dash, f"line-{curve.color}"), (curve.name[: max(3, most)], "name")]
        row += [(values.get(curve.color, ""), "label"), ("   ", "")]
    return row


def _value_text(reading: Reading, look: Look) -> str:
    bucket = reading.bucket
    text = f"{bucket.last:.4g}"
    if look.cross is not None and bucket.maximum > bucket.minimum:
        text += f" ({bucket.minimum:.4g} to {bucket.maximum:.4g})"
    if reading.smoothed is not None:
        text += f" ~{reading.smoothed:.4g}"
    return text


def _cross_text(curves: Sequence[Curve], place: float) -> str:
    kind = curves[0].across.kind if curves else "step"
    if kind == "time":
        return time_label(place)
    return f"{kind} {round(place):,}" if kind == "step" else f"{kind} {place:.3f}"


def _cross_cell(visible: Limits, cells: int, look: Look) -> int | None:
    if look.cross is None:
        return None
    return min(max(round(visible.position(look.cross) * (cells - 1)), 0), cells - 1)


def _value_marks(limits: Limits, height: int, scale: _Scale, look: Look) -> list[Row]:
    line, tick = ("│", "┤") if look.unicode else ("|", "+")
    rows: list[Row] = [[(" " * (GUTTER - 1), "label"), (line, "axis")] for _ in range(height)]
    for value in marks(limits, max(2, height // 4), log=look.log):
        row = min(max(scale(value) // 4, 0), height - 1)
        text = f"{label(value):>{GUTTER - 2}} "
        rows[row] = [(text, "label"), (tick, "axis")]
    return rows


def _across(curves: Sequence[Curve], visible: Limits, width: int, look: Look) -> Row:
    """The marks below the chart."""
    kind = curves[0].across.kind if curves else "step"
    cells = width - GUTTER
    line = [" "] * width
    free = 0
    for value in _place_marks(visible, max(2, cells // 12), kind):
        text = time_label(value) if kind == "time" else label(value)
        centre = GUTTER + round(visible.position(value) * (cells - 1))
        start = min(max(centre - len(text) // 2, free), width - len(text))
        if start >= free:
            line[start : start + len(text)] = text
            free = start + len(text) + 1
    return [("".join(line), "label")]


def _place_marks(visible: Limits, count: int, kind: str) -> list[float]:
    if kind != "time":
        return marks(visible, count)
    step = time_step(visible.high - visible.low, count)
    first = -int(-visible.low // step)
    return [number * step for number in range(first, int(visible.high // step) + 1)]


def _empty(width: int, height: int) -> list[Row]:
    rows = [fitted([], width) for _ in range(height)]
    text = "no values yet"
    rows[height // 2] = fitted([(" " * ((width - len(text)) // 2), ""), (text, "label")], width)
    return rows
