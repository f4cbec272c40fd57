"""A chat's worker on another host: its standard streams are a channel."""

from __future__ import annotations

import asyncio
import io
import queue
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from luthier.trainers.errors import LuthierError

from ..chat.environment import worker_environment
from ..chat.pipe import Pipe, last_line
from ..chat.place import LocalPlace, Place
from ..chat.process import WorkerProcess
from .far.wire import Frame
from .hosts import Hosts
from .ssh_host import SshHost
from .token import hub_token

_TAIL_BYTES = 4096


class HostPlace(Place):
    """Another host."""

    def __init__(self, host: SshHost) -> None:
        self._host = host

    async def start(self, devices: Sequence[str], *, offline: bool, token: bool, log: Path) -> Pipe:
        """See Place. The errors stay in a log of the same name there."""
        offline = offline or self._host.offline
        environment = worker_environment(devices, offline=offline, base={})
        secret = await asyncio.to_thread(hub_token) if token else None
        if secret:
            environment |= {"HF_TOKEN": secret}
        return await asyncio.to_thread(
            _start, self._host, environment, log.name, asyncio.get_running_loop()
        )

    async def path(self, text: str) -> str:
        """See Place."""
        return await asyncio.to_thread(self._host.path_there, text)


def _start(
    host: SshHost, environment: dict[str, str], log: str, loop: asyncio.AbstractEventLoop
) -> Pipe:
    session = host.link.ready()
    root = str(session.hello["folder"])
    shipper = host.shipper(session)
    code = shipper.ship_bundle(lambda doing: None)
    if "HF_HUB_OFFLINE" in environment:
        environment = environment | shipper.ship_cached("", lambda doing: None)
    channel = host.link.own_channel()
    try:
        there = f"{root}/chats/{log}"
        answer = channel.converse(
            "become",
            argv=[host.training_python(), "-m", WorkerProcess.module],
            environment={**environment, "PYTHONPATH": code},
            cwd=root,
            log=there,
        )
    except BaseException:
        channel.close()
        raise
    return _ChannelPipe(host, channel.wire.source, channel.detach(), answer, there, loop)


class _ChannelPipe(Pipe):
    """Two threads move lines, so that the event loop never waits for the link."""

    def __init__(
        self,
        host: SshHost,
        source: io.BufferedIOBase | Any,
        channel: Any,
        answer: Frame,
        log: str,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.pid = int(answer["pid"])
        self._host = host
        self._source = source
        self._channel = channel
        self._log = log
        self._loop = loop
        self._lines: asyncio.Queue[bytes] = asyncio.Queue()
        self._unsent: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        for work in (self._read, self._send):
            threading.Thread(target=work, name=f"chat on {host.name}", daemon=True).start()

    def write(self, line: bytes) -> None:
        """See Pipe."""
        self._unsent.put(line)

    async def readline(self) -> bytes:
        """See Pipe."""
        return await self._lines.get()

    def kill(self) -> None:
        """See Pipe. The worker ends when its input does."""
        self._unsent.put(None)
        with suppress(EOFError, OSError):
            self._channel.close()

    async def explain(self) -> str:
        """See Pipe."""
        return await asyncio.to_thread(self._explain)

    def _explain(self) -> str:
        name = self._host.name
        if not self._host.connected:
            return (
                f"The connection to {name} was lost; the chat loads again with the next question."
            )
        try:
            text = self._host.link.ask("tail", path=self._log, last=_TAIL_BYTES)["text"]
        except LuthierError as error:
            return f"The chat worker on {name} ended; {error}"
        return f"The chat worker on {name} ended: {last_line(text)} (log there: {self._log})"

    def memory(self) -> int | None:
        """See Pipe."""
        return None

    def _read(self) -> None:
        line = b"-"
        while line:
            try:
                line = self._source.readline()
            except (OSError, ValueError, EOFError):
                line = b""
            # A torn line is an end as well.
            line = line if line.endswith(b"\n") else b""
            with suppress(RuntimeError):  # The agent is ending.
                self._loop.call_soon_threadsafe(self._lines.put_nowait, line)

    def _send(self) -> None:
        while (line := self._unsent.get()) is not None:
            try:
                self._channel.sendall(line)
            except (OSError, EOFError):
                return


def place_on(hosts: Hosts, name: str) -> Place:
    """Where chats with runs of that host have their worker."""
    host = hosts.get(name)
    return HostPlace(host) if isinstance(host, SshHost) else LocalPlace()
