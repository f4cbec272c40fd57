"""Examples as the model sees them: token ids, and which of them it learns to predict.

This follows TRL's SFTTrainer step by step (end tokens, chat templates, where a completion
starts, assistant masks), so that rows prepared here train exactly as they would there, and so
that what a person is shown is what the model is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from ..errors import DataError, LuthierError, Problem
from .assistant_turns import assistant_tokens, marking_template
from .row_reader import Example
from .table import where_all
from .tokens import (
    RenderSettings,
    Tokenizer,
    Tokens,
    blocks,
    common_prefix,
    is_chat,
    need_chat_template,
    tools_of,
    whole_chat,
)

__all__ = [
    "RenderSettings",
    "Tokenizer",
    "Tokens",
    "blocks",
    "is_chat",
    "token_lengths",
    "tokenise",
]

_CHUNK_ROWS = 256


def tokenise(
    examples: Iterable[Example], tokenizer: Tokenizer, settings: RenderSettings
) -> Iterator[Tokens]:
    """The tokens of each example, uncut and in order.

    Raises:
        DataError: after the last row, naming the rows that the chat template refuses.
        LuthierError: the tokenizer lacks its end token or a chat template.
    """
    refused: dict[str, list[str]] = {}
    remaining = iter(examples)
    encode = _assistant_turns if settings.assistant_only_loss else _whole_rows
    while chunk := list(islice(remaining, _CHUNK_ROWS)):
        yield from encode(chunk, tokenizer, settings, refused)
    if refused:
        raise DataError([Problem(text, where_all(rows)) for text, rows in refused.items()])


def token_lengths(
    tokenizer: Tokenizer, settings: RenderSettings
) -> Callable[[Sequence[Example]], list[int]]:
    """The measure that preflight takes: how many tokens each example has, uncut."""

    def measure(examples: Sequence[Example]) -> list[int]:
        return [len(tokens.ids) for tokens in tokenise(examples, tokenizer, settings)]

    return measure


def _whole_rows(
    chunk: list[Example],
    tokenizer: Tokenizer,
    settings: RenderSettings,
    refused: dict[str, list[str]],
) -> Iterator[Tokens]:
    """One tokenizer call for the whole chunk: many times faster than one for each row."""
    texts: list[str] = []
    prompts: list[str | None] = []
    for example in chunk:
        try:
            text, prompt = _texts(example, tokenizer, settings)
        except LuthierError:
            raise
        except Exception as error:  # a chat template is a program of the model's authors
            _refuse(refused, example, error)
            continue
        texts.append(text)
        prompts.append(prompt)
    if not texts:
        return
    given = [prompt for prompt in prompts if prompt is not None]
    options = {"add_special_tokens": not is_chat(chunk[0]), "return_attention_mask": False}
    encoded: list[list[int]] = tokenizer([*texts, *given], **options)["input_ids"]
    prompt_ids = iter(encoded[len(texts) :])
    for ids, prompt in zip(encoded, prompts, strict=False):
        start = 0 if prompt is None else common_prefix(next(prompt_ids), ids)
        yield Tokens(ids, [False] * start + [True] * (len(ids) - start))


def _texts(
    example: Example, tokenizer: Tokenizer, settings: RenderSettings
) -> tuple[str, str | None]:
    """The row's whole text, and its prompt where that is not learnt."""
    masked = not settings.learns_prompt(example)
    prompt = example.get("prompt")
    if not is_chat(example):
        begin = prompt if isinstance(prompt, str) else ""
        end = example["text"] if "text" in example else str(example["completion"])
        return begin + _ended(end, tokenizer, settings), begin if masked else None
    need_chat_template(tokenizer)
    tools = tools_of(example)
    text = tokenizer.apply_chat_template(whole_chat(example), tokenize=False, tools=tools)
    if not masked:
        return text, None
    return text, tokenizer.apply_chat_template(
        prompt, tokenize=False, tools=tools, add_generation_prompt=True
    )


def _assistant_turns(
    chunk: list[Example],
    tokenizer: Tokenizer,
    settings: RenderSettings,
    refused: dict[str, list[str]],
) -> Iterator[Tokens]:
    if not is_chat(chunk[0]):
        raise LuthierError("training.assistant_only_loss needs chats; the rows are plain text.")
    need_chat_template(tokenizer)
    template = marking_template(tokenizer)
    for example in chunk:
        try:
            tokens = assistant_tokens(example, tokenizer, template, settings)
        except Exception as error:  # a chat template is a program of the model's authors
            _refuse(refused, example, error)
            continue
        yield tokens


def _ended(text: str, tokenizer: Tokenizer, settings: RenderSettings) -> str:
    if not settings.add_eos:
        return text
    end = tokenizer.eos_token
    if end is None:
        raise LuthierError(
            "The tokenizer has no end token (eos_token), so the model would never learn to stop.",
            hint="Choose a tokenizer with model.tokenizer that has one.",
        )
    return text if text.endswith(end) else text + end


def _refuse(refused: dict[str, list[str]], example: Example, error: Exception) -> None:
    text = f"the chat template refuses the row: {str(error).strip() or type(error).__name__}"
    refused.setdefault(text, []).append(example["where"])
