"""The list of runs as plain data: which are shown, in which order, and what each cell says."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from luthier.agent import text
from luthier.agent.models import Run
from luthier.agent.states import RunState

from .columns import Cell, Column
from .glyphs import Glyphs
from .state import ClientState

COLUMNS = (
    Column("state", "", 1),
    Column("name", "run", 13, grow=3, most=40),
    Column("word", "state", 9, rank=5),
    Column("task", "task", 9, grow=1, rank=2, most=26),
    Column("model", "model", 14, grow=2, rank=6, most=40),
    Column("host", "host", 6, grow=1, rank=7, most=18),
    Column("bar", "progress", 10, grow=2, most=30),
    Column("percent", "", 4, right=True),
    Column("step", "step", 11, right=True, rank=8),
    Column("left", "left", 7, right=True),
    Column("speed", "tokens/s", 8, right=True, rank=10),
    Column("loss", "loss", 9, right=True),
    Column("curve", "", 8, grow=1, rank=1, most=24),
    Column("age", "age", 6, right=True),
    Column("phase", "phase", 12, rank=11, grow=1, most=24),
    Column("id", "id", 22, rank=12),
)
"""All columns of the list. At 80 cells the ranked ones give way but for task and curve."""

KINDS = {
    RunState.QUEUED: "muted",
    RunState.STARTING: "accent",
    RunState.RUNNING: "accent",
    RunState.STOPPING: "warning",
    RunState.SUCCEEDED: "good",
    RunState.FAILED: "bad",
    RunState.STOPPED: "muted",
    RunState.LOST: "bad",
}
"""The look of each state."""

_STATE_ORDER = {state: place for place, state in enumerate((
    RunState.STOPPING, RunState.RUNNING, RunState.STARTING, RunState.QUEUED,
    RunState.FAILED, RunState.LOST, RunState.STOPPED, RunState.SUCCEEDED,
))}  # fmt: skip
# What has no value stands at the end, whichever way the list is sorted.
_LAST = (1, 0.0)


_SAYS_LITTLE = ("model", "adapter", "merged", "final")


def model_name(model: str) -> str:
    """The last part of a model's path or id; the last two where one alone says little."""
    parts = model.rstrip("/").split("/")
    least = 2 if parts[-1] in _SAYS_LITTLE else 1
    return "/".join(parts[-least:]) or model


def _known(value: float | None, sign: int) -> tuple[int, float]:
    return (0, sign * value) if value is not None and value == value else _LAST


def _share(run: Run) -> float | None:
    return run.progress.step / run.progress.total if run.progress.total else None


_SORTS: dict[str, Callable[[Run, int], Any]] = {
    "age": lambda run, sign: _known(-run.created_at, sign),
    "state": lambda run, sign: sign * _STATE_ORDER[run.state],
    "bar": lambda run, sign: _known(_share(run), -sign),
    "left": lambda run, sign: _known(run.progress.seconds_left, sign),
    "loss": lambda run, sign: _known(run.last_metrics.get("loss"), sign),
}
_BY_TEXT: dict[str, Callable[[Run], str]] = {
    "name": lambda run: run.name or run.id,
    "task": lambda run: run.task,
    "model": lambda run: model_name(run.model),
    "host": lambda run: run.host,
}
# A heading that sorts as another one does.
_SAME = {"word": "state", "percent": "bar", "step": "bar", "curve": "loss", "id": "age"}
SORTS = ("age", "state", "name", "task", "model", "host", "bar", "left", "loss")
"""What the list can be sorted by, in the order of the sort key."""


@dataclass(frozen=True)
class Order:
    """How the list is sorted: newest first unless said otherwise."""

    by: str = "age"
    turned: bool = False

    def next(self, step: int = 1) -> Order:
        """The next thing to sort by."""
        return Order(SORTS[(SORTS.index(self.by) + step) % len(SORTS)])

    def clicked(self, column: str) -> Order:
        """Sorted by that column; turned round when it is already."""
        by = _SAME.get(column, column)
        if by not in SORTS:
            return self
        return Order(by, not self.turned) if by == self.by else Order(by)


def matches(run: Run, words: Iterable[str]) -> bool:
    """Whether each of the words is somewhere in the run's name, id, task, model, host or state."""
    facts = f"{run.name} {run.id} {run.task} {run.model} {run.host} {run.state.value}".lower()
    return all(word in facts for word in words)


