"""Files sent and fetched: resumed after a cut, and checked by their hash."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from .channel import Channel
from .errors import HostError
from .hashes import FileContent
from .link import Link

# The far end must hear a whole one every minute, also over a slow link.
_CHUNK_BYTES = 1 << 20
# Chunks on their way at the same time, so that nobody waits for an answer.
_WINDOW = 16

Moved = Callable[[int], None]
"""Called with the number of bytes that have just arrived."""


def send_file(link: Link, file: FileContent, target: str, moved: Moved) -> None:
    """Send a file to where it belongs, unless it is there; a part that is there is kept.

    Raises:
        HostUnreachableError: the link was lost; call it again.
        HostError: the host does not take it, or it changes while it is sent.
        OSError: it cannot be read here.
    """
    with link.courier() as channel:
        whole, part = channel.converse("sizes", paths=[target, f"{target}.part"])["sizes"]
        if whole == file.size:
            moved(file.size)
            return
        for offset in (min(part or 0, file.size), 0):
            moved(offset)
            _send_from(channel, file, target, offset, moved)
            sealed = channel.converse("seal", path=target, size=file.size, sha256=file.sha256)
            if sealed["whole"]:
                return
            moved(-file.size)
    raise HostError(
        f"{file.path}: it has changed while it was sent.", hint="Try again once it is at rest."
    )


def _send_from(channel: Channel, file: FileContent, target: str, offset: int, moved: Moved) -> None:
    sent: list[int] = []
    with file.path.open("rb") as source:
        source.seek(offset)
        while piece := source.read(min(_CHUNK_BYTES, file.size - offset)):
            channel.send("take", piece, path=target, offset=offset)
            offset += len(piece)
            sent.append(len(piece))
            if len(sent) >= _WINDOW:
                channel.receive()
                moved(sent.pop(0))
    for size in sent:
        channel.receive()
        moved(size)


def fetch_file(
    link: Link, source: str, target: Path, size: int, modified: float, moved: Moved
) -> None:
    """Fetch a file unless it is here already; a part that is here is kept.

    Args:
        link: to the host.
        source: the file there.
        target: the file here.
        size: what it has there.
        modified: when it was changed there, which the file here tells too.
        moved: told of progress.

    Raises:
        HostUnreachableError: the link was lost; call it again.
        HostError: the host does not give it, or it keeps changing.
        OSError: it cannot be written here.
    """
    if _is_here(target, size, modified):
        moved(size)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    # A part of another version of the file is of no use.
    part = target.with_name(f".{target.name}.{int(modified * 1000)}-{size}.part")
    for _ in range(2):
        if _fetch_part(link, source, part, moved):
            os.utime(part, (modified, modified))
            part.replace(target)
            return
        part.unlink()
        moved(-size)
    raise HostError(f"{source}: it changes while it is fetched.", hint="Try again later.")


def _fetch_part(link: Link, source: str, part: Path, moved: Moved) -> bool:
    """Fetch what is missing; whether all of it is right."""
    with part.open("ab", buffering=0) as file, link.courier() as channel:
        offset = file.tell()
        digest = hashlib.sha256()
        with part.open("rb") as before:
            while piece := before.read(_CHUNK_BYTES):
                digest.update(piece)
        moved(offset)
        channel.send("give", path=source, offset=offset)
        while True:
            frame, body = channel.receive()
            if not frame.get("more"):
                file.flush()
                os.fsync(file.fileno())
                return bool(frame["sha256"] == digest.hexdigest())
            rest = memoryview(body)
            while rest:
                rest = rest[file.write(rest) :]
            digest.update(body)
            moved(len(body))


def _is_here(target: Path, size: int, modified: float) -> bool:
    try:
        status = target.stat()
    except FileNotFoundError:
        return False
    return status.st_size == size and abs(status.st_mtime - modified) < 0.001
