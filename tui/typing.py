"""Keys one after the other: the next is handed on once the one before has had its effect.

Over a slow connection a burst of keys arrives at once. What ``/`` does is to move the focus, and
the letters behind it belong where the focus will be, not where it is when they arrive.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial

from textual import events
from textual.app import App
from textual.message import Message

# What a key sets off may send messages of its own, and a new screen takes the focus at the second.
_ROUNDS = 3
# A widget that goes away may take a round with it.
_PATIENCE_SECONDS = 0.5


class KeyHandled(Message, bubble=True):
    """Goes the way of a key, behind it, from the widget with the focus up to the app."""

    def __init__(self, number: int, left: int) -> None:
        super().__init__()
        self.number = number
        self.left = left


class KeysInOrder:
    """The keys that wait.

    Args:
        app: whose keys.
        hand_on: gives a key to whoever it is for.
        rested: called when the last one has had its effect.
    """

    def __init__(
        self,
        app: App[None],
        hand_on: Callable[[events.Key], Awaitable[None]],
        rested: Callable[[], None],
    ) -> None:
        self._app = app
        self._hand_on = hand_on
        self._rested = rested
        self._waiting: deque[events.Key] = deque()
        self._number = 0
        self._busy = False

    @property
    def is_busy(self) -> bool:
        """Whether a key has not had its whole effect yet."""
        return self._busy

    async def typed(self, key: events.Key) -> None:
        """Take a key that was typed."""
        self._waiting.append(key)
        if not self._busy:
            await self._next()

    async def handled(self, round_: KeyHandled) -> None:
        """A round has come back."""
        if round_.number != self._number:
            return
        if round_.left:
            self._send(round_.left - 1)
        else:
            await self._next()

    async def _next(self) -> None:
        self._number += 1
        self._busy = bool(self._waiting)
        if self._waiting:
            self._app.set_timer(_PATIENCE_SECONDS, partial(self._give_up, self._number))
            await self._hand_on(self._waiting.popleft())
            self._send(_ROUNDS - 1)
        else:
            self._rested()

    def _send(self, left: int) -> None:
        message = KeyHandled(self._number, left)
        target = self._app.focused or self._app.screen
        if not target.post_message(message):
            self._app.post_message(message)

    async def _give_up(self, number: int) -> None:
        if number == self._number:
            await self._next()
