"""How much memory this process takes on its device, and the most it took since some moment."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

# More than this beside torch's own memory belongs to other processes on the device; then the
# size of a CUDA context on today's cards is taken instead.
_MOST_CONTEXT = 2 << 30
_USUAL_CONTEXT = 500 << 20


@dataclass(frozen=True)
class Peak:
    """Bytes: all that the process took, and the part of it for tensors."""

    total: int
    allocated: int


class Meter(Protocol):
    """Watches one device."""

    @property
    def device(self) -> str:
        """Its id, such as cuda:0."""

    @property
    def name(self) -> str:
        """What its maker calls it."""

    def restart(self) -> None:
        """Forget the peak so far."""

    def peak(self) -> Peak:
        """The most since the last restart."""

    def finish(self) -> None:
        """Return once the device has done everything that it was told."""


class ProcessMeter:
    """Resident memory of this process, from /proc."""

    device = "cpu"

    def __init__(self) -> None:
        self.name = _processor()
        self._before = _resident()

    def restart(self) -> None:
        """Let the kernel forget the highest resident memory (proc(5), clear_refs)."""
        Path("/proc/self/clear_refs").write_text("5")

    def peak(self) -> Peak:
        """The highest resident memory, and what was added to it since the meter was made."""
        highest = _status("VmHWM")
        return Peak(highest, max(0, highest - self._before))

    def finish(self) -> None:
        """Nothing: the CPU works at once."""


class CudaMeter:
    """Memory of torch on the GPU that this process uses.

    Which one that is may be settled only after the meter was made.
    """

    @property
    def device(self) -> str:
        """The agent's id for it: only the devices of the run are visible here."""
        index = torch.cuda.current_device()
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
        number = visible[index] if index < len(visible) else ""
        return f"cuda:{number if number.isdigit() else index}"

    @property
    def name(self) -> str:
        """The card."""
        return torch.cuda.get_device_name()

    def restart(self) -> None:
        """Forget the peak of torch's allocator."""
        torch.cuda.reset_peak_memory_stats()

    def peak(self) -> Peak:
        """What torch's allocator had reserved with the driver's share, and what tensors took."""
        free, total = torch.cuda.mem_get_info()
        context = total - free - torch.cuda.memory_reserved()
        if not 0 < context < _MOST_CONTEXT:
            context = _USUAL_CONTEXT
        return Peak(torch.cuda.max_memory_reserved() + context, torch.cuda.max_memory_allocated())

    def finish(self) -> None:
        """Wait for the GPU's queue."""
        torch.cuda.synchronize()


def meter_for(device: str) -> Meter | None:
    """The meter of a kind of device; None where there is nothing to read."""
    if device == "cuda":
        return CudaMeter()
    if device == "cpu" and os.access("/proc/self/clear_refs", os.W_OK):
        return ProcessMeter()
    return None


def _status(key: str) -> int:
    found = re.search(rf"^{key}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    if found is None:
        raise OSError(f"/proc/self/status has no {key}")
    return int(found.group(1)) * 1024


def _resident() -> int:
    return _status("VmRSS")


def _processor() -> str:
    """The processor under the name that the agent's hardware report gives it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name" and value.strip():
            return value.strip()
    return os.uname().machine
