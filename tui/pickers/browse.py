"""The folders and files of a place, as a person looks through them for data or a model."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from luthier.trainers.errors import LuthierError

from .models import is_model

Wanted = Literal["data", "model"]
EntryKind = Literal["up", "folder", "choice"]

_SPLITS = ("train", "validation", "valid", "dev", "test")


@dataclass(frozen=True)
class Entry:
    """One line of a place.

    Attributes:
        kind: ``choice`` is what is looked for; a folder may be a choice and be gone into as well.
        folder: whether it can be gone into.
        size: bytes of a file.
        note: what it is, in a few words.
    """

    name: str
    path: Path
    kind: EntryKind
    folder: bool
    size: int | None = None
    note: str = ""


def entries(folder: Path, wanted: Wanted, *, hidden: bool = False) -> list[Entry]:
    """What can be gone into or chosen in a folder: the way up, folders, then files.

    Raises:
        LuthierError: the folder is not there or must not be read.
    """
    try:
        with os.scandir(folder) as found:
            inner = sorted(found, key=lambda entry: entry.name.lower())
    except OSError as error:
        raise LuthierError(f"{folder}: {error.strerror or error}.") from error
    up = [Entry("..", folder.parent, "up", True)] if folder.parent != folder else []
    seen = [entry for entry in inner if hidden or not entry.name.startswith(".")]
    folders = [_folder(Path(entry.path), wanted) for entry in seen if _is_folder(entry)]
    files = [_file(entry) for entry in seen if wanted == "data" and is_data_file(entry.name)]
    return [*up, *folders, *(file for file in files if file is not None)]


def is_data_file(name: str) -> bool:
    """Whether rows can be read from a file of this name."""
    from luthier.trainers.data.files import READERS

    return Path(name).suffix.lower() in READERS


def place_of(written: str, base: Path) -> Path:
    """The folder to look at for a path that is being typed: itself, or the nearest above it."""
    path = Path(written).expanduser() if written else base
    path = path if path.is_absolute() else base / path
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return path.resolve()


def _folder(path: Path, wanted: Wanted) -> Entry:
    if wanted == "model":
        choice = is_model(path)
        return Entry(path.name, path, "choice" if choice else "folder", True, note="model" * choice)
    splits = _splits(path)
    note = f"splits {', '.join(splits)}" if splits else ""
    return Entry(path.name, path, "choice" if splits else "folder", True, note=note)


def _splits(folder: Path) -> list[str]:
    """The splits that the folder's files are named after, when train is one of them."""
    try:
        names = {entry.name for entry in os.scandir(folder) if is_data_file(entry.name)}
    except OSError:
        return []
    stems = {Path(name).stem for name in names}
    return [split for split in _SPLITS if split in stems] if "train" in stems else []


def _file(entry: os.DirEntry[str]) -> Entry | None:
    try:
        if not entry.is_file():
            return None
        size = entry.stat().st_size
    except OSError:
        return None
    return Entry(entry.name, Path(entry.path), "choice", False, size, "empty" * (size == 0))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
