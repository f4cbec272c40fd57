"""The terminal goes away: its window was closed, the connection is lost, the session has ended.

Then the program must end too, with the person's work kept. The system says so with a signal only
where the terminal is the session's own; elsewhere nothing is told, reads return nothing at once,
and a program that goes on reading keeps a processor busy for ever.
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections.abc import Callable

_STREAMS = (0, 1, 2)
_PATIENCE_SECONDS = 10.0


def watch(gone: Callable[[], object]) -> None:
    """Call ``gone`` once there is nobody at the other end of the terminal.

    It is called in a thread of its own. The program must end soon after: when it has not within
    ten seconds, because something still waits for the terminal, it is ended as it is.
    """
    if hasattr(select, "poll") and sys.__stdin__ is not None and sys.__stdin__.isatty():
        number = sys.__stdin__.fileno()
        threading.Thread(target=_wait, args=(number, gone), daemon=True, name="hangup").start()


def _wait(number: int, gone: Callable[[], object]) -> None:
    poller = select.poll()
    # Nothing is asked for: only that the terminal is gone is told, unasked.
    poller.register(number, 0)
    _, told = poller.poll()[0]
    if told & select.POLLNVAL:
        # This system cannot watch terminals.
        return
    drop_streams()
    gone()
    time.sleep(_PATIENCE_SECONDS)
    os._exit(1)


def drop_streams() -> None:
    """Let what is still written go nowhere, since writing to a lost terminal fails or waits."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in _STREAMS:
        os.dup2(nowhere, number)
    os.close(nowhere)
