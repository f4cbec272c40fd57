"""One chat worker process: started, asked and ended without blocking the event loop."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import psutil
from pydantic import ValidationError

from luthier.trainers.chat.protocol import (
    Added,
    Cancel,
    Failed,
    Finished,
    Ready,
    Reply,
    encode,
    parse_reply,
)
from luthier.trainers.errors import LuthierError

_MODULE = "luthier.trainers.chat.worker"
# The longest line is one whole answer of a batch.
_LINE_BYTES = 16 * 1024**2
_LAST = (Ready, Added, Finished, Failed)


class WorkerLostError(LuthierError):
    """The worker ended while it was needed; the message says why."""


class WorkerProcess:
    """A worker in its own process group, with its errors in a log file.

    Use :meth:`start`. Requests of several tasks may overlap; the worker takes them in order.
    """

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Queue[Reply | None]] = {}
        self._reason = ""
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, environment: Mapping[str, str], log: Path) -> WorkerProcess:
        """Start a worker; it answers once it has imported what it needs.

        Raises:
            OSError: the log cannot be written or no process be started.
        """
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                _MODULE,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env=dict(environment),
                cwd=log.parent,
                start_new_session=True,
                limit=_LINE_BYTES,
            )
        return cls(process, log)

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def gone(self) -> bool:
        """Whether the process has ended."""
        return self._reader.done()

    @property
    def reason(self) -> str:
        """Why it ended, in one sentence; empty while it lives."""
        return self._reason if self.gone else ""

    def memory(self) -> int | None:
        """Resident bytes; None once it has ended."""
        try:
            return int(psutil.Process(self.pid).memory_info().rss)
        except psutil.Error:
            return None

    async def replies(self, make: type[Any], **fields: Any) -> AsyncGenerator[Reply, None]:
        """Send a request and yield its replies, the last one included.

        A caller that closes this before its end cancels the request.

        Raises:
            WorkerLostError: the worker ended first.
        """
        number = next(self._numbers)
        queue: asyncio.Queue[Reply | None] = asyncio.Queue()
        self._waiting[number] = queue
        finished = False
        try:
            self._send(make(id=number, **fields))
            while not finished:
                reply = None if self.gone and queue.empty() else await queue.get()
                if reply is None:
                    finished = True
                    raise WorkerLostError(self._reason)
                finished = isinstance(reply, _LAST)
                yield reply
        finally:
            del self._waiting[number]
            if not finished:
                self._send(Cancel(id=number))

    async def ask(self, make: type[Any], **fields: Any) -> Reply:
        """Send a request that has one reply. Raises WorkerLostError."""
        async with aclosing(self.replies(make, **fields)) as replies:
            return await anext(replies)

    def cancel_all(self) -> None:
        """Cancel whatever is asked for now; its replies end with ``cancelled``."""
        for number in self._waiting:
            self._send(Cancel(id=number))

    async def end(self, reason: str) -> None:
        """Kill the process group and wait until it is gone.

        Args:
            reason: what those hear who still wait for a reply, a sentence.
        """
        if not self.gone:
            self._reason = self._reason or reason
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        await asyncio.shield(self._reader)

    def _send(self, message: Any) -> None:
        stdin = self._process.stdin
        if stdin is not None and not stdin.is_closing():
            stdin.write(encode(message))

    async def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        try:
            while line := await stdout.readline():
                reply = parse_reply(line)
                if queue := self._waiting.get(reply.id):
                    queue.put_nowait(reply)
        except (ValidationError, ValueError) as error:
            self._reason = f"The chat worker said something that makes no sense: {error!r}."
            os.killpg(self.pid, signal.SIGKILL)
        code = await self._process.wait()
        self._reason = self._reason or await asyncio.to_thread(self._explain, code)
        for queue in self._waiting.values():
            queue.put_nowait(None)

    def _explain(self, code: int) -> str:
        if code < 0:
            name = signal.Signals(-code).name
            hint = "; memory may have run out" if -code == signal.SIGKILL else ""
            return f"The chat worker was killed by signal {-code} ({name}){hint}."
        lines = self._log.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "no message")
        return f"The chat worker ended with code {code}: {last} (log: {self._log})"
