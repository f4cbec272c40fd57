"""What a worker is started with."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from luthier.trainers.run_folder import RunFolder
from luthier.trainers.spec import LaunchSection

from ..launching import LaunchPlan
from ..settings import Settings

_GIB = 1 << 30


def worker_argv(settings: Settings, folder: RunFolder, attempt: int) -> list[str]:
    """The command that runs one attempt."""
    command = settings.worker_command or [sys.executable, "-m", "luthier.trainers.launch"]
    return [*command, str(folder.path), str(attempt)]


def launch_plan(
    settings: Settings,
    folder: RunFolder,
    attempt: int,
    launch: LaunchSection,
    devices: Sequence[str],
    *,
    cores: int | None = None,
    command: Sequence[str] = (),
    offline: bool = False,
) -> LaunchPlan:
    """What the supervisor of an attempt is told.

    Args:
        settings: the agent's.
        folder: the run's folder.
        attempt: number of the attempt.
        launch: the spec's launch section.
        devices: ids of the devices that the attempt has, such as cuda:0.
        cores: processors of the run's host; silent: of this one.
        command: runs a worker there; silent: as the settings say.
        offline: the run's host has no way to the hub.
    """
    limit = launch.memory_limit
    return LaunchPlan(
        run_id=folder.run_id,
        attempt=attempt,
        argv=[*command, str(folder.path), str(attempt)]
        if command
        else worker_argv(settings, folder, attempt),
        cwd=str(folder.path),
        environment=worker_environment(settings, launch, devices, cores=cores, offline=offline),
        ask_seconds=launch.stop_deadline,
        memory_limit_bytes=int(limit * _GIB) if limit else None,
    )


def worker_environment(
    settings: Settings,
    launch: LaunchSection,
    devices: Sequence[str],
    *,
    cores: int | None = None,
    offline: bool = False,
) -> dict[str, str]:
    """The environment variables that decide where a worker computes."""
    kind = devices[0].partition(":")[0]
    numbers = ",".join(device.partition(":")[2] for device in devices)
    cores = cores or len(os.sched_getaffinity(0))
    threads = launch.threads or max(1, cores // launch.processes)
    environment = {
        "LUTHIER_DEVICE": kind,
        "CUDA_VISIBLE_DEVICES": numbers if kind == "cuda" else "",
        # The numbers of our hardware report; CUDA's own order puts the fastest card first.
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "OMP_NUM_THREADS": str(threads),
        # Threads that wait sleep: where others use the cores too, spinning doubles a step's time.
        "OMP_WAIT_POLICY": "passive",
    }
    if kind == "qaic":
        environment["QAIC_VISIBLE_DEVICES"] = numbers
    if launch.offline or settings.offline or offline:
        environment["HF_HUB_OFFLINE"] = "1"
    return environment
