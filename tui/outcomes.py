"""How the result of a task is used: one talks to it, or tries it on inputs."""

from __future__ import annotations

import threading
from collections.abc import Callable

CHAT, TRY = "chat", "try it"


class Outcomes:
    """Knows it of every task.

    Reading the tasks takes a third of a second, so a thread does it once somebody asks.

    Args:
        known: called from the thread when the tasks have been read.
    """

    def __init__(self, known: Callable[[], object]) -> None:
        self._known = known
        self._tried: frozenset[str] | None = None
        self._reader: threading.Thread | None = None

    def is_tried(self, task: str) -> bool:
        """Whether results of the task are tried; no, while that is not known yet."""
        if self._tried is None and self._reader is None:
            self._reader = threading.Thread(target=self._read, daemon=True, name="tasks")
            self._reader.start()
        return self._tried is not None and task in self._tried

    def is_tried_for_sure(self, task: str) -> bool:
        """The same, once the tasks have been read."""
        self.is_tried(task)
        if self._reader is not None:
            self._reader.join()
        return self.is_tried(task)

    def label(self, task: str) -> str:
        """What the footer calls it."""
        return TRY if self.is_tried(task) else CHAT

    def _read(self) -> None:
        from luthier.trainers.registry import tasks

        self._tried = frozenset(task.id for task in tasks().values() if task.predict)
        self._known()