def shown(runs: Iterable[Run], wanted: str, order: Order) -> list[str]:
    """The ids of the runs that match what was typed, in order."""
    words = wanted.lower().split()
    found = [run for run in runs if matches(run, words)]
    # Newest first among those that are alike.
    found.sort(key=lambda run: (run.created_at, run.id), reverse=True)
    if order.by in _BY_TEXT:
        name = _BY_TEXT[order.by]
        found.sort(key=lambda run: name(run).lower(), reverse=order.turned)
    else:
        value, sign = _SORTS[order.by], -1 if order.turned else 1
        found.sort(key=lambda run: value(run, sign))
    return [run.id for run in found]


def headings(order: Order, glyphs: Glyphs) -> list[Column]:
    """The columns, with an arrow at the one that the list is sorted by."""
    arrow = glyphs.up if order.turned else glyphs.down
    return [
        Column(**{**vars(column), "title": f"{column.title}{arrow}"})
        if column.key == order.by and column.title
        else column
        for column in COLUMNS
    ]


class Cells:
    """Says what stands in a cell.

    Args:
        state: where the runs are.
        glyphs: what to draw with.
        clock: tells the Unix time; silent: the system's.
    """

    def __init__(
        self, state: ClientState, glyphs: Glyphs, clock: Callable[[], float] | None = None
    ) -> None:
        self._state = state
        self._glyphs = glyphs
        self._clock = clock or time.time

    def __call__(self, run_id: str, column: Column) -> Cell:
        """The cell of a run; an empty one when it is gone."""
        run = self._state.runs.get(run_id)
        return self._of(run, column) if run else Cell("")

    def _of(self, run: Run, column: Column) -> Cell:
        look, progress = KINDS[run.state], run.progress
        match column.key:
            case "state":
                return Cell(self._glyphs.state(run.state), look)
            case "word":
                return Cell(run.state.value, look)
            case "name":
                return Cell(text.printable(run.name or run.id), "strong")
            case "task":
                return Cell(run.task)
            case "model":
                return Cell(text.printable(model_name(run.model)))
            case "host":
                return Cell(text.printable(run.host), "muted")
            case "bar":
                return self._bar(run, column.width)
            case "percent":
                done = text.percent(progress.step, progress.total) if progress.total else ""
                return Cell(done)
            case "step":
                return Cell(f"{progress.step}/{progress.total}" if progress.total else "")
            case "left":
                return Cell(short_duration(progress.seconds_left) if run.state.active else "")
            case "speed":
                speed = progress.tokens_per_second
                return Cell(text.number(speed) if speed is not None and run.state.active else "")
            case "loss":
                loss = run.last_metrics.get("loss")
                return Cell("" if loss is None else text.number(loss))
            case "curve":
                return Cell(self._curve(run.id, column.width), "accent")
            case "age":
                return Cell(text.age(self._clock() - run.created_at), "muted")
            case "phase":
                return Cell(text.printable(run.phase) if run.state.active else "", "muted")
        return Cell(run.id, "muted")

    def _bar(self, run: Run, width: int) -> Cell:
        if run.queue_position is not None:
            return Cell(f"{run.queue_position + 1}. queued"[:width], "muted")
        if not run.progress.total:
            words = run.phase or run.state.value if run.state.active else ""
            return Cell(self._glyphs.cut(words, width), "muted")
        look = "muted" if run.state.finished else KINDS[run.state]
        return Cell(self._glyphs.bar(run.progress.step, run.progress.total, width), look)

    def _curve(self, run_id: str, width: int) -> str:
        loss = self._state.loss_of(run_id)
        return self._glyphs.sparkline([each.last for each in loss], width) if loss else ""


def short_duration(seconds: float | None) -> str:
    """A length of time in at most seven characters, such as ``12m05s``; empty when not known."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3600:02d}h" if whole < 86_400_000 else ">1000d"


def explanation(run: Run) -> str:
    """Why the run is as it is, in one line; empty when there is nothing to say."""
    if run.reason:
        return " ".join(f"{run.reason} {run.hint}".split())
    if run.state.active and run.phase:
        step = f", step {run.progress.step} of {run.progress.total}" if run.progress.total else ""
        return f"{run.phase}{step}"
    if run.state is RunState.SUCCEEDED and run.artifact:
        return f"result in {run.folder}/{run.artifact}"
    return ""


def counted(runs: Sequence[Run]) -> str:
    """The name of one run, ``3 runs`` for several."""
    if len(runs) == 1:
        return text.one_line(runs[0].name or runs[0].id, 40)
    return text.count(len(runs), "run")
