"""Runs, their events, metrics and hardware samples, and the message stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

_STATEMENTS = (
    """CREATE TABLE run (
        key INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        state TEXT NOT NULL,
        created_at REAL NOT NULL,
        record TEXT NOT NULL,
        spec TEXT
    )""",
    # How far each attempt's events.jsonl is stored.
    """CREATE TABLE ingested (
        run INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        offset INTEGER NOT NULL,
        unreadable INTEGER NOT NULL,
        PRIMARY KEY (run, attempt)
    ) WITHOUT ROWID""",
    """CREATE TABLE event (
        run INTEGER NOT NULL,
        number INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        kind TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (run, number)
    ) WITHOUT ROWID""",
    # Metrics and progress are nearly all events; an index of the others finds them at once.
    """CREATE INDEX rare_event ON event (run, kind, number)
        WHERE kind NOT IN ('metrics', 'progress')""",
    """CREATE TABLE series (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL,
        name TEXT NOT NULL,
        UNIQUE (run, name)
    )""",
    """CREATE TABLE point (
        series INTEGER NOT NULL,
        step INTEGER NOT NULL,
        value REAL,
        attempt INTEGER NOT NULL,
        PRIMARY KEY (series, step)
    ) WITHOUT ROWID""",
    # Bucket b of level n sums up the steps from b * 2^n to (b + 1) * 2^n - 1.
    """CREATE TABLE pyramid (
        series INTEGER NOT NULL,
        level INTEGER NOT NULL,
        bucket INTEGER NOT NULL,
        points INTEGER NOT NULL,
        minimum REAL,
        maximum REAL,
        last REAL,
        PRIMARY KEY (series, level, bucket)
    ) WITHOUT ROWID""",
    # ``position`` counts the characters of data up to and including the message.
    """CREATE TABLE message (
        sequence INTEGER PRIMARY KEY,
        t REAL NOT NULL,
        type TEXT NOT NULL,
        run_id TEXT,
        data TEXT NOT NULL,
        position INTEGER NOT NULL
    )""",
    """CREATE TABLE hardware (
        run INTEGER NOT NULL,
        t REAL NOT NULL,
        cpu_percent REAL NOT NULL,
        memory_used INTEGER NOT NULL,
        PRIMARY KEY (run, t)
    ) WITHOUT ROWID""",
    # ``body`` is the whole device as it was sampled last; what changes all the time lies below.
    """CREATE TABLE device (
        run INTEGER NOT NULL,
        id TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (run, id)
    )""",
    """CREATE TABLE device_sample (
        run INTEGER NOT NULL,
        device TEXT NOT NULL,
        t REAL NOT NULL,
        utilisation REAL,
        memory_used INTEGER,
        temperature REAL,
        power REAL,
        PRIMARY KEY (run, device, t)
    ) WITHOUT ROWID""",
)


def apply(database: Database) -> None:
    """Create the tables."""
    for statement in _STATEMENTS:
        database.execute(statement)
