"""A walk through the real thing: tmux, the real agent, a real training run, its model.

Every step waits for what a person would see; the terminal is a tmux of its own.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from luthier.agent.client import Client
from luthier.agent.errors import UnavailableError
from luthier.agent.launching import SupervisorIdentity, end_strays
from luthier.agent.paths import Home

pytestmark = [
    pytest.mark.slow,
    pytest.mark.training,
    pytest.mark.timeout(900),
    pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux"),
]

_SECONDS = 120.0
STEPS = 14


class Tmux:
    """One tmux server with one window, on a socket of its own."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._socket = folder / "tmux.sock"
        self._folder = folder
        self._environment = environment

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-S", str(self._socket), "-f", "/dev/null", *words]
        done = subprocess.run(
            command, capture_output=True, text=True, env=self._environment, check=False, timeout=30
        )
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def start(self, columns: int, rows: int) -> None:
        """A shell in a window of that size, in the folder."""
        size = ["-x", str(columns), "-y", str(rows)]
        shell = ["env", "PS1=$ ", "sh"]
        self._tmux("new-session", "-d", "-s", "walk", "-c", str(self._folder), *size, *shell)

    def close(self) -> None:
        """End the server."""
        with suppress(AssertionError):
            self._tmux("kill-server")

    @property
    def screen(self) -> str:
        """What a person sees."""
        return self._tmux("capture-pane", "-p", "-t", "walk")

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names."""
        self._tmux("send-keys", "-t", "walk", *keys)

    def type(self, text: str) -> None:
        """Type letters."""
        self._tmux("send-keys", "-t", "walk", "-l", text)

    def resize(self, columns: int, rows: int) -> None:
        """Make the window another size."""
        self._tmux("resize-window", "-t", "walk", "-x", str(columns), "-y", str(rows))

    def until(self, condition: Callable[[str], object], seconds: float = _SECONDS) -> str:
        """The screen once the condition is true of it."""
        deadline = time.monotonic() + seconds
        while True:
            screen = self.screen
            if condition(screen):
                return screen
            assert time.monotonic() < deadline, f"never came true:\n{screen}"
            time.sleep(0.1)

    def sees(self, *words: str) -> str:
        """Wait until all the words are there."""
        return self.until(lambda screen: all(word in screen for word in words))

    def misses(self, words: str) -> str:
        """Wait until the words are gone."""
        return self.until(lambda screen: words not in screen)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home of its own; whatever runs there is ended at last."""
    found = Home(tmp_path / "home")
    yield found
    client = Client(found, start=False)
    with suppress(UnavailableError):
        os.kill(client.status().pid, signal.SIGKILL)
    client.close()
    for path in found.runs.glob("*/attempt-*"):
        attempt = found.run(path.parent.name).attempt(int(path.name.split("-")[1]))
        identity = SupervisorIdentity.read(attempt)
        if identity is not None and identity.is_alive():
            os.kill(identity.pid, signal.SIGKILL)
        end_strays(path.parent.name, attempt.number, grace_seconds=0.1)


