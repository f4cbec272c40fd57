"""HTTP over the agent's Unix socket, for its owner only."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from luthier.trainers.errors import LuthierError

from .models import ErrorReply
from .paths import Home

_log = logging.getLogger(__name__)
_ENDING_SECONDS = 5
_CREDENTIALS = struct.Struct("3i")


class OwnersOnly(H11Protocol):
    """Talks only to processes of the agent's own user and of root."""

    _welcome = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Look who has connected before anything is read."""
        user = peer_user(transport.get_extra_info("socket"))
        self._welcome = user in (os.getuid(), 0)
        if not self._welcome:
            _log.warning("user %s was refused", user)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Take what the owner sends; turn others away unread."""
        if self._welcome:
            super().data_received(data)
        elif not self.transport.is_closing():
            self.transport.write(_refusal())
            self.transport.close()


def peer_user(connection: socket.socket) -> int:
    """The user id of the process at the other end, as the kernel knows it."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(raw)
    return cast(int, user)


@contextmanager
def listening(home: Home) -> Iterator[socket.socket]:
    """The home's socket, mode 0600; a stale file is replaced. Hold the home's lock.

    Raises:
        LuthierError: its folder is not the user's own, or nothing can be made there.
    """
    path = home.socket
    _check_folder(home)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    except OSError as error:
        raise LuthierError(f"{path}: cannot listen there: {error.strerror}.") from error
    finally:
        os.umask(before)
    try:
        listener.listen(128)
        yield listener
    finally:
        path.unlink(missing_ok=True)
        listener.close()


class AgentServer(uvicorn.Server):
    """Serves an application on a listening socket until it is told to end."""

    def __init__(self, app: FastAPI, *, owners_only: bool) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=OwnersOnly if owners_only else H11Protocol,
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=_ENDING_SECONDS,
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone: the daemon handles them for all its servers."""
        yield

    def end(self) -> None:
        """Answer what was asked already, then return from ``serve``."""
        self.should_exit = True


def _check_folder(home: Home) -> None:
    folder = home.socket.parent
    found = folder.stat()
    if found.st_uid != os.getuid():
        raise LuthierError(
            f"{folder} belongs to another user, so the agent's socket cannot be put there.",
            hint="Choose a shorter LUTHIER_HOME, or set XDG_RUNTIME_DIR.",
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)


def _refusal() -> bytes:
    body = ErrorReply(error="This agent answers only the user who owns it.").model_dump_json()
    head = (
        "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return (head + body).encode()
