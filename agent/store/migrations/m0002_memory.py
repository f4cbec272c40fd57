"""What finished runs took of their device's memory, beside what was estimated."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

_STATEMENTS = (
    """CREATE TABLE memory (
        run INTEGER PRIMARY KEY,
        device_name TEXT NOT NULL,
        ended_at REAL NOT NULL,
        body TEXT NOT NULL
    )""",
    "CREATE INDEX memory_of_device ON memory (device_name, ended_at)",
)


def apply(database: Database) -> None:
    """Create the table; ``body`` is the whole measurement as JSON."""
    for statement in _STATEMENTS:
        database.execute(statement)
