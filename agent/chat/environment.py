"""The environment of a chat worker: its device, and what it may do."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence


def worker_environment(
    devices: Sequence[str], *, offline: bool, base: Mapping[str, str] | None = None
) -> dict[str, str]:
    """An environment with what decides about the worker.

    Args:
        devices: such as ``cpu`` or ``cuda:0``; none lets the worker look for itself.
        offline: the worker opens no connection.
        base: what it has besides; silent: the agent's own environment, secrets included.
    """
    environment = {
        **(os.environ if base is None else base),
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        # Beside a training run, threads that spin while they wait would slow both.
        "OMP_WAIT_POLICY": "passive",
        # Numbers mean the same as in the hardware report.
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    }
    if offline:
        environment |= {"HF_HUB_OFFLINE": "1"}
    kinds = {device.partition(":")[0] for device in devices}
    numbers = ",".join(device.partition(":")[2] for device in devices if ":" in device)
    if kinds == {"cpu"}:
        environment |= {"LUTHIER_DEVICE": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    elif kinds == {"cuda"}:
        environment |= {"LUTHIER_DEVICE": "cuda", "CUDA_VISIBLE_DEVICES": numbers}
    elif kinds == {"qaic"}:
        environment |= {"LUTHIER_DEVICE": "qaic", "QAIC_VISIBLE_DEVICES": numbers}
    return environment
