"""Where a chat's worker runs: on this host, or on the one that the run was on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from .environment import worker_environment
from .pipe import LocalPipe, Pipe
from .process import WorkerProcess


class Place(ABC):
    """A host, as far as chats need it."""

    @abstractmethod
    async def start(self, devices: Sequence[str], *, offline: bool, token: bool, log: Path) -> Pipe:
        """Start a worker.

        Args:
            devices: see ``worker_environment``.
            offline: it opens no connection.
            token: whether it may have the person's hub token.
            log: where its errors go, on this host.

        Raises:
            OSError, LuthierError: it cannot be started.
        """

    @abstractmethod
    async def path(self, text: str) -> str:
        """What a file or folder of this host is called there; other texts stay as they are.

        Raises:
            LuthierError: it is not there and cannot be brought there.
        """


class LocalPlace(Place):
    """This host."""

    async def start(self, devices: Sequence[str], *, offline: bool, token: bool, log: Path) -> Pipe:
        """See Place."""
        environment = worker_environment(devices, offline=offline)
        return await LocalPipe.start(WorkerProcess.module, WorkerProcess.name, environment, log)

    async def path(self, text: str) -> str:
        """See Place."""
        return text
