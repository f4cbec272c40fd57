"""What a file is known by on other hosts: the SHA-256 of its bytes."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luthier.trainers.run_folder import write_json

_PIECE_BYTES = 1 << 20
_MOST_KEPT = 20_000


@dataclass(frozen=True)
class FileContent:
    """A file here: its name within what is sent, its bytes' hash and number."""

    path: Path
    name: str
    sha256: str
    size: int


class Hashes:
    """Hashes of files, kept so that what has not changed is read once. May be shared by threads."""

    def __init__(self, kept: Path) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._known: dict[str, Any] = {}
        try:
            found = json.loads(kept.read_bytes())
        except (OSError, ValueError):
            found = {}
        if isinstance(found, dict):
            self._known = found

    def content(self, path: Path, name: str) -> FileContent:
        """A file's content, read when it has changed. Raises OSError."""
        status = path.stat()
        stamp = [status.st_size, status.st_mtime_ns, status.st_ino]
        with self._lock:
            known = self._known.get(str(path))
        if isinstance(known, list) and known[:3] == stamp:
            return FileContent(path, name, str(known[3]), status.st_size)
        digest = hash_file(path)
        with self._lock:
            self._known[str(path)] = [*stamp, digest]
        return FileContent(path, name, digest, status.st_size)

    def contents(self, path: Path) -> list[FileContent]:
        """A file, or every file below a folder but hidden ones. Raises OSError."""
        if path.is_file():
            return [self.content(path, path.name)]
        found = []
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                each = Path(folder) / name
                if not name.startswith(".") and each.is_file():
                    found.append(self.content(each, each.relative_to(path).as_posix()))
        return found

    def save(self) -> None:
        """Keep what is known. Raises OSError."""
        with self._lock:
            newest = dict(list(self._known.items())[-_MOST_KEPT:])
            self._kept.parent.mkdir(parents=True, exist_ok=True)
            write_json(self._kept, newest)


def hash_file(path: Path) -> str:
    """The SHA-256 of a file. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def tree_id(files: Iterable[FileContent]) -> str:
    """What a set of files under their names is known by."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.sha256} {file.size} {file.name}\n".encode())
    return digest.hexdigest()[:32]
