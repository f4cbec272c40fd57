"""NVIDIA GPUs, as their driver's management library (NVML) tells of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..hosts.far.machine import process_user
from ..models import Device
from .pci import PCI_FOLDER, pci_cards

_VENDOR = 0x10DE


class NvidiaDevices:
    """Asks NVML. The library is initialised once, by the first call that finds it.

    Args:
        library: what to use as ``pynvml``.
        pci_folder: where the kernel lists PCI cards.
    """

    def __init__(self, library: Any = None, pci_folder: Path = PCI_FOLDER) -> None:
        self._library = library
        self._pci_folder = pci_folder
        self._started = False

    def devices(self) -> tuple[list[Device], list[str]]:
        """The GPUs in the order of their PCI addresses, and what is wrong with them."""
        if self._library is None:
            import pynvml

            self._library = pynvml
        try:
            if not self._started:
                self._library.nvmlInit()
                self._started = True
            count = self._library.nvmlDeviceGetCount()
            driver = self._ask(self._library.nvmlSystemGetDriverVersion)
        except self._library.NVMLError as error:
            self._started = False
            return [], self._explain(error)
        devices = [self._device(index, driver) for index in range(count)]
        problems = [
            f"{device.id} does not answer; `nvidia-smi` or a restart of the machine may help."
            for device in devices
            if not device.ready
        ]
        return devices, problems

    def _explain(self, error: Exception) -> list[str]:
        """No driver is no problem where there is no card for it."""
        library = self._library
        absent = library.NVMLError_LibraryNotFound, library.NVMLError_DriverNotLoaded
        if not isinstance(error, absent):
            return [f"The NVIDIA driver is broken: {error}. A restart of the machine may help."]
        cards = pci_cards(self._pci_folder)
        if not any(card.vendor == _VENDOR and card.displays for card in cards):
            return []
        return [f"There is an NVIDIA GPU, but its driver is missing: {error}. Install the driver."]

    def _device(self, index: int, driver: str | None) -> Device:
        library, ask = self._library, self._ask
        try:
            handle = library.nvmlDeviceGetHandleByIndex(index)
        except library.NVMLError as error:
            detail: dict[str, Any] = {"error": str(error)}
            return Device(
                id=f"cuda:{index}", kind="cuda", name="NVIDIA GPU", ready=False, detail=detail
            )
        memory = ask(library.nvmlDeviceGetMemoryInfo, handle)
        usage = ask(library.nvmlDeviceGetUtilizationRates, handle)
        capability = ask(library.nvmlDeviceGetCudaComputeCapability, handle)
        return Device(
            id=f"cuda:{index}",
            kind="cuda",
            name=ask(library.nvmlDeviceGetName, handle) or "NVIDIA GPU",
            memory_total=memory.total if memory else None,
            memory_used=memory.used if memory else None,
            utilisation=float(usage.gpu) if usage else None,
            temperature=_number(
                ask(library.nvmlDeviceGetTemperature, handle, library.NVML_TEMPERATURE_GPU)
            ),
            power=_watts(ask(library.nvmlDeviceGetPowerUsage, handle)),
            power_limit=_watts(ask(library.nvmlDeviceGetEnforcedPowerLimit, handle)),
            detail={
                "driver": driver,
                "uuid": ask(library.nvmlDeviceGetUUID, handle),
                "compute_capability": ".".join(map(str, capability)) if capability else None,
            },
            others=self._others(handle),
        )

    def _others(self, handle: Any) -> list[str]:
        """Who else computes on a GPU, such as ``anna (pid 12, 3000 MiB)``."""
        found = []
        for process in self._ask(self._library.nvmlDeviceGetComputeRunningProcesses, handle) or ():
            user = process_user(process.pid)
            if user is not None and not user[1]:
                # Its memory is silent where several containers share the GPU.
                memory = f", {process.usedGpuMemory >> 20} MiB" if process.usedGpuMemory else ""
                found.append(f"{user[0]} (pid {process.pid}{memory})")
        return found

    def _ask(self, question: Callable[..., Any], *arguments: Any) -> Any:
        """The answer, or None where this GPU or driver has none."""
        try:
            return question(*arguments)
        except self._library.NVMLError:
            return None


def _number(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _watts(milliwatts: int | None) -> float | None:
    return None if milliwatts is None else milliwatts / 1000
