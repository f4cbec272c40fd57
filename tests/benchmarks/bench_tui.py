"""How quick the terminal UI is and how little it writes; run by hand.

    python tests/benchmarks/bench_tui.py [--part keys|chart|log|wire] [--keys 100] [--lines 1000000]

Everything is measured in a real pseudo-terminal over a real agent, beside a baseline:

- keys: from a key to its paint, with eight runs that write 50 metrics a second each; the same keys
  with nothing going on, and Textual's own list.
- chart: a chart of a million points after one more; one pass over such points in plain Python.
- log: a log of a million lines is opened and paged; Textual's own log widget with the same lines.
- wire: bytes a second for one live run, shown four times a second on 120x40; whole screens instead.

How soon the first frame comes, and what memory it takes, is bench_tui_start.py's.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from terminal import LUTHIER, Terminal

from luthier.agent.paths import Home

_TESTS = Path(__file__).parents[1]
_PROGRAMS = [sys.executable, str(Path(__file__).with_name("tui_programs.py"))]
_SIZE = (120, 40)
_RUNS = 8
_FRAME_END = b"\x1b[?2026l"
_PAGE_UP = "\x1b[5~"


def main() -> None:
    """Measure the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=list(PARTS), action="append")
    parser.add_argument("--keys", type=int, default=100)
    parser.add_argument("--lines", type=int, default=1_000_000)
    arguments = parser.parse_args()
    for name in arguments.part or PARTS:
        load = f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
        print(f"-- {name} (load of the machine: {load})", flush=True)
        with tempfile.TemporaryDirectory(prefix="luthier-bench-") as folder:
            PARTS[name](Path(folder), arguments)


def tell(what: str, figure: str, limit: str = "") -> None:
    """One line of the result."""
    print(f"{what:<46} {figure}{f'   limit {limit}' if limit else ''}", flush=True)


def spread(seconds: list[float]) -> str:
    """Least, median and 95th percentile in milliseconds."""
    late = sorted(seconds)[int(len(seconds) * 0.95)]
    known = (min(seconds), statistics.median(seconds), late)
    return "least {:6.1f}  median {:6.1f}  p95 {:6.1f} ms".format(*(each * 1e3 for each in known))


def processor_seconds(terminal: Terminal) -> float:
    """Processor time that the program has used."""
    times = psutil.Process(terminal.process.pid).cpu_times()
    return float(times.user + times.system)


def pressed(program: Terminal, keys: Iterable[tuple[str, Callable[[int], bool]]]) -> str:
    """How long keys take to be painted, in words; on a busy machine the processor time says more.

    Args:
        keys: each with what is true once it is painted, given where the new bytes begin.
    """
    seconds, used = [], 0.0
    for key, shown in keys:
        program.quiet(0.05)
        before = processor_seconds(program)
        begin, began = len(program.painted), time.perf_counter()
        program.press(key)
        program.until(lambda shown=shown, begin=begin: shown(begin))
        seconds.append(program.heard_at - began)
        used += processor_seconds(program) - before
    return f"{spread(seconds)}  (processor {used / len(seconds) * 1e3:5.1f} ms)"


# -- a real agent --------------------------------------------------------------------------------


class Bench:
    """A home with an agent whose runs do what is asked for."""

    def __init__(self, folder: Path, worker: Path) -> None:
        path = _TESTS / "agent" / "conftest.py"
        spec = importlib.util.spec_from_file_location("luthier_agent_fixtures", path)
        assert spec is not None
        assert spec.loader is not None
        fixtures = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(fixtures)
        self._folder = folder
        self.agent = fixtures.RealAgent(Home(folder / "home"))
        command = [sys.executable, str(worker)]
        self.agent.write_settings(
            worker_command=command, cpu_slots=2 * _RUNS, hardware_interval=2.0
        )
        self.client = self.agent.start()

    def submit(self, name: str, **does: object) -> str:
        """Start a run that behaves like that; returns its id."""
        data = self._folder / f"{name}.json"
        data.write_text(json.dumps(does))
        spec = {"task": "llm-sft", "name": name, "model": {"name_or_path": "luthier/none"}}
        return str(self.client.submit({**spec, "data": {"path": str(data)}}).id)


