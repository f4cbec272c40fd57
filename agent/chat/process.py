"""A process that is asked by lines, such as a chat worker, without blocking the event loop."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ValidationError
from typing_extensions import Self

from luthier.trainers.chat.protocol import (
    Added,
    Failed,
    Finished,
    Ready,
    parse_reply,
)
from luthier.trainers.errors import LuthierError
from luthier.trainers.serving.messages import Cancel, encode

from .pipe import LocalPipe, Pipe


class WorkerLostError(LuthierError):
    """The worker ended while it was needed; the message says why."""


class WorkerProcess:
    """A worker and who waits for its replies; make one with :meth:`start` or over a pipe.

    Requests of several tasks may overlap; the worker takes them in order.

    Attributes:
        module: what Python runs.
        name: what people call it.
        last: the replies that are the last ones to their request.
        parse: reads one line.
        cancel: makes the request that cancels another one.
    """

    module: ClassVar[str] = "luthier.trainers.chat.worker"
    name: ClassVar[str] = "chat worker"
    last: ClassVar[tuple[type[Any], ...]] = (Ready, Added, Finished, Failed)
    parse: ClassVar[Callable[[bytes], Any]] = staticmethod(parse_reply)
    cancel: ClassVar[type[Any]] = Cancel

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Queue[Any]] = {}
        self._reason = ""
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, environment: Mapping[str, str], log: Path) -> Self:
        """Start a worker on this host; it answers once it has imported what it needs.

        Raises:
            OSError: the log cannot be written or no process be started.
        """
        return cls(await LocalPipe.start(cls.module, cls.name, environment, log))

    @property
    def pid(self) -> int:
        """The process's id, on its host."""
        return self._pipe.pid

    @property
    def gone(self) -> bool:
        """Whether the process has ended."""
        return self._reader.done()

    @property
    def reason(self) -> str:
        """Why it ended, in one sentence; empty while it lives."""
        return self._reason if self.gone else ""

    def when_gone(self, call: Callable[[], None]) -> None:
        """Call once the process has ended."""
        self._reader.add_done_callback(lambda _: call())

    def memory(self) -> int | None:
        """Resident bytes; None once it has ended, or on another host."""
        return self._pipe.memory()

    async def replies(self, make: type[Any], **fields: Any) -> AsyncGenerator[Any, None]:
        """Send a request and yield its replies, the last one included.

        A caller that closes this before its end cancels the request.

        Raises:
            WorkerLostError: the worker ended first.
        """
        number = next(self._numbers)
        queue: asyncio.Queue[Any] = asyncio.Queue()
        self._waiting[number] = queue
        finished = False
        try:
            self._send(make(id=number, **fields))
            while not finished:
                reply = None if self.gone and queue.empty() else await queue.get()
                if reply is None:
                    finished = True
                    raise WorkerLostError(self._reason)
                finished = isinstance(reply, self.last)
                yield reply
        finally:
            del self._waiting[number]
            if not finished:
                self._send(self.cancel(id=number))

    async def ask(self, make: type[Any], **fields: Any) -> Any:
        """Send a request that has one reply. Raises WorkerLostError."""
        async with aclosing(self.replies(make, **fields)) as replies:
            return await anext(replies)

    def cancel_all(self) -> None:
        """Cancel whatever is asked for now; its replies end with ``cancelled``."""
        for number in self._waiting:
            self._send(self.cancel(id=number))

    async def end(self, reason: str) -> None:
        """Kill the process group and wait until it is gone.

        Args:
            reason: what those hear who still wait for a reply, a sentence.
        """
        if not self.gone:
            self._reason = self._reason or reason
            self._pipe.kill()
        await asyncio.shield(self._reader)

    def _send(self, message: Any) -> None:
        self._pipe.write(encode(message))

    async def _read(self) -> None:
        try:
            while line := await self._pipe.readline():
                reply = type(self).parse(line)
                if queue := self._waiting.get(reply.id):
                    queue.put_nowait(reply)
        except (ValidationError, ValueError) as error:
            self._reason = f"The {self.name} said something that makes no sense: {error!r}."
            self._pipe.kill()
        explained = await self._pipe.explain()
        self._reason = self._reason or explained
        for queue in self._waiting.values():
            queue.put_nowait(None)
