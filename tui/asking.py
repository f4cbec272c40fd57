"""Requests to the agent that never block the screen, each in a thread of its own.

The threads are daemons, unlike those of a thread pool: closing the program never waits for an
answer that is hours away.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from luthier.trainers.errors import LuthierError

_Answer = TypeVar("_Answer")


class Wait(Generic[_Answer]):
    """One request on its way.

    Attributes:
        doing: what is being waited for, in words.
        ended: set once the answer is there, even when nobody wants it any more.
    """

    def __init__(
        self,
        request: Callable[[], _Answer],
        then: Callable[[Wait[_Answer]], None],
        doing: str,
    ) -> None:
        self.doing = doing
        self.ended = threading.Event()
        self.error: LuthierError | None = None
        self.answer: _Answer | None = None
        self._request = request
        self._then = then
        self._cancelled = False

    @property
    def is_cancelled(self) -> bool:
        """Whether the answer is no longer wanted."""
        return self._cancelled

    def cancel(self) -> None:
        """Wait no more. The agent may still carry the request out."""
        self._cancelled = True

    def start(self) -> None:
        """Send the request; ``then`` is called from the thread."""
        threading.Thread(target=self._run, daemon=True, name=f"ask {self.doing}").start()

    def _run(self) -> None:
        try:
            self.answer = self._request()
        except LuthierError as error:
            self.error = error
        except Exception as error:
            # A mistake of the program must not vanish with its thread.
            self.error = LuthierError(f"Unexpected {type(error).__name__}: {error}.")
        self.ended.set()
        if not self._cancelled:
            self._then(self)
