"""Turning what a trainer does into events, and a wish to stop into a clean end."""

from __future__ import annotations

import time
from enum import IntEnum
from typing import Any

import torch
import torch.distributed as dist
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import IntervalStrategy

from ..events import CheckpointEvent, EvaluationEvent, MetricsEvent, ProgressEvent, finite
from .job import Job
from .stopping import StopRequested
from .trainer import EvaluationCut

# The clock's, and what events say elsewhere.
_NO_METRICS = ("epoch", "step_time")
_TOKEN_METRICS = ("num_tokens", "tokens_per_second")
_NOT_MEASURED = ("epoch", "eval_num_tokens")
_PROGRESS_SECONDS = 0.25


class EventCallback(TrainerCallback):
    """Progress, metrics, evaluations and checkpoints as events."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._begun = (0.0, 0)
        self._told = 0.0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Say where the run starts from."""
        self._progress(state)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Progress, a few times a second at most."""
        now = time.monotonic()
        if not self._begun[0]:
            # The first step warms everything up and says nothing about the others.
            self._begun = (now, state.global_step)
        if now - self._told >= _PROGRESS_SECONDS or state.global_step >= state.max_steps:
            self._told = now
            self._progress(state)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """The scalars of training; evaluations have an event of their own."""
        if logs and "loss" in logs:
            hidden = set(_NO_METRICS)
            if not self._job.spec.training.include_num_input_tokens_seen:
                hidden |= set(_TOKEN_METRICS)
            values = {name: value for name, value in logs.items() if name not in hidden}
            self._job.reporter.emit(
                MetricsEvent(step=state.global_step, epoch=state.epoch or 0, values=finite(values))
            )

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """The scalars of an evaluation."""
        values = {
            name: value for name, value in (metrics or {}).items() if name not in _NOT_MEASURED
        }
        self._job.reporter.emit(
            EvaluationEvent(step=state.global_step, epoch=state.epoch or 0, values=finite(values))
        )

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """A checkpoint is whole."""
        step = state.global_step
        folder = self._job.run.checkpoints / f"checkpoint-{step}"
        self._job.reporter.emit(
            CheckpointEvent(
                step=step,
                path=str(folder.relative_to(self._job.run.path)),
                best=state.best_global_step == step,
            )
        )

    def _progress(self, state: TrainerState) -> None:
        began, first = self._begun
        done, left = state.global_step - first, state.max_steps - state.global_step
        seconds = (time.monotonic() - began) / done * left if began and done else None
        self._job.reporter.emit(
            ProgressEvent(
                step=state.global_step,
                total=state.max_steps,
                epoch=state.epoch or 0,
                seconds_left=seconds,
            )
        )


class _Wish(IntEnum):
    """What somebody wants, the strongest last."""

    NONE = 0
    AFTER_SAVING = 1
    AT_ONCE = 2


class StopCallback(TrainerCallback):
    """Ends training after the step at which somebody asked for it, with a checkpoint.

    Comes after the trainer's own flow control, whose decisions it may change.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._save_at_epoch_end = False
        self.stopped = False

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Look for a stop; every process comes to the same answer."""
        if state.global_step < state.max_steps and self._leaving(args, state):
            control.should_training_stop = True
            control.should_save = True
        if control.should_save and self._evaluated_next(args, state):
            # What the evaluation finds (the best step, patience) belongs into the checkpoint.
            self._save_at_epoch_end, control.should_save = True, False

    def on_prediction_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """An evaluation may take longer than a stop can wait."""
        if self._leaving(args, state):
            raise EvaluationCut

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Save what was put off; an epoch that a stop cut short is not measured."""
        if self._save_at_epoch_end:
            self._save_at_epoch_end, control.should_save = False, True
        elif self.stopped and not _epoch_is_over(state):
            control.should_evaluate = control.should_save = control.should_log = False

    def _leaving(self, args: TrainingArguments, state: TrainerState) -> bool:
        wish = self._agreed(args)
        if wish is _Wish.AT_ONCE:
            raise StopRequested(state.global_step)
        self.stopped = self.stopped or wish is _Wish.AFTER_SAVING
        return self.stopped

    def _evaluated_next(self, args: TrainingArguments, state: TrainerState) -> bool:
        if args.eval_strategy != IntervalStrategy.EPOCH:
            return False
        return _epoch_is_over(state) or state.global_step >= state.max_steps

    def _agreed(self, args: TrainingArguments) -> _Wish:
        stop = self._job.stop
        wish = _Wish.NONE
        if stop.requested:
            wish = _Wish.AT_ONCE if stop.at_once else _Wish.AFTER_SAVING
        if not dist.is_initialized():
            return wish
        strongest = torch.tensor(int(wish), device=args.device)
        dist.all_reduce(strongest, op=dist.ReduceOp.MAX)
        return _Wish(int(strongest.item()))


def _epoch_is_over(state: TrainerState) -> bool:
    return state.epoch is not None and float(state.epoch).is_integer()
