"""Following one attempt: its events, its output, and its end."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from typing import Any

from luthier.trainers.errors import LuthierError
from luthier.trainers.events import parse_event
from luthier.trainers.spec.file import load_spec

from ..hosts.errors import HostUnreachableError
from ..hosts.host import Host
from ..launching import Observation
from ..states import RunState
from ..store import DamagedDatabase, StoreUnavailable, UnknownRun
from .calibration import remember
from .diagnosis import diagnose
from .folding import fold
from .parts import Parts
from .record import RunRecord
from .recovery import index_run
from .watch import AttemptWatch, Look

_log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.1
_TROUBLE_SECONDS = 1.0
# A supervisor that an earlier agent was starting when it was killed shows up within this.
_APPEAR_SECONDS = 5.0
_EVENTS_AT_ONCE = 1000
_FETCH_HINT = "Fetch them with: luthier host fetch RUN"


class Follower:
    """Follows the latest attempt of one active run until its end is known and stored."""

    def __init__(self, parts: Parts, run_id: str, on_free: Callable[[], None]) -> None:
        self._parts = parts
        self._run_id = run_id
        self._on_free = on_free
        self._number = parts.book.records[run_id].attempts[-1].number
        self._attempt = parts.folder(run_id).attempt(self._number)
        self._watch = AttemptWatch(parts.store, run_id, self._attempt, lambda: parts.host(run_id))

    async def follow(self) -> None:
        """Return when the attempt has ended and everything that it said is stored."""
        await self._catch_up()
        began = time.monotonic()
        while True:
            look = await self._look()
            state = look.observation.state
            if not self._record.state.active:
                # Somebody has given its host up.
                return None
            if state == "running":
                await self._note_running(look)
            elif state == "not_started":
                if time.monotonic() - began > _APPEAR_SECONDS and await self._abandon():
                    return None
            elif state == "unknown":
                began = time.monotonic()
            elif look.drained or look.trouble:
                return await self._finish(look)
            else:
                continue
            await self._pause(look)

    async def _catch_up(self) -> None:
        """Bring index and record up to what an earlier agent had seen or stored."""
        while True:
            try:
                await asyncio.to_thread(
                    index_run,
                    self._parts.store,
                    self._parts.folder(self._run_id),
                    self._parts.book.view(self._run_id),
                )
                return await self._fold_stored()
            except (StoreUnavailable, UnknownRun, OSError) as error:
                self._trouble(str(error))
            except DamagedDatabase as error:
                self._parts.book.on_damage(error)
            await asyncio.sleep(_TROUBLE_SECONDS)

    async def _fold_stored(self) -> None:
        while True:
            stored = await asyncio.to_thread(
                self._parts.store.events, self._run_id, self._record.folded, _EVENTS_AT_ONCE
            )
            if not stored:
                return
            events = [parse_event(json.dumps(entry.event)) for entry in stored]
            self._parts.book.note(fold(self._record, events))

    async def _look(self) -> Look:
        """One look, taken into the record and told to the clients."""
        while True:
            try:
                look = await asyncio.to_thread(self._watch.look)
            except DamagedDatabase as error:
                self._parts.book.on_damage(error)
                await asyncio.sleep(_TROUBLE_SECONDS)
            else:
                self._take(look)
                return look

    def _take(self, look: Look) -> None:
        if not self._known:
            return
        record = self._record
        if look.events:
            record = fold(record, look.events)
        record = record.with_attempt(self._number, log_bytes=look.log_bytes)
        self._parts.book.note(record)
        self._parts.note_link(self._run_id)
        if look.messages:
            self._parts.book.publish(*look.messages)
        if look.trouble:
            self._trouble(look.trouble)
        else:
            self._parts.problems.clear(self._subject)

    async def _note_running(self, look: Look) -> None:
        """An adopted attempt may be further than its record says."""
        now = self._record.state
        if look.stop_asked and now is not RunState.STOPPING:
            await self._parts.book.change(self._run_id, RunState.STOPPING)
        elif now is RunState.STARTING:
            await self._parts.book.change(self._run_id, RunState.RUNNING)

    async def _abandon(self) -> bool:
        """Queue a run again whose attempt never came to life; whether that was possible."""
        number = self._number
        async with self._parts.lock(self._run_id):
            try:
                # Should its supervisor come up after all, it finds the request and ends.
                await asyncio.to_thread(self._host.stop, self._attempt, True)
                await asyncio.to_thread(self._host.end_strays, self._run_id, number)
            except LuthierError as error:
                self._trouble(str(error))
                return False
            self._host.forget(self._attempt)
            attempts = [entry for entry in self._record.attempts if entry.number != number]
            await self._parts.book.change(
                self._run_id, RunState.LOST, RunState.QUEUED, attempts=attempts
            )
        self._on_free()
        return True

    async def _finish(self, look: Look) -> None:
        observation = look.observation
        if observation.state == "gone":
            await self._patiently(lambda: self._host.end_strays(self._run_id, self._number))
            look = await self._look()
        missing = await self._collect()
        self._host.forget(self._attempt)
        await self._end(observation, missing)
        while not look.drained and self._known:
            await self._pause(look)
            look = await self._look()
        await self._remember()

    async def _remember(self) -> None:
        """Keep what the run took of its device; what cannot be kept now is at the next start."""
        if not self._known:
            return
        view, folder = self._parts.book.view(self._run_id), self._parts.folder(self._run_id)
        try:
            await asyncio.to_thread(remember, self._parts.store, folder, view)
        except (StoreUnavailable, UnknownRun) as error:
            _log.warning("%s: %s", self._run_id, error)
        except DamagedDatabase as error:
            self._parts.book.on_damage(error)

    async def _collect(self) -> str:
        """Bring the results here; why that did not work, in a sentence."""
        folder, loop = self._parts.folder(self._run_id), asyncio.get_running_loop()

        def tell(doing: str) -> None:
            loop.call_soon_threadsafe(self._parts.note_phase, self._run_id, doing)

        phase = self._record.phase
        try:
            await self._patiently(lambda: self._host.collect(folder, tell))
        except LuthierError as error:
            _log.warning("%s: %s", self._run_id, error)
            return f"Its results are not all here: {error}"
        finally:
            self._parts.note_phase(self._run_id, phase)
        return ""

    async def _patiently(self, work: Callable[[], None]) -> None:
        """Do what needs the host, as soon as there is a way to it. Raises LuthierError."""
        while True:
            try:
                return await asyncio.to_thread(work)
            except HostUnreachableError:
                self._parts.note_link(self._run_id)
            await asyncio.sleep(_TROUBLE_SECONDS)

    async def _end(self, observation: Observation, missing: str) -> None:
        report = observation.exit
        async with self._parts.lock(self._run_id):
            ending = await asyncio.to_thread(diagnose, self._attempt, report)
            ended_at = report.ended_at if report else observation.heartbeat_at or time.time()
            record = self._record.with_attempt(
                self._number,
                ended_at=ended_at,
                exit_code=report.code if report else None,
                signal=report.signal if report else None,
                stopped_by=report.stopped_by if report else None,
            )
            states = [ending.state]
            changes: dict[str, Any] = {"ended_at": ended_at}
            if ending.state is RunState.LOST and await self._may_try_again():
                # Nobody who waits for the end must see one.
                states.append(RunState.QUEUED)
                changes = {"ended_at": None, "retries_used": record.retries_used + 1}
            await self._parts.book.change(
                self._run_id,
                *states,
                reason=ending.reason or missing,
                hint=ending.hint or (_FETCH_HINT if missing else ""),
                unreachable_since=None,
                attempts=record.attempts,
                progress=record.progress.model_copy(update={"seconds_left": None}),
                **changes,
            )
        self._on_free()

    async def _may_try_again(self) -> bool:
        """Whether the spec has retries left."""
        try:
            spec = await asyncio.to_thread(load_spec, self._parts.folder(self._run_id).spec)
        except LuthierError as error:
            _log.warning("%s: not tried again: %s", self._run_id, error)
            return False
        return self._record.retries_used < spec.launch.retries

    @property
    def _host(self) -> Host:
        return self._parts.host(self._run_id)

    @property
    def _known(self) -> bool:
        """Whether the run is still there; an ended one may be removed at any time."""
        return self._run_id in self._parts.book.records

    @property
    def _record(self) -> RunRecord:
        return self._parts.book.records[self._run_id]

    @property
    def _subject(self) -> str:
        return f"run {self._run_id}"

    def _trouble(self, sentence: str) -> None:
        self._parts.problems.set(self._subject, sentence)

    async def _pause(self, look: Look) -> None:
        await asyncio.sleep(_TROUBLE_SECONDS if look.trouble else _LOOK_SECONDS)
