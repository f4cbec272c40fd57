"""From the bytes of events.jsonl to stored events, points and messages."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from luthier.trainers.events import EvaluationEvent, Event, MetricsEvent, parse_event

from ..models import Message
from . import events, messages, metrics, runs
from .metrics import Point

# One transaction's worth: a few hundred milliseconds at most.
CHUNK_BYTES = 256 * 1024
# A line this long is no event but damage, and is passed over.
LONGEST_LINE = 16 * 2**20
# One message stays this small, so that the messages kept in memory do too.
_MESSAGE_EVENTS = 100
_MESSAGE_BYTES = 32 * 1024
# Steps from here on are no longer exact in the JSON of every client.
_STEP_BOUND = 2**53


@dataclass(frozen=True)
class Ingested:
    """What one piece of an events.jsonl brought.

    offset: where the next piece begins.
    events: the new events in order.
    messages: the ``events`` messages that tell of them; hand them to ``Stream.publish``.
    unreadable: how many lines were passed over.
    more: whether the file may go on beyond the piece (``ingest_file`` only).
    """

    offset: int
    events: list[Event]
    messages: list[Message]
    unreadable: int = 0
    more: bool = False


class Line(NamedTuple):
    """One complete line: where it lies in its chunk, and the event on it if readable."""

    start: int
    end: int
    event: Event | None
    body: str


def next_chunk(path: Path, offset: int) -> bytes:
    """The file's bytes from there: a chunk, or more when its first line is longer than that."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            chunk = file.read(CHUNK_BYTES)
            while len(chunk) < LONGEST_LINE and b"\n" not in chunk:
                addition = file.read(len(chunk) or 1)
                if not addition:
                    break
                chunk += addition
            return chunk
    except FileNotFoundError:
        return b""


def parse(chunk: bytes) -> list[Line]:
    """The complete lines of a chunk, the empty ones too."""
    if len(chunk) >= LONGEST_LINE and b"\n" not in chunk:
        return [Line(0, len(chunk), None, "")]
    lines = []
    start = 0
    for text in chunk.split(b"\n")[:-1]:
        end = start + len(text) + 1
        event = _readable(text) if text.strip() else None
        body = "" if event is None else event.model_dump_json()
        lines.append(Line(start, end, event, body))
        start = end
    return lines


def stored_offset(connection: sqlite3.Connection, run_id: str, attempt: int) -> int:
    """Bytes of the attempt's events.jsonl that are stored."""
    row = connection.execute(
        "SELECT offset FROM ingested WHERE attempt = ?"
        " AND run = (SELECT key FROM run WHERE id = ?)",
        (attempt, run_id),
    ).fetchone()
    return row[0] if row else 0


def store_chunk(
    connection: sqlite3.Connection,
    run_id: str,
    attempt: int,
    chunk: bytes,
    lines: list[Line],
    offset: int,
) -> Ingested:
    """Store what is new of the lines, within the caller's transaction."""
    run = runs.key(connection, run_id)
    stored = stored_offset(connection, run_id, attempt)
    if offset > stored:
        raise ValueError(f"{run_id}/{attempt}: chunk at {offset} but {stored} bytes are stored")
    new = [line for line in lines if line.start >= stored - offset]
    if not new:
        return Ingested(stored, [], [])
    readable = [(line.event, line.body) for line in new if line.event is not None]
    unreadable = sum(
        line.event is None and not chunk[line.start : line.end].isspace() for line in new
    )
    end = offset + new[-1].end
    connection.execute(
        "INSERT INTO ingested (run, attempt, offset, unreadable) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT DO UPDATE SET offset = ?3, unreadable = unreadable + ?4",
        (run, attempt, end, unreadable),
    )
    first = events.next_number(connection, run)
    events.append(connection, run, attempt, first, ((e.kind, body) for e, body in readable))
    metrics.save(connection, run, attempt, _points(event for event, _ in readable))
    sent = _announce(connection, run_id, attempt, first, [body for _, body in readable])
    return Ingested(end, [event for event, _ in readable], sent, unreadable)


def _readable(text: bytes) -> Event | None:
    event = parse_event(text)
    step = getattr(event, "step", 0)
    return event if 0 <= step < _STEP_BOUND else None


def _points(found: Iterator[Event]) -> Iterator[Point]:
    for event in found:
        if isinstance(event, MetricsEvent | EvaluationEvent):
            for name, value in event.values.items():
                finite = value is not None and math.isfinite(value)
                yield name, event.step, value if finite else None


def _announce(
    connection: sqlite3.Connection, run_id: str, attempt: int, first: int, bodies: list[str]
) -> list[Message]:
    """Messages {attempt, number, events}; ``number`` is that of the message's first event."""
    sent = []
    start = 0
    while start < len(bodies):
        end, size = start, 0
        while end < len(bodies) and end - start < _MESSAGE_EVENTS and size < _MESSAGE_BYTES:
            size += len(bodies[end])
            end += 1
        joined = ",".join(bodies[start:end])
        data = f'{{"attempt":{attempt},"number":{first + start},"events":[{joined}]}}'
        sent.append(messages.append_encoded(connection, "events", run_id, data))
        start = end
    return sent
