"""Which waiting run may start on which devices: plain functions without side effects.

First come, first served for each device: a run that has to wait keeps every device that it could
use from the runs behind it, and nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from luthier.trainers.errors import LuthierError
from luthier.trainers.spec import LaunchSection

from ..models import Device


@dataclass(frozen=True)
class Holder:
    """A run that holds devices."""

    name: str
    devices: tuple[str, ...]
    shares: bool


@dataclass(frozen=True)
class Waiting:
    """A run that wants devices."""

    run_id: str
    name: str
    launch: LaunchSection


@dataclass(frozen=True)
class Decision:
    """What becomes of a waiting run now: the devices it gets, or why it waits."""

    run_id: str
    devices: tuple[str, ...] = ()
    waits: str = ""


@dataclass
class _Load:
    """Who is on a device."""

    exclusive: list[str] = field(default_factory=list)
    sharing: list[str] = field(default_factory=list)

    def takes(self, shares: bool, slots: int) -> bool:
        """Whether one more run fits; all sharing runs together take one slot."""
        if shares and self.sharing:
            return True
        return len(self.exclusive) + bool(self.sharing) < slots

    def add(self, name: str, shares: bool) -> None:
        (self.sharing if shares else self.exclusive).append(name)


def candidates(launch: LaunchSection, devices: Sequence[Device]) -> tuple[list[str], int]:
    """The devices that a run could use, and how many of them it takes.

    Raises:
        LuthierError: this host can never run it.
    """
    accelerators = [device for device in devices if device.kind != "cpu"]
    if launch.devices == "cpu" or (launch.devices == "auto" and not accelerators):
        return ["cpu"], 1
    if launch.devices == "auto":
        names = [device.id for device in accelerators if device.kind == accelerators[0].kind]
        if launch.processes > len(names):
            raise LuthierError(
                f"launch.processes is {launch.processes}, but this host has {_count(names)}.",
                hint="Lower launch.processes, or set launch.devices to cpu.",
            )
        return names, launch.processes
    by_number = {int(device.id.split(":")[1]): device.id for device in reversed(accelerators)}
    unknown = [number for number in launch.devices if number not in by_number]
    if unknown:
        has = ", ".join(by_number[number] for number in sorted(by_number)) or "no accelerator"
        raise LuthierError(
            f"launch.devices: there is no device {unknown[0]} on this host, which has {has}.",
            hint="Set launch.devices to auto, cpu, or numbers from that list."
            if by_number
            else "Set launch.devices to auto or cpu.",
        )
    return [by_number[number] for number in launch.devices], len(launch.devices)


def decide(
    queue: Sequence[Waiting],
    holders: Sequence[Holder],
    devices: Sequence[Device],
    guests: Collection[str] = (),
) -> list[Decision]:
    """One decision for each waiting run of a host, in the order of the queue.

    Args:
        queue: the waiting runs.
        holders: the runs that hold devices.
        devices: what the host has.
        guests: devices with workers that answer; taken after the others.
    """
    known = {device.id: device for device in devices}
    loads = {device.id: _Load() for device in devices}
    for holder in holders:
        for device_id in holder.devices:
            loads.setdefault(device_id, _Load()).add(holder.name, holder.shares)
    claimed: dict[str, str] = {}
    decisions = []
    for waiting in queue:
        decision = _decide_one(waiting, known, loads, claimed, guests)
        for device_id in decision.devices:
            loads[device_id].add(waiting.name, waiting.launch.share_device)
        decisions.append(decision)
    return decisions


def _decide_one(
    waiting: Waiting,
    known: Mapping[str, Device],
    loads: Mapping[str, _Load],
    claimed: dict[str, str],
    guests: Collection[str],
) -> Decision:
    try:
        usable, wanted = candidates(waiting.launch, list(known.values()))
    except LuthierError as error:
        return Decision(waiting.run_id, waits=str(error))
    free = [
        device_id
        for device_id in usable
        if known[device_id].ready
        and (not known[device_id].others or isinstance(waiting.launch.devices, list))
        and device_id not in claimed
        and loads[device_id].takes(waiting.launch.share_device, known[device_id].slots)
    ]
    if waiting.launch.devices == "auto":
        free.sort(key=lambda device_id: device_id in guests)
    if len(free) >= wanted:
        return Decision(waiting.run_id, devices=tuple(free[:wanted]))
    taken = [device_id for device_id in usable if device_id not in free]
    reason = _reason(taken, known, loads, claimed)
    for device_id in usable:
        claimed.setdefault(device_id, waiting.name)
    return Decision(waiting.run_id, waits=reason)


def _reason(
    taken: Sequence[str],
    known: Mapping[str, Device],
    loads: Mapping[str, _Load],
    claimed: Mapping[str, str],
) -> str:
    first = taken[0]
    shown = "the CPU" if first == "cpu" else first
    if not known[first].ready:
        return f"Waits for {shown}, which is not ready."
    if first in claimed:
        return f"Waits for {shown}, behind {claimed[first]} in the queue."
    names = [*loads[first].exclusive, *loads[first].sharing]
    if not names:
        who = ", ".join(known[first].others)
        return f"Waits for {shown}, which is used by {who}; name it in launch.devices to share it."
    return (
        f"Waits for {shown}, which {' and '.join(names)} {'holds' if len(names) == 1 else 'hold'}."
    )


def _count(names: Sequence[str]) -> str:
    return f"{len(names)} accelerator{'' if len(names) == 1 else 's'} ({', '.join(names)})"
