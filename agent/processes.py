"""Which process is which. A pid alone names nobody: pids are used again and machines restart."""

from __future__ import annotations

import os
from dataclasses import dataclass

from .supervisor import attempt_processes, boot_id, read_process

__all__ = [
    "ProcessIdentity",
    "boot_id",
    "identity",
    "is_alive",
    "marked_processes",
    "start_time",
]


@dataclass(frozen=True)
class ProcessIdentity:
    """One process for ever. ``start_time`` is in clock ticks since the boot."""

    pid: int
    start_time: int
    boot_id: str

    def is_alive(self) -> bool:
        """Whether this very process lives."""
        return is_alive(self.pid, self.start_time, self.boot_id)


def start_time(pid: int) -> int | None:
    """When the living process began, in clock ticks since the boot; None when there is none."""
    process = read_process(pid)
    return process.start_time if process else None


def identity(pid: int) -> ProcessIdentity | None:
    """What names the living process that has this pid now; a zombie lives no more."""
    began = start_time(pid)
    return None if began is None else ProcessIdentity(pid, began, boot_id())


def is_alive(pid: int, start_time: int, boot: str, *, current_boot: str | None = None) -> bool:
    """Whether the process of that pid, start time and boot lives; a zombie does not.

    ``current_boot`` is the boot to compare with, this machine's present one when None.
    """
    if boot != (boot_id() if current_boot is None else current_boot):
        return False
    process = read_process(pid)
    return process is not None and process.start_time == start_time


def marked_processes(marker: str) -> list[ProcessIdentity]:
    """This user's living processes that were started with ``LUTHIER_ATTEMPT=marker`` in their
    environment, and all that descend from those; never the calling process."""
    boot = boot_id()
    return [
        ProcessIdentity(process.pid, process.start_time, boot)
        for process in attempt_processes(marker)
        if process.pid != os.getpid() and _is_ours(process.pid)
    ]


def _is_ours(pid: int) -> bool:
    try:
        return os.stat(f"/proc/{pid}").st_uid == os.getuid()
    except OSError:
        return False
