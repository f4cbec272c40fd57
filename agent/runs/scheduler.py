"""Gives devices to waiting runs, whenever something may have become free."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence

from luthier.trainers.errors import LuthierError
from luthier.trainers.spec import LaunchSection
from luthier.trainers.spec.file import load_spec

from ..models import Device
from ..states import RunState
from .parts import Parts
from .queue import Holder, Waiting, decide
from .record import RunRecord
from .submission import HOSTS

# Devices may become ready, and disks get space, without anybody telling.
_LOOK_AGAIN_SECONDS = 2.0


class Scheduler:
    """One queue a host.

    Args:
        parts: what it works with.
        devices: tells the devices of this host; blocking.
        begin: starts a run on devices; raises OSError when that cannot be written down.
    """

    def __init__(
        self,
        parts: Parts,
        devices: Callable[[], Sequence[Device]],
        begin: Callable[[str, Sequence[str]], Awaitable[None]],
    ) -> None:
        self._parts = parts
        self._devices = devices
        self._begin = begin
        self._news = asyncio.Event()
        self._launches: dict[str, LaunchSection] = {}

    def look_again(self) -> None:
        """Something may have become free, or the queue has changed."""
        self._news.set()

    async def work(self) -> None:
        """Serve the queues until cancelled."""
        while True:
            waiting = any(self._parts.book.queue(host) for host in HOSTS)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(
                    self._news.wait(), timeout=_LOOK_AGAIN_SECONDS if waiting else None
                )
            self._news.clear()
            for host in HOSTS:
                await self._serve(host)

    async def _serve(self, host: str) -> None:
        book = self._parts.book
        waiting = [entry for record in book.queue(host) if (entry := await self._waiting(record))]
        self._launches = {entry.run_id: entry.launch for entry in waiting}
        devices = await asyncio.to_thread(self._devices) if waiting else []
        holders = [
            Holder(record.name, tuple(record.devices), record.shares_device)
            for record in book.active()
            if record.host == host
        ]
        reasons: dict[str, str] = {}
        for decision in decide(waiting, holders, devices):
            reasons[decision.run_id] = decision.waits
            if decision.devices:
                try:
                    await self._begin(decision.run_id, decision.devices)
                except OSError as error:
                    reasons[decision.run_id] = f"Waits for the disk: {error.strerror or error}."
        await book.place(
            {
                record.id: (position, reasons.get(record.id, ""))
                for position, record in enumerate(book.queue(host))
            }
        )

    async def _waiting(self, record: RunRecord) -> Waiting | None:
        """The run's wishes; a run whose spec cannot be read fails."""
        launch = self._launches.get(record.id)
        if launch is None:
            try:
                spec = await asyncio.to_thread(load_spec, self._parts.folder(record.id).spec)
            except LuthierError as error:
                await self._refuse(record.id, str(error))
                return None
            launch = spec.launch
        return Waiting(record.id, record.name, launch)

    async def _refuse(self, run_id: str, reason: str) -> None:
        async with self._parts.lock(run_id):
            if self._parts.book.records[run_id].state is RunState.QUEUED:
                await self._parts.book.change(
                    run_id, RunState.FAILED, reason=reason, ended_at=time.time()
                )
