"""The OpenAI-compatible API on a loopback TCP port, for clients that cannot use a Unix socket.

The agent's server calls ``await serve_openai(services, port)`` when the settings name a port, keeps
the result, tells ``result.port`` in its status, and awaits ``result.close()`` at its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from luthier.trainers.errors import LuthierError

from ..server import AgentServer
from ..services import Services
from .openai import refusal, router

_LOOPBACK = "127.0.0.1"


def openai_tcp_app(services: Services) -> FastAPI:
    """An application that serves /openai only, to who sends ``Authorization: Bearer TOKEN``.

    The token is in the file ``services.home.token``, which is made when there is none.

    Raises:
        LuthierError: the token file cannot be read, made, or is open to others.
    """
    app = FastAPI(openapi_url=None)
    app.state.services = services
    app.include_router(router)
    app.add_middleware(_BearerToken, token=read_token(services.home.token))
    return app


def read_token(path: Path) -> str:
    """The token in that file, which is made with mode 0600 when it does not exist.

    Raises:
        LuthierError: it cannot be read or made, is empty, or others may read it.
    """
    try:
        with contextlib.suppress(FileExistsError):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(32) + "\n")
        if path.stat().st_mode & 0o077:
            raise LuthierError(f"{path}: others may read it.", hint=f"Run: chmod 600 {path}")
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise LuthierError(f"{path}: the token cannot be read or made: {error}.") from error
    if not token:
        raise LuthierError(f"{path} is empty.", hint="Delete it; a new token is then made.")
    return token


class _BearerToken:
    """Lets a request through only with the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = Headers(scope=scope).get("authorization", "").encode()
            if not secrets.compare_digest(given, self._expected):
                message = (
                    "The token is missing or wrong; it is in the file 'token' of LUTHIER_HOME."
                )
                await refusal(401, message, code="invalid_api_key")(scope, receive, send)
                return
        await self._app(scope, receive, send)


@dataclass
class OpenAiServer:
    """The running server. ``port`` is the real one, also when 0 was asked for."""

    port: int
    _server: AgentServer
    _task: asyncio.Task[None]

    async def close(self) -> None:
        """Stop serving; what still runs is given a few seconds."""
        self._server.end()
        await self._task


async def serve_openai(services: Services, port: int) -> OpenAiServer:
    """Serve on the loopback interface in a task of the running loop.

    Args:
        port: 0 picks a free one.

    Raises:
        LuthierError: the port is taken, or the token file is not usable.
    """
    server = AgentServer(openai_tcp_app(services), owners_only=False)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_LOOPBACK, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise LuthierError(
            f"tcp_port {port}: {error.strerror}.", hint="Choose another, or 0 for any free one."
        ) from error
    task = asyncio.create_task(server.serve(sockets=[listener]))
    return OpenAiServer(int(listener.getsockname()[1]), server, task)
