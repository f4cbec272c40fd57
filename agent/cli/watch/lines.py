"""A run as lines of plain text: for pipes, log files and terminals without cursor control."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from luthier.trainers import events

from ... import text
from ...models import Run, StoredEvent
from ...states import RunState
from .picture import Picture

_STEPS = 20
_QUIET_SECONDS = 60.0
_SAMPLE_WIDTH = 60


class LineWriter:
    """Turns what happens to a run into the lines that a person wants to read about it.

    Progress makes a line at every twentieth of the way, and at least every minute.
    """

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self._state: RunState | None = None
        self._reason = ""
        self._mark = -1
        self._last_progress = 0.0

    def changed(self, run: Run) -> Iterator[str]:
        """Lines for a change of the run."""
        self.picture.changed(run)
        if run.state is self._state and run.reason == self._reason:
            return
        self._state, self._reason = run.state, run.reason
        if run.state is RunState.QUEUED:
            waiting = f" ({run.reason})" if run.reason else ""
            yield f"{run.id} is queued{waiting}"
        elif run.state is RunState.STARTING:
            self._mark = -1
            yield f"{run.id} is starting"
        elif run.state is RunState.STOPPING:
            yield "stopping"

    def event(self, stored: StoredEvent) -> Iterator[str]:
        """Lines for a worker event."""
        event = self.picture.event(stored)
        if isinstance(event, events.PhaseEvent):
            yield f"{event.name}: {event.detail}" if event.detail else event.name
        elif isinstance(event, events.PlacementEvent):
            yield placement_line(event)
        elif isinstance(event, events.ProgressEvent):
            yield from self._progress(event)
        elif isinstance(event, events.EvaluationEvent):
            yield f"evaluation at step {event.step}  {values_line(event.values)}"
        elif isinstance(event, events.SampleEvent):
            yield sample_line(event)
        elif isinstance(event, events.CheckpointEvent):
            best = " (best so far)" if event.best else ""
            yield f"checkpoint at step {event.step}{best}"
        elif isinstance(event, events.WarningEvent):
            yield f"warning: {warning_text(event)}"

    def _progress(self, event: events.ProgressEvent) -> Iterator[str]:
        mark = _STEPS * event.step // event.total if event.total else event.step
        if mark == self._mark and event.t - self._last_progress < _QUIET_SECONDS:
            return
        self._mark, self._last_progress = mark, event.t
        parts = [progress_text(self.picture)]
        loss = self.picture.metrics.get("loss")
        if loss:
            parts.append(f"loss {text.number(loss[-1])}")
        yield "  ".join(parts)


def progress_text(picture: Picture) -> str:
    """Step, share, epoch, speed and time left, as far as they are known."""
    parts = [f"step {picture.step}"]
    if picture.total:
        done = text.percent(picture.step, picture.total)
        parts = [f"step {picture.step}/{picture.total}", f"{done:>4}"]
    if picture.epoch:
        parts.append(f"epoch {picture.epoch:.2f}")
    if picture.tokens_per_second:
        parts.append(f"{text.number(picture.tokens_per_second)} tokens/s")
    if picture.seconds_left:
        parts.append(f"{text.duration(picture.seconds_left)} left")
    return "  ".join(parts)


def placement_line(event: events.PlacementEvent) -> str:
    """What the run really runs on and trains."""
    share = event.trainable_parameters / max(1, event.total_parameters)
    dtypes = ", ".join(event.dtypes)
    return (
        f"on {', '.join(event.devices)} ({dtypes}), {event.strategy}, "
        f"{event.trainable_parameters:,} of {event.total_parameters:,} parameters "
        f"trained ({share:.2%})"
    )


def values_line(values: dict[str, float | None]) -> str:
    """Metrics in one line, the figures about speed left out."""
    slow = ("_runtime", "_per_second", "_steps_per_second", "_num_tokens")
    shown = [name for name in values if not name.endswith(slow)]
    return "  ".join(f"{name} {text.number(values[name])}" for name in shown)


def sample_line(event: events.SampleEvent) -> str:
    """A question and what the model said."""
    prompt = text.one_line(event.prompt, _SAMPLE_WIDTH)
    answer = text.one_line(event.text, _SAMPLE_WIDTH)
    earned = f"  ({values_line(event.rewards)})" if event.rewards else ""
    return f"sample at step {event.step}: {prompt} -> {answer}{earned}"


def warning_text(event: events.WarningEvent) -> str:
    """A warning with its place."""
    return f"{event.where}: {event.message}" if event.where else event.message


def ending(run: Run) -> Iterator[str]:
    """How a run ended and what can be done next."""
    took = ""
    if run.started_at is not None and run.ended_at is not None:
        took = f" after {text.duration(run.ended_at - run.started_at)}"
    yield f"{run.id} {run.state.value}{took}"
    if run.reason:
        yield f"reason: {run.reason}"
    if run.hint:
        yield f"hint: {run.hint}"
    if run.artifact:
        # An absolute artifact stays as it is.
        yield f"result: {Path(run.folder) / run.artifact}"
    if run.state is not RunState.SUCCEEDED and run.resumable:
        yield f"go on from its last checkpoint with: luthier resume {run.id}"
