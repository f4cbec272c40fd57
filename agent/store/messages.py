"""The message table: sequence numbers without gaps, the oldest pruned."""

from __future__ import annotations

import json
import sqlite3
import time
from typing import Any, Literal

from pydantic_core import to_json

from ..models import Message

MessageType = Literal["run", "removed", "events", "log", "hardware", "reset"]

KEEP_MESSAGES = 100_000
# Only those that end within the newest characters of data stay.
KEEP_CHARACTERS = 64 * 2**20
# Pruning waits until this share too many are there, so that it is rare.
_SLACK = 1.02
# One answer stays this small, so that a client far behind costs little memory.
_REPLY_CHARACTERS = 2**20


def append(
    connection: sqlite3.Connection, kind: MessageType, run_id: str | None, data: dict[str, Any]
) -> Message:
    """Add a message with the next number, within the caller's transaction."""
    return append_encoded(connection, kind, run_id, to_json(data, inf_nan_mode="null").decode())


def append_encoded(
    connection: sqlite3.Connection, kind: MessageType, run_id: str | None, data: str
) -> Message:
    """The same for data that is JSON already."""
    row = connection.execute(
        "SELECT sequence, position FROM message ORDER BY sequence DESC LIMIT 1"
    ).fetchone()
    newest, position = row or (0, 0)
    return _insert(connection, newest + 1, position, kind, run_id, data)


def start_anew(connection: sqlite3.Connection) -> None:
    """Begin an empty stream far above every number that a damaged predecessor gave out.

    The milliseconds since 1970 outrun any stream of fewer than 1,000 messages a second.
    """
    if not newest(connection):
        _insert(connection, int(time.time() * 1000), 0, "reset", None, "{}")


def newest(connection: sqlite3.Connection) -> int:
    """Number of the newest message."""
    return _bounds(connection)[1]


def load(connection: sqlite3.Connection, since: int, limit: int, now: float) -> list[Message]:
    """Messages after ``since``, or one ``reset``."""
    oldest, newest = _bounds(connection)
    if since < oldest - 1 or since > newest:
        return [Message(sequence=newest, t=now, type="reset")]
    found: list[Message] = []
    end: int | None = None
    for sequence, t, kind, run_id, data, position in connection.execute(
        "SELECT sequence, t, type, run_id, data, position FROM message"
        " WHERE sequence > ? ORDER BY sequence LIMIT ?",
        (since, limit),
    ):
        if end is None:
            end = position + _REPLY_CHARACTERS
        if position > end:
            break
        found.append(_message(sequence, t, kind, run_id, data))
    return found


def _insert(
    connection: sqlite3.Connection,
    sequence: int,
    position: int,
    kind: MessageType,
    run_id: str | None,
    data: str,
) -> Message:
    t = time.time()
    connection.execute(
        "INSERT INTO message (sequence, t, type, run_id, data, position) VALUES (?, ?, ?, ?, ?, ?)",
        (sequence, t, kind, run_id, data, position + len(data)),
    )
    _prune(connection, sequence, position + len(data))
    return _message(sequence, t, kind, run_id, data)


def _message(sequence: int, t: float, kind: MessageType, run_id: str | None, data: str) -> Message:
    return Message(sequence=sequence, t=t, type=kind, run_id=run_id, data=json.loads(data))


def _bounds(connection: sqlite3.Connection) -> tuple[int, int]:
    """Oldest and newest number kept; (1, 0) when there never was a message."""
    row: tuple[int, int] = connection.execute(
        "SELECT coalesce((SELECT min(sequence) FROM message), 1),"
        " coalesce((SELECT max(sequence) FROM message), 0)"
    ).fetchone()
    return row


def _prune(connection: sqlite3.Connection, newest: int, position: int) -> None:
    oldest, kept_from = connection.execute(
        "SELECT sequence, position FROM message ORDER BY sequence LIMIT 1"
    ).fetchone()
    if newest - oldest > KEEP_MESSAGES * _SLACK:
        connection.execute("DELETE FROM message WHERE sequence <= ?", (newest - KEEP_MESSAGES,))
    if position - kept_from > KEEP_CHARACTERS * _SLACK:
        connection.execute(
            "DELETE FROM message WHERE sequence < ? AND sequence <"
            " (SELECT sequence FROM message WHERE position > ? ORDER BY sequence LIMIT 1)",
            (newest, position - KEEP_CHARACTERS),
        )
