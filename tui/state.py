"""What the screens show, as plain data: the agent's messages go in, topics that changed come out.

Nothing here knows Textual. Screens read the state and are told which topics changed.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from luthier.agent.models import HardwareSample, Message, Run, Series, StoredEvent

from .plot.buckets import Buckets

Topic = tuple[str, str]
"""What changed, and of which run: ("run", id), ("metrics", id), ("log", id), ("samples", id),
("reports", id), ("notes", id), ("hardware", id), ("runs", ""), ("connection", ""). ("reset", "")
asks screens to read from the agent anew whatever they have read, ("all", "") to show everything
anew."""

_SPARKLINE_BUCKETS = 64
_CURVE_BUCKETS = 4096
_NOTES_KEPT = 500
_SAMPLES_KEPT = 200
_HARDWARE_KEPT = 900
# Curves of a run with 50 metrics take several MiB, so only those last looked at are collected.
_WATCHED_MOST = 12
# Taking these in once more changes nothing, and histories are read without them.
_REPEATABLE = ("metrics", "progress")


@dataclass(frozen=True)
class Note:
    """Something that happened in a run, in words. ``kind`` is the kind of the worker's event."""

    t: float
    kind: str
    text: str


@dataclass(frozen=True)
class Sample:
    """A text the model wrote at an evaluation, and what it earned by the name of the reward."""

    step: int
    prompt: str
    text: str
    expected: str | None
    rewards: dict[str, float | None] = field(default_factory=dict)


@dataclass
class RunData:
    """What is known of one run beyond its line in the list.

    Attributes:
        curves: every metric's points by name, the step across.
        loss: the training loss for the list's sparkline.
        log: attempt and size in bytes of the newest output.
        reports: the newest report of each name, as the event has it.
        epochs, times: points of epoch and Unix time by step, to show them across instead.
        live_from: number of the first event that came live; None before it.
        stored_to: number of the newest event that was read from the agent.
    """

    curves: dict[str, Buckets] = field(default_factory=dict)
    loss: Buckets = field(default_factory=lambda: Buckets(_SPARKLINE_BUCKETS))
    epochs: Buckets = field(default_factory=lambda: Buckets(_CURVE_BUCKETS))
    times: Buckets = field(default_factory=lambda: Buckets(_CURVE_BUCKETS))
    notes: deque[Note] = field(default_factory=lambda: deque(maxlen=_NOTES_KEPT))
    reports: dict[str, dict[str, Any]] = field(default_factory=dict)
    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=_SAMPLES_KEPT))
    hardware: deque[HardwareSample] = field(default_factory=lambda: deque(maxlen=_HARDWARE_KEPT))
    log: tuple[int, int] = (0, 0)
    live_from: int | None = None
    stored_to: int = 0


Connection = Literal["connecting", "live", "away"]


