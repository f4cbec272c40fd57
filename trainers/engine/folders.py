"""Folders that appear whole or not at all. Torch-free."""

from __future__ import annotations

import shutil
from pathlib import Path


def staging(target: Path) -> Path:
    """Where to build a folder before it takes its place."""
    return target.with_name(f".{target.name}.new")


def replace_folder(staged: Path, target: Path) -> None:
    """Put a finished folder in the place of an older one."""
    if target.exists():
        shutil.rmtree(target)
    staged.rename(target)
