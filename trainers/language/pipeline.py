"""The way every language model goes: rows, model, training, result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from transformers import EarlyStoppingCallback, TrainerCallback
from transformers.utils import logging as transformers_logging

from ..engine.arguments import training_arguments
from ..engine.callbacks import EventCallback, StopCallback
from ..engine.checkpoints import remove_torn
from ..engine.checks import refuse_impossible
from ..engine.environment import resume_collection
from ..engine.finish import finish
from ..engine.job import Job, Result
from ..engine.memory import is_out_of_memory, next_adjustments, request_restart
from ..engine.models import load_model, load_tokenizer
from ..engine.outcome import RestartRequested
from ..engine.placement import PlacementCallback, device_kind, resolve_precision
from ..engine.provenance import write_provenance
from ..engine.samples import SampleCallback
from ..engine.trainer import RunTrainer
from .rows import Rows, prepare_rows, sample_prompts


@dataclass
class Parts:
    """What a task builds its trainer from.

    Attributes:
        arguments: for TrainingArguments or a class made from it.
        load_model: loads the base model; to be called once the arguments object exists, because
            that is what sets up the processes.
    """

    job: Job
    rows: Rows
    tokenizer: Any
    arguments: dict[str, Any]
    load_model: Callable[[], Any]


def run_language_model(job: Job, build_trainer: Callable[[Parts], RunTrainer]) -> Result:
    """Prepare, train and save.

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
    with job.stop.interruptible():
        trainer, stopping = _prepare(job, build_trainer, precision, device)
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


def _prepare(
    job: Job, build_trainer: Callable[[Parts], RunTrainer], precision: str, device: str
) -> tuple[RunTrainer, StopCallback]:
    spec = job.spec
    tokenizer = load_tokenizer(spec.model)
    rows = prepare_rows(job, tokenizer)
    write_provenance(job)
    prompts = sample_prompts(job, rows, tokenizer)
    if job.reporter.main:
        remove_torn(job.run)

    def load() -> Any:
        job.reporter.phase("loading", spec.model.name_or_path)
        model = load_model(spec, precision, device)
        job.reporter.phase("tokenizing")
        return model

    arguments = training_arguments(
        spec, output=job.run.checkpoints, precision=precision, device=device
    )
    trainer = build_trainer(Parts(job, rows, tokenizer, arguments, load))
    stopping = StopCallback(job)
    callbacks: list[TrainerCallback] = [
        PlacementCallback(job, trainer, precision, device),
        EventCallback(job),
        SampleCallback(job, prompts, tokenizer, spec.evaluation.sample_max_new_tokens),
        stopping,
    ]
    patience = spec.evaluation.early_stopping_patience
    if patience is not None and spec.evaluation.strategy != "no":
        threshold = spec.evaluation.early_stopping_threshold
        callbacks.append(EarlyStoppingCallback(patience, threshold))
    for callback in callbacks:
        trainer.add_callback(callback)
    return trainer, stopping
