"""From the data section of a spec to prompts and answers as token ids, checked on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..data import Example
from ..data.preference_findings import (
    examine_preferences,
    preference_inputs,
    preference_samples,
    variants,
)
from ..data.preference_inspect import prompt_tokens, read_preferences
from ..data.rendering import RenderSettings, Tokens, tokenise
from ..data.report import SamplePrompt
from ..data.tokens import is_chat
from ..engine.job import Job
from ..errors import DataError, Problem
from ..language.rows import need_validation
from ..run_folder import write_json
from ..spec.preference_data import PreferenceTraining, PromptSpec


class Row(NamedTuple):
    """One example as token ids.

    Attributes:
        prompt: of the prompt; empty where answers stand alone.
        answers: of the better and the worse answer, of the labelled one, or none.
        example: what they were made from.
    """

    prompt: list[int]
    answers: list[list[int]]
    example: Example

    def cut(
        self, whole: int | None = None, prompt: int | None = None, answer: int | None = None
    ) -> Row | None:
        """The row within its limits in tokens; None when nothing of an answer is left.

        Args:
            whole: of a prompt with its answer, whose end is cut.
            prompt: of the prompt, whose beginning is cut.
            answer: of an answer, whose end is cut.
        """
        asked = self.prompt if prompt is None else self.prompt[-prompt:]
        left = None if whole is None else whole - len(asked)
        if left is not None and left <= 0:
            return None
        shortest = min((limit for limit in (left, answer) if limit is not None), default=None)
        return Row(asked, [ids[:shortest] for ids in self.answers], self.example)

    @property
    def length(self) -> int:
        """Tokens of the prompt with its longest answer."""
        return len(self.prompt) + max((len(ids) for ids in self.answers), default=0)


@dataclass
class PreferenceRows:
    """What a run trains on and is measured on.

    Attributes:
        train: the rows to train on, uncut.
        validation: the rows to measure on; empty when there are none.
        samples: prompts of the validation rows.
        chat: whether the rows are chats.
    """

    train: list[Row]
    validation: list[Row]
    samples: list[SamplePrompt] = field(default_factory=list)
    chat: bool = False


def prepare_preferences(job: Job[PromptSpec], tokenizer: Any) -> PreferenceRows:
    """Read, check and tokenise the rows; what was found is kept with the run.

    Raises:
        DataError: the rows cannot be trained on.
        SpecError: the evaluation settings need validation rows, and there are none.
    """
    spec = job.spec
    job.reporter.phase("preflight", spec.data.path)
    tokenised: dict[int, list[Row]] = {}

    def measure(examples: Sequence[Example]) -> list[int]:
        rows = tokenise_preferences(examples, tokenizer)
        tokenised[id(examples)] = rows
        return [row.length for row in rows]

    dataset = read_preferences(spec)
    findings = examine_preferences(dataset, spec, measure, as_chat=bool(tokenizer.chat_template))
    report = findings.report()
    report.sample_inputs = preference_inputs(findings.examples("train"))
    job.fingerprint = report.fingerprint
    if job.reporter.main:
        write_json(job.run.preflight, report.model_dump(mode="json"))
    for problem in report.warnings:
        job.reporter.warn(problem.message, problem.where)
    train = tokenised.get(id(findings.examples("train")), [])
    validation = tokenised.get(id(findings.examples("validation")), [])
    need_validation(job, validation)
    job.chat = bool(train) and is_chat(train[0].example)
    built = findings.built.get("validation")
    samples = preference_samples(built, spec.evaluation.samples) if built else []
    return PreferenceRows(train, validation, samples, job.chat)


def tokenise_preferences(examples: Sequence[Example], tokenizer: Any) -> list[Row]:
    """Every example with its answers, uncut.

    Raises:
        DataError: the chat template refuses rows.
        LuthierError: the tokenizer lacks its end token or a chat template.
    """
    if examples and "row" in examples[0]:
        return _prompts_alone(examples, tokenizer)
    split = [variants(example) for example in examples]
    flat = [variant for answers in split for variant in answers]
    tokens = iter(list(tokenise(flat, tokenizer, RenderSettings())))
    return [
        _row([next(tokens) for _ in answers], example)
        for answers, example in zip(split, examples, strict=True)
    ]


def _row(answers: list[Tokens], example: Example) -> Row:
    """The tokens before the first that is learnt in any answer are the prompt."""
    start = min(_start(tokens) for tokens in answers)
    return Row(answers[0].ids[:start], [tokens.ids[start:] for tokens in answers], example)


def _start(tokens: Tokens) -> int:
    return next((at for at, learnt in enumerate(tokens.trained) if learnt), len(tokens.ids))


def _prompts_alone(examples: Sequence[Example], tokenizer: Any) -> list[Row]:
    rows, refused = [], dict[str, list[str]]()
    for example in examples:
        try:
            rows.append(Row(prompt_tokens(example, tokenizer), [], example))
        except Exception as error:  # a chat template is a program of the model's authors
            if is_chat(example) and tokenizer.chat_template:
                text = f"the chat template refuses the row: {str(error) or type(error).__name__}"
                refused.setdefault(text, []).append(example["where"])
            else:
                raise
    if refused:
        raise DataError([Problem(text, ", ".join(places)) for text, places in refused.items()])
    return rows


def within_limits(job: Job[PromptSpec], rows: list[Row]) -> list[Row]:
    """The rows cut to the lengths of the spec; those of whose answers nothing is left are told of.

    Raises:
        DataError: that is so of all.
    """
    training = job.spec.training
    if not isinstance(training, PreferenceTraining):
        raise TypeError(f"{type(training).__name__} has no lengths of prompts and answers")
    cut = [
        row.cut(training.max_length, training.max_prompt_length, training.max_completion_length)
        for row in rows
    ]
    kept = [row for row in cut if row is not None]
    if rows and not kept:
        text = "every prompt alone is as long as training.max_length; raise it"
        raise DataError([Problem(text, job.spec.data.path)])
    if len(kept) < len(rows):
        job.reporter.warn(
            f"{len(rows) - len(kept)} rows are left out, because their prompt alone is as long as "
            "training.max_length.",
            job.spec.data.path,
        )
    return kept
