"""Which device a worker that answers may have: plain functions without side effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .. import text
from ..api.errors import ApiError
from ..models import Device

CPU = ("cpu",)


class DeviceTakenError(ApiError):
    """No device has room for a worker."""

    def __init__(self, message: str) -> None:
        hint = "Wait until that has ended, or use the CPU: --cpu, in the API cpu: true."
        super().__init__(409, message, hint=hint)


@dataclass(frozen=True)
class Tenant:
    """A run on devices. ``settled``: it has begun to train, so it holds what memory it needs."""

    name: str
    devices: tuple[str, ...]
    settled: bool


@dataclass(frozen=True)
class Wish:
    """What a worker wants.

    Attributes:
        label: what people call the worker.
        host: where it runs.
        devices: those that it would like best, all of one kind; empty: a GPU where there is one.
        count: how many of them it spreads over.
        need: bytes that it takes on them altogether; None: nobody knows.
    """

    label: str
    host: str
    devices: tuple[str, ...] = ()
    count: int = 1
    need: int | None = None

    @property
    def kind(self) -> str:
        """The kind of device; empty for any."""
        return self.devices[0].partition(":")[0] if self.devices else ""


def choose(
    wish: Wish,
    devices: Sequence[Device],
    tenants: Sequence[Tenant] = (),
    guests: Mapping[str, Sequence[str]] | None = None,
    promised: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """The devices for a worker: free ones, or else such as have enough free memory.

    The CPU is there for everybody, and for whom the host has nothing of the wished kind.

    Args:
        wish: what it wants.
        devices: what the host has.
        tenants: the runs that hold devices.
        guests: the workers that answer on each device.
        promised: the runs that are about to get a device.

    Raises:
        DeviceTakenError: every device is held, and none has room beside who holds it.
    """
    kind = wish.kind or "cuda"
    usable = [device for device in devices if device.kind == kind and device.ready]
    if kind == "cpu" or not usable:
        return CPU
    held = {
        device.id: [tenant for tenant in tenants if device.id in tenant.devices]
        for device in usable
    }
    visited, waited = guests or {}, promised or {}

    def rank(device: Device) -> tuple[bool, bool, bool]:
        taken = bool(held[device.id] or device.others)
        return taken, bool(visited.get(device.id)), device.id not in wish.devices

    count = min(wish.count, len(usable))
    need = None if wish.need is None else -(-wish.need // count)
    obstacles = {
        device.id: _obstacle(
            device, need, held[device.id], visited.get(device.id, ()), waited.get(device.id)
        )
        for device in sorted(usable, key=rank)
    }
    free = [device for device, obstacle in obstacles.items() if not obstacle]
    if len(free) < count:
        first = next(obstacle for obstacle in obstacles.values() if obstacle)
        raise DeviceTakenError(f"There is no room for {wish.label}: {first}.")
    return tuple(sorted(free[:count], key=lambda device: int(device.partition(":")[2])))


def _obstacle(
    device: Device,
    need: int | None,
    tenants: Sequence[Tenant],
    guests: Sequence[str],
    promised: str | None,
) -> str:
    """Why a device is not for this worker, the rest of a sentence; empty when it is."""
    if promised is not None:
        return f"run {promised} is next on {device.id}"
    for tenant in tenants:
        if not tenant.settled:
            return f"run {tenant.name} holds {device.id} and has only begun"
    who = [f"run {tenant.name}" for tenant in tenants] or [*guests, *device.others]
    if not who:
        return ""
    holders = f"{' and '.join(who)} {'hold' if len(who) > 1 else 'holds'} {device.id}"
    total, used = device.memory_total, device.memory_used
    if need is None or total is None or used is None:
        beside = bool(tenants or device.others)
        return f"{holders}, and how much memory is needed beside is not known" if beside else ""
    if total - used >= need:
        return ""
    left, wanted = text.size(max(0, total - used)), text.size(need)
    return f"{holders}, which leaves {left} of its memory, and {wanted} are needed"
