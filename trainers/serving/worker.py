"""A process that is told what to do by lines on standard input, and answers by lines.

Requests are carried out one after the other, except Cancel, which is heard at once. The process
ends when its input ends, at once and whatever it is doing, so that it never outlives the agent
that started it. A request that cannot be carried out is answered with one sentence; the traceback
goes to standard error.
"""

from __future__ import annotations

import os
import queue
import threading
import traceback
from typing import Generic, NoReturn, TypeVar

from pydantic import ValidationError

from .channel import Channel
from .messages import Cancel, WorkerMessage

R = TypeVar("R", bound=WorkerMessage)


class RequestWorker(Generic[R]):
    """Carries requests out, one after the other.

    Attributes:
        channel: where requests come from and replies go.
    """

    def __init__(self, channel: Channel[R]) -> None:
        self.channel = channel
        self._requests: queue.SimpleQueue[R] = queue.SimpleQueue()
        self._cancelled: dict[int, threading.Event] = {}

    def carry_out(self, request: R, cancelled: threading.Event) -> None:
        """Do what is asked and reply; whatever is raised is replied by ``refuse``.

        Args:
            request: anything but a Cancel.
            cancelled: set as soon as the request is to end early.
        """
        raise NotImplementedError

    def refuse(self, request: R, error: Exception) -> None:
        """Reply that the request failed."""
        raise NotImplementedError

    def recover(self) -> None:
        """Give back what a failed request held; its exception is gone by now."""

    def serve(self) -> NoReturn:
        """Answer requests until the input ends, then end the process."""
        threading.Thread(target=self._listen, name="requests", daemon=True).start()
        while True:
            if not self._answered(self._requests.get()):
                self.recover()

    def _answered(self, request: R) -> bool:
        try:
            self.carry_out(request, self._cancelled[request.id])
        except Exception as error:
            traceback.print_exc()
            self.refuse(request, error)
            return False
        finally:
            self._cancelled.pop(request.id, None)
        return True

    def _listen(self) -> None:
        code = 1
        try:
            for request in self.channel.requests():
                self._take(request)
            code = 0
        except ValidationError:
            traceback.print_exc()
        # Nobody listens any more and nothing is worth saving; loading cannot be interrupted
        # in any other way.
        os._exit(code)

    def _take(self, request: R) -> None:
        if isinstance(request, Cancel):
            if event := self._cancelled.get(request.id):
                event.set()
            return
        self._cancelled[request.id] = threading.Event()
        self._requests.put(request)
