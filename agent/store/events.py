"""The event table: worker events of a run, numbered from 1."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable

from ..models import StoredEvent
from . import runs

_COMMON = frozenset({"metrics", "progress"})


def append(
    connection: sqlite3.Connection,
    run: int,
    attempt: int,
    first: int,
    kinds_and_bodies: Iterable[tuple[str, str]],
) -> None:
    """Add events numbered from ``first``; a body is the event as JSON."""
    connection.executemany(
        "INSERT INTO event (run, number, attempt, kind, body) VALUES (?, ?, ?, ?, ?)",
        (
            (run, number, attempt, kind, body)
            for number, (kind, body) in enumerate(kinds_and_bodies, first)
        ),
    )


def next_number(connection: sqlite3.Connection, run: int) -> int:
    """The number of the run's next event."""
    query = "SELECT coalesce(max(number), 0) + 1 FROM event WHERE run = ?"
    found: int = connection.execute(query, (run,)).fetchone()[0]
    return found


def load(
    connection: sqlite3.Connection,
    run_id: str,
    since: int,
    limit: int,
    kinds: Collection[str] | None,
) -> list[StoredEvent]:
    """Events numbered above ``since``, oldest first."""
    run = runs.find_key(connection, run_id)
    rows = connection.execute(
        f"SELECT number, attempt, body FROM event WHERE run = ? AND number > ?{_of_kinds(kinds)}"
        " ORDER BY number LIMIT ?",
        (run, since, *(kinds or ()), limit),
    )
    return [_stored(*row) for row in rows]


def load_last(connection: sqlite3.Connection, run_id: str, kind: str) -> StoredEvent | None:
    """The newest event of one kind."""
    run = runs.find_key(connection, run_id)
    row = connection.execute(
        f"SELECT number, attempt, body FROM event WHERE run = ?{_of_kinds([kind])}"
        " ORDER BY number DESC LIMIT 1",
        (run, kind),
    ).fetchone()
    return _stored(*row) if row else None


def _of_kinds(kinds: Collection[str] | None) -> str:
    if kinds is None:
        return ""
    condition = f" AND kind IN ({', '.join('?' * len(kinds))})"
    # Said once more in the words of the partial index, or SQLite would not use it.
    rare = "" if _COMMON & set(kinds) else " AND kind NOT IN ('metrics', 'progress')"
    return condition + rare


def _stored(number: int, attempt: int, body: str) -> StoredEvent:
    return StoredEvent(number=number, attempt=attempt, event=json.loads(body))
