"""Which devices a spec would get, as the estimate wants to know them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import cache
from pathlib import Path

from luthier.presets.memory import GIB, DeviceFacts
from luthier.trainers.errors import LuthierError
from luthier.trainers.spec import LaunchSection

from ..models import Device, DeviceWish, EstimateDevice, HostReport

_FIRST_WITH_BF16 = 8
_CPU_WITH_BF16 = ("avx512_bf16", "amx_bf16")


def device_facts(report: HostReport, launch: LaunchSection, wish: DeviceWish) -> DeviceFacts:
    """The devices that a run with this launch section would have.

    The one with the least free memory stands for all; the count is how many like it may be used.

    Args:
        report: of the host.
        wish: what to assume instead of what is there.

    Raises:
        LuthierError: the host has no such devices.
    """
    found = _assumed(wish) or _present(report, launch)
    if launch.memory_limit is not None and found.kind == "cpu":
        limit = int(launch.memory_limit * GIB)
        return replace(found, free=min(limit, found.free or limit))
    return found


def told(facts: DeviceFacts, report: HostReport) -> EstimateDevice:
    """The same for the API."""
    return EstimateDevice(
        host=report.host,
        kind=facts.kind,
        name=facts.name,
        total=facts.total,
        free=facts.free or facts.total,
        count=facts.count,
    )


def _assumed(wish: DeviceWish) -> DeviceFacts | None:
    if wish.memory is None:
        return None
    size = int(wish.memory * GIB)
    kind = wish.kind or "cuda"
    return DeviceFacts(
        kind,
        wish.name or f"a device with {wish.memory:g} GiB",
        total=size,
        free=size,
        count=wish.count or 1,
        bf16=kind != "qaic",
    )


def _present(report: HostReport, launch: LaunchSection) -> DeviceFacts:
    accelerators = [device for device in report.devices if device.kind != "cpu"]
    if launch.devices == "cpu" or (launch.devices == "auto" and not accelerators):
        return _cpu(report)
    if isinstance(launch.devices, list):
        ids = {str(number) for number in launch.devices}
        chosen = [device for device in accelerators if device.id.partition(":")[2] in ids]
        if not chosen:
            numbers = ", ".join(sorted(ids))
            raise LuthierError(
                f"The host {report.host} has no device {numbers}.",
                hint="See them with: luthier hardware",
            )
        return _alike(chosen)
    ready = [device for device in accelerators if device.ready] or accelerators
    # A run waits for a device that another one holds, so what is free then counts.
    return _alike([device for device in ready if not device.runs] or ready)


def _alike(devices: list[Device]) -> DeviceFacts:
    """The largest group of like devices."""
    groups: dict[tuple[str, int], list[Device]] = defaultdict(list)
    for device in devices:
        groups[device.name, device.memory_total or 0].append(device)
    best = max(groups.values(), key=lambda group: sum(_free(device) for device in group))
    first = best[0]
    return DeviceFacts(
        first.kind,
        first.name,
        total=first.memory_total or 0,
        free=min(_free(device) for device in best),
        count=len(best),
        bf16=_has_bf16(first),
    )


def _free(device: Device) -> int:
    total = device.memory_total or 0
    # What the runs on it hold will be given back before the next one starts.
    return total if device.runs else total - (device.memory_used or 0)


def _has_bf16(device: Device) -> bool:
    capability = str(device.detail.get("compute_capability") or "")
    major = capability.partition(".")[0]
    return device.kind == "cuda" and (not major.isdigit() or int(major) >= _FIRST_WITH_BF16)


def _cpu(report: HostReport) -> DeviceFacts:
    return DeviceFacts(
        "cpu",
        report.cpu_name,
        total=report.memory_total,
        free=report.memory_available,
        bf16=_cpu_has_bf16(),
        cores=report.cpu_cores,
    )


@cache
def _cpu_has_bf16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return False
    return any(flag in flags for flag in _CPU_WITH_BF16)
