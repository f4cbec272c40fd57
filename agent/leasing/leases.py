"""Leases: which worker that answers is on which device, and how they make room for runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from ..models import Device
from .room import CPU, Tenant, Wish, choose


class Guest(Protocol):
    """A worker that answers on a device."""

    async def leave(self) -> bool:
        """Give the device back, at the latest when the answer that is being given is complete.

        Returns whether it has.
        """


class Lease:
    """A worker's place. ``devices`` are such as ``("cpu",)`` or ``("cuda:0",)``."""

    def __init__(
        self, guest: Guest, wish: Wish, devices: tuple[str, ...], end: Callable[[Lease], None]
    ) -> None:
        self.guest = guest
        self.host = wish.host
        self.label = wish.label
        self.devices = devices
        self._end = end

    def give_back(self) -> None:
        """The worker's process is gone; doing it twice is fine."""
        self._end(self)


class Leases:
    """The places of all workers that answer. Use it on the event loop only.

    Runs come first. A guest takes a free device, or one whose free memory suffices beside who
    holds it. A run that gets a device sends the guests away who answer nobody, and waits for the
    one that is answering to complete that answer. On the CPU guests are in nobody's way.

    Args:
        devices: what a host has; may block.
        tenants: the runs that hold devices of a host.
    """

    def __init__(
        self,
        devices: Callable[[str], Sequence[Device]],
        tenants: Callable[[str], Sequence[Tenant]],
    ) -> None:
        self._devices = devices
        self._tenants = tenants
        self._leases: list[Lease] = []
        self._promised: dict[str, dict[str, str]] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self.on_free: Callable[[], None] = lambda: None

    async def take(self, guest: Guest, wish: Wish) -> Lease:
        """A place for a worker that is started next.

        Raises:
            DeviceTakenError: there is no room on any device.
            LuthierError: the host cannot be asked.
        """
        if wish.devices == CPU:
            return self._give(guest, wish, CPU)
        async with self._lock(wish.host):
            devices = await asyncio.to_thread(self._devices, wish.host)
            chosen = choose(
                wish,
                devices,
                self._tenants(wish.host),
                self.guests(wish.host),
                self._promised.get(wish.host),
            )
            return self._give(guest, wish, chosen)

    def guests(self, host: str) -> dict[str, list[str]]:
        """What the workers on each device of a host are called."""
        found: dict[str, list[str]] = {}
        for lease in self._leases:
            for device in lease.devices if lease.host == host else ():
                found.setdefault(device, []).append(lease.label)
        return found

    def promise(self, host: str, runs: Mapping[str, str]) -> None:
        """Say which run gets each device next, instead of what was said before."""
        self._promised[host] = {device: run for device, run in runs.items() if device != "cpu"}

    @asynccontextmanager
    async def cleared(self, host: str, devices: Sequence[str]) -> AsyncIterator[str]:
        """Send the guests on accelerators away; nobody takes one while the context lasts.

        Yields why a run has to wait for one of them, a sentence; empty when all have left.
        """
        async with self._lock(host):
            waits = ""
            for lease in list(self._leases):
                shared = [each for each in lease.devices if each in devices and each != "cpu"]
                if lease.host == host and shared and not await lease.guest.leave():
                    waits = f"Waits for {shared[0]}, where {lease.label} completes an answer."
            yield waits

    def _give(self, guest: Guest, wish: Wish, devices: tuple[str, ...]) -> Lease:
        lease = Lease(guest, wish, devices, self._end)
        self._leases.append(lease)
        return lease

    def _end(self, lease: Lease) -> None:
        if lease in self._leases:
            self._leases.remove(lease)
            self.on_free()

    def _lock(self, host: str) -> asyncio.Lock:
        return self._locks.setdefault(host, asyncio.Lock())
