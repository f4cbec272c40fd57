"""The link to the agent: a thread that reads, and hands on at most four bundles a second.

It starts the agent when there is none, goes on by itself after the agent was away, and misses
nothing: it goes on from the last sequence number that it saw.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from luthier.agent.client import Client
from luthier.agent.errors import UnavailableError
from luthier.agent.models import Message, Run
from luthier.agent.paths import Home
from luthier.trainers.errors import LuthierError

BUNDLE_SECONDS = 0.25
_AGAIN_SECONDS = 0.5


@dataclass(frozen=True)
class Connected:
    """The agent answers. All runs; messages after ``sequence`` follow."""

    runs: list[Run]
    sequence: int


@dataclass(frozen=True)
class Away:
    """The agent does not answer."""

    t: float
    reason: str


@dataclass
class Bundle:
    """Messages that came within a quarter of a second."""

    messages: list[Message] = field(default_factory=list)


News = Connected | Away | Bundle


class Link:
    """Reads the agent's stream in the background.

    Args:
        home: whose agent.
        deliver: called in a background thread with what is new; it must be thread-safe.
    """

    def __init__(self, home: Home, deliver: Callable[[News], None]) -> None:
        self._home = home
        self._deliver = deliver
        self._queue: SimpleQueue[Message] = SimpleQueue()
        self._closed = threading.Event()
        self._last: int | None = None

    def start(self) -> None:
        """Begin to read."""
        for work in (self._read, self._bundle):
            threading.Thread(target=work, daemon=True, name=f"link-{work.__name__}").start()

    def close(self) -> None:
        """Read no more. The threads end at the next message, or with the program."""
        self._closed.set()

    def _read(self) -> None:
        start = True
        while not self._closed.is_set():
            try:
                # Only the first time: an agent that somebody stopped is not brought back.
                with Client(self._home, start=start) as client:
                    self._follow(client)
            except (LuthierError, OSError) as error:
                self._deliver(Away(time.time(), str(error)))
                start = start and not isinstance(error, UnavailableError)
                self._closed.wait(_AGAIN_SECONDS)
            else:
                start = False

    def _follow(self, client: Client) -> None:
        # The number first: what changes between the two calls comes again in the stream.
        newest = client.status().sequence
        since = newest if self._last is None else self._last
        self._deliver(Connected(client.runs(), since))
        for message in client.stream(since):
            if self._closed.is_set():
                return
            self._last = message.sequence
            self._queue.put(message)
            if message.type == "reset":
                return

    def _bundle(self) -> None:
        while not self._closed.is_set():
            try:
                bundle = Bundle([self._queue.get(timeout=1.0)])
            except Empty:
                continue
            self._closed.wait(BUNDLE_SECONDS)
            while True:
                try:
                    bundle.messages.append(self._queue.get_nowait())
                except Empty:
                    break
            self._deliver(bundle)
