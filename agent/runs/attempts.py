"""The living attempts of the agent, one task each."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from luthier.trainers.errors import LuthierError
from luthier.trainers.run_folder import RunFolder

from ..hosts.errors import HostUnreachableError
from ..hosts.local import LOCAL
from ..hosts.mirror import has_place
from ..models import Attempt
from ..states import RunState
from .diagnosis import CHECK_INSTALLATION
from .following import Follower
from .parts import Parts
from .record import RunRecord

_log = logging.getLogger(__name__)
_AGAIN_SECONDS = 0.5


class _StoppedFirstError(LuthierError):
    """Somebody does not want the attempt any more, and nothing of it has begun."""


class Attempts:
    """Starts, adopts and stops attempts. Use it on the event loop only.

    Args:
        parts: what it works with.
        on_free: called whenever devices may have become free.
    """

    def __init__(self, parts: Parts, on_free: Callable[[], None]) -> None:
        self._parts = parts
        self._on_free = on_free
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, run_id: str, devices: Sequence[str]) -> None:
        """Give devices to a waiting run and start its next attempt in the background.

        Raises:
            OSError: that cannot be written down, so nothing was started.
        """
        book = self._parts.book
        async with self._parts.lock(run_id):
            record = book.records.get(run_id)
            if record is None or record.state is not RunState.QUEUED:
                return
            folder = self._parts.folder(run_id)
            number = await asyncio.to_thread(_next_number, folder, record)
            now = time.time()
            attempt = Attempt(number=number, started_at=now, devices=list(devices))
            await book.change_surely(
                run_id,
                RunState.STARTING,
                attempts=[*record.attempts, attempt],
                started_at=record.started_at or now,
                phase="starting",
                reason="",
                hint="",
            )
        self._spawn(run_id, self._launch(run_id, number, devices))

    def adopt(self, run_id: str) -> None:
        """Follow the latest attempt of a run that an earlier agent started."""
        self._spawn(run_id, Follower(self._parts, run_id, self._on_free).follow())

    async def stop(self, run_id: str, now: bool) -> None:
        """Ask the living attempt to end. The caller holds the run's lock.

        Raises:
            LuthierError: the request cannot be written.
        """
        record = self._parts.book.records[run_id]
        attempt = self._parts.folder(run_id).attempt(record.attempts[-1].number)
        await asyncio.to_thread(self._parts.host(run_id).stop, attempt, now)
        await self._parts.book.change(run_id, RunState.STOPPING)

    async def close(self) -> None:
        """Stop following; the attempts live on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _launch(self, run_id: str, number: int, devices: Sequence[str]) -> None:
        book = self._parts.book
        # Another host may take long to be reached, and a stop must not wait for that.
        quick = book.records[run_id].host == LOCAL
        async with self._parts.lock(run_id) if quick else contextlib.nullcontext():
            try:
                await self._start_patiently(run_id, number, devices)
            except LuthierError as error:
                await self._not_started(run_id, number, error)
                return
            # Somebody may have asked for a stop meanwhile.
            if book.records[run_id].state is RunState.STARTING:
                await book.change(run_id, RunState.RUNNING)
        await Follower(self._parts, run_id, self._on_free).follow()

    async def _not_started(self, run_id: str, number: int, error: LuthierError) -> None:
        now = time.time()
        record = self._parts.book.records[run_id].with_attempt(number, ended_at=now)
        stopping = record.state is RunState.STOPPING
        await self._parts.book.change(
            run_id,
            RunState.STOPPED if stopping else RunState.FAILED,
            reason=error.message,
            hint=error.hint or CHECK_INSTALLATION,
            ended_at=now,
            attempts=record.attempts,
        )
        self._on_free()

    async def _start_patiently(self, run_id: str, number: int, devices: Sequence[str]) -> None:
        """Start an attempt as soon as there is a way to its host. Raises LuthierError."""
        folder, loop = self._parts.folder(run_id), asyncio.get_running_loop()
        attempt = folder.attempt(number)

        def tell(doing: str) -> None:
            if attempt.stop_request.exists() and not has_place(attempt):
                raise _StoppedFirstError("Stopped before it was started.")
            loop.call_soon_threadsafe(self._parts.note_phase, run_id, doing)

        while True:
            host = self._parts.host(run_id)
            try:
                await asyncio.to_thread(host.start, folder, number, devices, tell)
                self._parts.note_link(run_id)
                return
            except HostUnreachableError:
                self._parts.note_link(run_id)
                tell("waiting for the host")
            await asyncio.sleep(_AGAIN_SECONDS)

    def _spawn(self, run_id: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=run_id)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            run_id = task.get_name()
            _log.error("%s: its watch ended", run_id, exc_info=error)
            self._parts.problems.set(
                run_id,
                f"Run {run_id} is not watched any more because of a mistake in the agent "
                f"({type(error).__name__}: {error}). Restart the agent to go on.",
            )


def _next_number(folder: RunFolder, record: RunRecord) -> int:
    told = [attempt.number for attempt in record.attempts]
    return max([*told, *(attempt.number for attempt in folder.attempts())], default=0) + 1
