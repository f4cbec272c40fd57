"""The luthier command called in this process, with a home and a folder of its own."""

from __future__ import annotations

import fcntl
import json
import math
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from luthier.agent.cli.agent_control import stop_agent
from luthier.agent.cli.main import main
from luthier.agent.cli.watch.follow import follow
from luthier.agent.client import Client
from luthier.agent.models import Run, StoredEvent
from luthier.agent.paths import Home
from luthier.agent.states import RunState

SPEC = """\
task: llm-sft
model: {name_or_path: .}
data: {path: data.jsonl}
launch: {devices: cpu}
"""


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be exactly one JSON value."""
        return json.loads(self.out)

    @property
    def json_lines(self) -> list[Any]:
        """Standard output, which must be one JSON value a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def errors(self) -> list[str]:
        """The error sentences, which must be all there is on standard error."""
        lines = self.err.splitlines()
        assert all(line.startswith("error: ") for line in lines), self.err
        return [line.removeprefix("error: ") for line in lines]


Luthier = Callable[..., Outcome]


ENTRY = [
    sys.executable, "-c", "import sys; from luthier.agent.cli.main import main; sys.exit(main())"
]  # fmt: skip


class Terminal:
    """The command on a terminal of its own, as a person would use it."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self._controller, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.painted = b""
        self._process = subprocess.Popen(
            [*ENTRY, *arguments],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env={**os.environ, "TERM": "xterm-256color", **environment},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(terminal, termios.TIOCSCTTY, 0),
        )
        os.close(terminal)

    def until(self, text: str, seconds: float = 120) -> str:
        """Wait until that text was painted; returns what was painted up to its end."""
        wanted = text.encode()
        deadline = time.monotonic() + seconds
        while wanted not in self.painted:
            assert self._read(deadline), f"{text!r} never came:\n{self.painted.decode()}"
        end = self.painted.index(wanted) + len(wanted)
        before, self.painted = self.painted[:end], self.painted[end:]
        return before.decode()

    def anything(self, seconds: float = 120) -> None:
        """Wait until anything more is painted."""
        deadline = time.monotonic() + seconds
        while not self.painted:
            assert self._read(deadline), "nothing more came"

    def type(self, text: str) -> None:
        """Press keys; ``\\x03`` is ctrl-c, ``\\x04`` ctrl-d."""
        os.write(self._controller, text.encode())

    def clear_line(self, seconds: float = 120) -> None:
        """Press ctrl-c at a prompt until there is a new one.

        Python loses a signal that comes between readline's painting of the prompt and its waiting
        for keys. On a busy machine an answer takes long, and a second ctrl-c would discard what is
        typed after the first one.
        """
        deadline, pressed = time.monotonic() + seconds, -math.inf
        while b"> " not in self.painted:
            assert time.monotonic() < deadline, "no new prompt came"
            if time.monotonic() > pressed + 10:
                self.type("\x03")
                pressed = time.monotonic()
            if select.select([self._controller], [], [], 1.0)[0]:
                assert self._read(deadline), "the command ended"
        self.until("> ")

    def close(self) -> None:
        """Take the terminal away and end the command, however it stands."""
        self._process.kill()
        self._process.wait()
        os.close(self._controller)

    def end(self, seconds: float = 120) -> tuple[int, str]:
        """Wait for the end of the command; its exit code and what was painted since."""
        deadline = time.monotonic() + seconds
        while self._read(deadline):
            continue
        os.close(self._controller)
        return self._process.wait(timeout=30), self.painted.decode()

    def _read(self, deadline: float) -> bool:
        """Take in what was painted; False at the end of it."""
        ready, _, _ = select.select([self._controller], [], [], deadline - time.monotonic())
        if not ready:
            self._process.kill()
            raise AssertionError(f"nothing more came:\n{self.painted.decode(errors='replace')}")
        try:
            piece = os.read(self._controller, 65536)
        except OSError:
            # Linux says so when nobody has the other side open any more.
            return False
        self.painted += piece
        return bool(piece)


@pytest.fixture
def terminal() -> type[Terminal]:
    """Starts a command on a terminal: ``terminal("watch", run)``."""
    return Terminal


class Command:
    """Calls the command in this process: ``luthier("runs", "--json")``."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *arguments: str) -> Outcome:
        self._capture.readouterr()
        code = main(arguments)
        said = self._capture.readouterr()
        return Outcome(int(code), said.out, said.err)


