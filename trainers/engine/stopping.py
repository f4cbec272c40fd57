"""Leaving early: a stop file in the attempt's folder, or SIGTERM. Torch-free."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

from ..run_folder import AttemptFolder

_LOOK_SECONDS = 0.2


class StopRequested(BaseException):
    """Somebody wants the run to end now, without saving. ``step`` is how far it came."""

    def __init__(self, step: int = 0) -> None:
        super().__init__(step)
        self.step = step


class StopWatch:
    """Knows whether somebody wants the attempt to end.

    Between steps the worker asks ``requested``. In phases that may be left at any moment
    (``interruptible``) StopRequested is raised in the main thread instead.
    """

    def __init__(self, attempt: AttemptFolder) -> None:
        self._file = attempt.stop_request
        self._signalled = False
        self._interruptible = False
        self._before: signal._HANDLER = signal.SIG_DFL

    def __enter__(self) -> StopWatch:
        """Take over SIGTERM. It may come several times: from the supervisor and a launcher."""
        self._before = signal.signal(signal.SIGTERM, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.signal(signal.SIGTERM, self._before)

    @property
    def requested(self) -> bool:
        """Whether the worker should leave."""
        return self._signalled or self._file.exists()

    @property
    def asked(self) -> bool:
        """Whether somebody asked by the stop file, so that a signal alone is not the reason."""
        return self._file.exists()

    @property
    def at_once(self) -> bool:
        """Whether the worker should leave without a checkpoint."""
        try:
            return bool(json.loads(self._file.read_bytes()).get("now", False))
        except (OSError, ValueError, AttributeError):
            return False

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """A phase with nothing to save. Raises StopRequested in it once a stop is wanted."""
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(done,), daemon=True)
        self._interruptible = True
        watcher.start()
        try:
            if self.requested:
                raise StopRequested
            yield
        finally:
            self._interruptible = False
            done.set()

    def _watch(self, done: threading.Event) -> None:
        main = threading.main_thread().ident
        while not done.wait(_LOOK_SECONDS):
            if self._file.exists() and main is not None:
                # Python runs signal handlers in the main thread, which is where to raise.
                signal.pthread_kill(main, signal.SIGTERM)
                return

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signalled = True
        if self._interruptible:
            raise StopRequested