@contextmanager
def bench(folder: Path, worker: str) -> Iterator[Bench]:
    """An agent that is ended with everything below it."""
    found = Bench(folder, _TESTS / worker)
    try:
        yield found
    finally:
        found.agent.end_everything()


@contextmanager
def terminal(
    command: list[str], home: Path | None = None, *, emulate: bool = True
) -> Iterator[Terminal]:
    """A program in a terminal of 120x40."""
    where = {"LUTHIER_HOME": str(home)} if home else {}
    found = Terminal(command, _SIZE, emulate=emulate, **where)
    try:
        yield found
    finally:
        found.close()


# -- keys ----------------------------------------------------------------------------------------


def measure_keys(folder: Path, arguments: argparse.Namespace) -> None:
    """From a key to its paint."""
    with terminal([*_PROGRAMS, "list"]) as bare:
        bare.sees("line 15")
        bare.press("\x1b[B")
        bare.quiet()
        moves = list_keys(bare, arguments.keys, "\x1b[B", "\x1b[A")
        tell("Textual's own list", pressed(bare, moves))
    with bench(folder, "agent/worker.py") as found:
        for number in range(_RUNS):
            found.agent.ended(found.submit(f"done-{number}", steps=2))
        with terminal(LUTHIER, found.agent.home.path) as luthier:
            luthier.sees(*(f"done-{number}" for number in range(_RUNS)))
            luthier.quiet()
            press_keys(luthier, "nothing going on", arguments.keys)
            for number in range(_RUNS):
                run = found.submit(f"live-{number}", steps=10**6, pace=0.02, checkpoint_every=10**5)
            found.agent.reached(run, 20)
            luthier.sees(*(f"live-{number}" for number in range(_RUNS)))
            before, began = processor_seconds(luthier), time.perf_counter()
            press_keys(luthier, "8 live runs", arguments.keys, "p95 50 ms")
            share = (processor_seconds(luthier) - before) / (time.perf_counter() - began)
            tell("its share of one processor meanwhile", f"{share:.0%}")


