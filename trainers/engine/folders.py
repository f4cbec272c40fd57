"""Folders that appear whole or not at all. Torch-free."""

from __future__ import annotations

import shutil
from pathlib import Path

ONLY_FOR_RESUMING = (
    "optimizer*",
    "scheduler.pt",
    "scaler.pt",
    "rng_state*",
    "trainer_state.json",
    "metrics_so_far_*",
    "global_step*",
    "latest",
    "zero_to_fp32.py",
)
"""Files of checkpoints that a result has no use for."""


def staging(target: Path) -> Path:
    """Where to build a folder before it takes its place."""
    return target.with_name(f".{target.name}.new")


def replace_folder(staged: Path, target: Path) -> None:
    """Put a finished folder in the place of an older one."""
    if target.exists():
        shutil.rmtree(target)
    staged.rename(target)
