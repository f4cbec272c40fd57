"""What a person who watches a run wants to know, kept up to date from its events."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from luthier.trainers import events

from ...models import Run, StoredEvent
from ...states import RunState

# More than a terminal is wide; older points are thinned out beyond it.
_MOST_POINTS = 1024
# What stands first among the metrics; the others follow in the order in which they came.
_FIRST = ("loss", "eval_loss", "learning_rate", "mean_token_accuracy", "eval_mean_token_accuracy")
# Figures about the run rather than the model; shown elsewhere or of no use while watching.
_UNSHOWN = ("epoch", "num_tokens", "num_input_tokens_seen", "tokens_per_second")


@dataclass
class Picture:
    """A run as it stands. ``event`` and ``changed`` bring it up to date."""

    run: Run
    phase: str = ""
    detail: str = ""
    step: int = 0
    total: int = 0
    epoch: float = 0.0
    seconds_left: float | None = None
    metrics: dict[str, list[float | None]] = field(default_factory=dict)
    sample: events.SampleEvent | None = None
    checkpoint: events.CheckpointEvent | None = None
    warnings: list[events.WarningEvent] = field(default_factory=list)
    error: events.ErrorEvent | None = None

    def changed(self, run: Run) -> None:
        """Take over the agent's view of the run."""
        if run.state is RunState.STARTING and self.run.state is not RunState.STARTING:
            self.phase = self.detail = ""
            self.seconds_left = self.error = None
        self.run = run

    def event(self, stored: StoredEvent) -> events.Event | None:
        """Take in one worker event and return it; None for a kind that is not known here."""
        event = events.parse_event(json.dumps(stored.event))
        if isinstance(event, events.PhaseEvent):
            self.phase, self.detail = event.name, event.detail
        elif isinstance(event, events.ProgressEvent):
            self.step, self.total, self.epoch = event.step, event.total, event.epoch
            self.seconds_left = event.seconds_left
        elif isinstance(event, events.MetricsEvent | events.EvaluationEvent):
            self._add(event.values)
        elif isinstance(event, events.SampleEvent):
            self.sample = event
        elif isinstance(event, events.CheckpointEvent):
            self.checkpoint = event
        elif isinstance(event, events.WarningEvent):
            self.warnings.append(event)
        elif isinstance(event, events.ErrorEvent):
            self.error = event
        return event

    @property
    def tokens_per_second(self) -> float | None:
        """The speed, by the agent's reckoning or the worker's own."""
        told = self.run.progress.tokens_per_second
        if told is None and (values := self.metrics.get("tokens_per_second")):
            return values[-1]
        return told

    def shown_metrics(self, most: int) -> list[tuple[str, list[float | None]]]:
        """The metrics worth watching, the most telling first."""
        names = [name for name in _FIRST if name in self.metrics]
        names += [name for name in self.metrics if name not in (*_FIRST, *_UNSHOWN)]
        return [(name, self.metrics[name]) for name in names[:most]]

    def _add(self, values: dict[str, float | None]) -> None:
        for name, value in values.items():
            points = self.metrics.setdefault(name, [])
            points.append(value)
            if len(points) > _MOST_POINTS:
                del points[:-1:2]
