"""llm-distill: TRL's GKDTrainer, on answers of the files, of the teacher, or of the student."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from datasets import Dataset
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForCausalLM
from trl.experimental.gkd import GKDConfig, GKDTrainer

from ..engine.adapters import adapter_config
from ..engine.job import Job, Result
from ..engine.metered import MeteredTrainer
from ..engine.models import load_options, load_tokenizer
from ..engine.pipeline import Prepared, Setup, rows_are_known, run_training
from ..engine.samples import SampleCallback
from ..errors import DataError, Problem
from ..language.rows import Row, Rows, asked_prompts
from ..tasks.llm_distill import DistillSpec
from .distill_rows import prepare_distill_rows
from .reference import refuse_other_vocabulary

_OWN_SETTINGS = {
    *("lmbda", "seq_kd", "beta", "temperature", "max_new_tokens", "max_length"),
    "disable_dropout",
}


def train(job: Job[DistillSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry."""

    def prepare(setup: Setup) -> Prepared:
        return _prepare(job, setup)

    return run_training(job, prepare)


def _prepare(job: Job[DistillSpec], setup: Setup) -> Prepared:
    spec = job.spec
    tokenizer = load_tokenizer(spec.model)
    rows = prepare_distill_rows(job, tokenizer)
    rows_are_known(job)
    prompts = asked_prompts(job, rows.samples, tokenizer, chat=rows.chat)
    trainer = _trainer(job, setup, rows, tokenizer)
    longest = spec.evaluation.sample_max_new_tokens
    return Prepared(trainer, [SampleCallback(job, prompts, tokenizer, longest)])


def _trainer(job: Job[DistillSpec], setup: Setup, rows: Rows, tokenizer: Any) -> StudentTrainer:
    training = job.spec.training
    arguments = GKDConfig(
        **setup.arguments(), **training.model_dump(include=_OWN_SETTINGS), packing=False
    )
    student = setup.load_model()
    job.reporter.phase("loading", training.teacher_model_name_or_path)
    teacher = load_teacher(job.spec)
    refuse_other_vocabulary(teacher, student, "training.teacher_model_name_or_path")
    job.reporter.phase("tokenizing")
    trainer = StudentTrainer(
        model=student,
        teacher_model=teacher,
        args=arguments,
        data_collator=PromptCollator(tokenizer.pad_token_id),
        train_dataset=as_dataset(rows.train, training.max_length, job.spec.data.path),
        eval_dataset=(
            as_dataset(rows.validation, training.max_length, job.spec.data.path)
            if rows.validation
            else None
        ),
        processing_class=tokenizer,
        peft_config=adapter_config(job.spec),
    )
    trainer.end_with(tokenizer.eos_token_id)
    return trainer


def load_teacher(spec: DistillSpec) -> Any:
    """The teacher, frozen."""
    training = spec.training
    dtype = training.teacher_dtype
    options = {
        **load_options(spec.model),
        "revision": training.teacher_model_revision,
        "dtype": dtype if dtype == "auto" else getattr(torch, dtype),
    }
    teacher = AutoModelForCausalLM.from_pretrained(training.teacher_model_name_or_path, **options)
    return teacher.eval().requires_grad_(False)


def as_dataset(rows: Sequence[Row], length: int, path: str) -> Dataset:
    """Prompts and answers as token ids, cut; rows whose prompt alone is too long are left out.

    Raises:
        DataError: no row is left.
    """
    columns: dict[str, list[list[int]]] = {"prompt_ids": [], "answer_ids": []}
    for row in rows:
        start = row.trained.find(1)
        start = len(row.ids) if start < 0 else start
        if 0 < start < length:
            columns["prompt_ids"].append(row.ids[:start].tolist())
            columns["answer_ids"].append(row.ids[start:length].tolist())
    if not columns["prompt_ids"]:
        text = f"no row has a prompt of less than training.max_length ({length}) tokens"
        raise DataError([Problem(text, path)])
    return Dataset.from_dict(columns)


class PromptCollator:
    """Whole rows padded on the right, and their prompts alone padded on the left."""

    def __init__(self, pad_token_id: int) -> None:
        self._pad = pad_token_id

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """The batch as GKDTrainer wants it."""
        prompts = [torch.tensor(row["prompt_ids"]) for row in rows]
        answers = [torch.tensor(row["answer_ids"], dtype=torch.long) for row in rows]
        pairs = list(zip(prompts, answers, strict=True))
        whole = [torch.cat(pair) for pair in pairs]
        labels = [torch.cat([torch.full_like(asked, -100), answer]) for asked, answer in pairs]
        return {
            "input_ids": pad_sequence(whole, batch_first=True, padding_value=self._pad),
            "attention_mask": pad_sequence([torch.ones_like(ids) for ids in whole], True),
            "labels": pad_sequence(labels, batch_first=True, padding_value=-100),
            "prompts": pad_sequence(prompts, True, self._pad, "left"),
            "prompt_attention_mask": pad_sequence(
                [torch.ones_like(ids) for ids in prompts], True, 0, "left"
            ),
        }


class StudentTrainer(MeteredTrainer, GKDTrainer):
    """GKDTrainer that counts tokens and measures rows without answers too."""

    has_perplexity = False
    # The texts of a step may be new ones, so each forward pass divides by its own tokens.
    loss_is_scaled_for_ga = False

    def end_with(self, eos_token_id: int | None) -> None:
        """Let texts end with the tokenizer's end token as well as with the model's."""
        own = self.generation_config.eos_token_id
        ends = {eos_token_id, *(own if isinstance(own, list) else [own])} - {None}
        self.generation_config.eos_token_id = sorted(ends) or None

    def row_lengths(self, dataset: Any) -> list[int]:
        """The length of each prompt with its answer, in tokens."""
        both = zip(dataset["prompt_ids"], dataset["answer_ids"], strict=True)
        return [len(prompt) + len(answer) for prompt, answer in both]

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        if self.model.training:
            seen = self.accelerator.gather(inputs["attention_mask"].sum())
            self._total_train_tokens += float(seen.sum())
            self._metrics["train"]["num_tokens"] = [self._total_train_tokens]
        return super().compute_loss(model, inputs, return_outputs, None)

    def prediction_step(
        self,
        model: Any,
        inputs: dict[str, Any],
        prediction_loss_only: bool,
        ignore_keys: list[str] | None = None,
    ) -> Any:
        if not inputs["labels"].ne(-100).any():
            inputs = self._answered(inputs)
        return super().prediction_step(model, inputs, True, ignore_keys)

    @torch.no_grad()
    def _answered(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The prompts with answers that the student writes."""
        placed = self._prepare_inputs(inputs)
        model = self.accelerator.unwrap_model(self.model)
        written = self.generate_on_policy_outputs(model, placed, self.generation_config)
        names = ("input_ids", "attention_mask", "labels")
        return {**placed, **dict(zip(names, written, strict=True))}
