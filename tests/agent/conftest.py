"""A real agent on a real socket in a temporary home, and runs of its own kind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from luthier.agent.client import Client
from luthier.agent.launching import SupervisorIdentity, end_strays
from luthier.agent.models import RunDetail
from luthier.agent.paths import Home
from luthier.agent.starting import agent_answers
from luthier.agent.states import RunState

_WORKER = Path(__file__).with_name("worker.py")
_Found = TypeVar("_Found")


def wait_for(
    look: Callable[[], _Found], until: Callable[[_Found], bool] = bool, seconds: float = 60
) -> _Found:
    """What ``look`` returns once ``until`` says that it is right; fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if until(found):
            return found
        assert time.monotonic() < deadline, f"still {found!r} after {seconds} seconds"
        time.sleep(0.02)


class RealAgent:
    """An agent process and everything below it."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.process: subprocess.Popen[bytes] | None = None
        self.client = Client(home, start=False)

    def write_settings(self, **settings: Any) -> None:
        """Settings for the next start; the worker is the stand-in unless said otherwise."""
        values = {"worker_command": [sys.executable, str(_WORKER)], "hardware_interval": 0.5}
        self.home.create()
        self.home.settings.write_text(yaml.safe_dump({**values, **settings}))

    def start(self, **environment: str) -> Client:
        """Start the agent and wait until it answers."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "luthier.agent"],
            env={**os.environ, "LUTHIER_HOME": str(self.home.path), **environment},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for(lambda: agent_answers(self.home) or self.process.poll() is not None)
        assert self.process.poll() is None, "the agent has ended"
        return self.client

    def kill(self) -> None:
        """SIGKILL, as if the machine had run out of memory."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout=30)

    def end_everything(self) -> None:
        """End the agent, every supervisor and every worker of this home."""
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.client.close()
        for path in self.home.runs.glob("*/attempt-*"):
            attempt = self.home.run(path.parent.name).attempt(int(path.name.split("-")[1]))
            identity = SupervisorIdentity.read(attempt)
            if identity is not None and identity.is_alive():
                os.kill(identity.pid, signal.SIGKILL)
            end_strays(path.parent.name, attempt.number, grace_seconds=0.1)

    # What a test waits for

    def ended(self, run: str, seconds: float = 60) -> RunDetail:
        """The run once it is finished."""
        return wait_for(lambda: self.client.run(run), lambda found: found.state.finished, seconds)

    def reached(self, run: str, step: int, seconds: float = 60) -> RunDetail:
        """The run once it has come to that step, or has ended before."""
        return wait_for(
            lambda: self.client.run(run),
            lambda found: found.progress.step >= step or found.state.finished,
            seconds,
        )

    def in_one_of(self, run: str, *states: RunState) -> RunDetail:
        """The run once it is in one of those states."""
        return wait_for(lambda: self.client.run(run), lambda found: found.state in states)

    def stored_steps(self, run: str, name: str = "loss") -> list[int]:
        """The step of every stored metrics event, in the order of the events."""
        after, steps = 0, []
        while events := self.client.events(run, after=after, limit=1000, kinds=["metrics"]):
            steps += [entry.event["step"] for entry in events if name in entry.event["values"]]
            after = events[-1].number
        return steps

    def supervisor(self, run_id: str, attempt: int = 1) -> SupervisorIdentity:
        """Who stands over the attempt."""
        found = SupervisorIdentity.read(self.home.run(run_id).attempt(attempt))
        assert found is not None
        return found


class Workshop:
    """Makes specs whose runs behave as a test wants."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def spec(self, behaviour: dict[str, Any] | None = None, **sections: Any) -> dict[str, Any]:
        """A spec; ``sections`` such as launch={...} are laid over it."""
        self._count += 1
        data = self._folder / f"behaviour-{self._count}.json"
        data.write_text(json.dumps(behaviour or {}))
        values: dict[str, Any] = {
            "task": "llm-sft",
            "model": {"name_or_path": "luthier/none"},
            "data": {"path": str(data)},
        }
        return {**values, **sections}

    def file(self, name: str) -> Path:
        """A file that does not exist yet."""
        return self._folder / name


@pytest.fixture
def fresh_agent(tmp_path: Path) -> Iterator[RealAgent]:
    """An agent of this test alone that is not started yet, with the stand-in worker."""
    found = RealAgent(Home(tmp_path / "home"))
    found.write_settings()
    yield found
    found.end_everything()


@pytest.fixture(scope="module")
def shared_agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealAgent]:
    """A started agent for tests whose runs do not get in each other's way."""
    found = RealAgent(Home(tmp_path_factory.mktemp("shared") / "home"))
    found.write_settings()
    found.start()
    yield found
    found.end_everything()


@pytest.fixture
def real_agent(fresh_agent: RealAgent) -> RealAgent:
    """The agent of a test, its own one unless its module says otherwise."""
    return fresh_agent


@pytest.fixture
def client(real_agent: RealAgent) -> Client:
    """A client of a started agent."""
    return real_agent.start()


@pytest.fixture(scope="session")
def wait() -> Callable[..., Any]:
    """``wait_for``, for tests."""
    return wait_for


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """Specs for the stand-in worker."""
    return Workshop(tmp_path)
