"""The bytes that reach a terminal: partial updates leave the same screen as a full one."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pyte = pytest.importorskip("pyte")


class Terminal:
    """The terminal UI in a pseudo-terminal, whose bytes a terminal emulator takes in."""

    def __init__(self, home: Path, columns: int, rows: int) -> None:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        environment = {
            **{k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TMUX", "LC_ALL")},
            "LUTHIER_HOME": str(home),
            "LANG": "C.UTF-8",
            "HF_HUB_OFFLINE": "1",
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "luthier.tui"],
            stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self._master = master
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.received = 0

    @property
    def lines(self) -> list[str]:
        """What is on the screen."""
        return list(self.screen.display)

    def cells(self) -> list[list[tuple[Any, ...]]]:
        """Every cell with its colours, row by row."""
        return [
            [tuple(self.screen.buffer[y][x]) for x in range(self.screen.columns)]
            for y in range(self.screen.lines)
        ]

    def press(self, keys: str) -> None:
        """Type these keys."""
        os.write(self._master, keys.encode())

    def read(self) -> bool:
        """Take in what has come; False when nothing came for a moment."""
        ready, _, _ = select.select([self._master], [], [], 0.1)
        if not ready:
            return False
        data = os.read(self._master, 65536)
        self.received += len(data)
        self._stream.feed(data)
        return True

    def until(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        """Read until the condition is true."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "\n".join(self.lines)
            self.read()

    def sees(self, *words: str) -> None:
        """Read until all words are on the screen."""
        self.until(lambda: all(any(word in line for line in self.lines) for word in words))

    def quiet(self) -> None:
        """Read until nothing more comes."""
        still = 0
        while still < 10:
            still = 0 if self.read() else still + 1

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    """Terminals that are closed in the end."""
    found: list[Terminal] = []
    yield found
    for terminal in found:
        terminal.close()


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_partial_updates_leave_the_screen_of_a_full_one(
    curves: Any, terminals: list[Terminal], size: tuple[int, int]
) -> None:
    end = curves.file("end")
    run = curves.submit(steps=150, pace=0.05, hold={"140": str(end)}, spike={"90": 9.0})
    terminal = Terminal(curves.agent.home.path, *size)
    terminals.append(terminal)
    terminal.sees("curve")
    terminal.press("\r")
    terminal.sees("1 Charts", "eval_loss", "/150")
    curves.agent.reached(run, 140)
    terminal.sees("140/150")
    end.touch()
    terminal.sees("succeeded", "150/150")
    terminal.quiet()
    partial = terminal.cells()
    before = terminal.received
    # A dialog that opens and closes makes Textual write the whole screen.
    terminal.press("m")
    terminal.sees("Mark up to")
    terminal.press("\x1b")
    terminal.until(lambda: not any("Mark up to" in line for line in terminal.lines))
    terminal.quiet()
    assert terminal.received - before > size[0] * size[1] * 0.9
    whole = terminal.cells()
    for y, (one, other) in enumerate(zip(partial, whole, strict=True)):
        assert one == other, f"row {y}:\n{terminal.lines[y]}"


def test_a_live_run_costs_little_on_a_slow_line(curves: Any, terminals: list[Terminal]) -> None:
    run = curves.submit(steps=2000, pace=0.03, hold={"300": str(curves.file("never"))})
    curves.agent.reached(run, 100)
    terminal = Terminal(curves.agent.home.path, 120, 40)
    terminals.append(terminal)
    terminal.sees("curve")
    terminal.press("\r")
    terminal.sees("eval_loss", "learning_rate", "/2,000")
    curves.agent.reached(run, 150)
    terminal.quiet()
    before, steps = terminal.received, curves.client.run(run).progress.step
    curves.agent.reached(run, 300)
    terminal.sees("300/2,000")
    # Told in bytes a step, because how fast a test machine is says nothing.
    assert (terminal.received - before) / (300 - steps) < 200
