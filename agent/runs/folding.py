"""Worker events folded into a run's record."""

from __future__ import annotations

from collections.abc import Iterable

from luthier.trainers.events import (
    DoneEvent,
    EvaluationEvent,
    Event,
    MetricsEvent,
    PhaseEvent,
    PlacementEvent,
    ProgressEvent,
    WarningEvent,
)

from .record import RunRecord

_RATES = ("tokens_per_second", "train_tokens_per_second")


def fold(record: RunRecord, events: Iterable[Event | None]) -> RunRecord:
    """The record after those events, the oldest of which is number ``record.folded + 1``.

    None stands for an event of a kind that this version does not know.
    """
    phase, progress, metrics = record.phase, record.progress, dict(record.last_metrics)
    placement, artifact = record.placement, record.artifact
    warnings, folded = record.warnings, record.folded
    for event in events:
        folded += 1
        if isinstance(event, MetricsEvent | EvaluationEvent):
            metrics.update(event.values)
            rate = next((event.values[name] for name in _RATES if event.values.get(name)), None)
            if rate is not None:
                progress = progress.model_copy(update={"tokens_per_second": rate})
        elif isinstance(event, ProgressEvent):
            progress = progress.model_copy(
                update=event.model_dump(include={"step", "total", "epoch", "seconds_left"})
            )
        elif isinstance(event, PhaseEvent):
            phase = event.name
        elif isinstance(event, WarningEvent):
            warnings += 1
        elif isinstance(event, PlacementEvent):
            placement = event.model_dump(exclude={"t", "kind"})
        elif isinstance(event, DoneEvent):
            artifact = event.artifact or artifact
    return record.model_copy(
        update={
            "phase": phase,
            "progress": progress,
            "last_metrics": metrics,
            "placement": placement,
            "artifact": artifact,
            "warnings": warnings,
            "folded": folded,
        }
    )