class ClientState:
    """Everything the terminal UI knows of one agent.

    Attributes:
        runs: every run by id.
        sequence: number of the newest message that was taken in.
        away_since: Unix time since which the agent does not answer.
        away_reason: why, in one sentence.
        stopped: it was stopped on purpose, so nobody but a person starts it again.
    """

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.sequence = 0
        self.connection: Connection = "connecting"
        self.away_since: float | None = None
        self.away_reason = ""
        self.stopped = False
        self._data: dict[str, RunData] = {}
        self._watched: OrderedDict[str, None] = OrderedDict()

    def of(self, run_id: str) -> RunData:
        """The data of a run, whose curves are collected from now on.

        Curves of the runs that were looked at longest ago are forgotten. What was before the
        first look is the agent's to tell: see ``take_series`` and ``take_events``.
        """
        self._watched[run_id] = None
        self._watched.move_to_end(run_id)
        if len(self._watched) > _WATCHED_MOST:
            forgotten, _ = self._watched.popitem(last=False)
            if old := self._data.get(forgotten):
                self._data[forgotten] = RunData(loss=old.loss, log=old.log)
        return self._of(run_id)

    def loss_of(self, run_id: str) -> Buckets | None:
        """The course of a run's training loss, coarse; None while nothing is known of it."""
        data = self._data.get(run_id)
        return data.loss if data and len(data.loss) else None

    def connected(self, runs: Iterable[Run], sequence: int) -> set[Topic]:
        """The agent answered: ``runs`` are all there are as of message ``sequence``."""
        before = self.runs
        self.runs = {run.id: run for run in runs}
        for gone in set(before) - set(self.runs):
            self._forget(gone)
        self.sequence = sequence
        self.connection, self.away_since, self.stopped = "live", None, False
        return {("connection", ""), ("runs", ""), *(("run", run_id) for run_id in self.runs)}

    def lost(self, t: float, reason: str = "", *, stopped: bool = False) -> set[Topic]:
        """The agent does not answer; what is known stays."""
        if self.connection != "away":
            self.connection, self.away_since = "away", t
        self.away_reason, self.stopped = reason, stopped
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
                self._forget(run_id)
                return {("runs", ""), ("run", run_id)}
            case "log":
                self._of(run_id).log = (message.data["attempt"], message.data["size"])
                return {("log", run_id)}
            case "hardware":
                if run_id in self._watched:
                    sample = HardwareSample.model_validate(message.data)
                    self._of(run_id).hardware.append(sample)
                return {("hardware", run_id)}
            case "events":
                return self._take_live(run_id, message.data)
            case "reset":
                self._data.clear()
                return {("reset", "")}

    def take_events(self, run_id: str, events: Iterable[dict[str, Any]]) -> set[Topic]:
        """Take in worker events of a run, oldest first."""
        data, watched = self._of(run_id), run_id in self._watched
        changed = {_take(data, event, watched) for event in events}
        return {(topic, run_id) for topic in changed if topic}

    def take_history(self, run_id: str, stored: Iterable[StoredEvent]) -> set[Topic]:
        """Take in events that the agent had stored, oldest first, each once: what came live
        meanwhile, or was taken in before, is passed over."""
        data = self.of(run_id)
        end = data.live_from
        fresh = [e for e in stored if e.number > data.stored_to and (not end or e.number < end)]
        if not fresh:
            return set()
        data.stored_to = fresh[-1].number
        notes, samples = list(data.notes), list(data.samples)
        data.notes.clear()
        data.samples.clear()
        topics = self.take_events(run_id, [entry.event for entry in fresh])
        data.notes.extend(notes)
        data.samples.extend(samples)
        return topics

    def _take_live(self, run_id: str, told: dict[str, Any]) -> set[Topic]:
        number, events = told.get("number", 0), told["events"]
        if run_id in self._watched:
            data = self._of(run_id)
            data.live_from = data.live_from or number
            if number <= data.stored_to:
                events = [
                    event
                    for place, event in enumerate(events, number)
                    if place > data.stored_to or event["kind"] in _REPEATABLE
                ]
        return self.take_events(run_id, events)

    def take_series(self, run_id: str, series: Series) -> set[Topic]:
        """Take in stored points of a metric, as the agent sends them for a range.

        Points that came later than the answer was made stay.
        """
        fresh = _buckets_of(series, _CURVE_BUCKETS)
        data = self.of(run_id)
        _add_later(fresh, data.curves.get(series.name))
        data.curves[series.name] = fresh
        if series.name == "loss":
            self.take_loss(run_id, series)
        return {("metrics", run_id)}

    def take_loss(self, run_id: str, series: Series) -> set[Topic]:
        """Take in stored points of the loss for the list's sparkline only."""
        fresh = _buckets_of(series, _SPARKLINE_BUCKETS)
        data = self._of(run_id)
        _add_later(fresh, data.loss)
        data.loss = fresh
        return {("metrics", run_id)}

    def _of(self, run_id: str) -> RunData:
        return self._data.setdefault(run_id, RunData())

    def _forget(self, run_id: str) -> None:
        self._data.pop(run_id, None)
        self._watched.pop(run_id, None)


def _buckets_of(series: Series, most: int) -> Buckets:
    found = Buckets(most, series.bucket)
    points = zip(series.steps, series.values, series.minimum, series.maximum, strict=True)
    for step, value, low, high in points:
        if value is not None:
            found.add(step, value, low, high)
    return found


def _add_later(fresh: Buckets, held: Buckets | None) -> None:
    newest = max((bucket.last_step for bucket in fresh), default=-1)
    for bucket in held or ():
        if bucket.start > newest:
            fresh.add(bucket.last_step, bucket.last, bucket.minimum, bucket.maximum)


def _take(data: RunData, event: dict[str, Any], watched: bool) -> str:
    """Take in one event; returns the topic that changed. Only the loss of a run that nobody
    watches is kept."""
    kind = event["kind"]
    if kind in ("metrics", "evaluation"):
        _take_values(data, event, watched)
        if kind == "metrics":
            return "metrics"
    if not watched:
        return "run" if kind == "progress" else ""
    if kind == "sample":
        data.samples.append(
            Sample(
                event["step"],
                event["prompt"],
                event["text"],
                event.get("expected"),
                event.get("rewards") or {},
            )
        )
        return "samples"
    if kind == "report":
        # History may be read after newer ones have come.
        held = data.reports.get(event["name"])
        if held is None or held["step"] <= event["step"]:
            data.reports[event["name"]] = event
        return "reports"
    if kind == "progress":
        return "run"
    if text := _in_words(kind, event):
        data.notes.append(Note(event["t"], kind, text))
    return "metrics" if kind == "evaluation" else "notes"


def _take_values(data: RunData, event: dict[str, Any], watched: bool) -> None:
    step, loss = event["step"], event["values"].get("loss")
    if loss is not None:
        data.loss.add(step, loss)
    if not watched:
        return
    data.epochs.add(step, event["epoch"])
    data.times.add(step, event["t"])
    for name, value in event["values"].items():
        if value is not None:
            data.curves.setdefault(name, Buckets(_CURVE_BUCKETS)).add(step, value)


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
