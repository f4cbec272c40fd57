"""Reports of evaluations as rows of styled text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .glyphs import Glyphs
from .plot.drawing import Row, wrap
from .report_table import table_of

_ALL = 1 << 20


@dataclass(frozen=True)
class ReportRow:
    """A row on the screen.

    Attributes:
        row: its text.
        heads: the headings of the table that it is of; empty for a row that is of none.
    """

    row: Row
    heads: tuple[Row, ...] = ()


def report_rows(
    reports: Iterable[dict[str, Any]], width: int, skipped: int, glyphs: Glyphs
) -> tuple[list[ReportRow], int]:
    """Every report as a table under its title; those without rows are left out.

    Args:
        width: cells across.
        skipped: how many columns to pass over in tables that do not fit.

    Returns:
        The rows, and how many columns can be passed over; 0 when everything fits.
    """
    rows: list[ReportRow] = []
    beyond = 0
    for report in reports:
        if not report["rows"]:
            continue
        table = table_of(report, width, skipped, glyphs)
        beyond = max(beyond, table.beyond)
        title: Row = [(report["title"], "name"), (f"  step {report['step']:,}", "label")]
        rows += [ReportRow([])] if rows else []
        rows += [ReportRow(row) for row in wrap(title, width)]
        if table.beyond:
            part = f"columns {table.first} to {table.last} of {table.count}"
            rows.append(ReportRow([(part, "value")]))
        heads = tuple(table.heads)
        rows += [ReportRow(row, heads) for row in (*table.heads, *table.rows)]
        if report.get("note"):
            rows += [ReportRow(row) for row in wrap([(report["note"], "label")], width)]
    return rows, beyond


def report_text(reports: Iterable[dict[str, Any]], glyphs: Glyphs) -> str:
    """The same as text, with nothing out of sight."""
    rows, _ = report_rows(reports, _ALL, 0, glyphs)
    return "\n".join("".join(text for text, _ in each.row).rstrip() for each in rows)
