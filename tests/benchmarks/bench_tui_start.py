"""How soon the terminal UI is on the screen; run by hand.

    python tests/benchmarks/bench_tui_start.py [--rounds 7] [--runs 500]

Everything is started in a real pseudo-terminal that answers like a terminal, and timed from the
start of the process to the first complete frame, by turns with an empty Textual app, so that what
counts is the difference: the goal is under 0.7 s. Then memory with many runs in the list, where
the goal is under 150 MB. On a busy machine the processor time says more than the seconds.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil
from terminal import LUTHIER, Terminal

from luthier.agent.client import Client
from luthier.agent.models import Attempt
from luthier.agent.paths import Home
from luthier.agent.runs.record import RunRecord, save_record
from luthier.agent.states import RunState

_PROGRAMS = [sys.executable, str(Path(__file__).with_name("tui_programs.py"))]
_SIZE = (80, 24)
# What each program ends its first frame with.
_STARTS = {
    "Python alone": ([sys.executable, "-c", "print('up')"], b"up"),
    "an empty Textual app": ([*_PROGRAMS, "empty"], b"Quit"),
    "Luthier, agent running": (LUTHIER, b"quit"),
    "Luthier, no agent yet": (LUTHIER, b"quit"),
}


def first_frame(command: list[str], words: bytes, home: Home) -> tuple[float, float]:
    """Seconds until a program has painted its first frame, and processor time of that."""
    terminal = Terminal(command, _SIZE, emulate=False, LUTHIER_HOME=str(home.path))
    try:
        times = psutil.Process(terminal.process.pid).cpu_times()
        while words not in terminal.painted:
            if time.perf_counter() - terminal.started > 60:
                raise SystemExit(f"never painted {words!r}: {terminal.lines}")
            if terminal.read():
                times = psutil.Process(terminal.process.pid).cpu_times()
        return terminal.heard_at - terminal.started, times.user + times.system
    finally:
        terminal.close()


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


def megabytes(command: list[str], home: Home, words: bytes, last: bytes) -> float:
    """Resident memory of a program once it has painted the words, and after G the last ones."""
    terminal = Terminal(command, _SIZE, emulate=False, LUTHIER_HOME=str(home.path))
    try:
        terminal.until(lambda: words in terminal.painted)
        terminal.press("G")
        terminal.until(lambda: last in terminal.painted)
        return float(psutil.Process(terminal.process.pid).memory_info().rss) / 1e6
    finally:
        terminal.close()


def measure_starts(folder: Path, rounds: int) -> None:
    """First frames, by turns."""
    warm, cold = Home(folder / "warm"), Home(folder / "cold")
    with Client(warm) as client:
        client.status()
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in _STARTS}
    for _ in range(rounds):
        for name, (command, words) in _STARTS.items():
            home = cold if name.endswith("yet") else warm
            found[name].append(first_frame(command, words, home))
            if cold.socket.exists():
                ended_by_signal(cold)
    ended_by_signal(warm)
    base = statistics.median(seconds for seconds, _ in found["an empty Textual app"])
    print("From the start of the process to the first frame:")
    for name, times in found.items():
        middle = statistics.median(seconds for seconds, _ in times)
        used = statistics.median(used for _, used in times)
        limit = "   limit +0.7 s" if name.startswith("Luthier") else ""
        least = min(seconds for seconds, _ in times)
        print(
            f"{name:<26} median {middle:.3f} s  least {least:.3f} s  {middle - base:+.3f} s"
            f"  (processor {used:.2f} s){limit}"
        )


def measure_memory(folder: Path, runs: int) -> None:
    """Memory with many runs in the list."""
    many = Home(folder / "many")
    seed(many, runs)
    try:
        bare = megabytes(_STARTS["an empty Textual app"][0], many, b"Quit", b"Quit")
        full = megabytes(LUTHIER, many, f"run-{runs - 1}".encode(), b"run-0 ")
    finally:
        ended_by_signal(many)
    print(f"Memory of an empty Textual app: {bare:.0f} MB")
    print(f"Memory with {runs} runs listed: {full:.0f} MB   limit 150 MB")


def main() -> None:
    """Measure by turns and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--runs", type=int, default=500)
    arguments = parser.parse_args()
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(prefix="luthier-bench-") as folder:
        measure_starts(Path(folder), arguments.rounds)
        measure_memory(Path(folder), arguments.runs)


if __name__ == "__main__":
    main()
