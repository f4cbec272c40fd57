"""Connections: sockets that notice a dead link, jump hosts, and checked host keys."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from typing import Any

from .errors import HostError, HostUnreachableError
from .host_keys import KnownHosts
from .login import log_in
from .questions import Answer
from .secrets import Secrets
from .ssh_config import SshSettings, ssh_settings
from .target import Target

# paramiko logs on standard error where nobody listens, which would spoil a terminal UI.
logging.getLogger("paramiko").addHandler(logging.NullHandler())
logging.getLogger("paramiko").setLevel(logging.CRITICAL)

_CONNECT_SECONDS = 15.0
_LOGIN_SECONDS = 30.0
_MOST_HOPS = 8
_LAST_BYTES = 2000
# Between the end of a command's output and its own.
_END_SECONDS = 0.3
# Unacknowledged bytes for so long mean that the link is dead.
_USER_TIMEOUT_MILLISECONDS = 15_000


class Connection:
    """One authenticated connection with those that it goes through."""

    def __init__(self, transport: Any, settings: SshSettings, below: list[Any]) -> None:
        self.transport = transport
        self.settings = settings
        self._below = below

    @property
    def alive(self) -> bool:
        """Whether it can be used, as far as is known."""
        return bool(self.transport.is_active())

    def command(self, line: str) -> Any:
        """A channel on which the account's login shell carries out that line.

        Raises:
            HostUnreachableError: the connection is gone.
        """
        from paramiko import SSHException

        try:
            channel = self.transport.open_session(timeout=_CONNECT_SECONDS)
            channel.exec_command(line)
        except (SSHException, EOFError, OSError) as error:
            raise HostUnreachableError(
                f"{self.settings.account}: the connection is gone: {error or 'it ended'}."
            ) from error
        return channel

    def close(self) -> None:
        """End it, and what it goes through."""
        self.transport.close()
        for each in self._below:
            each.close()


def connect(
    target: Target, known_hosts: KnownHosts, secrets: Secrets, answer: Answer | None = None
) -> Connection:
    """Connect and log in, through jump hosts where the configuration says so.

    Args:
        target: where.
        known_hosts: whose keys are trusted.
        secrets: what this person has told.
        answer: asks the person what a server asks; silent: what was told beforehand counts.

    Raises:
        HostUnreachableError: nobody answers, or the connection broke.
        HostKeyChangedError, DecisionNeededError, HostError: as their names say.
    """
    settings = ssh_settings(target)
    hops = _hops(settings)
    below: list[Any] = []
    try:
        transport: Any = None
        for hop in hops:
            channel = _first_socket(hop) if transport is None else _through(transport, hop)
            transport = _open(hop, channel, known_hosts, secrets, answer or secrets.answer, below)
    except BaseException:
        for each in reversed(below):
            each.close()
        raise
    return Connection(transport, settings, below[-2::-1])


def _hops(settings: SshSettings) -> list[SshSettings]:
    """What is gone through, and the host itself last: the first jump host may have its own."""
    hops = [settings]
    while hops[0].jumps:
        if len(hops) > _MOST_HOPS:
            raise HostError(
                f"{settings.account}: the way there goes through more than {_MOST_HOPS} hosts.",
                hint="A ProxyJump in ~/.ssh/config may lead back to where it came from.",
            )
        hops = [*(ssh_settings(jump) for jump in hops[0].jumps), *hops]
    return hops


def _open(
    settings: SshSettings,
    channel: Any,
    known_hosts: KnownHosts,
    secrets: Secrets,
    answer: Answer,
    below: list[Any],
) -> Any:
    """A transport over that channel, checked and logged in; it is added to ``below``."""
    from paramiko import SSHException, Transport

    below.append(channel)
    try:
        transport = Transport(channel)
        below[-1] = transport
        transport.banner_timeout = transport.auth_timeout = _LOGIN_SECONDS
        security = transport.get_security_options()
        security.key_types = known_hosts.preferred(settings, security.key_types)
        security.ciphers = _fast_first(security.ciphers)
        transport.start_client(timeout=_LOGIN_SECONDS)
        known_hosts.check(settings, transport.get_remote_server_key())
        transport.set_keepalive(5)
        log_in(transport, settings, secrets, answer)
    except (SSHException, EOFError, OSError) as error:
        raise _broken(settings, channel, error) from error
    return transport


def _broken(settings: SshSettings, channel: Any, error: Exception) -> HostUnreachableError:
    if isinstance(channel, _Command) and (said := channel.last_words()) is not None:
        return HostUnreachableError(
            f"{settings.account}: its ProxyCommand ended: {said or 'it said nothing'}.",
            hint=f"Mend it in ~/.ssh/config: {settings.proxy_command}",
        )
    reason = str(error) or "it was closed"
    if "banner" in reason:
        return HostUnreachableError(
            f"{settings.account}: what answers there does not speak SSH.",
            hint="Is the port right, and is the server up?",
        )
    return HostUnreachableError(
        f"{settings.account}: the connection broke: {reason.rstrip('.')}.",
        hint="See what ssh -v says about the same host.",
    )


def _fast_first(ciphers: Sequence[str]) -> list[str]:
    """Ciphers that authenticate by themselves first: they take half the processor's time."""
    return sorted(ciphers, key=lambda name: "gcm" not in name)


def _first_socket(settings: SshSettings) -> Any:
    if settings.proxy_command:
        return _Command(settings.proxy_command)
    try:
        found = socket.create_connection(
            (settings.address, settings.port), timeout=_CONNECT_SECONDS
        )
    except (OSError, UnicodeError) as error:
        reason = "it did not answer" if isinstance(error, TimeoutError) else None
        reason = reason or getattr(error, "strerror", None) or "its name cannot be one"
        raise HostUnreachableError(
            f"{settings.account} cannot be reached: {reason}.",
            hint="Is it up, and is the address right? Try: ssh "
            f"{settings.user}@{settings.address} -p {settings.port}",
        ) from error
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MILLISECONDS)
    return found


def _through(transport: Any, settings: SshSettings) -> Any:
    from paramiko import SSHException

    try:
        return transport.open_channel(
            "direct-tcpip",
            (settings.address, settings.port),
            ("127.0.0.1", 0),
            timeout=_CONNECT_SECONDS,
        )
    except (SSHException, EOFError, OSError) as error:
        raise HostUnreachableError(
            f"{settings.account} cannot be reached through its jump host: {error}."
        ) from error


class _Command:
    """A ProxyCommand: its standard streams as a socket."""

    def __init__(self, command: str) -> None:
        self._own, theirs = socket.socketpair()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with us
        self._last_words: str | None = None
        self._closing = threading.Lock()
        with theirs:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._said,
                start_new_session=True,
            )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)

    def last_words(self) -> str | None:
        """The last line that it complained with; None when it did not end by itself."""
        self.close()
        return self._last_words

    def close(self) -> None:
        """End the command with its children."""
        with self._closing:
            if self._said.closed:
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=_END_SECONDS)
                self._last_words = self._last_line()
            self._own.close()
            self._said.close()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait()

    def _last_line(self) -> str:
        size = self._said.seek(0, os.SEEK_END)
        self._said.seek(max(0, size - _LAST_BYTES))
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return lines[-1].strip().rstrip(".") if lines else ""
