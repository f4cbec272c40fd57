"""Turns: of those who do the same thing at the same time, one does it, and the others find it."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable, Iterator


class Turns:
    """Locks by name, there as long as anybody wants them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: weakref.WeakValueDictionary[str, threading.Lock] = (
            weakref.WeakValueDictionary()
        )

    @contextlib.contextmanager
    def of(self, name: str, waits: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Wait until nobody else has that name, and have it; ``waits`` is called before a wait."""
        with self._lock:
            lock = self._locks.get(name)
            if lock is None:
                lock = self._locks[name] = threading.Lock()
        if not lock.acquire(blocking=False):
            waits()
            lock.acquire()
        try:
            yield
        finally:
            lock.release()
