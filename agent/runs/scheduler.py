"""Gives devices to waiting runs, whenever something may have become free."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from luthier.trainers.errors import LuthierError
from luthier.trainers.spec import LaunchSection
from luthier.trainers.spec.file import load_spec

from ..hosts.errors import HostError
from ..states import RunState
from .parts import Parts
from .queue import Decision, Holder, Waiting, decide
from .record import RunRecord

# Devices may become ready, and disks get space, without anybody telling.
_LOOK_AGAIN_SECONDS = 2.0


class Scheduler:
    """One queue a host.

    Args:
        parts: what it works with.
        begin: starts a run on devices; raises OSError when that cannot be written down.
    """

    def __init__(
        self,
        parts: Parts,
        begin: Callable[[str, Sequence[str]], Awaitable[None]],
    ) -> None:
        self._parts = parts
        self._begin = begin
        self._news = asyncio.Event()
        self._launches: dict[str, LaunchSection] = {}
        self._serving: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._places: dict[str, dict[str, tuple[int, str]]] = {}

    def look_again(self) -> None:
        """Something may have become free, or the queue has changed."""
        self._news.set()

    async def work(self) -> None:
        """Serve the queues until cancelled."""
        try:
            await self._serve_all()
        finally:
            for task in self._serving.values():
                task.cancel()

    async def _serve_all(self) -> None:
        while True:
            waiting = bool(self._hosts())
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(
                    self._news.wait(), timeout=_LOOK_AGAIN_SECONDS if waiting else None
                )
            self._news.clear()
            for task in [task for task in self._serving.values() if task.done()]:
                # A mistake of ours must not be swallowed.
                task.result()
            # One host may take long to answer, which is no reason for others to wait.
            for host in self._hosts() | self._places.keys():
                if host in self._serving and not self._serving[host].done():
                    self._again.add(host)
                else:
                    self._serving[host] = asyncio.create_task(self._keep_serving(host))

    def _hosts(self) -> set[str]:
        """The hosts that runs wait for."""
        records = self._parts.book.records.values()
        return {record.host for record in records if record.state is RunState.QUEUED}

    async def _keep_serving(self, host: str) -> None:
        self._again.add(host)
        while host in self._again:
            self._again.discard(host)
            await self._serve(host)

    async def _serve(self, host: str) -> None:
        book = self._parts.book
        waiting = [entry for record in book.queue(host) if (entry := await self._waiting(record))]
        for entry in waiting:
            self._launches[entry.run_id] = entry.launch
        found = self._parts.hosts.get(host)
        try:
            devices = await asyncio.to_thread(found.devices) if waiting else []
        except HostError as error:
            await self._place(host, {record.id: str(error) for record in book.queue(host)})
            return
        holders = [
            Holder(record.name, tuple(record.devices), record.shares_device)
            for record in book.active()
            if record.host == host
        ]
        leases = self._parts.leases
        decisions = decide(waiting, holders, devices, leases.guests(host))
        names = {entry.run_id: entry.name or entry.run_id for entry in waiting}
        promised = {each: names[given.run_id] for given in decisions for each in given.devices}
        leases.promise(host, promised)
        reasons = {}
        for decision in decisions:
            reasons[decision.run_id] = waits = await self._carry_out(host, decision)
            if not waits:
                promised = {d: run for d, run in promised.items() if d not in decision.devices}
        leases.promise(host, promised)
        await self._place(host, reasons)

    async def _carry_out(self, host: str, decision: Decision) -> str:
        """Start the run if it may; returns why it waits."""
        if not decision.devices:
            return decision.waits
        async with self._parts.leases.cleared(host, decision.devices) as waits:
            if not waits:
                try:
                    await self._begin(decision.run_id, decision.devices)
                except OSError as error:
                    return f"Waits for the disk: {error.strerror or error}."
            return waits

    async def _place(self, host: str, reasons: Mapping[str, str]) -> None:
        """Tell each waiting run of a host its place, and why it waits."""
        queue = self._parts.book.queue(host)
        self._places.pop(host, None)
        if queue:
            self._places[host] = {
                record.id: (position, reasons.get(record.id, ""))
                for position, record in enumerate(queue)
            }
        places = {run_id: place for each in self._places.values() for run_id, place in each.items()}
        # A run that waits again later may have other wishes.
        for run_id in self._launches.keys() - places.keys():
            del self._launches[run_id]
        await self._parts.book.place(places)

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
