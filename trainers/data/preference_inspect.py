"""A look at rows of preferences, labels or prompts, as `data inspect` shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from ..errors import LuthierError, Problem, ProblemsError
from ..spec.preference_data import ChatSpec, PromptSpec
from ..tasks.llm_kto import KTOSpec
from .preference_findings import examine_preferences, preference_limit, variants
from .preference_formats import label_column
from .read import Layout, read_dataset
from .rendering import RenderSettings, Tokenizer, Tokens, tokenise
from .report import InspectReport, RenderedRow, Segment
from .row_reader import Example
from .segments import text_segments, token_segments
from .table import Dataset
from .tokens import is_chat, need_chat_template, tools_of

_SHOWN_ROWS = 2


def read_preferences(spec: ChatSpec) -> Dataset:
    """The rows; answers marked good and bad keep their shares in a split that is made.

    Raises:
        DataError: the file, folder or hub dataset cannot be read.
    """
    if not isinstance(spec, KTOSpec):
        return read_dataset(spec.data)
    return read_dataset(spec.data, Layout(strata=lambda table: label_column(table, spec.data)))


def inspect_preferences(spec: PromptSpec, tokenizer: Tokenizer | None = None) -> InspectReport:
    """Look at the data that a spec names. Mistakes in the data are part of the report."""
    limit = preference_limit(spec)
    report = InspectReport(source=spec.data.path, task=spec.task, limit=limit)
    try:
        dataset = read_preferences(spec)
        findings = examine_preferences(
            dataset,
            spec,
            (lambda examples: lengths_of(examples, tokenizer)) if tokenizer else None,
            as_chat=bool(tokenizer and tokenizer.chat_template),
        )
    except ProblemsError as error:
        report.problems = list(error.problems)
        return report
    except LuthierError as error:
        report.problems = [Problem(str(error))]
        return report
    findings.fill(report)
    if not findings.problems:
        report.rows = list(islice(_rendered(findings.examples("train"), tokenizer), _SHOWN_ROWS))
    return report


def lengths_of(examples: Sequence[Example], tokenizer: Tokenizer) -> list[int]:
    """Tokens of each prompt with its longest answer. Raises like tokenise."""
    if examples and "row" in examples[0]:
        return [len(prompt_tokens(example, tokenizer)) for example in examples]
    split = [variants(example) for example in examples]
    flat = [variant for answers in split for variant in answers]
    tokens = iter(list(tokenise(flat, tokenizer, RenderSettings())))
    return [max(len(next(tokens).ids) for _ in answers) for answers in split]


def prompt_tokens(example: Example, tokenizer: Tokenizer) -> list[int]:
    """The prompt as the model gets it before it answers."""
    if not is_chat(example):
        return list(tokenizer(example["prompt"])["input_ids"])
    need_chat_template(tokenizer)
    encoded = tokenizer.apply_chat_template(
        example["prompt"],
        tools=tools_of(example),
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
    )
    return list(encoded["input_ids"])


def _rendered(examples: list[Example], tokenizer: Tokenizer | None) -> Iterator[RenderedRow]:
    """Each answer with its prompt; a prompt alone where no answer is given."""
    for example in examples:
        if "row" in example:
            yield _alone(example, tokenizer)
            continue
        for word, variant in zip(_words(example), variants(example), strict=True):
            where = f"{example['where']} ({word})"
            if tokenizer is None:
                segments = text_segments(variant, RenderSettings())
                yield RenderedRow(where=where, segments=segments)
                continue
            (tokens,) = tokenise([variant], tokenizer, RenderSettings())
            shown = token_segments(tokens, tokenizer)
            yield RenderedRow(where=where, tokens=len(tokens.ids), segments=shown)


def _words(example: Example) -> tuple[str, ...]:
    if "rejected" in example:
        return ("chosen", "rejected")
    return ("good",) if example.get("label") else ("bad",)


def _alone(example: Example, tokenizer: Tokenizer | None) -> RenderedRow:
    where = example["where"]
    if tokenizer is not None:
        ids = prompt_tokens(example, tokenizer)
        shown = token_segments(Tokens(ids, [False] * len(ids)), tokenizer)
        return RenderedRow(where=where, tokens=len(ids), segments=shown)
    prompt = example["prompt"]
    texts = (
        [prompt] if isinstance(prompt, str) else [f"{m['role']}: {m['content']}" for m in prompt]
    )
    return RenderedRow(where=where, segments=[Segment(text="\n".join(texts), trained=False)])
