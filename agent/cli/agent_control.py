"""Ending, running and reading the log of the agent, from outside it."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from luthier.trainers.errors import LuthierError

from ..client import Client
from ..errors import UnavailableError
from ..paths import Home
from ..starting import agent_answers

_END_SECONDS = 30.0
_LOOK_SECONDS = 0.3


def stop_agent(home: Home) -> bool:
    """End the agent and wait until it is gone. Returns whether one was running.

    Raises:
        UnavailableError: it did not end in time.
    """
    with Client(home, start=False) as client:
        try:
            pid = client.status().pid
            client.shutdown()
        except UnavailableError:
            if not agent_answers(home):
                return False
            raise
    deadline = time.monotonic() + _END_SECONDS
    while agent_answers(home) or _exists(pid):
        if time.monotonic() > deadline:
            raise UnavailableError(
                f"The agent of {home.path} (pid {pid}) did not end within {_END_SECONDS:.0f} s.",
                hint=f"See {home.log}.",
            )
        time.sleep(0.02)
    return True


def run_agent(home: Home, port: int | None) -> int:
    """Become the agent: replaces this process. ``port`` is the loopback port to serve as well."""
    arguments = [sys.executable, "-m", "luthier.agent"]
    if port is not None:
        arguments += ["--port", str(port)]
    os.execve(arguments[0], arguments, {**os.environ, "LUTHIER_HOME": str(home.path)})


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a log.

    Raises:
        LuthierError: there is no log.
    """
    if not path.exists():
        raise LuthierError(f"{path}: there is no log yet.", hint="Start an agent first.")
    with path.open(encoding="utf-8", errors="replace") as file:
        return [line.rstrip("\n") for line in deque(file, maxlen=count)]


def follow_log(path: Path) -> Iterator[str]:
    """Lines as they are added, without end; a log that was replaced is read anew."""
    file = path.open(encoding="utf-8", errors="replace")
    file.seek(0, os.SEEK_END)
    rest = ""
    try:
        while True:
            piece = file.readline()
            rest += piece
            if rest.endswith("\n"):
                yield rest.rstrip("\n")
                rest = ""
            elif not piece:
                time.sleep(_LOOK_SECONDS)
                if path.exists() and path.stat().st_ino != os.fstat(file.fileno()).st_ino:
                    file.close()
                    file = path.open(encoding="utf-8", errors="replace")
    finally:
        file.close()


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # A zombie has ended; its parent has only not asked for its code yet.
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
