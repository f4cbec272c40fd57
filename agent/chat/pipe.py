"""The standard input and output of a worker, wherever it runs."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

# The longest line is one whole answer of a batch.
_LINE_BYTES = 16 * 1024**2


class Pipe(ABC):
    """A worker's standard input and output, and its end."""

    pid: int

    @abstractmethod
    def write(self, line: bytes) -> None:
        """Send a line; nothing happens when the worker has ended."""

    @abstractmethod
    async def readline(self) -> bytes:
        """The next line; empty at the end."""

    @abstractmethod
    def kill(self) -> None:
        """End the worker with everything that it started."""

    @abstractmethod
    async def explain(self) -> str:
        """Wait for the end; why it came, in one sentence."""

    @abstractmethod
    def memory(self) -> int | None:
        """Resident bytes; None where nobody can tell."""


class LocalPipe(Pipe):
    """A worker in its own process group, with its errors in a log file; use :meth:`start`."""

    def __init__(self, process: asyncio.subprocess.Process, name: str, log: Path) -> None:
        self._process = process
        self._name = name
        self._log = log
        self.pid = process.pid

    @classmethod
    async def start(
        cls, module: str, name: str, environment: Mapping[str, str], log: Path
    ) -> LocalPipe:
        """Start a module of ours; ``name`` is what people call it. Raises OSError."""
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                module,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env=dict(environment),
                cwd=log.parent,
                start_new_session=True,
                limit=_LINE_BYTES,
            )
        return cls(process, name, log)

    def write(self, line: bytes) -> None:
        """See Pipe."""
        stdin = self._process.stdin
        if stdin is not None and not stdin.is_closing():
            stdin.write(line)

    async def readline(self) -> bytes:
        """See Pipe."""
        assert self._process.stdout is not None
        return await self._process.stdout.readline()

    def kill(self) -> None:
        """See Pipe."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    async def explain(self) -> str:
        """See Pipe."""
        code = await self._process.wait()
        return await asyncio.to_thread(self._explain, code)

    def _explain(self, code: int) -> str:
        if code < 0:
            name = signal.Signals(-code).name
            hint = "; memory may have run out" if -code == signal.SIGKILL else ""
            return f"The {self._name} was killed by signal {-code} ({name}){hint}."
        text = self._log.read_text(encoding="utf-8", errors="replace")
        return f"The {self._name} ended with code {code}: {last_line(text)} (log: {self._log})"

    def memory(self) -> int | None:
        """See Pipe."""
        try:
            return int(psutil.Process(self.pid).memory_info().rss)
        except psutil.Error:
            return None


def last_line(text: str) -> str:
    """The last line of a log that says anything."""
    lines = text.split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "no message")
