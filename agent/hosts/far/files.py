"""Files on this host: listed, hashed, sent and received."""

from __future__ import annotations

import errno
import fnmatch
import hashlib
import os
import shutil
import tarfile
import threading
from typing import Any

from .wire import Frame, Wire

_PIECE_BYTES = 1 << 20


def sizes(request: Frame) -> Frame:
    """The size of each path; None where there is none, -1 for a folder."""
    return {"sizes": [_size(path) for path in request["paths"]]}


def listing(request: Frame) -> Frame:
    """The files below a folder whose path fits one of the patterns: [path, size, modified]."""
    top, found = request["folder"], []
    for folder, folders, names in os.walk(top):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, top)
            if _fits(relative, request["patterns"]) and not _fits(relative, request["but"]):
                try:
                    status = os.stat(path)
                except OSError:
                    continue
                found.append([relative, status.st_size, status.st_mtime])
    return {"files": found}


def fingerprint(request: Frame) -> Frame:
    """The SHA-256 of a file."""
    return {"sha256": hash_file(request["path"]).hexdigest()}


def tail(request: Frame) -> Frame:
    """The last bytes of a file, as text."""
    with open(request["path"], "rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - request["last"]))
        return {"text": file.read().decode(errors="replace")}


def hash_file(path: str, size: int = -1) -> Any:
    """A running SHA-256 over the file's first bytes, or all of it."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while size != 0:
            piece = file.read(_PIECE_BYTES if size < 0 else min(_PIECE_BYTES, size))
            if not piece:
                break
            digest.update(piece)
            size -= len(piece) if size > 0 else 0
    return digest


def write(request: Frame, body: bytes) -> Frame:
    """Put a small file into place."""
    path = request["path"]
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    temporary = f"{path}.{os.getpid()}.new"
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    return {}


# Running hashes of the files that are being received: [bytes, SHA-256] by path.
_RECEIVING = {}  # type: Any


def take(request: Frame, body: bytes) -> Frame:
    """Receive a piece of a file. It lies beside its place until ``seal``."""
    path, offset = request["path"], request["offset"]
    partial = path + ".part"
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT, 0o600), "wb", buffering=0) as target:
        target.truncate(offset)
        target.seek(offset)
        _write_all(target, body)
    if offset == 0:
        _RECEIVING[path] = [0, hashlib.sha256()]
    running = _RECEIVING.get(path)
    if running is not None and running[0] == offset:
        running[0] += len(body)
        running[1].update(body)
    return {}


def seal(request: Frame) -> Frame:
    """Put a received file into place, if it has that size and SHA-256; else it is deleted."""
    path, size = request["path"], request["size"]
    partial = path + ".part"
    running = _RECEIVING.pop(path, None)
    if size == 0:
        write(request, b"")
        return {"whole": True}
    if not os.path.exists(partial):
        # Somebody else has sent the very same at the same time.
        return {"whole": os.path.exists(path) and os.stat(path).st_size == size}
    if running is None or running[0] != size:
        running = [size, hash_file(partial)]
    if running[1].hexdigest() != request["sha256"] or os.stat(partial).st_size != size:
        os.unlink(partial)
        return {"whole": False}
    with open(partial, "rb") as file:
        os.fsync(file.fileno())
    os.replace(partial, path)
    return {"whole": True}


def give(request: Frame, wire: Wire) -> None:
    """Send a file from ``offset`` on, with the SHA-256 of all that it has now in a last frame."""
    path, offset, number = request["path"], request["offset"], request["id"]
    digest = hash_file(path, offset)
    with open(path, "rb") as file:
        file.seek(offset)
        while True:
            piece = file.read(_PIECE_BYTES)
            if not piece:
                break
            digest.update(piece)
            wire.send({"id": number, "more": True}, piece)
    wire.send({"id": number, "sha256": digest.hexdigest()})


def unpack(request: Frame) -> Frame:
    """Unpack a bundle (our own tar file of plain files) into a folder, as a whole."""
    folder = request["folder"]
    temporary = _beside(folder)
    shutil.rmtree(temporary, ignore_errors=True)
    with tarfile.open(request["path"]) as bundle:
        for member in bundle.getmembers():
            plain = member.isfile() and not os.path.isabs(member.name)
            if not plain or ".." in member.name.split("/"):
                raise OSError(errno.EINVAL, "not a plain file", member.name)
            target = os.path.join(temporary, member.name)
            os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
            source = bundle.extractfile(member)
            if source is not None:
                with source, open(target, "wb") as file:
                    shutil.copyfileobj(source, file)
    try:
        os.rename(temporary, folder)
    except OSError:
        # Somebody else was faster with the very same content.
        shutil.rmtree(temporary)
        if not os.path.isdir(folder):
            raise
    os.unlink(request["path"])
    return {}


def link(request: Frame) -> Frame:
    """Lay the files of a tree into a folder, from where they are kept by content."""
    folder = request["folder"]
    temporary = _beside(folder)
    shutil.rmtree(temporary, ignore_errors=True)
    for relative, source in request["files"]:
        target = os.path.join(temporary, relative)
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)
    os.makedirs(os.path.dirname(folder), mode=0o700, exist_ok=True)
    try:
        os.rename(temporary, folder)
    except OSError:
        shutil.rmtree(temporary)
        if not os.path.isdir(folder):
            raise
    return {}


def remove(request: Frame) -> Frame:
    """Delete files and folders, whatever of them is there."""
    for path in request["paths"]:
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.unlink(path)
    return {}


def remove_empty(request: Frame) -> Frame:
    """Delete a folder if nothing is in it; whether it is gone."""
    try:
        os.rmdir(request["path"])
    except FileNotFoundError:
        return {"gone": True}
    except OSError:
        return {"gone": False}
    return {"gone": True}


def _beside(path: str) -> str:
    """A name that nobody else uses for what shall be there, as several may make it at once."""
    return f"{path}.{os.getpid()}.{threading.get_ident()}.new"


def _write_all(target: Any, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[target.write(view) :]


def _size(path: str) -> Any:
    try:
        return -1 if os.path.isdir(path) else os.stat(path).st_size
    except OSError:
        return None


def _fits(path: str, patterns: Any) -> bool:
    return any(fnmatch.fnmatch(path, pattern) for pattern in patterns)