def lonely(monkeypatch: pytest.MonkeyPatch, home: Path, work: Path) -> None:
    """An environment that says nothing but where the home is."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    work.mkdir(exist_ok=True)
    monkeypatch.chdir(work)
    monkeypatch.setenv("LUTHIER_HOME", str(home))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def prepare(home: Path) -> None:
    """Make the home of an agent that runs tiny_worker.py."""
    home.mkdir()
    worker = [sys.executable, str(Path(__file__).with_name("tiny_worker.py"))]
    (home / "settings.yaml").write_text(json.dumps({"worker_command": worker, "cpu_slots": 4}))


def end_agent(home: Path) -> None:
    """End the runs and the agent of a home."""
    with Client(Home(home)) as client:
        active = [state for state in RunState if not state.finished]
        for run in client.runs(active):
            client.stop(run.id, now=True)
            list(follow(client, run.id))
    assert stop_agent(Home(home))


def write_spec(folder: Path) -> None:
    """A spec.yaml and its data, good for the tiny worker."""
    (folder / "data.jsonl").write_text("".join(f'{{"text": "row {n}"}}\n' for n in range(20)))
    (folder / "spec.yaml").write_text(SPEC)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that does not exist yet."""
    lonely(monkeypatch, tmp_path / "home", tmp_path / "work")
    return tmp_path / "home"


@pytest.fixture
def luthier(home: Path, capsys: pytest.CaptureFixture[str]) -> Luthier:
    """Calls a command with a home of its own."""
    return Command(capsys)


@pytest.fixture
def enter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[Path], Luthier]:
    """Calls commands with a home that is there already."""

    def call(home: Path) -> Luthier:
        lonely(monkeypatch, home, tmp_path / "work")
        return Command(capsys)

    return call


@pytest.fixture
def agent(home: Path) -> Iterator[Path]:
    """A home whose agent runs tiny_worker.py; the agent is ended afterwards."""
    prepare(home)
    yield home
    end_agent(home)


def wait_for_step(home: Path, run: str, attempt: int = 1) -> None:
    """Wait until that attempt of a run has told of a step."""
    with Client(Home(home)) as client:
        for news in follow(client, run):
            told = isinstance(news, StoredEvent) and news.event["kind"] == "metrics"
            if told and news.attempt == attempt:
                return
    raise AssertionError(f"{run} ended without a step of attempt {attempt}")


@pytest.fixture
def begin(submit: Callable[..., str], agent: Path) -> Callable[[], str]:
    """Submits an endless run and waits for its first step; returns its id."""

    def call() -> str:
        run = submit("endless")
        wait_for_step(agent, run)
        return run

    return call


@pytest.fixture
def resume(agent: Path, luthier: Luthier) -> Callable[[str, int], None]:
    """Resumes a run and waits for the first step of that attempt."""

    def call(run: str, attempt: int) -> None:
        assert luthier("resume", run).code == 0
        wait_for_step(agent, run, attempt)

    return call


@pytest.fixture
def submit(agent: Path, luthier: Luthier) -> Callable[..., str]:
    """Submits a run of the tiny worker that is named after how it behaves; returns its id."""

    def call(name: str, *options: str) -> str:
        write_spec(Path())
        run = luthier("run", "spec.yaml", "--name", name, "--json", *options).json
        run_id: str = run["id"]
        return run_id

    return call


@pytest.fixture(scope="module")
def busy_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home for tests that change nothing: a run "short" has ended, "endless" is running."""
    home = tmp_path_factory.mktemp("busy") / "home"
    prepare(home)
    with Client(Home(home)) as client:
        write_spec(home.parent)
        place = {"working_directory": home.parent}
        short = client.submit(SPEC, overrides=["name=short"], **place)
        list(follow(client, short.id))
        endless = client.submit(SPEC, overrides=["name=endless"], **place)
        for news in follow(client, endless.id):
            if isinstance(news, Run) and news.state is RunState.RUNNING:
                break
    yield home
    end_agent(home)


@pytest.fixture
def busy(busy_home: Path, enter: Callable[[Path], Luthier]) -> Luthier:
    """Calls a command with the busy home."""
    command = enter(busy_home)
    write_spec(Path())
    return command
