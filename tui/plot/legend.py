"""The words around a chart: names with values above it, marks at its axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len

from luthier.agent.text import printable

from .across import Kind, time_label, time_step
from .axis import Limits, label, marks
from .curve import Curve, Look, Reading
from .drawing import Row
from .strokes import Scale

GUTTER = 9
"""Cells left of the curves, for the marks of the values."""

# Cells that a mark on the axis across has to itself.
_MARK_CELLS = 12


def legend(curves: Sequence[Curve], readings: Sequence[Reading], width: int, look: Look) -> Row:
    """The curves with their colours and values, and at the right how they are drawn."""
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


def _names(curves: Sequence[Curve], values: Mapping[int, str], look: Look, most: int) -> Row:
    dash = "━ " if look.unicode else "= "
    row: Row = [(f"{look.title}  ", "title")] if look.title else []
    if look.cross is not None:
        row.append((f"{_cross_text(curves, look.cross)}  ", "cross"))
    for curve in curves:
        row += [(dash, f"line-{curve.color}"), (printable(curve.name)[: max(3, most)], "name")]
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
