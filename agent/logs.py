"""Ranges of log files, read without loading the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# Progress bars write lines without end; such a line is searched in pieces of this many bytes.
_PIECE_BYTES = 64 * 1024
_SHOWN_BYTES = 1000


@dataclass(frozen=True)
class LogRange:
    """Bytes of a log file: they begin at ``offset``; the whole file had ``size`` bytes."""

    data: bytes
    offset: int
    size: int


@dataclass(frozen=True)
class LogMatch:
    """A line that holds the text: where it begins, and its first 1,000 bytes."""

    offset: int
    line: bytes


def read_range(path: Path, offset: int, limit: int) -> LogRange:
    """At most ``limit`` bytes from ``offset``; a negative one counts from the end.

    An absent file reads as empty, an offset past the end as nothing at the end.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            start = max(size + offset, 0) if offset < 0 else min(offset, size)
            file.seek(start)
            # Not beyond the size, or a growing file could give bytes that size does not count.
            return LogRange(file.read(max(min(limit, size - start), 0)), start, size)
    except FileNotFoundError:
        return LogRange(b"", 0, 0)


def search(path: Path, text: bytes, offset: int = 0, limit: int = 100) -> list[LogMatch]:
    """The first ``limit`` lines from ``offset`` on that hold ``text``, whatever the case.

    ``offset`` should be where a line begins. An absent file and an empty text match nothing.

    Raises:
        OSError: the file cannot be read.
    """
    wanted = text.lower()
    found: list[LogMatch] = []
    if not wanted:
        return found
    try:
        with path.open("rb") as file:
            file.seek(max(offset, 0))
            start = file.tell()
            while len(found) < limit and (line := file.readline(_PIECE_BYTES)):
                if wanted in line.lower():
                    found.append(LogMatch(start, line.rstrip(b"\r\n")[:_SHOWN_BYTES]))
                start += len(line)
    except FileNotFoundError:
        pass
    return found
