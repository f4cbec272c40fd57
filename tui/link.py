"""The link to the agent: a thread that reads, and hands on at most four bundles a second.

It starts the agent when there is none, goes on by itself after the agent was away, and misses
nothing: it goes on from the last sequence number that it saw.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from luthier.agent.errors import LostError, UnavailableError
from luthier.agent.models import Message, Run
from luthier.agent.paths import Home
from luthier.trainers.errors import LuthierError

if TYPE_CHECKING:
    from luthier.agent.client import Client

BUNDLE_SECONDS = 0.25
_AGAIN_SECONDS = 0.5
# A service manager or a person who restarts a dead agent goes first.
_GRACE_SECONDS = 2.0


@dataclass(frozen=True)
class Connected:
    """The agent answers. All runs; messages after ``sequence`` follow."""

    runs: list[Run]
    sequence: int


@dataclass(frozen=True)
class Away:
    """The agent does not answer. ``stopped``: somebody shut it down on purpose."""

    t: float
    reason: str
    stopped: bool = False


News = Connected | Away | Message


class Link:
    """Reads the agent's stream in the background.

    An agent that died is started again after a moment; one that was shut down on purpose is not,
    until ``start_agent`` says so.

    Args:
        home: whose agent.
        deliver: called in a background thread with what is new, in order; must be thread-safe.
    """

    def __init__(self, home: Home, deliver: Callable[[list[News]], None]) -> None:
        self._home = home
        self._deliver = deliver
        self._queue: SimpleQueue[News | None] = SimpleQueue()
        self._closed = threading.Event()
        self._again = threading.Event()
        self._last: int | None = None
        self._start_at: float | None = 0.0

    def start(self) -> None:
        """Begin to read."""
        for work in (self._read, self._bundle):
            threading.Thread(target=work, daemon=True, name=f"link-{work.__name__}").start()

    def start_agent(self) -> None:
        """Start the agent if it is away, whatever ended it."""
        self._start_at = 0.0
        self._again.set()

    def close(self) -> None:
        """Read no more. The threads end at the next message, or with the program."""
        self._closed.set()
        self._again.set()
        self._queue.put(None)

    # -- reading -----------------------------------------------------------------------------

    def _read(self) -> None:
        from luthier.agent.client import Client

        while not self._closed.is_set():
            try:
                if self._may_start():
                    with Client(self._home, start=True) as starter:
                        starter.status()
                with Client(self._home, start=False) as client:
                    self._follow(client)
            except (LuthierError, OSError) as error:
                self._away(error)
            self._again.wait(_AGAIN_SECONDS)
            self._again.clear()

    def _may_start(self) -> bool:
        return self._start_at is not None and time.monotonic() >= self._start_at

    def _away(self, error: Exception) -> None:
        if isinstance(error, LostError) and self._start_at is None:
            self._start_at = time.monotonic() + _GRACE_SECONDS
        elif self._may_start():
            # It could not be started just now: no need to try at every look.
            self._start_at = time.monotonic() + 5 * _GRACE_SECONDS
        stopped = isinstance(error, UnavailableError) and self._start_at is None
        self._queue.put(Away(time.time(), str(error), stopped))

    def _follow(self, client: Client) -> None:
        # The number first: what changes between the two calls comes again in the stream.
        newest = client.status().sequence
        since = newest if self._last is None else self._last
        self._queue.put(Connected(client.runs(), since))
        self._start_at = None
        for message in client.messages(since):
            if self._closed.is_set():
                return
            self._last = message.sequence
            self._queue.put(message)
            if message.type == "reset":
                return
        if not self._closed.is_set():
            raise UnavailableError("The agent was stopped.")

    # -- handing on --------------------------------------------------------------------------

    def _bundle(self) -> None:
        handed_on = 0.0
        while not self._closed.is_set():
            first = self._queue.get()
            self._closed.wait(max(0.0, handed_on + BUNDLE_SECONDS - time.monotonic()))
            bundle = [first, *self._waiting()]
            handed_on = time.monotonic()
            if not self._closed.is_set():
                self._deliver([news for news in bundle if news is not None])

    def _waiting(self) -> list[News | None]:
        found = []
        while True:
            try:
                found.append(self._queue.get_nowait())
            except Empty:
                return found
