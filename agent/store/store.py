"""The store: every method blocks for a short while and may be called from any thread."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..models import HardwareSample, MeasuredRun, Message, Run, Series, SeriesInfo, StoredEvent
from ..states import RunState
from . import events, hardware, ingestion, memory, messages, metrics, runs, sampling
from .database import Database
from .ingestion import Ingested
from .messages import MessageType


class Store:
    """The agent's database.

    Call it from threads (``asyncio.to_thread``), never on the event loop. Writers wait for each
    other; readers wait for nobody and see the last finished write.

    Every method may raise ``StoreUnavailable`` (full or read-only disk: nothing of the call was
    stored, repeat it later) and ``DamagedDatabase`` (set it aside and rebuild).

    Methods that return a ``Message`` have stored it together with the change it tells of; hand
    it to ``Stream.publish``.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, path: Path) -> Store:
        """Open the database, create it where there is none, and bring its schema up to date.

        Raises:
            DamagedDatabase: the file is not a database, is empty, or fails its check.
            NewerDatabase: a newer Luthier wrote it; it is left alone.
            StoreUnavailable: it cannot be opened or written.
        """
        return cls(Database.open(path))

    @staticmethod
    def set_aside(path: Path) -> Path:
        """Rename a damaged database with its companions; returns the new path.

        The next ``open`` starts an empty one, whose messages are numbered so that every client
        of the old one is told to read everything anew (``reset``).
        """
        return Database.set_aside(path)

    @property
    def fresh(self) -> bool:
        """Whether ``open`` created the database, so that run folders have yet to be indexed.

        An indexing that was cut short shows only in run folders that have no record here.
        """
        return self._database.fresh

    def check(self) -> None:
        """Read the whole database for damage; ``open`` does so only while it is small.

        Raises:
            DamagedDatabase: something is wrong with it.
        """
        self._database.check()

    def close(self) -> None:
        """Close every connection; calls after this raise StoreUnavailable."""
        self._database.close()

    # Runs

    def save_run(
        self, run: Run, spec: dict[str, Any] | None = None, *, announce: bool = True
    ) -> Message | None:
        """Add or replace a run's record, and append its ``run`` message in the same write.

        Args:
            run: The record.
            spec: The resolved spec; None keeps the stored one.
            announce: False appends no message and returns None (rebuilding the index).
        """
        with self._database.write() as connection:
            runs.save(connection, run, spec)
            if not announce:
                return None
            data = run.model_dump(mode="json")
            return messages.append(connection, "run", run.id, data)

    def run(self, run_id: str) -> Run | None:
        """The run with exactly that id."""
        with self._database.read() as connection:
            return runs.load(connection, run_id)

    def spec(self, run_id: str) -> dict[str, Any] | None:
        """The resolved spec of a run; None when the run or its spec is not stored."""
        with self._database.read() as connection:
            return runs.load_spec(connection, run_id)

    def runs(
        self, states: Collection[RunState] | None = None, limit: int | None = None
    ) -> list[Run]:
        """Runs, newest first, optionally only those in certain states."""
        with self._database.read() as connection:
            return runs.load_many(connection, states, -1 if limit is None else _counted(limit))

    def find(self, prefix_or_name: str) -> list[str]:
        """Ids of the runs meant by an id, the beginning of one, or a name; newest first.

        A complete id means that run alone, whatever others are named. Empty text means none.
        """
        with self._database.read() as connection:
            return runs.find(connection, prefix_or_name)

    def delete_run(self, run_id: str) -> Message | None:
        """Remove everything of a run; returns its ``removed`` message, None if there was none.

        Messages about it stay in the stream until they are pruned, since that has no gaps.
        """
        with self._database.write() as connection:
            if not runs.delete(connection, run_id):
                return None
            return messages.append(connection, "removed", run_id, {})

    # Events

    def ingest(self, run_id: str, attempt: int, chunk: bytes, offset: int) -> Ingested:
        """Store the complete lines of a piece of an attempt's events.jsonl, all or nothing.

        Events, metric points, the ``events`` messages and the new offset are one transaction,
        so every line is stored exactly once whatever is killed whenever. Bytes before the
        stored offset are skipped, a torn last line is left for the next call, and unreadable
        lines are counted and passed over.

        Of each series a step has one value: that of the newest attempt, and within an attempt
        the one written last. Steps that a newer attempt does not repeat keep their older value.

        Raises:
            UnknownRun: the run was never saved, or was deleted meanwhile.
            ValueError: the chunk begins after the stored offset, so lines would be lost.
        """
        lines = ingestion.parse(chunk)
        if not lines:
            return Ingested(offset, [], [])
        with self._database.write() as connection:
            return ingestion.store_chunk(connection, run_id, attempt, chunk, lines, offset)

    def ingest_file(self, run_id: str, attempt: int, path: Path) -> Ingested:
        """Ingest the next piece of that events.jsonl; an absent file has nothing.

        ``more`` of the result tells that the file may go on: call again.

        Raises:
            UnknownRun: the run was never saved, or was deleted meanwhile.
            OSError: the file cannot be read.
        """
        offset = self.offset(run_id, attempt)
        chunk = ingestion.next_chunk(path, offset)
        done = self.ingest(run_id, attempt, chunk, offset)
        return replace(done, more=len(chunk) >= ingestion.CHUNK_BYTES)

    def offset(self, run_id: str, attempt: int) -> int:
        """Bytes of the attempt's events.jsonl that are stored."""
        with self._database.read() as connection:
            return ingestion.stored_offset(connection, run_id, attempt)

    def events(
        self,
        run_id: str,
        since: int = 0,
        limit: int = 1000,
        kinds: Collection[str] | None = None,
    ) -> list[StoredEvent]:
        """Events of a run numbered above ``since``, oldest first, optionally of some kinds."""
        with self._database.read() as connection:
            return events.load(connection, run_id, _counted(since), _counted(limit), kinds)

    def last_event(self, run_id: str, kind: str) -> StoredEvent | None:
        """The newest event of one kind."""
        with self._database.read() as connection:
            return events.load_last(connection, run_id, kind)

    # Metrics

    def series(self, run_id: str) -> list[SeriesInfo]:
        """The metrics of a run by name."""
        with self._database.read() as connection:
            return metrics.load_infos(connection, run_id)

    def points(
        self,
        run_id: str,
        name: str,
        first: int | None = None,
        last: int | None = None,
        limit: int = 2000,
    ) -> Series:
        """Points of a metric from step ``first`` to ``last`` (both included), at most ``limit``.

        All of them as they are when they fit, else buckets of a power of two steps, aligned to
        multiples of it, with the minimum, maximum and last value of the points in the range;
        ``steps`` are then the buckets' first steps. A value of None is not a number; a bucket's
        minimum and maximum are None when nothing in it is a number. An unknown name has no
        points.
        """
        with self._database.read() as connection:
            return sampling.load_points(connection, run_id, name, (first, last), _some(limit))

    # Messages

    def append(
        self,
        type: MessageType,
        run_id: str | None,
        data: dict[str, Any],
    ) -> Message:
        """Append a message to the stream; its sequence number is the next one, without gaps."""
        with self._database.write() as connection:
            return messages.append(connection, type, run_id, data)

    def messages(self, since: int, limit: int = 500) -> list[Message]:
        """Messages after ``since``, oldest first.

        One single ``reset`` message when some of them are no longer kept, or when ``since`` is
        a number that was never given out.
        """
        with self._database.read() as connection:
            return messages.load(connection, since, _counted(limit), now=time.time())

    def newest_sequence(self) -> int:
        """Number of the newest message, 0 when there never was one."""
        with self._database.read() as connection:
            return messages.newest(connection)

    # Hardware

    def add_hardware(self, run_id: str, *samples: HardwareSample) -> None:
        """Keep hardware samples with a run; a sample of the same time replaces the older.

        Raises:
            UnknownRun: the run was never saved, or was deleted meanwhile.
        """
        with self._database.write() as connection:
            hardware.save(connection, run_id, samples)

    def hardware(
        self,
        run_id: str,
        first_t: float | None = None,
        last_t: float | None = None,
        limit: int = 500,
    ) -> list[HardwareSample]:
        """Hardware samples of a run from ``first_t`` to ``last_t`` (Unix seconds), oldest first.

        When there are more than ``limit``, neighbours are put together: memory, temperature
        and power keep their peak, percentages are averaged, ``t`` is that of the last one.
        """
        with self._database.read() as connection:
            return hardware.load(connection, run_id, (first_t, last_t), _some(limit))

    # Measured memory

    def save_measured(self, measured: MeasuredRun) -> None:
        """Keep what a finished run took of its device.

        Raises:
            UnknownRun: the run was never saved, or was deleted meanwhile.
        """
        with self._database.write() as connection:
            memory.save(connection, measured)

    def is_measured(self, run_id: str) -> bool:
        """Whether it is known what the run took."""
        with self._database.read() as connection:
            return memory.exists(connection, run_id)

    def measured_runs(self, device_name: str | None = None, limit: int = 200) -> list[MeasuredRun]:
        """What finished runs took, newest first; optionally on devices of one name only."""
        with self._database.read() as connection:
            return memory.load(connection, device_name, _counted(limit))


def _counted(number: int) -> int:
    """Callers pass on what clients ask for; SQLite takes a negative limit for none at all."""
    return min(max(number, 0), 2**53)


def _some(number: int) -> int:
    return max(_counted(number), 1)
