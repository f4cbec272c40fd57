"""The most memory that the steps of an attempt took."""

from __future__ import annotations

import time
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ..events import MemoryEvent
from .job import Job
from .meter import Meter, Peak
from .probe import longest_length
from .trainer import RunTrainer


class PeakCallback(TrainerCallback):
    """Measures training steps, without evaluations and checkpoints, and says so at the end."""

    def __init__(self, job: Job[Any], trainer: RunTrainer, meter: Meter) -> None:
        self._job = job
        self._trainer = trainer
        self._meter = meter
        self._peak = Peak(0, 0)
        self._began = 0.0
        self._seconds: list[float] = []

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """From here on."""
        self._meter.restart()

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """A step begins."""
        self._began = time.perf_counter()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Take in the step's peak."""
        self._seconds.append(time.perf_counter() - self._began)
        now = self._meter.peak()
        self._peak = Peak(
            max(self._peak.total, now.total), max(self._peak.allocated, now.allocated)
        )

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """What an evaluation took is none of a step's."""
        self._meter.restart()

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Nor is what writing a checkpoint took."""
        self._meter.restart()

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Say what was measured, if there was a step."""
        if not self._seconds:
            return
        # The first one warms everything up.
        steps = self._seconds[1:] or self._seconds
        self._job.reporter.emit(
            MemoryEvent(
                source="run",
                step=state.global_step,
                device=self._meter.device,
                device_name=self._meter.name,
                peak=self._peak.total,
                allocated=self._peak.allocated,
                seconds=sum(steps) / len(steps),
                rows=args.per_device_train_batch_size,
                length=longest_length(self._trainer),
            )
        )
