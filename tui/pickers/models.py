"""Models on this machine: in the hub cache, in folders, and among the results of runs.

The cache's layout is ``models--owner--name/{refs/main, snapshots/<commit>/...}``; nothing of the
hub's own library is loaded to look at it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_WEIGHTS = (".safetensors",)
# Folders that hold no models but may hold very many files.
_PASSED_OVER = {"node_modules", "__pycache__", "site-packages", "checkpoints"}


@dataclass(frozen=True)
class FoundModel:
    """A model that could be trained.

    Attributes:
        name: what goes into ``model.name_or_path``.
        origin: where it was found.
        kind: its architecture, as its config says.
        size: bytes of its weights; None when there are none.
        note: what is in the way of using it; empty: nothing.
    """

    name: str
    origin: Literal["cache", "folder", "run"]
    kind: str
    size: int | None
    note: str = ""


def hub_cache(environment: Mapping[str, str]) -> Path:
    """Where the hub's files are kept on this machine."""
    if chosen := environment.get("HF_HUB_CACHE") or environment.get("HUGGINGFACE_HUB_CACHE"):
        return Path(chosen).expanduser()
    home = environment.get("HF_HOME")
    if not home:
        cache = environment.get("XDG_CACHE_HOME") or "~/.cache"
        home = f"{cache}/huggingface"
    return Path(home).expanduser() / "hub"


def cached_models(cache: Path) -> list[FoundModel]:
    """The models in the hub cache, by name."""
    found = []
    for folder in _cached(cache, "models--"):
        snapshot = _snapshot(folder)
        if snapshot is not None and (snapshot / "config.json").exists():
            found.append(_described(snapshot, _repository(folder), "cache"))
    return found


def cached_datasets(cache: Path) -> list[str]:
    """The ids of the datasets in the hub cache, by name."""
    return [_repository(folder) for folder in _cached(cache, "datasets--") if _snapshot(folder)]


def folder_models(
    folder: Path, *, depth: int = 3, stop: Callable[[], bool] = lambda: False
) -> Iterator[FoundModel]:
    """Model folders below ``folder``, which is one itself perhaps.

    Args:
        depth: how many levels of folders are looked into.
        stop: asked before each folder whether to end early.
    """
    if stop():
        return
    if is_model(folder):
        yield _described(folder, str(folder), "folder")
        return
    if depth == 0:
        return
    for inner in _folders(folder):
        if not inner.name.startswith(".") and inner.name not in _PASSED_OVER:
            yield from folder_models(inner, depth=depth - 1, stop=stop)


def run_models(runs: Path) -> list[FoundModel]:
    """Whole models that runs have made: trained in full, or with the adapter merged in."""
    return [
        _described(folder, str(folder), "run")
        for run in _folders(runs)
        for folder in _folders(run / "artifacts")
        if is_model(folder)
    ]


def is_model(folder: Path) -> bool:
    """Whether the folder holds a whole model; an adapter alone is none."""
    try:
        return (folder / "config.json").is_file() and not (folder / "adapter_config.json").exists()
    except OSError:
        return False


def _described(folder: Path, name: str, origin: Literal["cache", "folder", "run"]) -> FoundModel:
    size = _weights(folder)
    note = "" if size is not None else "no safetensors weights here"
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        architectures = config.get("architectures") or [config.get("model_type") or ""]
        kind = str(architectures[0])
    except (OSError, ValueError, TypeError, AttributeError, LookupError):
        kind, note = "", "config.json cannot be read"
    return FoundModel(name, origin, kind, size, note)


def _weights(folder: Path) -> int | None:
    try:
        sizes = [file.stat().st_size for file in folder.iterdir() if file.name.endswith(_WEIGHTS)]
    except OSError:
        return None
    return sum(sizes) if sizes else None


def _cached(cache: Path, kind: str) -> list[Path]:
    return sorted(
        (folder for folder in _folders(cache) if folder.name.startswith(kind)),
        key=lambda folder: folder.name.lower(),
    )


def _repository(folder: Path) -> str:
    return folder.name.partition("--")[2].replace("--", "/", 1)


def _snapshot(folder: Path) -> Path | None:
    """The files of the main branch, or of the newest commit that there is."""
    try:
        commit = (folder / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        commit = ""
    if commit and (folder / "snapshots" / commit).is_dir():
        return folder / "snapshots" / commit
    snapshots = _folders(folder / "snapshots")
    return max(snapshots, key=lambda snapshot: snapshot.stat().st_mtime, default=None)


def _folders(folder: Path) -> list[Path]:
    """The folders in a folder; none when it is not there or must not be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir())
    except OSError:
        return []
