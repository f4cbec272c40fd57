"""The trainers half of Luthier and the supervisor, packed for a host that has neither."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from .bootstrap import supervisor_source

_PACKAGE = Path(__file__).resolve().parents[2]
# Models and the like travel as data, by their own hash, when a run needs them.
_LARGEST_BYTES = 256 * 1024


@dataclass(frozen=True)
class Bundle:
    """Files of the bundle as one tar, known by what is in them."""

    id: str
    data: bytes


@cache
def bundle() -> Bundle:
    """The bundle of this installation; the same files make the same bytes."""
    files = {"luthier/__init__.py": _init_file().read_bytes()}
    trainers = _PACKAGE / "trainers"
    for path in sorted(trainers.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            content = path.read_bytes()
            if len(content) <= _LARGEST_BYTES:
                files[f"luthier/trainers/{path.relative_to(trainers).as_posix()}"] = content
    files["supervisor.py"] = supervisor_source().encode()
    digest = sha256()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in sorted(files.items()):
            digest.update(f"{name} {len(content)}\n".encode() + content)
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return Bundle(digest.hexdigest()[:32], packed.getvalue())


def _init_file() -> Path:
    import luthier

    return Path(str(luthier.__file__))
