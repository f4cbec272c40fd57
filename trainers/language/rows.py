"""From the data section of a spec to token ids, checked on the way."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..data import Dataset, Example, SamplePrompt, read_dataset
from ..data.checks import sample_prompts as first_prompts
from ..data.findings import examine
from ..data.rendering import RenderSettings, Tokens, is_chat, tokenise
from ..engine.job import Job
from ..engine.samples import Prompt
from ..errors import Problem, SpecError
from ..run_folder import write_json
from ..spec import TextSpec
from ..spec.preference_data import ChatSpec


class Row(NamedTuple):
    """One row's tokens, uncut, in a twentieth of the memory that lists take, and its weight."""

    ids: array[int]
    trained: bytes
    weight: float

    @classmethod
    def of(cls, example: Example, tokens: Tokens) -> Row:
        """The tokens of an example."""
        return cls(array("i", tokens.ids), bytes(tokens.trained), example.get("weight", 1.0))

    def tokens(self) -> Tokens:
        """The same as lists."""
        return Tokens(self.ids.tolist(), [bool(learnt) for learnt in self.trained])


@dataclass
class Rows:
    """What a run trains on and is measured on.

    Attributes:
        train: the rows to train on.
        validation: the rows to measure on; empty when there are none.
        samples: prompts of the validation rows; plain text has none.
        chat: whether the rows are chats.
    """

    train: list[Row]
    validation: list[Row]
    samples: list[SamplePrompt]
    chat: bool


_BEGINNING_TOKENS = 32


def prepare_rows(job: Job[TextSpec], tokenizer: Any, dataset: Dataset | None = None) -> Rows:
    """Read, check and tokenise the rows; what was found is kept with the run.

    Args:
        job: the attempt.
        tokenizer: of the model.
        dataset: the rows, when they have been read already.

    Raises:
        DataError: the rows cannot be trained on.
        SpecError: the evaluation settings need validation rows, and there are none.
    """
    job.reporter.phase("preflight", job.spec.data.path)
    settings = RenderSettings.of(job.spec)
    tokenised: dict[int, list[Row]] = {}

    def measure(examples: Sequence[Example]) -> list[int]:
        # The check wants every row's length and training wants its tokens: one pass for both.
        tokens = tokenise(examples, tokenizer, settings)
        rows = [Row.of(*pair) for pair in zip(examples, tokens, strict=True)]
        tokenised[id(examples)] = rows
        return [len(row.ids) for row in rows]

    dataset = dataset or read_dataset(job.spec.data)
    findings = examine(dataset, job.spec, measure, as_chat=bool(tokenizer.chat_template))
    report = findings.report()
    job.fingerprint = report.fingerprint
    if job.reporter.main:
        write_json(job.run.preflight, report.model_dump(mode="json"))
    for problem in report.warnings:
        job.reporter.warn(problem.message, problem.where)
    examples = findings.examples("train")
    train = tokenised.get(id(examples), [])
    validation = tokenised.get(id(findings.examples("validation")), [])
    need_validation(job, validation)
    job.chat = bool(examples) and is_chat(examples[0])
    built = findings.built.get("validation")
    samples = first_prompts(built, job.spec.evaluation.samples) if built else []
    return Rows(train, validation, samples, job.chat)


def need_validation(job: Job[ChatSpec], validation: Sequence[Any]) -> None:
    """Measure nothing when there are no validation rows.

    Raises:
        SpecError: the evaluation settings need them.
    """
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


def sample_prompts(job: Job[TextSpec], rows: Rows, tokenizer: Any) -> list[Prompt]:
    """The prompts that are answered at every evaluation: the spec's, or of the first rows."""
    found = asked_prompts(job, rows.samples, tokenizer, chat=rows.chat)
    if found or job.spec.evaluation.strategy == "no":
        return found
    longest = job.spec.evaluation.sample_max_new_tokens
    first = rows.validation[: job.spec.evaluation.samples]
    return [_beginning(row.ids.tolist(), tokenizer, longest) for row in first]


def asked_prompts(
    job: Job[ChatSpec], samples: Sequence[SamplePrompt], tokenizer: Any, *, chat: bool
) -> list[Prompt]:
    """The spec's prompts, else those of the rows; none where nothing is measured."""
    evaluation = job.spec.evaluation
    if evaluation.strategy == "no":
        return []
    if evaluation.sample_prompts:
        return [_asked(job, tokenizer, text, chat=chat) for text in evaluation.sample_prompts]
    return [
        Prompt(
            sample.prompt,
            _prompt_tokens(tokenizer, sample.prompt, sample.messages, chat=chat),
            sample.expected,
        )
        for sample in samples
    ]


def _asked(job: Job[ChatSpec], tokenizer: Any, text: str, *, chat: bool) -> Prompt:
    messages = [{"role": "user", "content": text}]
    if job.spec.data.system_prompt:
        messages.insert(0, {"role": "system", "content": job.spec.data.system_prompt})
    return Prompt(text, _prompt_tokens(tokenizer, text, messages, chat=chat))


def _beginning(ids: list[int], tokenizer: Any, longest: int) -> Prompt:
    """Plain text has no prompt: the model goes on from the row's beginning."""
    length = min(_BEGINNING_TOKENS, max(1, len(ids) // 2))
    shown, expected = tokenizer.batch_decode(
        [ids[:length], ids[length : length + longest]], skip_special_tokens=True
    )
    return Prompt(shown, ids[:length], expected)


def _prompt_tokens(
    tokenizer: Any, text: str, messages: list[dict[str, Any]], *, chat: bool
) -> list[int]:
    if not chat:
        return list(tokenizer(text)["input_ids"])
    encoded = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, tokenize=True, return_dict=True
    )
    return list(encoded["input_ids"])
