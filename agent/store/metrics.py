"""Metric points and the pyramid that answers for many of them at once.

Level n of the pyramid has a row for every 2^n steps that hold points, made of the one or two rows
below it: how many points, their minimum and maximum, and the last one's value. A new or changed
point makes its row on every level anew, whatever the order in which points come.

Twos and not, say, fours: this doubles what is written, but then a level always has half to all
of the wanted number of rows ready, and nothing is left to be put together when reading.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator

from ..models import SeriesInfo
from . import runs

Point = tuple[str, int, float | None]

# 65,536 steps a row at the top: a hundred million steps are 1,500 rows.
TOP_LEVEL = 16
# Rows this close are made anew together with those between them, in one statement.
_NEAR = 32

_FROM_POINTS = """
INSERT OR REPLACE INTO pyramid (series, level, bucket, points, minimum, maximum, last)
SELECT :series, 1, made.bucket, made.points, made.minimum, made.maximum, point.value
FROM (
    SELECT step >> 1 AS bucket, count(*) AS points,
        min(value) AS minimum, max(value) AS maximum, max(step) AS last_step
    FROM point WHERE series = :series AND step BETWEEN :first AND :last GROUP BY bucket
) AS made
JOIN point ON point.series = :series AND point.step = made.last_step
"""

_FROM_LEVEL = """
INSERT OR REPLACE INTO pyramid (series, level, bucket, points, minimum, maximum, last)
SELECT :series, :level + 1, made.bucket, made.points, made.minimum, made.maximum, below.last
FROM (
    SELECT bucket >> 1 AS bucket, sum(points) AS points,
        min(minimum) AS minimum, max(maximum) AS maximum, max(bucket) AS last_bucket
    FROM pyramid
    WHERE series = :series AND level = :level AND bucket BETWEEN :first AND :last GROUP BY 1
) AS made
JOIN pyramid AS below ON below.series = :series AND below.level = :level
    AND below.bucket = made.last_bucket
"""


def save(connection: sqlite3.Connection, run: int, attempt: int, points: Iterable[Point]) -> None:
    """Store points of one attempt; a point of a newer attempt stays as it is."""
    by_name: dict[str, list[tuple[int, float | None]]] = defaultdict(list)
    for name, step, value in points:
        by_name[name].append((step, value))
    for name, values in by_name.items():
        series = _series(connection, run, name)
        connection.executemany(
            "INSERT INTO point (series, step, value, attempt) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET value = excluded.value, attempt = excluded.attempt"
            " WHERE excluded.attempt >= attempt",
            ((series, step, value, attempt) for step, value in values),
        )
        _sum_up(connection, series, {step for step, _ in values})


def load_infos(connection: sqlite3.Connection, run_id: str) -> list[SeriesInfo]:
    """The metrics of a run by name."""
    rows = connection.execute(
        "SELECT name, sum(points), min(minimum), max(maximum),"
        " (SELECT min(step) FROM point WHERE series = id),"
        " (SELECT max(step) FROM point WHERE series = id),"
        " (SELECT value FROM point WHERE series = id ORDER BY step DESC LIMIT 1)"
        " FROM series JOIN pyramid ON series = id AND level = ?"
        " WHERE run = ? GROUP BY id ORDER BY name",
        (TOP_LEVEL, runs.find_key(connection, run_id)),
    )
    return [
        SeriesInfo(
            name=name,
            points=points,
            first_step=first,
            last_step=last_step,
            last=last,
            minimum=minimum,
            maximum=maximum,
        )
        for name, points, minimum, maximum, first, last_step, last in rows
    ]


def find_series(connection: sqlite3.Connection, run_id: str, name: str) -> int | None:
    """The number of a series, None where a run has no such metric."""
    row = connection.execute(
        "SELECT id FROM series WHERE run = ? AND name = ?",
        (runs.find_key(connection, run_id), name),
    ).fetchone()
    return row[0] if row else None


def _series(connection: sqlite3.Connection, run: int, name: str) -> int:
    row = connection.execute(
        "SELECT id FROM series WHERE run = ? AND name = ?", (run, name)
    ).fetchone()
    if row is None:
        row = connection.execute(
            "INSERT INTO series (run, name) VALUES (?, ?) RETURNING id", (run, name)
        ).fetchone()
    found: int = row[0]
    return found


def _sum_up(connection: sqlite3.Connection, series: int, steps: set[int]) -> None:
    """Make the rows over these steps anew, level by level."""
    buckets = {step >> 1 for step in steps}
    for level in range(TOP_LEVEL):
        statement = _FROM_LEVEL if level else _FROM_POINTS
        for first, last in _stretches(buckets):
            span = {
                "series": series,
                "level": level,
                "first": first << 1,
                "last": ((last + 1) << 1) - 1,
            }
            connection.execute(statement, span)
        buckets = {bucket >> 1 for bucket in buckets}


def _stretches(buckets: set[int]) -> Iterator[tuple[int, int]]:
    """Ranges that cover the buckets, first and last included."""
    ordered = sorted(buckets)
    first = last = ordered[0]
    for bucket in ordered[1:]:
        if bucket - last > _NEAR:
            yield first, last
            first = bucket
        last = bucket
    yield first, last
