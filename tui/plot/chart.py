"""A chart as rows of styled text: curves with the spread of their values, axes, legend, crosshair.

Styles are names, which the widget turns into colours: ``line-N`` and ``raw-N`` for curve N,
``axis``, ``label``, ``name``, ``cross``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .axis import Limits, limits_for
from .braille import BLANK, Canvas
from .buckets import Bucket, columns
from .curve import Curve, Look, Reading
from .drawing import Row, fitted, pieces
from .legend import GUTTER, legend, marks_across, value_marks
from .strokes import Scale, draw_line, draw_spread

_LEAST_WIDTH, _LEAST_HEIGHT = 24, 4
# Buckets looked at for each column of dots; more change nothing that could be seen.
_FINE = 2
# Values that still weigh on a smoothed one: this over one minus the smoothing factor.
_MEMORY = 4.0
_CROSS = BLANK - 1
# At most one row in so many is the legend's, beside the first.
_LEGEND_SHARE = 10


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
    readings = [_reading(c, g, look) for c, g in zip(curves, gathered, strict=True)]
    known = [reading for reading in readings if reading]
    rows = legend(curves, known, width, 1 + height // _LEGEND_SHARE, look)
    left = height - len(rows) - 1
    if limits is None:
        rows += _empty(width, left)
    else:
        rows += _plot(curves, gathered, limits, visible, (width, left), look)
    rows.append(fitted(marks_across(curves, visible, width, look), width))
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
        bucket for each in gathered for column, bucket in each.columns.items() if 0 <= column < dots
    ]
    if not seen:
        return held
    low, high = min(b.minimum for b in seen), max(b.maximum for b in seen)
    if look.log:
        low = min((b.minimum for b in seen if b.minimum > 0), default=high)
        held = held if held and held.low > 0 else None
    return limits_for(low, high, held, log=look.log)


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
    scale = Scale(limits, height * 4, look.log)
    styles = {BLANK: "", _CROSS: "cross"}
    for number, (curve, each) in enumerate(zip(curves, gathered, strict=True)):
        raw = "raw" if each.smoothed else "line"
        styles[number] = f"{raw}-{curve.color}"
        draw_spread(canvas.layer(number), each.columns, scale, height * 4)
    for number, (curve, each) in enumerate(zip(curves, gathered, strict=True), len(curves)):
        if each.smoothed:
            styles[number] = f"line-{curve.color}"
            draw_line(canvas.layer(number, covers=True), each.smoothed, scale, height * 4)
    cross = _cross_cell(visible, width - GUTTER, look)
    rows = []
    gutter = value_marks(limits, height, scale, look)
    for y, (characters, owners) in enumerate(canvas.rows(ascii_only=not look.unicode)):
        if cross is not None and owners[cross] == BLANK:
            line = "│" if look.unicode else "|"
            characters = characters[:cross] + line + characters[cross + 1 :]
            owners = owners[:cross] + bytes([_CROSS]) + owners[cross + 1 :]
        rows.append([*gutter[y], *pieces(characters, owners, styles)])
    return rows


def _reading(curve: Curve, each: _Gathered, look: Look) -> Reading | None:
    """The curve at the crosshair, or its newest point where there is none."""
    if not each.columns:
        return None
    if look.cross is None:
        column = max(each.columns)
        bucket = curve.last or each.columns[column]
    else:
        step = curve.across.step(look.cross)
        column = min(each.columns, key=lambda number: _distance(each.columns[number], step))
        bucket = each.columns[column]
    return Reading(curve.name, curve.color, bucket, each.smoothed.get(column))


def _distance(bucket: Bucket, step: float) -> float:
    """How far a step is from the points of a bucket; 0 between its first and last one."""
    return max(bucket.start - step, step - bucket.last_step, 0.0)


def _cross_cell(visible: Limits, cells: int, look: Look) -> int | None:
    if look.cross is None:
        return None
    return min(max(round(visible.position(look.cross) * (cells - 1)), 0), cells - 1)


def _empty(width: int, height: int) -> list[Row]:
    rows = [fitted([], width) for _ in range(height)]
    text = "no values yet"
    rows[height // 2] = fitted([(" " * ((width - len(text)) // 2), ""), (text, "label")], width)
    return rows
