"""The output of a run's processes: from the end, in pieces, and as it grows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from ..client import Client
from ..models import Run
from .invocation import Invocation

_PIECE = 1 << 20


@dataclass(frozen=True)
class Request:
    """Which output: the latest attempt unless one is named, whole unless a tail is."""

    run: str
    attempt: int | None = None
    tail: int | None = None


def show(here: Invocation, request: Request, *, as_json: bool) -> None:
    """What there is now."""
    attempt, offset = _start(here.client, request)
    if not as_json:
        for piece in _pieces(here.client, request.run, attempt, offset):
            _write(piece)
        return
    data = b"".join(_pieces(here.client, request.run, attempt, offset))
    lines = data.decode("utf-8", errors="replace").splitlines()
    here.print_json({"run": request.run, "attempt": attempt, "lines": lines})


def follow(here: Invocation, request: Request, *, as_json: bool) -> None:
    """What there is, and what is added until the run has ended.

    A resumed run goes on in the output of its next attempt unless one attempt was asked for.
    """
    writer = _LineWriter(here) if as_json else None
    since = here.client.status().sequence
    run: Run = here.client.run(request.run)
    attempt, offset = _start(here.client, request)

    def advance(number: int, start: int) -> int:
        for piece in _pieces(here.client, run.id, number, start):
            writer.add(piece, number) if writer else _write(piece)
            start += len(piece)
        return start

    offset = advance(attempt, offset)
    if not run.state.finished:
        for message in here.client.stream(since):
            if message.run_id != run.id or message.type not in ("log", "run", "removed"):
                continue
            if message.type == "removed":
                break
            if message.type == "run":
                run = Run.model_validate(message.data)
            newest = len(run.attempts)
            if request.attempt is None and newest > attempt:
                offset = advance(attempt, offset)
                attempt, offset = newest, 0
            offset = advance(attempt, offset)
            if run.state.finished:
                break
    if writer:
        writer.finish(attempt)


class _LineWriter:
    """Bytes in, one JSON object a line out."""

    def __init__(self, here: Invocation) -> None:
        self._here = here
        self._rest = b""

    def add(self, piece: bytes, attempt: int) -> None:
        *whole, self._rest = (self._rest + piece).split(b"\n")
        for line in whole:
            self._put(line, attempt)

    def finish(self, attempt: int) -> None:
        if self._rest:
            self._put(self._rest, attempt)

    def _put(self, line: bytes, attempt: int) -> None:
        text = line.decode("utf-8", errors="replace").rstrip("\r")
        self._here.print_json_line({"attempt": attempt, "line": text})


def _start(client: Client, request: Request) -> tuple[int, int]:
    """The attempt and the byte that the wanted lines start at."""
    newest = client.log(request.run, attempt=request.attempt, offset=0, limit=1)
    if request.tail is None:
        return newest.attempt, 0
    end = newest.size
    found = b""
    start = end
    # From the end backwards, in pieces that grow, until there are enough line ends.
    piece = 1 << 16
    while start > 0 and found.count(b"\n") <= request.tail:
        start = max(0, start - piece)
        found = b"".join(_pieces(client, request.run, newest.attempt, start, end))
        piece *= 4
    body = found.removesuffix(b"\n")
    lines = body.split(b"\n")
    if request.tail == 0:
        return newest.attempt, end
    skipped = lines[: -request.tail]
    return newest.attempt, start + sum(len(line) + 1 for line in skipped)


def _pieces(
    client: Client, run: str, attempt: int, offset: int, end: int | None = None
) -> Iterator[bytes]:
    while end is None or offset < end:
        limit = _PIECE if end is None else min(_PIECE, end - offset)
        part = client.log(run, attempt=attempt, offset=offset, limit=limit)
        if not part.data:
            return
        yield part.data
        offset = part.end


def _write(piece: bytes) -> None:
    sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
