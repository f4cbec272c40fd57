"""Starting the agent on demand: many clients at once start one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import UnavailableError
from .paths import Home

_START_SECONDS = 30.0
_ROOM_BYTES = 1 << 16
ALREADY_RUNNING = 4
"""Exit code of an agent that finds another one for its home."""


def check_socket(home: Home) -> None:
    """Make sure that nobody else has put a socket where the home's one is looked for.

    Raises:
        UnavailableError: somebody has; nothing must be sent there.
    """
    path = home.socket
    if path.is_relative_to(home.path):
        return
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_uid not in (os.getuid(), 0):
            raise UnavailableError(
                f"{path} belongs to another user.",
                hint="Choose a shorter LUTHIER_HOME, or set XDG_RUNTIME_DIR.",
            )


def agent_answers(home: Home) -> bool:
    """Whether somebody listens on the home's socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(str(home.socket))
        except OSError:
            return False
        return True


def ensure_agent(home: Home) -> None:
    """Start an agent for that home unless one listens, and wait until it does.

    Raises:
        UnavailableError: it ended, or did not listen in time; with what it said.
    """
    if agent_answers(home):
        return
    try:
        home.create()
        with _one_starter(home):
            if not agent_answers(home):
                _start(home)
    except OSError as error:
        raise UnavailableError(
            f"The agent of {home.path} cannot be started: {error.strerror or error}.",
            hint="Choose another folder with LUTHIER_HOME, or make this one writable.",
        ) from error


def start_error_path(home: Home) -> Path:
    """What the agent wrote to its standard error; empty while all is well."""
    return home.path / "agent.err"


def _start(home: Home) -> None:
    said = start_error_path(home)
    with said.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "luthier.agent"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            cwd=home.path,
            env={**os.environ, "LUTHIER_HOME": str(home.path)},
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    while not agent_answers(home):
        code = process.poll()
        if code not in (None, ALREADY_RUNNING):
            reason = _last_words(home, said) or f"it ended with code {code}."
            raise UnavailableError(
                f"The agent of {home.path} did not start: {reason}", hint=f"See {home.log}."
            )
        if time.monotonic() > deadline:
            raise UnavailableError(
                f"The agent of {home.path} did not answer within {_START_SECONDS:.0f} s.",
                hint=f"See {home.log}.",
            )
        time.sleep(0.01)


def _last_words(home: Home, said: Path) -> str:
    lines = said.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    if lines:
        return lines[-1]
    # There was no room for its words either.
    return "the disk is full." if shutil.disk_usage(home.path).free < _ROOM_BYTES else ""


@contextmanager
def _one_starter(home: Home) -> Iterator[None]:
    """Hold the lock that only one starting client has; the others wait for its result."""
    with (home.path / "agent.start").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
