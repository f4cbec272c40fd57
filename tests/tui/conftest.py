"""The terminal UI in this process, over a real agent in a home of its own.

Tests are ``async def`` and open the app with ``async with opened() as luthier``.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from textual.pilot import Pilot

from luthier.agent.errors import UnavailableError
from luthier.agent.paths import Home
from luthier.agent.starting import agent_answers
from luthier.tui.app import LuthierApp
from luthier.tui.screens.base import LuthierScreen
from luthier.tui.settings import InterfaceSettings

_SECONDS = 30.0


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("luthier_agent_fixtures", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# The agent's tests have what is needed to run a real one: the same fixtures, with these names.
_agent_tests = _load(Path(__file__).parents[1] / "agent" / "conftest.py")
client = _agent_tests.client
workshop = _agent_tests.workshop
wait = _agent_tests.wait


@pytest.fixture
def real_agent(tmp_path: Path) -> Iterator[Any]:
    """An agent that is not started yet, with the stand-in worker; ends whoever answers at last."""
    found = _agent_tests.RealAgent(Home(tmp_path / "home"))
    found.write_settings()
    yield found
    if agent_answers(found.home):
        # The terminal UI may have started another one.
        with contextlib.suppress(UnavailableError):
            os.kill(found.client.status().pid, signal.SIGKILL)
    found.end_everything()


class Opened:
    """The app under a test's hands."""

    def __init__(self, app: LuthierApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def text(self) -> str:
        """What is on the screen, line by line."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text for strip in strips)

    @property
    def lines(self) -> list[str]:
        """The same as a list."""
        return self.text.split("\n")

    def line_with(self, words: str) -> str:
        """The first line that has the words."""
        found = [line for line in self.lines if words in line]
        assert found, f"no line has {words!r}:\n{self.text}"
        return found[0]

    @property
    def said(self) -> list[str]:
        """The toasts that were shown and have not gone."""
        return [note.message for note in self.app._notifications]

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        await self.pilot.press(*keys)

    async def type(self, text: str) -> None:
        """Type letters into what has the focus."""
        names = {" ": "space", "/": "slash", ".": "full_stop", "-": "minus", "_": "underscore"}
        await self.pilot.press(*(names.get(letter, letter) for letter in text))

    async def until(self, condition: Callable[[], Any], seconds: float = _SECONDS) -> Any:
        """What the condition returns once it is true; fails with the screen after ``seconds``."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, f"never came true; the screen:\n{self.text}"
            await self.pilot.pause(0.02)
        await self.pilot.pause()
        return found

    async def sees(self, *words: str, seconds: float = _SECONDS) -> None:
        """Wait until all the words are on the screen."""
        await self.until(lambda: all(each in self.text for each in words), seconds)

    async def misses(self, words: str, seconds: float = _SECONDS) -> None:
        """Wait until the words are no longer on the screen."""
        await self.until(lambda: words not in self.text, seconds)

    async def told(self, words: str) -> None:
        """Wait for a toast with these words."""
        await self.until(lambda: any(words in said for said in self.said))

    async def live(self) -> None:
        """Wait until the agent answers and the screen waits for nothing."""
        await self.until(lambda: self.app.state.connection == "live")
        await self.settled()

    async def settled(self) -> None:
        """Wait until the screen in front waits for no answer."""
        screen = self.app.screen
        assert isinstance(screen, LuthierScreen)
        await self.until(lambda: not screen._waits)

    async def resize(self, width: int, height: int) -> None:
        """Make the terminal another size."""
        await self.pilot.resize_terminal(width, height)
        await self.pilot.pause()


Open = Callable[..., AbstractAsyncContextManager[Opened]]


@pytest.fixture
def anyio_backend() -> str:
    """Textual runs on asyncio."""
    return "asyncio"


@pytest.fixture
def opened(real_agent: Any, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens the app of the agent's home: ``async with opened(size=(80, 24)) as luthier``.

    The app starts the agent when the test has not (``client`` or ``real_agent.start()`` do).
    """
    for name in ("NO_COLOR", "TMUX", "DISPLAY", "WAYLAND_DISPLAY", "LC_ALL", "TEXTUAL_THEME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("LUTHIER_HOME", str(real_agent.home.path))

    @asynccontextmanager
    async def call(
        size: tuple[int, int] = (80, 24), interface: InterfaceSettings | None = None
    ) -> AsyncIterator[Opened]:
        app = LuthierApp(real_agent.home, interface)
        async with app.run_test(size=size) as pilot:
            yield Opened(app, pilot)

    return call


class Curves:
    """Runs of the worker whose metrics, samples and log are worth looking at."""

    def __init__(self, agent: Any, folder: Path) -> None:
        worker = Path(__file__).with_name("curve_worker.py")
        agent.write_settings(worker_command=[sys.executable, str(worker)], cpu_slots=8)
        self.agent = agent
        self.client = agent.start()
        self.folder = folder

    def submit(
        self, name: str = "curve", *, like: dict[str, Any] | None = None, **does: Any
    ) -> str:
        """Queue a run that behaves like that, with ``like`` over its spec; returns its id."""
        data = self.folder / f"{name}.json"
        data.write_text(json.dumps(does))
        spec = {"task": "llm-sft", "name": name, "model": {"name_or_path": "luthier/none"}}
        run = self.client.submit({**spec, "data": {"path": str(data)}, **(like or {})})
        return str(run.id)

    def file(self, name: str) -> Path:
        """A file that does not exist yet."""
        return self.folder / name


@pytest.fixture
def curves(real_agent: Any, tmp_path: Path) -> Curves:
    """A started agent whose runs have curves."""
    return Curves(real_agent, tmp_path)
