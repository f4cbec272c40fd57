"""A chart as rows of styled text: curves with the spread of their values, axes, legend, crosshair.

Styles are names, which the widget turns into colours: ``line-N`` and ``raw-N`` for curve N,
``axis``, ``label``, ``name``, ``cross``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .axis import Limits, limits_for
from .braille import BLANK, Canvas
from .buckets import Bucket
from .curve import Curve, Look, Reading
from .drawing import Row, fitted, pieces
from .gathering import Gathering
from .legend import GUTTER, legend, marks_across, value_marks
from .strokes import Scale, draw_line, draw_spread

_LEAST_WIDTH, _LEAST_HEIGHT = 24, 4
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
    memory: Memory | None = None,
) -> Picture:
    """The curves over the ``visible`` range, in ``width`` times ``height`` cells.

    Args:
        held: limits of the values that were drawn before; kept while they fit.
        memory: of the drawing before, so that only what differs is drawn anew.
    """
    memory = memory or Memory()
    if width < _LEAST_WIDTH or height < _LEAST_HEIGHT:
        return Picture([fitted([("too small", "label")], width)] * height, held, [])
    dots = (width - GUTTER) * 2
    gathered = memory.gather(curves, visible, dots, look)
    limits = _limits(gathered, dots, look, held)
    readings = [_reading(c, g, look) for c, g in zip(curves, gathered, strict=True)]
    known = [reading for reading in readings if reading]
    rows = legend(curves, known, width, 1 + height // _LEGEND_SHARE, look)
    left = height - len(rows) - 1
    if limits is None:
        rows += _empty(width, left)
    else:
        rows += _plot(curves, memory, limits, visible, (width, left), look)
    rows.append(fitted(marks_across(curves, visible, width, look), width))
    return Picture(rows, limits, known)


class Memory:
    """A chart as it was drawn last.

    Attributes:
        gathered: the curves in columns of dots.
    """

    def __init__(self) -> None:
        self.gathered: list[Gathering] = []
        self._changed: int | None = None
        self._is_drawn = False
        self._drawn_as: tuple[object, ...] = ()
        self._cells: list[tuple[str, bytes]] = []

    def gather(
        self, curves: Sequence[Curve], visible: Limits, dots: int, look: Look
    ) -> list[Gathering]:
        """Bring the columns up to date."""
        if len(curves) != len(self.gathered):
            self.gathered = [Gathering() for _ in curves]
        changed = [
            each.update(curve, visible, dots, look)
            for curve, each in zip(curves, self.gathered, strict=True)
        ]
        known = [column for column in changed if column is not None]
        certain = self._is_drawn and known and len(known) == len(changed)
        self._changed = min(known) if certain else None
        self._is_drawn = False
        return self.gathered

    def cells(
        self, scale: Scale, look: Look, seen: tuple[Limits, Limits], size: tuple[int, int]
    ) -> list[tuple[str, bytes]]:
        """The cells of all curves, line by line: characters, and the layer of each.

        Args:
            seen: the range across, and that of the values.
        """
        width, height = size
        begin = 0
        smoothed = any(each.smoothed for each in self.gathered)
        drawn_as = look, seen, size
        if drawn_as == self._drawn_as and self._changed is not None and not smoothed:
            # What joins a column with the one before lies between them.
            begin = min([_before(each.columns, self._changed) + 1 for each in self.gathered])
            begin = min(max(0, begin // 2), width - 1)
        canvas = Canvas(width - begin, height)
        self._draw(canvas, scale, begin * 2)
        fresh = canvas.rows(ascii_only=not look.unicode)
        if begin:
            fresh = [
                (old[:begin] + text, owned[:begin] + owners)
                for (old, owned), (text, owners) in zip(self._cells, fresh, strict=True)
            ]
        self._cells, self._drawn_as, self._is_drawn = fresh, drawn_as, True
        return fresh

    def _draw(self, canvas: Canvas, scale: Scale, left: int) -> None:
        """The curves from that column of dots on."""
        height = canvas.height * 4
        for number, each in enumerate(self.gathered):
            found = each.columns
            if left:
                first = _before(found, left)
                found = {x - left: bucket for x, bucket in found.items() if x >= first}
            draw_spread(canvas.layer(number), found, scale, height)
        for number, each in enumerate(self.gathered, len(self.gathered)):
            if each.smoothed:
                draw_line(canvas.layer(number, covers=True), each.smoothed, scale, height)


def _before(found: dict[int, Bucket], column: int) -> int:
    """The last column with something in it before that one; far left when there is none."""
    return next((each for each in reversed(found) if each < column), -1)


def _limits(
    gathered: Sequence[Gathering], dots: int, look: Look, held: Limits | None
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
    memory: Memory,
    limits: Limits,
    visible: Limits,
    size: tuple[int, int],
    look: Look,
) -> list[Row]:
    width, height = size
    styles = {BLANK: "", _CROSS: "cross"}
    for number, (curve, each) in enumerate(zip(curves, memory.gathered, strict=True)):
        styles[number] = f"{'raw' if each.smoothed else 'line'}-{curve.color}"
        styles[len(curves) + number] = f"line-{curve.color}"
    scale = Scale(limits, height * 4, look.log)
    cross = _cross_cell(visible, width - GUTTER, look)
    rows = []
    gutter = value_marks(limits, height, scale, look)
    for y, (characters, owners) in enumerate(
        memory.cells(scale, look, (visible, limits), (width - GUTTER, height))
    ):
        if cross is not None and owners[cross] == BLANK:
            line = "│" if look.unicode else "|"
            characters = characters[:cross] + line + characters[cross + 1 :]
            owners = owners[:cross] + bytes([_CROSS]) + owners[cross + 1 :]
        rows.append([*gutter[y], *pieces(characters, owners, styles)])
    return rows


def _reading(curve: Curve, each: Gathering, look: Look) -> Reading | None:
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
