"""What the screens show, as plain data: the agent's messages go in, topics that changed come out.

Nothing here knows Textual. Screens read the state and are told which topics changed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from luthier.agent.models import HardwareSample, Message, Run, Series

from .plot.buckets import Buckets

Topic = tuple[str, str]
"""What changed, and of which run: ("run", id), ("metrics", id), ("log", id), ("samples", id),
("notes", id), ("hardware", id), ("runs", ""), ("connection", "")."""

_SPARKLINE_BUCKETS = 64
_CURVE_BUCKETS = 4096
_NOTES_KEPT = 500
_SAMPLES_KEPT = 200
_HARDWARE_KEPT = 900


@dataclass(frozen=True)
class Note:
    """Something that happened in a run, in words. ``kind`` is the kind of the worker's event."""

    t: float
    kind: str
    text: str


@dataclass(frozen=True)
class Sample:
    """A text the model wrote at an evaluation."""

    step: int
    prompt: str
    text: str
    expected: str | None


@dataclass
class RunData:
    """What is known of one run beyond its line in the list.

    Attributes:
        curves: every metric's points by name, the step across.
        loss: the training loss for the list's sparkline.
        log: attempt and size in bytes of the newest output.
        epochs, times: points of epoch and Unix time by step, to show them across instead.
    """

    curves: dict[str, Buckets] = field(default_factory=dict)
    loss: Buckets = field(default_factory=lambda: Buckets(_SPARKLINE_BUCKETS))
    epochs: Buckets = field(default_factory=lambda: Buckets(_CURVE_BUCKETS))
    times: Buckets = field(default_factory=lambda: Buckets(_CURVE_BUCKETS))
    notes: deque[Note] = field(default_factory=lambda: deque(maxlen=_NOTES_KEPT))
    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=_SAMPLES_KEPT))
    hardware: deque[HardwareSample] = field(default_factory=lambda: deque(maxlen=_HARDWARE_KEPT))
    log: tuple[int, int] = (0, 0)


Connection = Literal["connecting", "live", "away"]


class ClientState:
    """Everything the terminal UI knows of one agent."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.data: dict[str, RunData] = {}
        self.sequence = 0
        self.connection: Connection = "connecting"
        self.away_since: float | None = None

    def of(self, run_id: str) -> RunData:
        """The data of a run, empty at first."""
        return self.data.setdefault(run_id, RunData())

    def connected(self, runs: Iterable[Run], sequence: int) -> set[Topic]:
        """The agent answered: ``runs`` are all there are as of message ``sequence``."""
        before = self.runs
        self.runs = {run.id: run for run in runs}
        for gone in set(before) - set(self.runs):
            self.data.pop(gone, None)
        self.sequence = sequence
        self.connection, self.away_since = "live", None
        return {("connection", ""), ("runs", ""), *(("run", run_id) for run_id in self.runs)}

    def lost(self, t: float) -> set[Topic]:
        """The agent does not answer; what is known stays."""
        if self.connection != "away":
            self.connection, self.away_since = "away", t
        return {("connection", "")}

    def apply(self, message: Message) -> set[Topic]:
        """Take in one message; returns what changed. One that was seen before changes nothing."""
        if message.sequence <= self.sequence and message.type != "reset":
            return set()
        self.sequence = message.sequence
        run_id = message.run_id or ""
        match message.type:
            case "run":
                self.runs[run_id] = Run.model_validate(message.data)
                return {("runs", ""), ("run", run_id)}
            case "removed":
                self.runs.pop(run_id, None)
                self.data.pop(run_id, None)
                return {("runs", ""), ("run", run_id)}
            case "log":
                self.of(run_id).log = (message.data["attempt"], message.data["size"])
                return {("log", run_id)}
            case "hardware":
                self.of(run_id).hardware.append(HardwareSample.model_validate(message.data))
                return {("hardware", run_id)}
            case "events":
                return self.take_events(run_id, message.data["events"])
            case "reset":
                self.data.clear()
                return {("reset", "")}

    def take_events(self, run_id: str, events: Iterable[dict[str, Any]]) -> set[Topic]:
        """Take in worker events of a run, oldest first."""
        data, changed = self.of(run_id), set()
        for event in events:
            changed.add(_take(data, event))
        return {(topic, run_id) for topic in changed}

    def take_series(self, run_id: str, series: Series) -> set[Topic]:
        """Take in stored points of a metric, as the agent sends them for a range."""
        fresh = Buckets(_CURVE_BUCKETS)
        points = zip(series.steps, series.values, series.minimum, series.maximum, strict=True)
        for step, value, low, high in points:
            if value is not None:
                fresh.add(step, value, low, high)
        self.of(run_id).curves[series.name] = fresh
        if series.name == "loss":
            self.of(run_id).loss = loss = Buckets(_SPARKLINE_BUCKETS)
            for bucket in fresh:
                loss.add(bucket.last_step, bucket.last, bucket.minimum, bucket.maximum)
        return {("metrics", run_id)}


def _take(data: RunData, event: dict[str, Any]) -> str:
    kind = event["kind"]
    if kind in ("metrics", "evaluation"):
        _take_values(data, event)
        if kind == "metrics":
            return "metrics"
    if kind == "sample":
        data.samples.append(
            Sample(event["step"], event["prompt"], event["text"], event.get("expected"))
        )
        return "samples"
    if kind == "progress":
        return "run"
    if text := _in_words(kind, event):
        data.notes.append(Note(event["t"], kind, text))
    return "metrics" if kind == "evaluation" else "notes"


def _take_values(data: RunData, event: dict[str, Any]) -> None:
    step = event["step"]
    data.epochs.add(step, event["epoch"])
    data.times.add(step, event["t"])
    for name, value in event["values"].items():
        if value is not None:
            data.curves.setdefault(name, Buckets(_CURVE_BUCKETS)).add(step, value)
            if name == "loss":
                data.loss.add(step, value)


def _in_words(kind: str, event: dict[str, Any]) -> str:
    match kind:
        case "phase":
            detail = event.get("detail")
            return f"{event['name']}: {detail}" if detail else str(event["name"])
        case "placement":
            devices, size = ", ".join(event["devices"]), event["world_size"]
            share = f"{event['trainable_parameters']:,} of {event['total_parameters']:,}"
            processes = f"{size} process{'' if size == 1 else 'es'}"
            return f"runs on {devices} in {processes}, trains {share} parameters"
        case "evaluation":
            shown = [f"{n} {v:.4g}" for n, v in event["values"].items() if v is not None]
            return f"evaluation at step {event['step']}: " + ", ".join(shown[:3])
        case "checkpoint":
            best = ", the best so far" if event.get("best") else ""
            return f"checkpoint at step {event['step']}{best}"
        case "warning":
            where = event.get("where")
            return f"{where}: {event['message']}" if where else str(event["message"])
        case "error":
            return f"{event['message']} {event.get('hint', '')}".strip()
        case "done":
            return "left as asked" if event.get("stopped") else "done"
    return ""
