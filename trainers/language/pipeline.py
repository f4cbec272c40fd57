"""The way every language model goes: rows, model, training, result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..engine.job import Job, Result
from ..engine.models import load_tokenizer
from ..engine.pipeline import Prepared, Setup, rows_are_known, run_training
from ..engine.samples import SampleCallback
from ..engine.trainer import RunTrainer
from ..spec import TextSpec
from .rows import Rows, prepare_rows, sample_prompts


@dataclass
class Parts:
    """What a task builds its trainer from.

    Attributes:
        arguments: for TrainingArguments or a class made from it.
        load_model: loads the base model; to be called once the arguments object exists, because
            that is what sets up the processes.
    """

    job: Job[TextSpec]
    rows: Rows
    tokenizer: Any
    arguments: dict[str, Any]
    load_model: Callable[[], Any]


def run_language_model(job: Job[TextSpec], build_trainer: Callable[[Parts], RunTrainer]) -> Result:
    """Prepare, train and save.

    Raises:
        LuthierError: the run cannot be done as its spec says.
        RestartRequested: memory ran out and the run is to be started with a smaller batch.
    """

    def prepare(setup: Setup) -> Prepared:
        return _prepare(job, setup, build_trainer)

    return run_training(job, prepare)


def _prepare(
    job: Job[TextSpec], setup: Setup, build_trainer: Callable[[Parts], RunTrainer]
) -> Prepared:
    spec = job.spec
    tokenizer = load_tokenizer(spec.model)
    rows = prepare_rows(job, tokenizer)
    rows_are_known(job)
    prompts = sample_prompts(job, rows, tokenizer)

    def load() -> Any:
        model = setup.load_model()
        job.reporter.phase("tokenizing")
        return model

    trainer = build_trainer(Parts(job, rows, tokenizer, setup.arguments(), load))
    samples = SampleCallback(job, prompts, tokenizer, spec.evaluation.sample_max_new_tokens)
    return Prepared(trainer, [samples])
