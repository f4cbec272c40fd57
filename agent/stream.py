"""The message stream within the agent: every subscriber sees every message once, in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable

from .models import Message
from .store import Store

# Who is further behind than this reads from the store.
RECENT_MESSAGES = 100


class Stream:
    """Fan-out of stored messages on the event loop; make and use it there only.

    The store is the truth. ``publish`` only tells that there is news and keeps the newest
    messages at hand for all subscribers together, so a forgotten, repeated or overtaken call
    never costs or doubles a message, and a slow subscriber holds nothing but its own number.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._recent: deque[Message] = deque(maxlen=RECENT_MESSAGES)
        self._newest = store.newest_sequence()
        self._news = asyncio.Event()
        self._closed = False

    def publish(self, messages: Iterable[Message | None]) -> None:
        """Wake the subscribers for messages that the store has written; None is ignored."""
        for message in messages:
            if message is None or message.sequence <= self._newest:
                continue
            if message.sequence > self._newest + 1:
                # Written earlier, published later or never: the store has those between.
                self._recent.clear()
            self._recent.append(message)
            self._newest = message.sequence
        self._wake()

    async def subscribe(self, since: int) -> AsyncGenerator[Message, None]:
        """Every message after ``since``: first the stored ones, then live, without end.

        A ``reset`` message stands for those that are no longer kept; go on from its number.
        It ends when the stream is closed; whoever leaves earlier should close it (``aclosing``).

        Raises:
            StoreUnavailable: the store cannot be read; subscribe again later.
        """
        while not self._closed:
            # Taken before looking, so that what is published meanwhile still wakes us.
            news = self._news
            found = await self._after(since)
            for message in found:
                since = message.sequence
                yield message
            if not found:
                await news.wait()

    def close(self) -> None:
        """End every subscription."""
        self._closed = True
        self._wake()

    async def _after(self, since: int) -> list[Message]:
        if since == self._newest:
            return []
        if self._recent and self._recent[0].sequence <= since + 1 <= self._newest:
            return [message for message in self._recent if message.sequence > since]
        return await asyncio.to_thread(self._store.messages, since)

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
