"""The way every task on preferences goes: rows, model, training, result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..engine.adapters import adapter_config
from ..engine.job import Job, Result
from ..engine.models import load_tokenizer
from ..engine.pipeline import Prepared, Setup, rows_are_known, run_training
from ..engine.samples import SampleCallback, Score
from ..engine.trainer import RunTrainer
from ..language.rows import asked_prompts
from ..spec.preference_data import PromptSpec
from .rows import PreferenceRows, prepare_preferences


@dataclass
class Parts:
    """What a task builds its trainer from."""

    job: Job[PromptSpec]
    setup: Setup
    rows: PreferenceRows
    tokenizer: Any

    def common(self, **options: Any) -> dict[str, Any]:
        """Keyword arguments that every one of TRL's trainers takes.

        To be called once the arguments object exists, because that sets up the processes.

        Args:
            options: for loading the model, such as ``num_labels``.
        """
        model = self.setup.load_model(**options)
        self.job.reporter.phase("tokenizing")
        return {
            "model": model,
            "processing_class": self.tokenizer,
            "peft_config": adapter_config(self.job.spec),
        }


@dataclass
class Built:
    """A trainer, and what the texts of its samples earn."""

    trainer: RunTrainer
    score: Score | None = None


def run_preference(job: Job[PromptSpec], build: Callable[[Parts], Built]) -> Result:
    """Prepare, train and save.

    Raises:
        LuthierError: the run cannot be done as its spec says.
        RestartRequested: memory ran out and the run is to be started with a smaller batch.
    """

    def prepare(setup: Setup) -> Prepared:
        spec = job.spec
        parts = prepare_parts(job, setup)
        prompts = asked_prompts(job, parts.rows.samples, parts.tokenizer, chat=parts.rows.chat)
        built = build(parts)
        longest = spec.evaluation.sample_max_new_tokens
        samples = SampleCallback(job, prompts, parts.tokenizer, longest, built.score)
        return Prepared(built.trainer, [samples])

    return run_training(job, prepare)


def prepare_parts(job: Job[PromptSpec], setup: Setup) -> Parts:
    """The tokenizer and the rows, checked. Raises LuthierError."""
    tokenizer = load_tokenizer(job.spec.model)
    rows = prepare_preferences(job, tokenizer)
    rows_are_known(job)
    return Parts(job, setup, rows, tokenizer)
