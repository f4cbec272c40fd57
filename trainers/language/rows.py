"""From the data section of a spec to token ids, checked on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..data import Example, PreflightReport, Table, build_examples, preflight, read_dataset
from ..data.rendering import RenderSettings, Tokens, is_chat, tokenise
from ..engine.job import Job
from ..engine.samples import Prompt
from ..errors import Problem, SpecError
from ..run_folder import write_json


@dataclass
class Rows:
    """What a run trains on and is measured on.

    Attributes:
        train: the examples with their tokens, uncut.
        validation: the same of the validation rows; empty when there are none.
        report: what the check of the data found.
        chat: whether the rows are chats.
    """

    train: list[tuple[Example, Tokens]]
    validation: list[tuple[Example, Tokens]]
    report: PreflightReport
    chat: bool


def prepare_rows(job: Job, tokenizer: Any) -> Rows:
    """Read, check and tokenise the rows; what was found is kept with the run.

    Raises:
        DataError: the rows cannot be trained on.
        SpecError: the evaluation settings need validation rows, and there are none.
    """
    job.reporter.phase("preflight", job.spec.data.path)
    spec = job.spec
    as_chat = bool(tokenizer.chat_template)
    dataset = read_dataset(spec.data)
    settings = RenderSettings.of(spec)
    seen: dict[int, Tokens] = {}

    def measure(examples: Sequence[Example]) -> list[int]:
        # The check needs every row's length and training its tokens: one pass serves both.
        lengths = []
        for example, tokens in zip(examples, tokenise(examples, tokenizer, settings), strict=True):
            seen[id(example)] = tokens
            lengths.append(len(tokens.ids))
        return lengths

    report = preflight(dataset, spec, measure, as_chat=as_chat)
    job.fingerprint = report.fingerprint
    if job.reporter.main:
        write_json(job.run.preflight, report.model_dump(mode="json"))
    for problem in report.warnings:
        job.reporter.warn(problem.message, problem.where)

    def tokenised(table: Table | None) -> list[tuple[Example, Tokens]]:
        if table is None:
            return []
        examples = build_examples(table, spec.data, task=spec.task, as_chat=as_chat)
        return list(zip(examples, tokenise(examples, tokenizer, settings), strict=True))

    train, validation = tokenised(dataset.train), tokenised(dataset.validation)
    _need_validation(job, validation)
    job.chat = bool(train) and is_chat(train[0][0])
    return Rows(train, validation, report, job.chat)


def _need_validation(job: Job, validation: Sequence[Any]) -> None:
    evaluation = job.spec.evaluation
    if validation or evaluation.strategy == "no":
        return
    for key in ("load_best_model_at_end", "early_stopping_patience"):
        if getattr(evaluation, key):
            raise SpecError(
                [
                    Problem(
                        "needs validation rows; raise data.validation_fraction", f"evaluation.{key}"
                    )
                ]
            )
    job.reporter.warn("There are no validation rows, so nothing is measured.", "data")
    evaluation.strategy = "no"


def sample_prompts(job: Job, rows: Rows, tokenizer: Any) -> list[Prompt]:
    """The prompts that are answered at every evaluation."""
    evaluation, system = job.spec.evaluation, job.spec.data.system_prompt
    if evaluation.strategy == "no":
        return []
    chats: list[tuple[str, list[dict[str, Any]], str | None]] = [
        (text, [{"role": "user", "content": text}], None) for text in evaluation.sample_prompts
    ]
    if system and rows.chat:
        chats = [
            (text, [{"role": "system", "content": system}, *messages], None)
            for text, messages, _ in chats
        ]
    if not chats:
        chats = [
            (sample.prompt, sample.messages, sample.expected)
            for sample in rows.report.sample_prompts[: evaluation.samples]
        ]
    return [
        Prompt(shown, _prompt_tokens(tokenizer, shown, messages, chat=rows.chat), expected)
        for shown, messages, expected in chats
    ]


def _prompt_tokens(
    tokenizer: Any, text: str, messages: list[dict[str, Any]], *, chat: bool
) -> list[int]:
    if not chat:
        return list(tokenizer(text)["input_ids"])
    encoded = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, tokenize=True, return_dict=True
    )
    return list(encoded["input_ids"])


def weights_of(rows: Sequence[tuple[Example, Tokens]]) -> Iterator[float]:
    """Each row's weight in the loss."""
    return (float(example.get("weight", 1.0)) for example, _ in rows)
