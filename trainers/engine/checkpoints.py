"""Which checkpoints can be trusted, and what the libraries leave out of them. Torch-free."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from ..run_folder import RunFolder


def remove_torn(run: RunFolder) -> None:
    """Delete the folders of checkpoints whose writing was cut short."""
    whole = set(run.complete_checkpoints())
    for entry in run.checkpoints.glob("checkpoint-*"):
        if entry not in whole:
            shutil.rmtree(entry, ignore_errors=True)


def flush(folder: Path) -> None:
    """Put the files of a folder onto the disk, so that a power cut leaves them whole."""
    for entry in [*folder.rglob("*"), folder]:
        handle = os.open(entry, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def carry_file(checkpoint: Path, process: int) -> Path:
    """Where a process keeps its half-gathered metrics."""
    return checkpoint / f"metrics_so_far_{process}.json"


def save_carry(checkpoint: Path, process: int, values: dict[str, Any]) -> None:
    """Keep what has been gathered since the last log."""
    carry_file(checkpoint, process).write_text(json.dumps(values), encoding="utf-8")


def load_carry(checkpoint: Path, process: int) -> dict[str, Any]:
    """What save_carry kept; empty when other processes than now wrote the checkpoint."""
    path = carry_file(checkpoint, process)
    if not path.exists():
        return {}
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values
