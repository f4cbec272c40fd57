"""Every run's record: in memory, in its run.json, and announced to the clients."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from typing import Any

from ..api.errors import ApiError
from ..models import Message, Run
from ..paths import Home
from ..problems import Problems
from ..states import RunState, may_change
from ..store import DamagedDatabase, Store, StoreUnavailable
from ..stream import Stream
from .record import RunRecord, save_record

_log = logging.getLogger(__name__)
_FLUSH_SECONDS = 1.0
_FULL_BYTES = 1 << 20


class IllegalChangeError(RuntimeError):
    """A state change that the table of states forbids: a mistake in the agent itself."""


class RunBook:
    """The records of all runs. Use it on the event loop only; disks are written in threads.

    What is in memory is the truth while the agent lives. A record that cannot be written (a full
    disk) is kept, named as a problem, and written as soon as there is space again.

    Attributes:
        records: by run id.
        unreadable: runs whose run.json could not be read; shown, never written.
    """

    def __init__(self, home: Home, store: Store, stream: Stream, problems: Problems) -> None:
        self.records: dict[str, RunRecord] = {}
        self.unreadable: set[str] = set()
        self._home = home
        self._store = store
        self._stream = stream
        self._problems = problems
        self._locks: dict[str, asyncio.Lock] = {}
        self._unwritten: set[str] = set()
        self._places: dict[str, tuple[int, str]] = {}
        self.on_damage: Callable[[DamagedDatabase], None] = lambda error: None

    # What is known

    def view(self, run_id: str) -> Run:
        """The run as the API shows it."""
        record, folder = self.records[run_id], self._home.run(run_id)
        if run_id in self.unreadable:
            return record.run(folder).model_copy(update={"resumable": False})
        if record.state is not RunState.QUEUED:
            return record.run(folder)
        position = self.queue(record.host).index(record)
        _, waits = self._places.get(run_id, (position, ""))
        return record.run(folder, position=position, waits=waits)

    def views(self) -> list[Run]:
        """Every run, newest first."""
        newest = sorted(
            self.records.values(), key=lambda record: (record.created_at, record.id), reverse=True
        )
        return [self.view(record.id) for record in newest]

    def find(self, text: str) -> RunRecord:
        """The run with that id, unique name, or unique beginning of an id.

        Raises:
            ApiError: 404 when there is none, 409 when there are several.
        """
        if text in self.records:
            return self.records[text]
        everything = self.records.values()
        named = [record for record in everything if record.name == text]
        begun = [record for record in everything if text and record.id.startswith(text)]
        for found in (named, begun):
            if len(found) == 1:
                return found[0]
        if named or begun:
            ids = ", ".join(sorted(record.id for record in named or begun)[:5])
            raise ApiError(
                409, f"Several runs are called {text!r}: {ids}.", hint="Give more of the id."
            )
        raise ApiError(404, f"There is no run {text!r}.", hint="List the runs with: luthier runs")

    def queue(self, host: str) -> list[RunRecord]:
        """The waiting runs of a host, the next one first."""
        waiting = [
            record
            for record in self.records.values()
            if record.state is RunState.QUEUED and record.host == host
        ]
        return sorted(waiting, key=lambda record: (record.queue_key, record.id))

    def active(self) -> list[RunRecord]:
        """The runs that may have processes."""
        return [record for record in self.records.values() if record.state.active]

    # Changes

    async def add(self, record: RunRecord, spec: dict[str, Any]) -> None:
        """Take up a new run whose folder exists already, and announce it."""
        self.records[record.id] = record
        await self._save(record.id, spec)

    async def change(self, run_id: str, *states: RunState, **changes: Any) -> RunRecord:
        """Change a record in memory, then write and announce it.

        Of several states, passed through in that order, only the last is ever seen.

        Raises:
            IllegalChangeError: the table of states forbids it.
        """
        self.records[run_id] = record = self._changed(run_id, states, changes)
        await self._save(run_id)
        return record

    async def change_surely(self, run_id: str, *states: RunState, **changes: Any) -> RunRecord:
        """Like ``change``, but only when run.json could be written.

        Raises:
            IllegalChangeError: the table of states forbids it.
            OSError: run.json cannot be written; nothing has changed.
        """
        async with self._lock(run_id):
            record = self._changed(run_id, states, changes)
            try:
                await asyncio.to_thread(save_record, self._home.run(run_id), record)
            except OSError as error:
                # A part of the new record may have reached the disk.
                self._unwritten.add(run_id)
                self._disk_problem(error)
                raise
            self.records[run_id] = record
        await self._save(run_id)
        return record

    def note(self, record: RunRecord) -> None:
        """Take up progress; it is written and announced about once a second."""
        if record != self.records[record.id]:
            self.records[record.id] = record
            self._unwritten.add(record.id)

    async def place(self, places: dict[str, tuple[int, str]]) -> None:
        """Tell each waiting run's place in its queue and why it waits; announce what changed."""
        before, self._places = self._places, places
        for run_id, place in places.items():
            if place != before.get(run_id):
                await self._save(run_id)

    async def forget(self, run_id: str) -> None:
        """Drop a run and announce that it is gone. Its folder is the caller's business."""
        async with self._lock(run_id):
            del self.records[run_id]
        await self._save(run_id)

    def publish(self, *messages: Message | None) -> None:
        """Tell the subscribers of messages that the store has written."""
        self._stream.publish(messages)

    async def keep_writing(self) -> None:
        """Write what is not written yet, again and again, until cancelled."""
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            await self.write_all()

    async def write_all(self) -> None:
        """Write every record that is not written yet."""
        for run_id in sorted(self._unwritten):
            await self._save(run_id)
        try:
            disk = await asyncio.to_thread(shutil.disk_usage, self._home.path)
            if disk.free < _FULL_BYTES:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self._disk_problem(error)
        else:
            if not self._unwritten:
                self._problems.clear("disk")

    # How they are written

    def _changed(
        self, run_id: str, states: Sequence[RunState], changes: dict[str, Any]
    ) -> RunRecord:
        record = self.records[run_id]
        state = record.state
        for new in states:
            if new is not state and not may_change(state, new):
                raise IllegalChangeError(f"{run_id}: {state.value} to {new.value}")
            if new is not state:
                _log.info("%s: %s -> %s", run_id, state.value, new.value)
            state = new
        return record.model_copy(update={**changes, "state": state})

    def _lock(self, run_id: str) -> asyncio.Lock:
        return self._locks.setdefault(run_id, asyncio.Lock())

    async def _save(self, run_id: str, spec: dict[str, Any] | None = None) -> None:
        async with self._lock(run_id):
            record = self.records.get(run_id)
            view = self.view(run_id) if record else None
            self._unwritten.discard(run_id)
            try:
                message = await asyncio.to_thread(self._write, run_id, record, view, spec)
            except (OSError, StoreUnavailable) as error:
                self._unwritten.add(run_id)
                self._disk_problem(error)
                return
            except DamagedDatabase as error:
                self._unwritten.add(run_id)
                self.on_damage(error)
                return
        self.publish(message)

    def _write(
        self, run_id: str, record: RunRecord | None, view: Run | None, spec: dict[str, Any] | None
    ) -> Message | None:
        if record is None or view is None:
            return self._store.delete_run(run_id)
        if run_id not in self.unreadable:
            save_record(self._home.run(run_id), record)
        return self._store.save_run(view, spec)

    def _disk_problem(self, error: OSError | StoreUnavailable) -> None:
        what = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        self._problems.set(
            "disk",
            f"{self._home.path} cannot be written: {what.rstrip('.')}. "
            "Runs go on; what is missing is written once that is mended.",
        )
