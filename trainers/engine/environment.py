"""Environment variables that the libraries read when they are imported. Torch-free."""

from __future__ import annotations

import gc
import logging
import os

from ..run_folder import RunFolder
from ..spec import GradientSpec, RunSpec


def prepare_environment(spec: RunSpec, run: RunFolder) -> None:
    """Set what must be there before torch and the hub's client are loaded."""
    launch, environment = spec.launch, os.environ
    for name in ("HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
        environment[name] = "1"
    environment.setdefault("TOKENIZERS_PARALLELISM", "false")
    # Arrow's other allocator takes a GiB at once, which a memory limit counts although it is idle.
    environment.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    if launch.offline:
        for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
            environment[name] = "1"
    if isinstance(spec, GradientSpec) and spec.training.disable_tqdm:
        environment["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    # It says at every start that a package is missing which nobody needs.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    _set_device(spec)
    if isinstance(spec, GradientSpec):
        _set_trackers(spec, run)


def defer_collection() -> None:
    """Put garbage collection off while modules load: it finds nothing and costs over a second."""
    gc.disable()


def resume_collection() -> None:
    """Collect again, but never look at what was loaded until now."""
    if not gc.isenabled():
        gc.enable()
        gc.freeze()


def _set_device(spec: RunSpec) -> None:
    launch, environment = spec.launch, os.environ
    if launch.threads is not None:
        environment["OMP_NUM_THREADS"] = str(launch.threads)
    share = max(1, len(os.sched_getaffinity(0)) // launch.processes)
    environment.setdefault("OMP_NUM_THREADS", str(share))
    if launch.devices == "cpu":
        environment.setdefault("LUTHIER_DEVICE", "cpu")
    device = environment.get("LUTHIER_DEVICE")
    if device == "cpu":
        environment["ACCELERATE_USE_CPU"] = "true"
    elif device == "qaic":
        # The way in which a plain accelerate puts a model on a device that it does not know.
        environment.setdefault("ACCELERATE_TORCH_DEVICE", "qaic:0")


def _set_trackers(spec: GradientSpec, run: RunFolder) -> None:
    environment, trackers = os.environ, spec.training.report_to
    if "tensorboard" in trackers:
        environment.setdefault("TENSORBOARD_LOGGING_DIR", str(run.artifacts / "tensorboard"))
    if "wandb" in trackers:
        environment.setdefault("WANDB_DIR", str(run.artifacts))
        # A resumed run goes on in the same record.
        environment.setdefault("WANDB_RUN_ID", run.run_id)
        environment.setdefault("WANDB_RESUME", "allow")
        if spec.launch.offline:
            environment["WANDB_MODE"] = "offline"
