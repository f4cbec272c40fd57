"""Reports of evaluations as tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ... import text
from ...client import Client
from ..invocation import Invocation
from .tables import add_row, plain_table

_CELL_WIDTH = 40


def newest_reports(client: Client, run: str) -> list[dict[str, Any]]:
    """The newest report of each name, in the order in which they first came."""
    found: dict[str, dict[str, Any]] = {}
    after = 0
    while events := client.events(run, after=after, kinds=["report"]):
        found |= {event.event["name"]: event.event for event in events}
        after = events[-1].number
    return list(found.values())


def show_reports(here: Invocation, reports: Iterable[dict[str, Any]]) -> None:
    """Each report under its title; what leads nowhere is left out."""
    for report in reports:
        if not report["rows"]:
            continue
        here.say("")
        here.say(f"{report['title']}, step {report['step']}", style="bold")
        numeric = [_is_numeric(report["rows"], place) for place in range(len(report["columns"]))]
        heads = [
            f">{name}" if number else name
            for name, number in zip(report["columns"], numeric, strict=True)
        ]
        table = plain_table(*heads)
        for row in report["rows"]:
            add_row(table, *map(_cell, row))
        here.console.print(table)
        if report.get("note"):
            here.say(report["note"], style="dim")


def _is_numeric(rows: list[list[Any]], place: int) -> bool:
    return all(isinstance(row[place], int | float | None) for row in rows)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return text.number(value)
    return text.one_line(str(value), _CELL_WIDTH)
