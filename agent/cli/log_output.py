"""The output of a run's processes: from the end, in pieces, and as it grows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from ..client import Client
from ..models import Run
from .invocation import Invocation

_PIECE = 1 << 20
_FIRST_LOOK_BACK = 1 << 16


@dataclass(frozen=True)
class Request:
    """Which output: the latest attempt unless one is named, whole unless a tail is."""

    run: str
    attempt: int | None = None
    tail: int | None = None


def show(here: Invocation, request: Request, *, as_json: bool) -> None:
    """What there is now."""
    attempt, offset, end = _bounds(here.client, request)
    pieces = _pieces(here.client, request.run, attempt, offset, end)
    if not as_json:
        for piece in pieces:
            _write(piece)
        return
    lines = b"".join(pieces).decode("utf-8", errors="replace").splitlines()
    here.print_json({"run": request.run, "attempt": attempt, "lines": lines})


def follow(here: Invocation, request: Request, *, as_json: bool) -> None:
    """What there is, and what is added until the run has ended.

    A resumed run goes on in the output of its next attempt unless one attempt was asked for.
    """
    since = here.client.status().sequence
    run: Run = here.client.run(request.run)
    reader = _Follower(here, request, as_json=as_json)
    reader.advance()
    if not run.state.finished:
        for message in here.client.stream(since):
            if message.run_id != run.id or message.type not in ("log", "run", "removed"):
                continue
            if message.type == "removed":
                break
            if message.type == "run":
                run = Run.model_validate(message.data)
            reader.advance()
            if run.state.finished:
                break
    reader.finish()


class _Follower:
    """Reads what is new of the latest attempt, or of the one that was asked for."""

    def __init__(self, here: Invocation, request: Request, *, as_json: bool) -> None:
        self._here = here
        self._request = request
        self._as_json = as_json
        self._attempt, self._offset, _ = _bounds(here.client, request)
        self._rest = b""

    def advance(self) -> None:
        """Print what was added since the last call."""
        client, run = self._here.client, self._request.run
        while True:
            part = client.log(run, attempt=self._request.attempt, offset=self._offset, limit=_PIECE)
            if part.attempt != self._attempt:
                for piece in _pieces(client, run, self._attempt, self._offset):
                    self._put(piece)
                self.finish()
                self._attempt, self._offset = part.attempt, 0
            elif part.data:
                self._put(part.data)
                self._offset = part.end
            else:
                return

    def finish(self) -> None:
        """Print a last line that has no end."""
        if self._rest:
            self._line(self._rest)
            self._rest = b""

    def _put(self, piece: bytes) -> None:
        if not self._as_json:
            _write(piece)
            return
        *whole, self._rest = (self._rest + piece).split(b"\n")
        for line in whole:
            self._line(line)

    def _line(self, line: bytes) -> None:
        text = line.decode("utf-8", errors="replace").rstrip("\r")
        self._here.print_json_line({"attempt": self._attempt, "line": text})


def _bounds(client: Client, request: Request) -> tuple[int, int, int]:
    """The attempt, and the first and last byte of it that are wanted now."""
    known = client.log(request.run, attempt=request.attempt, offset=0, limit=1)
    attempt, end = known.attempt, known.size
    if request.tail is None:
        return attempt, 0, end
    if request.tail == 0:
        return attempt, end, end
    start, reach, found = end, _FIRST_LOOK_BACK, b""
    while start > 0 and found.count(b"\n") <= request.tail:
        start = max(0, end - reach)
        found = b"".join(_pieces(client, request.run, attempt, start, end))
        reach *= 4
    skipped = found.removesuffix(b"\n").split(b"\n")[: -request.tail]
    return attempt, start + sum(len(line) + 1 for line in skipped), end


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
