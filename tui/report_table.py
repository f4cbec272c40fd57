"""A report's table for a width: texts wrap in their columns, the rest is reached sideways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.cells import cell_len

from luthier.agent.text import number, printable

from .glyphs import Glyphs
from .plot.drawing import Row, fitted, wrap

_GAP = 2
_TEXT_LEAST = 14
_WORD_MOST = 16
_BAR_LEAST, _BAR_MOST = 8, 30
_NUMBERS = int | float | None


@dataclass
class Table:
    """A table as it is drawn.

    Attributes:
        heads: the rows of its headings.
        rows: the rows below them.
        first: the first column shown beside the one that always stays, from 1.
        last: the last one.
        count: how many columns there are beside the one that stays.
        beyond: how many of them can be passed over; 0 when all fit.
    """

    first: int
    last: int
    count: int
    beyond: int
    heads: list[Row] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)


def table_of(report: dict[str, Any], width: int, skipped: int, glyphs: Glyphs) -> Table:
    """The table of a report that has rows.

    Args:
        report: the event.
        width: cells across.
        skipped: how many columns to pass over, where there are more than fit.
        glyphs: what bars are drawn with.
    """
    heads = [_text(name) for name in report["columns"]]
    cells = [[_text(value) for value in row] for row in report["rows"]]
    matrix, gap = report["form"] == "matrix", _GAP
    if matrix and _needed(_longest(heads, cells), gap) > width:
        # Names of classes are longer than their counts: they stand at the left, with numbers.
        cells = [[f"{place} {row[0]}", *row[1:]] for place, row in enumerate(cells, start=1)]
        heads = [heads[0], *(str(place) for place in range(1, len(heads)))]
        gap = _GAP if _needed(_longest(heads, cells), _GAP) <= width else 1
    numeric = [_is_numeric(report["rows"], place) for place in range(len(heads))]
    widths = _widths(heads, cells, numeric, width, gap)
    most = _most_skipped(widths, width, gap)
    places = _seen(widths, width, min(skipped, most), gap)
    table = Table(places[min(1, len(places) - 1)], places[-1], len(heads) - 1, most)

    def lines(texts: Sequence[str], styles: Sequence[str]) -> list[Row]:
        seen = [(texts[each], widths[each], numeric[each], styles[each]) for each in places]
        return _lines(seen, gap)

    table.heads = lines(heads, ["label"] * len(heads))
    for place, row in enumerate(cells):
        styles = _shades(report["rows"][place], place) if matrix else [""] * len(row)
        table.rows += lines(row, styles)
    if report["form"] == "bars" and not most:
        _add_bars(table, report["rows"], width, glyphs)
    return table


def _longest(heads: Sequence[str], cells: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(cell_len, column)) for column in zip(heads, *cells, strict=True)]


def _needed(widths: Sequence[int], gap: int) -> int:
    return sum(widths) + gap * (len(widths) - 1)


def _widths(
    heads: Sequence[str],
    cells: Sequence[Sequence[str]],
    numeric: Sequence[bool],
    width: int,
    gap: int,
) -> list[int]:
    """How wide the columns are: as wide as their texts, else as narrow as these may be."""
    words = [min(_WORD_MOST, max(map(cell_len, head.split()), default=1)) for head in heads]
    longest = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    widths = [max(pair) for pair in zip(longest, words, strict=True)]
    texts = [place for place, known in enumerate(numeric) if not known]
    least = [max(min(_TEXT_LEAST, longest[place]), words[place]) for place in range(len(heads))]
    while (over := _needed(widths, gap) - width) > 0:
        wide = [place for place in texts if widths[place] > least[place]]
        if not wide:
            # What stays in sight while the others pass.
            widths[0] = min(longest[0], max(_TEXT_LEAST, width // 3))
            return [min(each, max(1, width - widths[0] - gap)) for each in widths]
        widest = max(wide, key=lambda place: widths[place])
        others = [widths[place] for place in wide if place != widest]
        floor = max(least[widest], min(max(others, default=0), widths[widest] - 1))
        widths[widest] = max(floor, widths[widest] - over)
    for place, head in enumerate(heads):
        widths[place] += max(0, min(cell_len(head) - widths[place], width - _needed(widths, gap)))
    return widths


def _most_skipped(widths: Sequence[int], width: int, gap: int) -> int:
    """As many columns as leave a full row behind them; 0 when all fit."""
    begin = len(widths) - 1
    while begin > 1 and _needed([widths[0], *widths[begin - 1 :]], gap) <= width:
        begin -= 1
    return max(0, begin - 1)


def _seen(widths: Sequence[int], width: int, skipped: int, gap: int) -> list[int]:
    """The columns that are shown: the first, and from that many on those that fit."""
    places = [0]
    for place in range(1 + skipped, len(widths)):
        if place > 1 + skipped and (
            _needed([widths[each] for each in (*places, place)], gap) > width
        ):
            break
        places.append(place)
    return places


def _lines(cells: Sequence[tuple[str, int, bool, str]], gap: int) -> list[Row]:
    """A row of a table, as high as its longest text needs."""
    columns = []
    for text, width, right, style in cells:
        parts = wrap([(text, style)], width)
        if right:
            parts = [[(" " * (width - cell_len(text)), ""), *part] if len(parts) == 1 else part
                     for part in parts]  # fmt: skip
        columns.append((width, parts))
    rows: list[Row] = []
    for line in range(max(len(parts) for _, parts in columns)):
        row: Row = []
        for place, (width, parts) in enumerate(columns):
            row += [(" " * gap, "")] if place else []
            row += fitted(parts[line] if line < len(parts) else [], width)
        rows.append(row)
    return rows


def _add_bars(table: Table, rows: Sequence[Sequence[Any]], width: int, glyphs: Glyphs) -> None:
    """A bar beside each row, as long as its measure."""
    used = sum(cell_len(text) for text, _ in table.heads[0])
    room = min(_BAR_MOST, width - used - _GAP)
    values = [float(row[1] or 0) for row in rows]
    most = max((value for value in values if value == value), default=0.0)
    if room < _BAR_LEAST or len(table.rows) != len(rows) or most <= 0:
        return
    for row, value in zip(table.rows, values, strict=True):
        full = round(max(0.0, value) / most * room) if value == value else 0
        row += [(" " * _GAP, ""), (glyphs.bar(1.0, 1.0, full) if full else "", "line-1")]


def _shades(row: Sequence[Any], place: int) -> list[str]:
    """The right cell stands out from the wrong ones, and those from nothing."""
    return ["label"] + [
        "label" if not value else "good" if column == place else "warning"
        for column, value in enumerate(row[1:])
    ]


def _is_numeric(rows: Sequence[Sequence[Any]], place: int) -> bool:
    return all(isinstance(row[place], _NUMBERS) for row in rows)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return number(value) if isinstance(value, float) else printable(" ".join(str(value).split()))
