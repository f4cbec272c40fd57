"""The host itself: processor, memory, disk, system."""

from __future__ import annotations

import os
import platform
import threading
import time
from functools import cache
from pathlib import Path

import psutil

from ..models import Device

# A shorter time has too few clock ticks (10 ms each) to tell anything.
_SHORTEST_SECONDS = 0.25
_PROCESSOR_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal")


class CpuMeter:
    """How busy the processors are, over the time since it was asked before.

    psutil's own cpu_percent does so for each thread apart, which makes no sense in a thread pool.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_at = time.monotonic()
        self._busy, self._total = _processor_seconds()
        self._percent = 0.0

    def percent(self) -> float:
        """Percent of all processors together; the value before when asked again at once."""
        with self._lock:
            now = time.monotonic()
            if now - self._read_at < _SHORTEST_SECONDS:
                return self._percent
            busy, total = _processor_seconds()
            if total > self._total:
                share = (busy - self._busy) / (total - self._total)
                self._percent = min(100.0, max(0.0, 100.0 * share))
            self._read_at, self._busy, self._total = now, busy, total
            return self._percent


def cpu_device(percent: float, slots: int) -> Device:
    """The processors and their memory, as a device that ``slots`` runs may hold."""
    memory = psutil.virtual_memory()
    device = cpu_device_of(
        name=cpu_name(),
        total=memory.total,
        available=memory.available,
        percent=percent,
        slots=slots,
    )
    return device.model_copy(update={"temperature": _temperature()})


def cpu_device_of(*, name: str, total: int, available: int, percent: float, slots: int) -> Device:
    """The processors of any host as a device; memory in bytes."""
    return Device(
        id="cpu",
        kind="cpu",
        name=name,
        memory_total=total,
        memory_used=total - available,
        utilisation=percent,
        slots=slots,
    )


def cpu_cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))


@cache
def cpu_name() -> str:
    """What the maker calls the processor; its architecture where the kernel does not say."""
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name" and value.strip():
                return value.strip()
    except OSError:
        return platform.machine()
    return platform.machine()


@cache
def system_name() -> str:
    """Distribution and kernel."""
    kernel = f"{platform.system()} {platform.release()}"
    try:
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']} ({kernel})"
    except (OSError, KeyError):
        return kernel


def _processor_seconds() -> tuple[float, float]:
    """Seconds spent busy and altogether, summed over the processors, since the boot."""
    times = psutil.cpu_times()
    # The kernel counts guests as user time too.
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return total - times.idle - getattr(times, "iowait", 0.0), total


def _temperature() -> float | None:
    sensors = psutil.sensors_temperatures()
    found = next((sensors[name] for name in _PROCESSOR_SENSORS if sensors.get(name)), [])
    return max((entry.current for entry in found), default=None)