@pytest.fixture
def tmux(tmp_path: Path, home: Home) -> Iterator[Tmux]:
    """A tmux whose shell finds luthier, over that home."""
    passed = ("NO_COLOR", "TMUX", "LC_ALL", "DISPLAY", "WAYLAND_DISPLAY", "COLUMNS", "LINES")
    environment = {name: value for name, value in os.environ.items() if name not in passed}
    environment |= {
        "LUTHIER_HOME": str(home.path),
        "LANG": "C.UTF-8",
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path / "hub"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    found = Tmux(tmp_path, environment)
    found.start(100, 30)
    yield found
    found.close()


def test_from_the_first_look_to_the_last(tmux: Tmux, home: Home, tmp_path: Path) -> None:
    client = Client(home, start=False)
    open_luthier(tmux)
    tmux.sees("Welcome to Luthier. There are no runs yet.")

    launch_the_demo(tmux, "first")
    tmux.sees("1 Charts", "first")
    tmux.until(lambda screen: re.search(rf"[1-9]\d*/{STEPS}", screen))

    # Closing it stops nothing, nor does the death of the agent.
    tmux.press("q")
    tmux.sees("presets and setups")
    tmux.press("q")
    tmux.sees("1 in all", "first")
    tmux.press("q")
    tmux.sees("Luthier is closed")
    os.kill(client.status().pid, signal.SIGKILL)
    open_luthier(tmux)
    tmux.sees("first")
    tmux.until(lambda screen: "100%" in screen and "1 running" not in screen)
    (run,) = client.runs()
    assert run.state.value == "succeeded", run.reason
    assert len(run.attempts) == 1
    steps = [each.event["step"] for each in client.events(run.id, kinds=["progress"])]
    assert steps == sorted(set(steps))
    assert steps[-1] == STEPS

    chat_and_export(tmux, tmp_path)

    # Another one, and both side by side.
    launch_the_demo(tmux, "second")
    tmux.sees("succeeded")
    tmux.press("q")
    tmux.sees("presets and setups")
    tmux.press("q")
    tmux.sees("2 in all")
    tmux.press("g", "Space", "j", "Space")
    tmux.sees("2 marked")
    tmux.press("c")
    tmux.sees("compare", "2 runs", "by step")
    tmux.press("2")
    tmux.sees("training.learning_rate")
    tmux.resize(80, 24)
    tmux.sees("training.learning_rate", "? help")
    tmux.press("q")
    tmux.sees("2 in all")
    tmux.press("q")
    tmux.until(lambda screen: screen.rstrip().endswith("$"))
    assert client.status().runs["succeeded"] == 2


def open_luthier(tmux: Tmux) -> None:
    tmux.type("clear; luthier")
    tmux.press("Enter")


def launch_the_demo(tmux: Tmux, name: str) -> None:
    """From the list of runs through the library and the form, made short, to the run."""
    tmux.press("b")
    tmux.sees("presets and setups", "Demo")
    tmux.press("g", "n")
    tmux.sees("new run", "Supervised fine-tuning", "ready")
    rate = "4e-3" if name == "first" else "2e-3"
    tmux.press("e")
    tmux.sees("all settings")
    change(tmux, "name", name)
    change(tmux, "training.max_steps", str(STEPS))
    change(tmux, "training.save_steps", "7")
    change(tmux, "training.learning_rate", rate)
    change(tmux, "evaluation.steps", "7")
    tmux.press("L")
    tmux.sees("Start this run?", name)
    tmux.press("Enter")
    tmux.sees("1 Charts", name)


def change(tmux: Tmux, key: str, value: str) -> None:
    """Search for a setting, and type a value."""
    tmux.press("/")
    tmux.sees("words of a setting's name")
    tmux.type(key)
    tmux.sees(f"{key} ")
    tmux.press("Enter", "g")
    tmux.sees(f"{key} ")
    tmux.press("Enter", "C-u")
    tmux.type(value)
    tmux.press("Enter")
    name = key.rpartition(".")[2]
    tmux.until(lambda screen: re.search(rf"● {name} +{re.escape(value)}\b", screen))
    # A key straight after escape would be one with alt.
    tmux.press("Escape")
    tmux.sees("load_in_4bit", "use_cache")


def chat_and_export(tmux: Tmux, folder: Path) -> None:
    tmux.press("t")
    tmux.sees("Ask something")
    tmux.type("2 May 1901")
    tmux.press("Enter")
    # The figures of the end; escape before it would only stop the answer.
    tmux.sees("first after")
    tmux.press("Escape")
    tmux.sees("i write")
    tmux.press("w")
    tmux.sees("Export to")
    tmux.press("C-u")
    tmux.type(str(folder / "talk.md"))
    tmux.press("Enter")
    tmux.sees("Wrote")
    assert "2 May 1901" in (folder / "talk.md").read_text()
    tmux.press("q")
    tmux.sees("1 in all")
