"""The terminal UI in this process, over a real agent in a home of its own.

Tests are ``async def`` and open the app with ``async with opened() as luthier``.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import re
import shutil
import signal
import sys
import time
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from textual import events
from textual.keys import REPLACED_KEYS, _character_to_key, _get_unicode_name_from_key
from textual.pilot import Pilot

from luthier.agent.errors import RefusedError, UnavailableError
from luthier.agent.paths import Home
from luthier.agent.starting import agent_answers
from luthier.trainers import demo
from luthier.tui.app import LuthierApp
from luthier.tui.screens.base import LuthierScreen
from luthier.tui.screens.new_run import NewRunScreen
from luthier.tui.settings import InterfaceSettings
from luthier.tui.widgets.form_list import FormList
from luthier.tui.widgets.options import Options

_SECONDS = 60.0
_FRAME_SECONDS = 0.02
# Blanks, and the lines at the left of a field that has the keys.
_BETWEEN = re.compile(r"[\s▌]+")


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("luthier_agent_fixtures", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# The agent's tests have what is needed to run a real one: the same fixtures, with these names.
_agent_tests = _load(Path(__file__).parents[1] / "agent" / "conftest.py")
workshop = _agent_tests.workshop
wait = _agent_tests.wait


class SharedAgents:
    """Started agents that tests take one after the other, each finding an empty home.

    Starting one takes a second of a processor, most of what a test of the terminal UI takes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0
        self._idle: dict[str, Any] = {}

    @contextmanager
    def lent(self, **settings: Any) -> Iterator[Any]:
        """An agent with these settings; one that comes back as it was is lent again."""
        key = json.dumps(settings)
        found = self._idle.pop(key, None) or self._start(settings)
        try:
            yield found
        finally:
            reusable = False
            with contextlib.suppress(UnavailableError):
                reusable = self._is_reusable(found, settings)
            if reusable:
                self._idle[key] = found
            else:
                end_all(found)

    def close(self) -> None:
        """End them all."""
        while self._idle:
            end_all(self._idle.popitem()[1])

    def _start(self, settings: dict[str, Any]) -> Any:
        self._made += 1
        found = _agent_tests.RealAgent(Home(self._folder / f"home-{self._made}"))
        found.write_settings(**settings)
        found.start(HF_HOME=str(self._folder / "hub"), HF_HUB_OFFLINE="1")
        return found

    def _is_reusable(self, agent: Any, settings: dict[str, Any]) -> bool:
        """Take away what a test has left; False when the agent is no longer the one it was."""
        before = agent.home.settings.read_bytes()
        agent.write_settings(**settings)
        if agent.process.poll() is not None or agent.home.settings.read_bytes() != before:
            return False
        for run in agent.client.runs():
            if not run.state.finished:
                with contextlib.suppress(RefusedError):
                    # It may have ended just now.
                    agent.client.stop(run.id, now=True)
                agent.ended(run.id)
            agent.client.remove(run.id)
        for path in agent.home.path.iterdir():
            if path.name in _A_PERSONS_FOLDERS:
                shutil.rmtree(path)
            elif path.name.endswith(_A_PERSONS_FILES) and path != agent.home.settings:
                path.unlink()
        return True


_A_PERSONS_FOLDERS = ("setups", "presets")
_A_PERSONS_FILES = (".yaml", ".txt")


@pytest.fixture(scope="session")
def shared_agents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedAgents]:
    """Agents for tests that need one that runs."""
    found = SharedAgents(tmp_path_factory.mktemp("agents"))
    yield found
    found.close()


@pytest.fixture
def real_agent(
    request: pytest.FixtureRequest, tmp_path: Path, shared_agents: SharedAgents
) -> Iterator[Any]:
    """An agent with the stand-in worker.

    For tests with ``client`` or ``curves`` it runs, and others have had it before. For others it
    is their own, not started yet; whoever answers at last is ended.
    """
    if "curves" in request.fixturenames:
        worker = Path(__file__).with_name("curve_worker.py")
        command = [sys.executable, str(worker)]
        with shared_agents.lent(worker_command=command, cpu_slots=8) as found:
            yield found
        return
    if "client" in request.fixturenames:
        with shared_agents.lent() as found:
            yield found
        return
    found = _agent_tests.RealAgent(Home(tmp_path / "home"))
    found.write_settings()
    yield found
    end_all(found)


