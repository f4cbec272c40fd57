"""The way every gradient-trained run goes: checks, model, training, result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import EarlyStoppingCallback, TrainerCallback
from transformers.utils import logging as transformers_logging

from ..spec import GradientSpec
from .arguments import training_arguments
from .callbacks import EventCallback, StopCallback
from .checkpoints import remove_torn
from .checks import refuse_impossible
from .environment import resume_collection
from .finish import finish
from .job import Job, Result
from .memory import is_out_of_memory, next_adjustments, request_restart
from .meter import Meter, meter_for
from .models import load_model
from .outcome import RestartRequested
from .peaks import PeakCallback
from .placement import PlacementCallback, device_kind, resolve_precision
from .provenance import write_provenance
from .trainer import RunTrainer


@dataclass
class Prepared:
    """A trainer with its rows and model in place, and the callbacks of its own."""

    trainer: RunTrainer
    callbacks: Sequence[TrainerCallback] = field(default=())


@dataclass(frozen=True)
class Setup:
    """What a run is prepared with.

    Attributes:
        precision: the mixed precision: no, fp16 or bf16.
        device: cpu, cuda or qaic.
    """

    job: Job[GradientSpec]
    precision: str
    device: str

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for TrainingArguments or a class made from it.

        Call it once the rows are known: looking at them may change the spec.
        """
        return training_arguments(
            self.job.spec,
            output=self.job.run.checkpoints,
            precision=self.precision,
            device=self.device,
        )

    def load_model(self, **options: Any) -> Any:
        """The base model, for the class that the task's registry entry names.

        To be called once the arguments object exists, because that sets up the processes.

        Args:
            options: for ``from_pretrained``, such as ``num_labels``.
        """
        job = self.job
        job.reporter.phase("loading", job.spec.model.name_or_path)
        return load_model(job.spec, self.precision, self.device, **options)


def run_training(job: Job[GradientSpec], prepare: Callable[[Setup], Prepared]) -> Result:
    """Prepare, train and save.

    Args:
        job: the attempt.
        prepare: reads the rows and builds the trainer; a stop may interrupt it at any moment.

    Raises:
        LuthierError: the run cannot be done as its spec says.
        RestartRequested: memory ran out and the run is to be started with a smaller batch.
    """
    resume_collection()
    device = device_kind(job.spec)
    if job.spec.launch.threads is not None:
        torch.set_num_threads(job.spec.launch.threads)
    if job.spec.training.disable_tqdm:
        transformers_logging.disable_progress_bar()
    refuse_impossible(job.spec, device)
    precision = resolve_precision(job.spec, device)
    meter = meter_for(device)
    with job.stop.interruptible():
        setup = Setup(job, precision, device)
        prepared = prepare(setup)
        stopping = _watch(job, prepared, setup, meter)
    trainer = prepared.trainer
    try:
        trainer.train(resume_from_checkpoint=str(job.resume_from) if job.resume_from else None)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        request_restart(job.attempt, job.reporter, next_adjustments(job.spec, job.adjustments))
        raise RestartRequested from error
    if stopping.stopped:
        return Result(step=trainer.state.global_step, stopped=True)
    return finish(job, trainer)


def rows_are_known(job: Job[GradientSpec]) -> None:
    """After the check of the rows: keep what is known of them, and clear what is half-written."""
    write_provenance(job)
    if job.reporter.main:
        remove_torn(job.run)


def _watch(
    job: Job[GradientSpec], prepared: Prepared, setup: Setup, meter: Meter | None
) -> StopCallback:
    """Add the callbacks that every run has."""
    trainer, evaluation = prepared.trainer, job.spec.evaluation
    stopping = StopCallback(job)
    callbacks: list[TrainerCallback] = [
        PlacementCallback(job, trainer, setup.precision, setup.device, meter),
        *([PeakCallback(job, trainer, meter)] if meter else []),
        EventCallback(job),
        *prepared.callbacks,
        stopping,
    ]
    if evaluation.early_stopping_patience is not None and evaluation.strategy != "no":
        callbacks.append(
            EarlyStoppingCallback(
                evaluation.early_stopping_patience, evaluation.early_stopping_threshold
            )
        )
    for callback in callbacks:
        trainer.add_callback(callback)
    return stopping
