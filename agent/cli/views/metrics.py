"""Metrics as a table with curves, as CSV and as plain data."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from rich.text import Text

from luthier.trainers.errors import LuthierError

from ... import text
from ...client import Client
from ...models import SeriesInfo
from ..invocation import Invocation
from .tables import NARROW, add_row, plain_table

# The most that the agent tells at once.
_MOST_POINTS = 100_000


def chosen_series(known: Sequence[SeriesInfo], names: Sequence[str]) -> list[SeriesInfo]:
    """The metrics of these names, or all of them when no name is given.

    Raises:
        LuthierError: there is no such metric; names the nearest.
    """
    by_name = {info.name: info for info in known}
    for name in names:
        if name not in by_name:
            near = get_close_matches(name, by_name, n=1, cutoff=0.4)
            listed = ", ".join(by_name) or "none so far"
            hint = f"Did you mean {near[0]}?" if near else f"It has {listed}."
            raise LuthierError(f"The run has no metric {name!r}.", hint=hint)
    return [by_name[name] for name in dict.fromkeys(names)] if names else list(known)


def show(here: Invocation, run: str, chosen: Sequence[SeriesInfo]) -> None:
    """One line a metric: its last, lowest and highest value, and its course."""
    if not chosen:
        here.say("The run has no metrics yet.")
        return
    longest = max(len(info.name) for info in chosen)
    width = max(8, here.console.width - longest - 52)
    headings = ["metric", ">last", ">lowest", ">highest", ">points", "course"]
    if here.console.width < NARROW:
        headings = headings[:2]
    table = plain_table(*headings)
    for info in chosen:
        points = here.client.points(run, info.name, points=width * 2)
        line = text.sparkline(points.values, width, unicode=here.unicode)
        cells: list[str | Text] = [
            info.name,
            text.number(info.last),
            text.number(info.minimum),
            text.number(info.maximum),
            str(info.points),
            Text(line, style="green", no_wrap=True),
        ]
        add_row(table, *cells[: len(headings)])
    here.console.print(table)


def write_csv(client: Client, run: str, chosen: Sequence[SeriesInfo]) -> None:
    """Every point: a column for each metric, a line for each step."""
    columns: list[dict[int, float | None]] = []
    for info in chosen:
        columns.append(dict(_every_point(client, run, info.name, info.first_step, info.last_step)))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["step", *(info.name for info in chosen)])
    for step in sorted({step for column in columns for step in column}):
        cells = [column.get(step) for column in columns]
        writer.writerow([step, *("" if cell is None else repr(cell) for cell in cells)])


def _every_point(
    client: Client, run: str, name: str, first: int, last: int
) -> Iterator[tuple[int, float | None]]:
    """All points between two steps, asked for in parts in which none is put together."""
    series = client.points(run, name, points=_MOST_POINTS, first=first, last=last)
    if series.bucket == 1:
        yield from zip(series.steps, series.values, strict=True)
        return
    middle = (first + last) // 2
    yield from _every_point(client, run, name, first, middle)
    yield from _every_point(client, run, name, middle + 1, last)


def as_data(client: Client, run: str, chosen: Sequence[SeriesInfo]) -> list[dict[str, Any]]:
    """Each metric with its figures and its course in at most about 2,000 points."""
    return [
        {
            **info.model_dump(mode="json"),
            "series": client.points(run, info.name).model_dump(mode="json"),
        }
        for info in chosen
    ]
