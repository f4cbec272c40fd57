"""Fixtures for attempts that are cleaned up whatever happens."""

from __future__ import annotations

import contextlib
import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from luthier.agent.launching import SupervisorIdentity, end_strays
from luthier.trainers.run_folder import AttemptFolder


@pytest.fixture
def run_id() -> str:
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture
def attempt(tmp_path: Path, run_id: str) -> Iterator[AttemptFolder]:
    folder = AttemptFolder(tmp_path / run_id / "attempt-1")
    yield folder
    found = SupervisorIdentity.read(folder)
    if found is not None and found.run_id == run_id and found.is_alive():
        # Without its supervisor nothing would lead to an orphan with an empty environment.
        below = psutil.Process(found.pid).children(recursive=True)
        os.kill(found.pid, signal.SIGKILL)
        for process in below:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    end_strays(run_id, 1, grace_seconds=0.0)
