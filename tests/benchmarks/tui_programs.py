"""Programs that the terminal benchmarks start in a pseudo-terminal.

python tests/benchmarks/tui_programs.py empty | list | log FILE | chart RESULTS
"""

from __future__ import annotations

import json
import math
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

from textual.app import App, ComposeResult
from textual.widgets import Footer, Header, Log, OptionList, Static


class Empty(App[None]):
    """What every Textual app costs."""

    BINDINGS = [("q", "quit", "Quit")]  # noqa: RUF012

    def compose(self) -> ComposeResult:
        """Header, text, footer."""
        yield Header()
        yield Static("bare")
        yield Footer()


class Options(App[None]):
    """Textual's own list."""

    def compose(self) -> ComposeResult:
        """Sixteen lines."""
        yield Static("list\n\n")
        yield OptionList(*(f"line {number}" for number in range(16)))


class WholeLog(App[None]):
    """Textual's own log widget; key 2 reads the file."""

    BINDINGS = [("2", "read", "Read")]  # noqa: RUF012

    def compose(self) -> ComposeResult:
        """The log."""
        yield Log()
        yield Footer()

    def action_read(self) -> None:
        """Show the file from its end."""
        log = self.query_one(Log)
        log.write_lines(Path(sys.argv[2]).read_text().splitlines())
        log.focus()


def chart() -> App[None]:
    """Luthier's chart of a million points, which gets one more, again and again.

    Writes to RESULTS the seconds each drawing took, and those until it was on the terminal.
    """
    from luthier.tui.exact import ExactCompositor
    from luthier.tui.plot.buckets import Buckets
    from luthier.tui.plot.curve import Curve
    from luthier.tui.plot.view import ChartView
    from luthier.tui.widgets.chart import Chart

    rounds, count = 200, 1_000_000

    class OneChart(App[None]):
        def compose(self) -> ComposeResult:
            self.screen._compositor = ExactCompositor()
            yield Chart(ChartView(), unicode=True)

        def on_mount(self) -> None:
            self.train, self.measured = Buckets(4096), Buckets(4096)
            for step in range(count):
                self.add(step)
            self.drawn: list[float] = []
            self.shown: list[float] = []
            self.worked: list[float] = []
            self.curves = [Curve("loss", [self.train], 0), Curve("eval_loss", [self.measured], 1)]
            self.set_interval(0.02, self.next_point)

        def add(self, step: int) -> None:
            value = 3 * math.exp(-step / 2e5) + random.gauss(0, 0.1)
            self.train.add(step, value)
            if step % 1000 == 0:
                self.measured.add(step, value + 0.1)

        def next_point(self) -> None:
            chart = self.query_one(Chart)
            step = count + len(self.drawn)
            self.add(step)
            began, worked = time.perf_counter(), time.thread_time()
            chart.view.cover(self.curves, 2.0 * count)
            chart.show(self.curves, "")
            self.drawn.append(time.perf_counter() - began)
            self.worked.append(time.thread_time() - worked)
            self.call_after_refresh(lambda: self.shown.append(time.perf_counter() - began))
            if len(self.drawn) == rounds:
                results = {"drawn": self.drawn, "worked": self.worked, "shown": self.shown}
                results["naive"] = [naive(count)]
                Path(sys.argv[2]).write_text(json.dumps(results))
                self.exit()

    return OneChart()


def naive(count: int) -> float:
    """Seconds that one pass over as many points takes which puts them into columns."""
    values = [random.random() for _ in range(count)]
    began = time.perf_counter()
    columns = 220
    least, most = [math.inf] * columns, [-math.inf] * columns
    for step, value in enumerate(values):
        column = step * columns // count
        if value < least[column]:
            least[column] = value
        if value > most[column]:
            most[column] = value
    return time.perf_counter() - began


PROGRAMS: dict[str, Callable[[], App[None]]] = {
    "empty": Empty,
    "list": Options,
    "log": WholeLog,
    "chart": chart,
}

if __name__ == "__main__":
    PROGRAMS[sys.argv[1]]().run()
