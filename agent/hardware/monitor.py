"""The hardware of this host: reports, samples, devices."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from ..models import Device, HardwareSample, HostReport
from .host import CpuMeter, cpu_cores, cpu_device, cpu_name, system_name
from .nvidia import NvidiaDevices
from .qaic import QaicDevices

# Clients that look at the same time share one look at the accelerators.
_FRESH_SECONDS = 0.5


class HardwareMonitor:
    """Looks at the hardware when asked. Every method may block for a moment; call it in a thread.

    Args:
        disk: a folder on the disk that reports tell of.
        cpu_slots: how many runs may hold the CPU at the same time.
        host: the name that reports give this host.
    """

    def __init__(
        self,
        disk: Path = Path("/"),
        cpu_slots: int = 1,
        *,
        host: str = "local",
        nvidia: NvidiaDevices | None = None,
        qaic: QaicDevices | None = None,
    ) -> None:
        self._disk = disk
        self._cpu_slots = cpu_slots
        self._host = host
        self._nvidia = nvidia or NvidiaDevices()
        self._qaic = qaic or QaicDevices()
        self._cpu = CpuMeter()
        self._lock = threading.Lock()
        self._looked_at = float("-inf")
        self._accelerators: list[Device] = []
        self._problems: list[str] = []

    def report(
        self, leases: Mapping[str, Sequence[str]] | None = None, cpu_slots: int | None = None
    ) -> HostReport:
        """Everything about the host now.

        Args:
            leases: the runs that hold each device, by device id.
            cpu_slots: how many runs may hold the CPU, when that is not what it was at first.
        """
        percent = self._cpu.percent()
        memory = psutil.virtual_memory()
        disk = psutil.disk_usage(str(self._disk))
        held = leases or {}
        slots = self._cpu_slots if cpu_slots is None else cpu_slots
        found, problems = self._look()
        return HostReport(
            host=self._host,
            t=time.time(),
            system=system_name(),
            python=platform.python_version(),
            cpu_name=cpu_name(),
            cpu_cores=cpu_cores(),
            cpu_percent=percent,
            load=os.getloadavg()[0],
            memory_total=memory.total,
            memory_available=memory.available,
            disk_total=disk.total,
            disk_free=disk.free,
            devices=[
                device.model_copy(update={"runs": list(held.get(device.id, ()))})
                for device in (cpu_device(percent, slots), *found)
            ],
            problems=problems,
        )

    def sample(self) -> HardwareSample:
        """What the charts of a run need."""
        devices = self.devices()
        memory = psutil.virtual_memory()
        return HardwareSample(
            t=time.time(),
            cpu_percent=self._cpu.percent(),
            memory_used=memory.total - memory.available,
            devices=devices,
        )

    def devices(self) -> list[Device]:
        """The CPU and the accelerators; who holds them is not filled in."""
        found, _ = self._look()
        return [cpu_device(self._cpu.percent(), self._cpu_slots), *found]

    def _look(self) -> tuple[list[Device], list[str]]:
        with self._lock:
            if time.monotonic() - self._looked_at >= _FRESH_SECONDS:
                gpus, gpu_problems = self._nvidia.devices()
                cards, card_problems = self._qaic.devices()
                self._accelerators = [*gpus, *cards]
                self._problems = [*gpu_problems, *card_problems]
                self._looked_at = time.monotonic()
            return list(self._accelerators), list(self._problems)
