"""The words around a chart: names with values above it, marks at its axes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len

from luthier.agent.text import printable

from .across import Kind, time_label, time_step
from .axis import Limits, label, marks
from .curve import Curve, Look, Reading
from .drawing import Row, fitted
from .strokes import Scale

GUTTER = 9
"""Cells left of the curves, for the marks of the values."""

# Cells that a mark on the axis across has to itself.
_MARK_CELLS = 12
_LEAST_NAME = 3
# Values take at least so many cells, so that what follows stays where it is.
_VALUE = 6


def legend(
    curves: Sequence[Curve], readings: Sequence[Reading], width: int, most: int, look: Look
) -> list[Row]:
    """The curves with their colours and values, and at the right how they are drawn.

    Args:
        most: how many rows there may be. When they are too few, the values go, then the ends of
            the names.
    """
    values = {reading.color: _value_text(reading, look) for reading in readings}
    dash = "━ " if look.unicode else "= "
    title: Row = [(f"{look.title}  ", "title")] if look.title else []
    if look.cross is not None:
        title.append((f"{_cross_text(curves, look.cross)}  ", "cross"))
    room = max(_LEAST_NAME, (width * most - _length(title)) // max(1, len(curves)) - 8)
    for shown, longest in ((values, width), ({}, width), ({}, room)):
        entries = [_entry(curve, shown.get(curve.color, ""), longest, dash) for curve in curves]
        rows = _flowed(title, entries, width)
        if len(rows) <= most:
            break
    space = width - _length(rows[0])
    right = next((words for words in _manners(curves, look) if len(words) <= space), "")
    rows[0] = [*rows[0], (" " * (space - len(right)), ""), (right, "label")]
    return [fitted(row, width) for row in rows[:most]]


def _manners(curves: Sequence[Curve], look: Look) -> Iterator[str]:
    """How the curves are drawn, in ever fewer words."""
    log = ["log"] * look.log
    smoothed = [f"smoothed {look.smoothing:g}"] * (look.smoothing > 0)
    across = [f"by {curves[0].across.kind}"] if curves else []
    yield "  ".join([*smoothed, *log, *across])
    yield "  ".join([*smoothed, *log])
    yield "  ".join([*([f"~{look.smoothing:g}"] * (look.smoothing > 0)), *log])


def _entry(curve: Curve, value: str, longest: int, dash: str) -> Row:
    name = printable(curve.name)[:longest]
    row: Row = [(dash, f"line-{curve.color}"), (name, "name")]
    return [*row, (f" {value:<{_VALUE}}  " if value else "   ", "label")]


def _flowed(title: Row, entries: Sequence[Row], width: int) -> list[Row]:
    rows: list[Row] = [list(title)]
    for entry in entries:
        if _length(rows[-1]) + _length(entry) > width and rows[-1]:
            rows.append([])
        rows[-1] += entry
    return rows


def _length(row: Row) -> int:
    return sum(cell_len(text) for text, _ in row)


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


def value_marks(limits: Limits, height: int, scale: Scale, look: Look) -> list[Row]:
    """What stands left of each row of the chart."""
    line, tick = ("│", "┤") if look.unicode else ("|", "+")
    rows: list[Row] = [[(" " * (GUTTER - 1), "label"), (line, "axis")] for _ in range(height)]
    for value in marks(limits, max(2, height // 4), log=look.log):
        row = min(max(scale(value) // 4, 0), height - 1)
        text = f"{label(value):>{GUTTER - 2}} "
        rows[row] = [(text, "label"), (tick, "axis")]
    return rows


def marks_across(curves: Sequence[Curve], visible: Limits, width: int, look: Look) -> Row:
    """The marks below the chart."""
    kind = curves[0].across.kind if curves else "step"
    cells = width - GUTTER
    line = [" "] * width
    free = 0
    for value in _place_marks(visible, max(2, cells // _MARK_CELLS), kind):
        text = time_label(value) if kind == "time" else label(value)
        centre = GUTTER + round(visible.position(value) * (cells - 1))
        start = min(max(centre - len(text) // 2, free), width - len(text))
        if start >= free:
            line[start : start + len(text)] = text
            free = start + len(text) + 1
    return [("".join(line), "label")]


def _place_marks(visible: Limits, count: int, kind: Kind) -> list[float]:
    if kind != "time":
        return marks(visible, count)
    step = time_step(visible.high - visible.low, count)
    first = -int(-visible.low // step)
    return [number * step for number in range(first, int(visible.high // step) + 1)]
