"""Environment variables that the libraries read when they are imported. Torch-free."""

from __future__ import annotations

import os

from ..spec import TextSpec


def prepare_environment(spec: TextSpec) -> None:
    """Set what must be there before torch and the hub's client are loaded."""
    launch = spec.launch
    for name in ("HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
        os.environ[name] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # Arrow's other allocator takes a GiB at once, which a memory limit counts although it is idle.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    if launch.threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(launch.threads)
    share = max(1, len(os.sched_getaffinity(0)) // launch.processes)
    os.environ.setdefault("OMP_NUM_THREADS", str(share))
    if launch.offline:
        for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
            os.environ[name] = "1"
        if "wandb" in spec.training.report_to:
            os.environ["WANDB_MODE"] = "offline"
    if launch.devices == "cpu":
        os.environ.setdefault("LUTHIER_DEVICE", "cpu")
    if os.environ.get("LUTHIER_DEVICE") == "cpu":
        os.environ["ACCELERATE_USE_CPU"] = "true"
