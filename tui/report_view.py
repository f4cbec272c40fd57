"""Reports of evaluations as rows of styled text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.cells import cell_len

from luthier.agent.text import number, one_line

from .plot.drawing import Row

Line = tuple[Row, Row]
_CELL = 36


def report_lines(reports: Iterable[dict[str, Any]]) -> list[Line]:
    """Every report as a table under its title; those without rows are left out."""
    lines: list[Line] = []
    for report in reports:
        if not report["rows"]:
            continue
        if lines:
            lines.append(([], []))
        lines.append(([], [(report["title"], "name"), (f"  step {report['step']:,}", "label")]))
        lines += _table(report)
        if report.get("note"):
            lines.append(([], [(report["note"], "label")]))
    return lines


def _table(report: dict[str, Any]) -> list[Line]:
    cells = [[_cell(value) for value in row] for row in report["rows"]]
    heads = [one_line(str(name), _CELL) for name in report["columns"]]
    widths = [max(map(cell_len, column)) for column in zip(heads, *cells, strict=True)]
    numeric = [_is_numeric(report["rows"], place) for place in range(len(heads))]
    lines: list[Line] = [([], _row(heads, widths, numeric, ["label"] * len(heads)))]
    for place, row in enumerate(cells):
        styles = [""] * len(row)
        if report["form"] == "matrix":
            styles = ["label", *_shades(report["rows"][place], place)]
        lines.append(([], _row(row, widths, numeric, styles)))
    return lines


def _shades(row: Sequence[Any], place: int) -> list[str]:
    """The right cell stands out from the wrong ones, and those from nothing."""
    return [
        "label" if not value else "good" if column == place else "warning"
        for column, value in enumerate(row[1:])
    ]


def _row(
    cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool], styles: Sequence[str]
) -> Row:
    row: Row = []
    for text, width, right, style in zip(cells, widths, numeric, styles, strict=True):
        blanks = " " * (width - cell_len(text))
        row.append((f"{blanks}{text}" if right else f"{text}{blanks}", style))
        row.append(("  ", ""))
    return row[:-1]


def _is_numeric(rows: Sequence[Sequence[Any]], place: int) -> bool:
    return all(isinstance(row[place], int | float | None) for row in rows)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return number(value) if isinstance(value, float) else one_line(str(value), _CELL)
