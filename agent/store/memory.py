"""Measured memory of finished runs."""

from __future__ import annotations

import sqlite3

from ..models import MeasuredRun
from . import runs


def save(connection: sqlite3.Connection, measured: MeasuredRun) -> None:
    """Keep what a run took; an earlier measurement of it is replaced."""
    connection.execute(
        "INSERT OR REPLACE INTO memory (run, device_name, ended_at, body) VALUES (?, ?, ?, ?)",
        (
            runs.key(connection, measured.run_id),
            measured.device_name,
            measured.ended_at,
            measured.model_dump_json(),
        ),
    )


def exists(connection: sqlite3.Connection, run_id: str) -> bool:
    """Whether that run was measured."""
    query = "SELECT 1 FROM memory WHERE run = (SELECT key FROM run WHERE id = ?)"
    return connection.execute(query, (run_id,)).fetchone() is not None


def load(connection: sqlite3.Connection, device_name: str | None, limit: int) -> list[MeasuredRun]:
    """Measurements, the newest first; of devices of that name only, unless it is None."""
    rows = connection.execute(
        "SELECT body FROM memory WHERE ?1 IS NULL OR device_name = ?1"
        " ORDER BY ended_at DESC LIMIT ?2",
        (device_name, limit),
    )
    return [MeasuredRun.model_validate_json(body) for (body,) in rows]
