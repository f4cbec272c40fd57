"""What holds for all tests: signals, properties, and how files are shared among processes."""

from __future__ import annotations

import signal
from pathlib import PurePath
from typing import Any

from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

# Other work on the machine fails no property. Where CI is set, hypothesis draws the same each time.
settings.register_profile(
    "patient",
    settings.get_profile(settings.get_current_profile_name()),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("patient")

# A shell that starts tests in the background has them ignore ctrl-c, and so all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Every test of these files is long and shares nothing costly with the others.
_SPREAD = {"test_every_task.py"}


class FileScheduling(LoadFileScheduling):
    """The tests of a file stay in one process, where they share agents, models and runs."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return nodeid if PurePath(file).name in _SPREAD else file


def pytest_xdist_make_scheduler(config: Any, log: Any) -> FileScheduling:
    """Called by pytest-xdist."""
    return FileScheduling(config, log)
