"""A model's shape from its files, or from the offline model list."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

from luthier.trainers.errors import LuthierError

from ..catalog import find_entry
from .architectures import shape_of_config
from .headers import read_tensors, with_tensors
from .shape import ModelShape


def model_shape(name_or_path: str, revision: str | None = None) -> ModelShape:
    """The shape of a local folder, of a hub model in the cache, or of one in the model list.

    Args:
        name_or_path: as in a spec's model section.
        revision: branch, tag or commit of a hub model.

    Raises:
        LuthierError: it is none of these, or its files do not tell its sizes.
    """
    folder = find_model(name_or_path, revision)
    if folder is not None:
        return read_shape(folder, name_or_path)
    entry = find_entry(name_or_path)
    if entry is not None:
        return replace(shape_of_config(entry.config, entry.id), source="model list")
    raise LuthierError(
        f"{name_or_path} is neither a model folder, nor in the hub's cache on this machine, nor in "
        "the model list, so its size is not known here.",
        hint="Download it first, or name a folder that holds its config.json.",
    )


def find_model(name_or_path: str, revision: str | None = None) -> Path | None:
    """The folder that holds a model's config.json, None when it is not on this machine."""
    local = Path(name_or_path).expanduser()
    if (local / "config.json").is_file():
        return local
    if not _is_hub_id(name_or_path):
        return None
    repository = hub_cache() / f"models--{name_or_path.replace('/', '--')}"
    reference = repository / "refs" / (revision or "main")
    commit = reference.read_text("utf-8").strip() if reference.is_file() else revision
    if not commit:
        return None
    snapshot = repository / "snapshots" / commit
    return snapshot if (snapshot / "config.json").is_file() else None


def _is_hub_id(name: str) -> bool:
    parts = name.split("/")
    return len(parts) <= 2 and all(part and not part.startswith(".") for part in parts)


def hub_cache() -> Path:
    """The hub's cache on this machine, where its own environment variables put it."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(name):
            return Path(os.environ[name]).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or str(Path(cache) / "huggingface")
    return Path(home).expanduser() / "hub"


def read_shape(folder: Path, name: str = "") -> ModelShape:
    """The shape of the model in a folder, of its tensors where their files are there.

    Raises:
        LuthierError: its config.json cannot be read or does not tell its sizes.
    """
    file = folder / "config.json"
    try:
        config = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise LuthierError(f"{file} cannot be read: {error}.") from error
    if not isinstance(config, dict):
        raise LuthierError(f"{file} is not the configuration of a model.")
    return with_tensors(shape_of_config(config, name or str(folder)), read_tensors(folder))
