"""A gradient-trained task with columns: what it brings, and the one way all of them go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic

import torch
from transformers import Trainer, TrainerCallback, TrainingArguments, set_seed
from typing_extensions import TypeVar

from ..data.columned import ColumnedFindings, add_lengths, read_columned
from ..data.records import Record
from ..errors import DataError, Problem, SpecError
from ..events import ReportEvent, SampleEvent
from ..run_folder import write_json
from ..spec import GradientSpec
from .adapters import adapter_config, add_adapter
from .column_trainer import WEIGHTS, ColumnTrainer
from .job import Job, Result
from .models import load_tokenizer
from .pipeline import Prepared, Setup, rows_are_known, run_training

S = TypeVar("S", bound=GradientSpec, default=GradientSpec, covariant=True)


@dataclass
class Measured:
    """What an evaluation found: scalars without the ``eval_`` prefix, reports, written texts.

    The steps of reports and samples are filled in by the trainer.
    """

    values: dict[str, float]
    reports: list[ReportEvent] = field(default_factory=list)
    samples: list[SampleEvent] = field(default_factory=list)


class DefaultTrainer(ColumnTrainer, Trainer):
    """transformers' Trainer with what every run has."""


class ColumnTask(Generic[S]):
    """What one task brings. The methods are called in the order in which they stand here.

    Attributes:
        trainer: the trainer's class: a ColumnTrainer mixed into one of the library's.
        arguments: the class of its arguments.
        label_names: the keys of a batch that hold what is to be learnt.
        kept_outputs: how many of the model's outputs ``measure`` gets, in their order.
        heads: modules that begin at random, where peft has no TaskType that knows them.
    """

    trainer: ClassVar[type[Any]] = DefaultTrainer
    arguments: ClassVar[type[Any]] = TrainingArguments
    label_names: ClassVar[tuple[str, ...]] = ("labels",)
    kept_outputs: ClassVar[int] = 1
    heads: ClassVar[tuple[str, ...]] = ()

    def __init__(self, job: Job[S]) -> None:
        self.job = job
        self.spec = job.spec
        self.processor: Any = None

    def load_processor(self) -> Any:
        """What turns inputs into tensors; a tokenizer unless overridden."""
        return load_tokenizer(self.spec.model)

    def learn(self, found: ColumnedFindings) -> None:
        """Remember what the rows say about the model: class names, number of targets, ..."""

    def token_lengths(self, records: Sequence[Record]) -> Sequence[int] | None:
        """The length of each record in tokens, uncut; None where that means nothing.

        What is longer than ``training.max_length`` is cut.
        """
        return None

    def warnings(self, found: ColumnedFindings) -> Iterable[Problem]:
        """What else there is to say of the rows once the processor is there."""
        return ()

    def model_options(self) -> dict[str, Any]:
        """Keyword arguments of ``from_pretrained``: number of classes, their names, ..."""
        return {}

    def load_model(self, setup: Setup) -> Any:
        """The base model, of the class that the task's registry entry names."""
        return setup.load_model(**self.model_options())

    def complete_config(self, config: Any) -> None:
        """Put what else a user of the result needs into the model's config."""

    def adapted(self, model: Any) -> Any:
        """The model with what is trained in place: an adapter, or itself."""
        checkpointing = self.spec.training.gradient_checkpointing
        config = adapter_config(self.spec, self.heads)
        return add_adapter(model, config, checkpointing=checkpointing)

    def encode(self, records: Sequence[Record], *, training: bool) -> Any:
        """The records as a dataset of the trainer, one item each unless ``measure`` knows better.

        Args:
            records: rows of one split.
            training: False for the rows that are measured.
        """
        raise NotImplementedError

    def collator(self) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
        """Turns items into a batch."""
        raise NotImplementedError

    def more_arguments(self) -> dict[str, Any]:
        """Further keyword arguments for the class of the arguments."""
        return {}

    def callbacks(self) -> Sequence[TrainerCallback]:
        """Callbacks of its own."""
        return ()

    def inputs(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """What of a batch the model gets; not the labels where ``losses`` are its own."""
        return {name: value for name, value in batch.items() if name not in self.label_names}

    def losses(self, outputs: Any, batch: Mapping[str, Any]) -> torch.Tensor | None:
        """The loss of each prediction, rows first, unreduced; None: the model's own loss."""
        return None

    def counts(self, batch: Mapping[str, Any]) -> torch.Tensor | None:
        """How much each loss counts, in the shape of ``losses``: 0 for padding, class weights."""
        return None

    def measure(self, predictions: Any, labels: Any, records: Sequence[Record]) -> Measured:
        """Figures and reports over all rows of the validation split, in their order."""
        raise NotImplementedError


def run_column_task(job: Job[Any], task_class: type[ColumnTask[Any]]) -> Result:
    """Prepare, train and save. Raises like run_training."""

    def prepare(setup: Setup) -> Prepared:
        return _prepare(task_class(job), setup)

    return run_training(job, prepare)


def _prepare(task: ColumnTask[Any], setup: Setup) -> Prepared:
    job, spec = task.job, task.spec
    job.reporter.phase("preflight", spec.data.path)
    task.processor = task.load_processor()
    found = _checked_rows(task)
    rows_are_known(job)
    arguments = task.arguments(
        **setup.arguments(),
        remove_unused_columns=False,
        label_names=list(task.label_names),
        **task.more_arguments(),
    )
    # A new head and an adapter start from random numbers.
    set_seed(spec.training.seed)
    model = task.load_model(setup)
    task.complete_config(model.config)
    model = task.adapted(model)
    job.reporter.phase("tokenizing")
    validation = found.records("validation")
    trainer = task.trainer(
        model=model,
        args=arguments,
        train_dataset=_encoded(task, found.records("train"), training=True),
        eval_dataset=_encoded(task, validation, training=False) if validation else None,
        processing_class=task.processor,
        data_collator=with_weights(task.collator()),
        task=task,
        records=validation,
    )
    return Prepared(trainer, task.callbacks())


def _checked_rows(task: ColumnTask[Any]) -> ColumnedFindings:
    """Read and check the rows; what was found is kept with the run. Raises DataError."""
    job = task.job
    found = read_columned(job.spec)
    if found.problems:
        raise DataError(found.problems)
    task.learn(found)
    if all(task.token_lengths(found.records(split)[:1]) is not None for split in found.splits):
        settings: Any = job.spec.training
        limit, key = settings.max_length, "training.max_length"
        add_lengths(found, lambda records: task.token_lengths(records) or [], limit, key)
    found.warnings += task.warnings(found)
    report = found.report()
    job.fingerprint = report.fingerprint
    if job.reporter.main:
        write_json(job.run.preflight, report.model_dump(mode="json"))
    for problem in report.warnings:
        job.reporter.warn(problem.message, problem.where)
    need_validation(job, found.records("validation"))
    return found


def need_validation(job: Job[GradientSpec], validation: Sequence[Any]) -> None:
    """Turn evaluation off when there is nothing to measure on.

    Raises:
        SpecError: the evaluation settings need validation rows, and there are none.
    """
    evaluation = job.spec.evaluation
    if validation or evaluation.strategy == "no":
        return
    for key in ("load_best_model_at_end", "early_stopping_patience"):
        if getattr(evaluation, key):
            text = "needs validation rows; raise data.validation_fraction"
            raise SpecError([Problem(text, f"evaluation.{key}")])
    job.reporter.warn("There are no validation rows, so nothing is measured.", "data")
    evaluation.strategy = "no"


def _encoded(task: ColumnTask[Any], records: Sequence[Record], *, training: bool) -> Any:
    dataset = task.encode(records, training=training)
    if training and task.spec.data.row_weights is not None and WEIGHTS not in dataset[0]:
        return dataset.add_column(WEIGHTS, [record.weight for record in records])
    return dataset


def with_weights(
    collate: Callable[[list[dict[str, Any]]], dict[str, Any]],
) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
    """The collator with the rows' weights put into the batch beside what it makes."""

    def batch(items: list[dict[str, Any]]) -> dict[str, Any]:
        if WEIGHTS not in items[0]:
            return collate(items)
        weights = torch.tensor([item[WEIGHTS] for item in items], dtype=torch.float32)
        plain = [{k: v for k, v in item.items() if k != WEIGHTS} for item in items]
        return {**collate(plain), WEIGHTS: weights}

    return batch
