"""One agent for one home: a lock that the kernel takes back when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import AgentError
from .paths import Home
from .starting import ALREADY_RUNNING, agent_answers

# An agent that is ending listens no more, but holds the lock until it has written everything.
_ENDING_SECONDS = 15.0


class AlreadyRunningError(AgentError):
    """Another agent serves the home."""

    exit_code = ALREADY_RUNNING


@contextmanager
def only_agent(home: Home) -> Iterator[None]:
    """Be the home's agent for the length of the block.

    Raises:
        AlreadyRunningError: another one is.
    """
    descriptor = os.open(home.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + _ENDING_SECONDS
        while not _taken(descriptor):
            if agent_answers(home) or time.monotonic() > deadline:
                holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
                raise AlreadyRunningError(
                    f"An agent for {home.path} is running already (process {holder})."
                )
            time.sleep(0.05)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
