"""Reading a metric: exact points when they fit, else the finest buckets that do."""

from __future__ import annotations

import sqlite3

from ..models import Series
from .metrics import TOP_LEVEL, find_series

Row = tuple[int, float | None, float | None, float | None]
"""Bucket (or step), minimum, maximum and last value."""


def load_points(
    connection: sqlite3.Connection,
    run_id: str,
    name: str,
    span: tuple[int | None, int | None],
    limit: int,
) -> Series:
    """Points of a metric within a span of steps; see ``Store.points``."""
    nothing = Series(name=name, bucket=1, steps=[], values=[], minimum=[], maximum=[])
    series = find_series(connection, run_id, name)
    if series is None:
        return nothing
    first, last = _whole(connection, series)
    if span[0] is not None:
        first = max(first, span[0])
    if span[1] is not None:
        last = min(last, span[1])
    if first > last:
        return nothing
    reader = _Reader(connection, series, first, last)
    bits = _finest(reader, limit)
    rows = reader.rows(bits)
    while len(rows) > limit:
        rows = _merge(rows, 1)
        bits += 1
    return Series(
        name=name,
        bucket=1 << bits,
        steps=[row[0] << bits for row in rows],
        values=[row[3] for row in rows],
        minimum=[row[1] for row in rows],
        maximum=[row[2] for row in rows],
    )


class _Reader:
    """Rows of one series between two steps, on any level (0: the points themselves)."""

    def __init__(self, connection: sqlite3.Connection, series: int, first: int, last: int) -> None:
        self._connection = connection
        self._series = series
        self._first = first
        self._last = last

    def most(self, level: int) -> int:
        """How many rows there are at most."""
        return (self._last >> level) - (self._first >> level) + 1

    def count(self, level: int, bound: int) -> int:
        """How many rows there are, counted up to ``bound``; rows cut by the ends count whole."""
        table = "pyramid WHERE level = :level AND bucket" if level else "point WHERE step"
        query = (
            f"SELECT count(*) FROM (SELECT 1 FROM {table} BETWEEN :first AND :last"
            " AND series = :series LIMIT :bound)"
        )
        values = {**self._span(level), "bound": bound}
        found: int = self._connection.execute(query, values).fetchone()[0]
        return found

    def rows(self, level: int) -> list[Row]:
        """The rows, those at both ends made of the steps within the span only."""
        if not level:
            query = (
                "SELECT step, value, value, value FROM point"
                " WHERE series = :series AND step BETWEEN :first AND :last ORDER BY step"
            )
            return self._connection.execute(query, self._span(0)).fetchall()
        query = (
            "SELECT bucket, minimum, maximum, last FROM pyramid WHERE series = :series"
            " AND level = :level AND bucket BETWEEN :first AND :last ORDER BY bucket"
        )
        rows: list[Row] = self._connection.execute(query, self._span(level)).fetchall()
        ends = {0, len(rows) - 1}
        return [
            kept
            for index, row in enumerate(rows)
            for kept in (self._cut(row, level) if index in ends else (row,))
        ]

    def _cut(self, row: Row, level: int) -> list[Row]:
        start, end = row[0] << level, ((row[0] + 1) << level) - 1
        if self._first <= start and end <= self._last:
            return [row]
        inside = _Reader(
            self._connection, self._series, max(start, self._first), min(end, self._last)
        )
        return _merge(inside.rows(0), level)

    def _span(self, level: int) -> dict[str, int]:
        return {
            "series": self._series,
            "level": level,
            "first": self._first >> level,
            "last": self._last >> level,
        }


def _whole(connection: sqlite3.Connection, series: int) -> tuple[int, int]:
    """The first and last step; a series is never stored without points."""
    row: tuple[int, int] = connection.execute(
        "SELECT (SELECT min(step) FROM point WHERE series = ?1),"
        " (SELECT max(step) FROM point WHERE series = ?1)",
        (series,),
    ).fetchone()
    return row


def _finest(reader: _Reader, limit: int) -> int:
    """The finest level whose rows may fit into ``limit``, the top one if none does.

    Two more than that may fit, since cutting can leave nothing of the rows at both ends.
    """
    enough = limit + 2
    level = 0
    while level < TOP_LEVEL and reader.most(level) > enough:
        level += 1
    while level and reader.count(level - 1, enough + 1) <= enough:
        level -= 1
    return level


def _merge(rows: list[Row], bits: int) -> list[Row]:
    """Put together the rows whose numbers agree without their lowest bits."""
    merged: list[Row] = []
    for number, low, high, last in rows:
        bucket = number >> bits
        if merged and merged[-1][0] == bucket:
            _, lowest, highest, _ = merged.pop()
            low = min((v for v in (lowest, low) if v is not None), default=None)
            high = max((v for v in (highest, high) if v is not None), default=None)
        merged.append((bucket, low, high, last))
    return merged
