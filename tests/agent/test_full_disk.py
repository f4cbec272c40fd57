"""A full disk: a clear failure, an agent that answers, and everything caught up with afterwards."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from luthier.agent.errors import RefusedError
from luthier.agent.paths import Home
from luthier.agent.states import RunState

if TYPE_CHECKING:
    from .conftest import RealAgent, Workshop


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 16 MB."""
    folder = Path(tempfile.mkdtemp(prefix="small-disk-"))
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        folder.rmdir()
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
    folder.rmdir()


@pytest.fixture
def agent_on_it(small_disk: Path, real_agent: RealAgent) -> Iterator[RealAgent]:
    """An agent whose home is on the small disk."""
    found = type(real_agent)(Home(small_disk / "home"))
    found.write_settings()
    yield found
    found.end_everything()


def test_full_disk_fails_the_run_and_the_agent_recovers(
    agent_on_it: RealAgent, workshop: Workshop, wait: Callable[..., Any]
) -> None:
    client = agent_on_it.start()
    done = client.submit(workshop.spec({"steps": 2}))
    agent_on_it.ended(done.id)
    run = client.submit(workshop.spec({"steps": 50, "fill": 7}))
    failed = agent_on_it.ended(run.id)
    assert failed.state is RunState.FAILED
    assert "The disk of" in failed.reason
    assert failed.reason.endswith("is full.")
    problems = wait(lambda: client.status().problems)
    assert any(str(agent_on_it.home.path) in problem for problem in problems)
    with pytest.raises(RefusedError, match="Free some space") as refused:
        client.submit(workshop.spec())
    assert (refused.value.status, refused.value.exit_code) == (507, 1)
    assert client.run(done.id).state is RunState.SUCCEEDED

    folder = agent_on_it.home.run(run.id)
    (folder.path / "filler").unlink()
    wait(lambda: not client.status().problems)
    wait(lambda: json.loads(folder.record.read_text())["state"] == "failed")
    # The step whose event did not fit is computed again after the checkpoint at 5.
    assert agent_on_it.stored_steps(run.id)[:7] == [1, 2, 3, 4, 5, 6, 7]
    client.resume(run.id, overrides=["training.max_steps=12"])
    assert client.run(run.id).state is not RunState.FAILED
    (folder.path / "attempt-1" / "exit.json").stat()