def end_all(agent: Any) -> None:
    """End everything of its home, also an agent that the terminal UI has started."""
    if agent_answers(agent.home):
        with contextlib.suppress(UnavailableError):
            os.kill(agent.client.status().pid, signal.SIGKILL)
    agent.end_everything()


@pytest.fixture
def client(real_agent: Any) -> Any:
    """A client of a started agent."""
    return real_agent.client


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

    def has(self, words: str) -> bool:
        """Whether the words are on the screen, also where a line ends between them."""
        text = self.text
        return words in text or words in _BETWEEN.sub(" ", text)

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
        """Press keys, one after the other, each once the one before has had its effect.

        Pilot waits after each key until the whole process rests, which takes a second where
        something goes on all the time.
        """
        for key in keys:
            deadline = time.monotonic() + _SECONDS
            named = _character_to_key(key) if len(key) == 1 else key
            self.app.post_message(events.Key(named, _character_of(key)))
            await asyncio.sleep(0)
            while self.app._message_queue.qsize() or self.app._keys.is_busy:
                if self.app._exit:
                    return
                assert time.monotonic() < deadline, f"{key} has no end:\n{self.text}"
                await asyncio.sleep(0.001)
        await self.painted()

    async def painted(self) -> None:
        """Wait until every widget has done what it was told, and the screen shows it."""
        await asyncio.sleep(_FRAME_SECONDS)
        if self.app._exit:
            return
        await self.pilot._wait_for_screen()
        self.app.screen._on_timer_update()

    async def type(self, text: str) -> None:
        """Type letters into what has the focus."""
        await self.press(*text)

    async def until(self, condition: Callable[[], Any], seconds: float = _SECONDS) -> Any:
        """What the condition returns once it is true; fails with the screen after ``seconds``."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, f"never came true; the screen:\n{self.text}"
            await asyncio.sleep(0.03)
        await self.painted()
        return found

    async def sees(self, *words: str, seconds: float = _SECONDS) -> None:
        """Wait until all the words are on the screen."""
        await self.until(lambda: all(map(self.has, words)), seconds)

    async def misses(self, words: str, seconds: float = _SECONDS) -> None:
        """Wait until the words are no longer on the screen."""
        await self.until(lambda: not self.has(words), seconds)

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

    @property
    def form(self) -> Any:
        """The form of the new run in front."""
        screens = [each for each in self.app.screen_stack if isinstance(each, NewRunScreen)]
        return screens[-1].form

    async def open_form(self, task: str = "llm-sft") -> None:
        """From the list of runs to the empty form of a task."""
        await self.live()
        await self.press("n")
        await self.sees("Language models")
        self.app.screen.query_one("#tasks", Options).go_to(task)
        await self.press("enter")
        await self.sees("name_or_path", "to mend")

    async def fill_in(self, values: dict[str, Any], task: str = "llm-sft") -> None:
        """Open a form with these values."""
        await self.live()
        self.app.open_new_run(values, task)
        await self.sees("name_or_path", "changed")

    async def go_to(self, name: str) -> None:
        """Put the cursor of the form on a setting."""
        (key,) = (field.key for field in self.form.fields if field.name == name)
        self.app.screen.query_one(FormList).go_to(key)
        await self.painted()

    async def resize(self, width: int, height: int) -> None:
        """Make the terminal another size."""
        await self.pilot.resize_terminal(width, height)
        await self.painted()


def _character_of(key: str) -> str | None:
    """What a key writes; None for one that writes nothing."""
    if len(key) == 1:
        return key
    try:
        return unicodedata.lookup(_get_unicode_name_from_key(REPLACED_KEYS.get(key, key)))
    except KeyError:
        return None


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the app is started in: a model, data, and an empty hub cache."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "tiny-model").symlink_to(demo.MODEL)
    rows = "".join(f'{{"prompt": "What is {n}?", "completion": "{n}."}}\n' for n in range(40))
    (folder / "rows.jsonl").write_text(rows)
    quiz = "".join(f"Was ist {n}?,{n}.,{n}\n" for n in range(20))
    (folder / "quiz.csv").write_text(f"frage,antwort,nr\n{quiz}")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    return folder


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
        self.agent = agent
        self.client = agent.client
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
