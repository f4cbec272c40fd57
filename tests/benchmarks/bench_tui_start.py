"""How soon the terminal UI is on the screen; run by hand.

    python tests/benchmarks/bench_tui_start.py [--rounds 7] [--runs 500]

Everything is started in a real pseudo-terminal that answers like a terminal, and timed from the
start of the process to the first complete frame, by turns with a bare Textual app, so that what
counts is the difference: the goal is under 0.7 s. Then memory with many runs in the list, where
the goal is under 150 MB.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import re
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from luthier.agent.client import Client
from luthier.agent.models import Attempt
from luthier.agent.paths import Home
from luthier.agent.runs.record import RunRecord, save_record
from luthier.agent.states import RunState

BARE = """
from textual.app import App
from textual.widgets import Footer, Header, Static

class Bare(App):
    BINDINGS = [("q", "quit", "Quit")]
    def compose(self):
        yield Header()
        yield Static("bare")
        yield Footer()

Bare().run()
"""
LUTHIER = [sys.executable, "-m", "luthier.tui"]
SIZE = (24, 80)
_LONGEST_SECONDS = 60.0
_QUERY = re.compile(rb"\x1b\[\?(2026|2048)\$p")


@dataclass
class Terminal:
    """A process in a pseudo-terminal, and what it has painted."""

    process: subprocess.Popen[bytes]
    file: int
    started: float
    painted: bytes = b""

    @classmethod
    def start(cls, command: list[str], environment: dict[str, str]) -> Terminal:
        """Start a program on an 80x24 terminal."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", **environment},
        )
        os.close(slave)
        return cls(process, master, started)

    def until(self, words: bytes) -> float:
        """Seconds from the start until these words were painted."""
        while words not in self.painted:
            if time.perf_counter() - self.started > _LONGEST_SECONDS:
                raise SystemExit(f"never painted {words!r}:\n{self.painted[-2000:]!r}")
            if select.select([self.file], [], [], 0.1)[0]:
                piece = os.read(self.file, 1 << 16)
                self.painted += piece
                for mode in _QUERY.findall(piece):
                    # As a terminal answers that knows the mode, which is off.
                    os.write(self.file, b"\x1b[?" + mode + b";2$y")
        return time.perf_counter() - self.started

    def end(self) -> None:
        """End the program."""
        self.process.kill()
        self.process.wait()
        os.close(self.file)


def timed(command: list[str], words: bytes, environment: dict[str, str]) -> float:
    """Seconds until a program has painted its first frame."""
    terminal = Terminal.start(command, environment)
    try:
        return terminal.until(words)
    finally:
        terminal.end()


def ended_by_signal(home: Home) -> None:
    """End the agent of a home and wait until it is gone."""
    with Client(home, start=False) as client:
        process = psutil.Process(client.status().pid)
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=30)


def seed(home: Home, count: int) -> None:
    """Fill the home with the folders of finished runs; the agent lists them from there."""
    home.create()
    for number in range(count):
        record = RunRecord(
            id=f"20260101-{number:06}-abcd",
            name=f"run-{number}",
            task="llm-sft",
            model="organisation/some-model-with-a-name",
            host="local",
            state=RunState.SUCCEEDED,
            created_at=float(number),
            queue_key=float(number),
            attempts=[Attempt(number=1, started_at=float(number), devices=["cpu"])],
            last_metrics={"loss": 1.0, "accuracy": 0.5, "learning_rate": 1e-4},
        )
        folder = home.run(record.id)
        folder.path.mkdir()
        save_record(folder, record)


def megabytes(home: Home, count: int) -> float:
    """Resident memory of the terminal UI with that many runs in its list."""
    terminal = Terminal.start(LUTHIER, {"LUTHIER_HOME": str(home.path)})
    try:
        terminal.until(f"run-{count - 1}".encode())
        os.write(terminal.file, b"G")
        terminal.until(b"run-0 ")
        return psutil.Process(terminal.process.pid).memory_info().rss / 1e6
    finally:
        terminal.end()


def show(name: str, seconds: list[float], base: float) -> None:
    """One line: the median, the fastest, and the difference to the bare app."""
    middle = statistics.median(seconds)
    print(f"{name:<34} {middle:6.3f} s  (least {min(seconds):.3f})  {middle - base:+.3f} s")


def main() -> None:
    """Measure by turns and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--runs", type=int, default=500)
    arguments = parser.parse_args()
    times: dict[str, list[float]] = {"python": [], "bare": [], "luthier": [], "no agent": []}
    with tempfile.TemporaryDirectory() as folder:
        home, cold = Home(Path(folder) / "home"), Home(Path(folder) / "cold")
        where = {"LUTHIER_HOME": str(home.path), "HF_HUB_OFFLINE": "1"}
        with Client(home) as client:
            client.status()
        for _ in range(arguments.rounds):
            times["python"].append(timed([sys.executable, "-c", "print('up')"], b"up", {}))
            times["bare"].append(timed([sys.executable, "-c", BARE], b"Quit", {}))
            times["luthier"].append(timed(LUTHIER, b"quit", where))
            elsewhere = {**where, "LUTHIER_HOME": str(cold.path)}
            times["no agent"].append(timed(LUTHIER, b"quit", elsewhere))
            if cold.socket.exists():
                ended_by_signal(cold)
        ended_by_signal(home)
        base = statistics.median(times["bare"])
        print("From the start of the process to the first frame:")
        show("Python alone", times["python"], base)
        show("a bare Textual app", times["bare"], base)
        show("Luthier, agent running", times["luthier"], base)
        show("Luthier, no agent yet", times["no agent"], base)
        many = Home(Path(folder) / "many")
        seed(many, arguments.runs)
        try:
            memory = megabytes(many, arguments.runs)
            print(f"Memory with {arguments.runs} runs listed: {memory:.0f} MB")
        finally:
            ended_by_signal(many)


if __name__ == "__main__":
    main()