def press_keys(luthier: Terminal, when: str, count: int, limit: str = "") -> None:
    """Move in the list of runs, then turn the tabs of a run."""
    luthier.press("g")
    luthier.quiet(0.1)
    moves = list_keys(luthier, count, "j", "k")
    tell(f"{when}: a move in the list", pressed(luthier, moves), limit)
    luthier.press("\r")
    luthier.sees("1 Charts", "by step")
    luthier.press("4")
    luthier.sees("phase ")
    turns = [("1", "by step"), ("4", "phase ")] * (count // 2)
    keys = ((key, shows(luthier, words)) for key, words in turns)
    tell(f"{when}: another tab of a run", pressed(luthier, keys), limit)
    luthier.press("q")
    luthier.sees("progress")


def list_keys(
    program: Terminal, count: int, down: str, up: str
) -> Iterator[tuple[str, Callable[[int], bool]]]:
    """Moves in a list."""
    for number in range(count):
        before = backgrounds(program)
        moved = lambda _, before=before: backgrounds(program) != before  # noqa: E731
        yield (down if number % 2 == 0 else up), moved


def backgrounds(program: Terminal) -> list[str]:
    """The background of each row, which tells the line with the cursor from the others."""
    screen = program.screen
    return [screen.buffer[y][8].bg for y in range(2, 20)]


# -- chart ---------------------------------------------------------------------------------------


def measure_chart(folder: Path, arguments: argparse.Namespace) -> None:
    """A chart of a million points after one more."""
    path = folder / "chart.json"
    with terminal([*_PROGRAMS, "chart", str(path)], emulate=False) as program:
        while program.process.poll() is None:
            program.read()
    results = json.loads(path.read_text())
    tell("one pass over the points in plain Python", f"{results['naive'][0] * 1e3:.0f} ms")
    tell("drawn and compared with the chart before", spread(results["drawn"]), "3 ms")
    tell("processor time of that", spread(results["worked"]))
    tell("the same until it is on the terminal", spread(results["shown"]))


# -- log -----------------------------------------------------------------------------------------


def measure_log(folder: Path, arguments: argparse.Namespace) -> None:
    """A log of a million lines."""
    last, file = f"line {arguments.lines - 1}:", folder / "whole.log"
    with file.open("w") as lines:
        for number in range(arguments.lines):
            lines.write(
                f"line {number}: the loss is {1 / (number + 1):.6f} and all is well so far\n"
            )
    with terminal([*_PROGRAMS, "log", str(file)], emulate=False) as whole:
        whole.until(lambda: b"Read" in whole.painted)
        tell("Textual's own log widget: opens", pressed(whole, [("2", shows(whole, last))]))
        tell("Textual's own log widget: pages", pressed(whole, pages(whole, arguments.keys)))
    with bench(folder, "agent/worker.py") as found:
        run = found.submit("loud", steps=2)
        found.agent.ended(run)
        file.replace(found.agent.home.run(run).attempt(1).output)
        with terminal(LUTHIER, found.agent.home.path, emulate=False) as luthier:
            luthier.until(lambda: b"loud" in luthier.painted)
            tell("opens", pressed(luthier, openings(luthier, 10, last)), "150 ms")
            luthier.quiet(1.0)
            tell("pages", pressed(luthier, pages(luthier, arguments.keys)), "10 ms")


def shows(program: Terminal, words: str) -> Callable[[int], bool]:
    """Whether the words were painted."""
    return lambda begin: program.painted.find(words.encode(), begin) >= 0


def openings(
    luthier: Terminal, count: int, words: str
) -> Iterator[tuple[str, Callable[[int], bool]]]:
    """The log is opened on screens that have not shown it before."""
    for number in range(count):
        if number:
            luthier.press("q")
            luthier.quiet(0.3)
        luthier.press("\r")
        luthier.quiet(1.0)
        yield "2", shows(luthier, words)


def pages(program: Terminal, count: int) -> Iterator[tuple[str, Callable[[int], bool]]]:
    """Pages upwards, each until its frame is complete."""
    for _ in range(count):
        yield _PAGE_UP, lambda begin: program.painted.find(_FRAME_END, begin) >= 0


# -- wire ----------------------------------------------------------------------------------------


def measure_wire(folder: Path, arguments: argparse.Namespace) -> None:
    """Bytes that one live run costs."""
    seconds = 20
    with bench(folder, "tui/curve_worker.py") as found:
        run = found.submit("live", steps=2000, pace=0.05)
        found.agent.reached(run, 200)
        with terminal(LUTHIER, found.agent.home.path) as luthier:
            luthier.sees("live", "running")
            list_bytes = bytes_in(luthier, seconds)
            luthier.press("\r")
            luthier.sees("by step", "learning_rate", "eval_loss")
            luthier.quiet(0.1)
            before = processor_seconds(luthier)
            chart_bytes = bytes_in(luthier, seconds)
            share = (processor_seconds(luthier) - before) / seconds
            luthier.press("?")
            luthier.sees("Keys")
            begin = len(luthier.painted)
            luthier.press("\x1b")
            luthier.sees("by step")
            luthier.quiet(0.1)
            whole = len(luthier.painted) - begin
    tell("whole screens four times a second", f"{whole * 4 / 1024:.1f} KiB/s")
    tell("the list of runs", f"{list_bytes / seconds / 1024:.2f} KiB/s", "4 KiB/s")
    tell("the charts of the run", f"{chart_bytes / seconds / 1024:.2f} KiB/s", "4 KiB/s")
    tell("its share of one processor with charts", f"{share:.0%}")


def bytes_in(luthier: Terminal, seconds: float) -> int:
    """How many bytes are written in so many seconds."""
    luthier.read()
    begin, deadline = len(luthier.painted), time.monotonic() + seconds
    while time.monotonic() < deadline:
        luthier.read()
    return len(luthier.painted) - begin


PARTS: dict[str, Callable[[Path, argparse.Namespace], Any]] = {
    "keys": measure_keys,
    "chart": measure_chart,
    "log": measure_log,
    "wire": measure_wire,
}

if __name__ == "__main__":
    main()
