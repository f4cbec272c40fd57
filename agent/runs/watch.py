"""One look at a living attempt: what its files say that the agent does not know yet."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from luthier.trainers.events import Event
from luthier.trainers.run_folder import AttemptFolder

from ..hosts.host import Host
from ..launching import Observation
from ..models import Message
from ..store import Store, StoreUnavailable, UnknownRun

_LOG_SECONDS = 0.5


@dataclass
class Look:
    """What one look found.

    events: worker events that were stored by this look, in order.
    messages: what the store has written for the stream.
    log_bytes: size of the output.
    drained: every complete line of events.jsonl is stored.
    stop_asked: whether somebody wants the attempt to end.
    trouble: why something could not be stored; the next look tries again.
    """

    observation: Observation
    events: list[Event] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    log_bytes: int = 0
    drained: bool = False
    stop_asked: bool = False
    trouble: str = ""


class AttemptWatch:
    """Looks at one attempt again and again. Blocking: call it in a thread, one at a time."""

    def __init__(
        self, store: Store, run_id: str, attempt: AttemptFolder, host: Callable[[], Host]
    ) -> None:
        self.attempt = attempt
        self._host = host
        self._store = store
        self._run_id = run_id
        self._events_seen = -1
        self._log_told = 0
        self._log_told_at = 0.0

    def look(self) -> Look:
        """Take in what is new.

        Raises:
            DamagedDatabase: the store must be rebuilt.
        """
        # First the end, then the files: what is there after the end was seen is everything.
        found = Look(self._host().observe(self.attempt))
        ended = found.observation.state in ("ended", "gone")
        found.stop_asked = self.attempt.stop_request.exists()
        try:
            self._read_events(found)
            self._read_log(found, ended)
        except (StoreUnavailable, UnknownRun, OSError) as error:
            found.trouble = str(error)
            found.drained = False
        return found

    def _read_events(self, found: Look) -> None:
        size = _size(self.attempt.events)
        if size == self._events_seen:
            found.drained = True
            return
        piece = self._store.ingest_file(self._run_id, self.attempt.number, self.attempt.events)
        found.events, found.messages = piece.events, list(piece.messages)
        found.drained = not piece.more
        if found.drained:
            self._events_seen = size

    def _read_log(self, found: Look, ended: bool) -> None:
        found.log_bytes = _size(self.attempt.output)
        if found.log_bytes == self._log_told:
            return
        now = time.monotonic()
        if ended or now - self._log_told_at >= _LOG_SECONDS:
            data = {"attempt": self.attempt.number, "size": found.log_bytes}
            found.messages.append(self._store.append("log", self._run_id, data))
            self._log_told, self._log_told_at = found.log_bytes, now


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
