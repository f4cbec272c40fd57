"""The run table: records as JSON, with the columns that runs are looked for by."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from typing import Any

from pydantic_core import to_json

from ..models import Run
from ..states import RunState
from .errors import UnknownRun


def key(connection: sqlite3.Connection, run_id: str) -> int:
    """The number that stands for the run in the other tables.

    Raises:
        UnknownRun: there is no such run.
    """
    found = find_key(connection, run_id)
    if found is None:
        raise UnknownRun(f"There is no run {run_id}.", hint="It was removed or never submitted.")
    return found


def find_key(connection: sqlite3.Connection, run_id: str) -> int | None:
    """The same, None where there is no such run."""
    row = connection.execute("SELECT key FROM run WHERE id = ?", (run_id,)).fetchone()
    return row[0] if row else None


def save(connection: sqlite3.Connection, run: Run, spec: dict[str, Any] | None) -> None:
    """Add or replace a record; a spec of None keeps the stored one."""
    connection.execute(
        "INSERT INTO run (id, name, state, created_at, record, spec) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name, state = excluded.state,"
        " created_at = excluded.created_at, record = excluded.record,"
        " spec = coalesce(excluded.spec, spec)",
        (
            run.id,
            run.name,
            run.state.value,
            run.created_at,
            run.model_dump_json(),
            None if spec is None else to_json(spec, inf_nan_mode="null").decode(),
        ),
    )


def load(connection: sqlite3.Connection, run_id: str) -> Run | None:
    """The record of a run."""
    row = connection.execute("SELECT record FROM run WHERE id = ?", (run_id,)).fetchone()
    return Run.model_validate_json(row[0]) if row else None


def load_spec(connection: sqlite3.Connection, run_id: str) -> dict[str, Any] | None:
    """The resolved spec of a run."""
    row = connection.execute("SELECT spec FROM run WHERE id = ?", (run_id,)).fetchone()
    return json.loads(row[0]) if row and row[0] else None


def load_many(
    connection: sqlite3.Connection, states: Collection[RunState] | None, limit: int
) -> list[Run]:
    """Records, newest first; a limit of -1 is none."""
    wanted = [state.value for state in (RunState if states is None else states)]
    rows = connection.execute(
        f"SELECT record FROM run WHERE state IN ({', '.join('?' * len(wanted))})"
        " ORDER BY created_at DESC, id DESC LIMIT ?",
        (*wanted, limit),
    )
    return [Run.model_validate_json(record) for (record,) in rows]


def find(connection: sqlite3.Connection, prefix_or_name: str) -> list[str]:
    """Ids by id, beginning or name, newest first."""
    if find_key(connection, prefix_or_name) is not None:
        return [prefix_or_name]
    rows = connection.execute(
        "SELECT id FROM run WHERE ?1 != '' AND (name = ?1 OR substr(id, 1, length(?1)) = ?1)"
        " ORDER BY created_at DESC, id DESC",
        (prefix_or_name,),
    )
    return [run_id for (run_id,) in rows]


def delete(connection: sqlite3.Connection, run_id: str) -> bool:
    """Remove everything of a run; whether there was one."""
    found = find_key(connection, run_id)
    if found is None:
        return False
    series = "series IN (SELECT id FROM series WHERE run = ?)"
    for condition in (
        f"point WHERE {series}",
        f"pyramid WHERE {series}",
        "series WHERE run = ?",
        "event WHERE run = ?",
        "ingested WHERE run = ?",
        "hardware WHERE run = ?",
        "device WHERE run = ?",
        "device_sample WHERE run = ?",
        "memory WHERE run = ?",
        "run WHERE key = ?",
    ):
        connection.execute(f"DELETE FROM {condition}", (found,))
    return True
