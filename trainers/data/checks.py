"""The single checks of a dataset; each gives a sentence with the rows it is about, or nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, Protocol

from ..errors import Problem
from ..spec import TextDataSection
from .chats import odd_order
from .examples import Built
from .report import LengthReport, SamplePrompt
from .row_reader import Example
from .table import where_all
from .tokens import RenderSettings, is_chat, whole_chat

# A few empty rows happen in every large dataset; many mean that a column is the wrong one.
EMPTY_SHARE_LIMIT = 0.1
SAMPLE_PROMPTS = 20


class WithEmptyRows(Protocol):
    """Rows that were built, with the places of those that are empty by what is empty."""

    empty: dict[str, list[str]]


def empty_rows(built: WithEmptyRows, total: int, *, stops: bool) -> Iterator[Problem]:
    """What is empty."""
    mend = "fill or remove them" if stops else "they are left out"
    for text, places in built.empty.items():
        yield Problem(f"{text} in {len(places)} of {total} rows; {mend}", where_all(places))


def too_many_empty(splits: Iterable[tuple[WithEmptyRows, int]]) -> bool:
    """Whether so many rows are empty, over all splits, that the run must not start."""
    known = list(splits)
    empty = sum(len(places) for built, _ in known for places in built.empty.values())
    return empty > EMPTY_SHARE_LIMIT * sum(total for _, total in known)


def repeated(built: Built) -> Iterator[Problem]:
    """Rows that say the same as an earlier one."""
    seen: set[str] = set()
    places = []
    for example in built.examples:
        key = _content(example)
        if key in seen:
            places.append(example["where"])
        seen.add(key)
    yield from repetition(places)


def repetition(places: list[str]) -> list[Problem]:
    """The sentence about rows that repeat earlier ones, when there are any."""
    if not places:
        return []
    text = (
        f"{_rows(len(places))} the same as an earlier row; what is repeated weighs more in training"
    )
    return [Problem(text, where_all(places))]


def leaked(train: Built, validation: Built) -> Iterator[Problem]:
    """Validation rows whose prompt is trained on."""
    known = {_prompt(example) for example in train.examples}
    places = [example["where"] for example in validation.examples if _prompt(example) in known]
    if places:
        total = len(validation.examples)
        yield Problem(
            f"{len(places)} of {total} validation prompts ({100 * len(places) / total:.1f}%) occur "
            "in the training rows too, so the measured loss will look better than it is",
            where_all(places),
        )


def unusual_order(built: Built) -> Iterator[Problem]:
    """Chats whose turns come in an order that some chat templates refuse."""
    found: dict[str, list[str]] = {}
    for example in built.examples:
        text = odd_order(whole_chat(example)) if is_chat(example) else None
        if text:
            found.setdefault(text, []).append(example["where"])
    for text, places in found.items():
        yield Problem(f"{text}; some chat templates refuse that", where_all(places))


def touching(built: Built) -> Iterator[Problem]:
    """Plain prompts that run into their completions without a space or line break."""
    places, shown = [], ""
    for example in built.examples:
        prompt, completion = example.get("prompt"), example.get("completion")
        if not isinstance(prompt, str) or not isinstance(completion, str):
            continue
        if not prompt[-1].isspace() and not completion[0].isspace():
            shown = shown or f"{prompt[-12:]}{completion[:12]}"
            places.append(example["where"])
    if places:
        yield Problem(
            f"prompts run straight into completions ({shown!r}); "
            "end them with a line break by data.prompt_template",
            where_all(places),
        )


def loss_settings(settings: RenderSettings, built: Built) -> Iterator[Problem]:
    """Losses that the rows cannot have."""
    if not built.examples:
        return
    example = built.examples[0]
    if settings.assistant_only_loss and not is_chat(example):
        yield Problem(
            "needs chats, but the rows are plain text; set it to false",
            "training.assistant_only_loss",
        )
    if settings.completion_only_loss and "prompt" not in example:
        yield Problem(
            "needs prompts with completions, but the rows have none; leave it out",
            "training.completion_only_loss",
        )


def unused_system_prompt(section: TextDataSection, built: Built) -> Iterator[Problem]:
    """A system prompt without a chat to put it before."""
    if section.system_prompt and not built.chat:
        yield Problem("is not used, because the rows are plain text", "data.system_prompt")


def flattened(task: str, built: Built, name: str) -> Iterator[Problem]:
    """Chats that are learnt as plain text."""
    if task == "llm-generic" and built.chat:
        yield Problem(
            "the rows are chats, learnt here as plain paragraphs; llm-sft uses the chat template",
            name,
        )


def over_limit(built: Built, lengths: Sequence[int], limit: int) -> list[str]:
    """The places of rows that are longer than the limit."""
    pairs = zip(built.examples, lengths, strict=True)
    return [example["where"] for example, length in pairs if length > limit]


def too_long(
    places: list[str], total: int, limit: int, key: str = "training.max_length"
) -> Iterator[Problem]:
    """Rows of which the end is not trained on; ``key`` is the setting that keeps more."""
    if places:
        yield Problem(
            f"{len(places)} of {total} rows ({100 * len(places) / total:.1f}%) are longer than "
            f"{limit} tokens and will be cut; raise {key} to keep them whole",
            where_all(places),
        )


def length_report(
    lengths: Iterable[int], unit: Literal["tokens", "characters"]
) -> LengthReport | None:
    """Minimum, median, 95th percentile and maximum; None without rows."""
    known = sorted(lengths)
    if not known:
        return None
    return LengthReport(
        unit=unit,
        minimum=known[0],
        median=known[(len(known) - 1) // 2],
        p95=known[math.ceil(0.95 * len(known)) - 1],
        maximum=known[-1],
    )


def characters(example: Example) -> int:
    """The length of all texts in an example."""
    if is_chat(example):
        return sum(len(message["content"]) for message in whole_chat(example))
    if "text" in example:
        return len(example["text"])
    return len(example["prompt"]) + len(example["completion"])


def sample_prompts(built: Built, most: int = SAMPLE_PROMPTS) -> list[SamplePrompt]:
    """The first different prompts with their answers; plain text has none."""
    found: dict[str, SamplePrompt] = {}
    for example in built.examples:
        if len(found) == most:
            break
        sample = _sample(example)
        if sample:
            found.setdefault(_prompt(example), sample)
    return list(found.values())


def _sample(example: Example) -> SamplePrompt | None:
    prompt, completion = example.get("prompt"), example.get("completion")
    if isinstance(prompt, str) and isinstance(completion, str):
        turns = [{"role": "user", "content": prompt}]
        return SamplePrompt(prompt=prompt, messages=turns, expected=completion.strip())
    if not is_chat(example):
        return None
    before, answer = _last_answer(example)
    asked = next((turn["content"] for turn in reversed(before) if turn["role"] == "user"), None)
    if asked is None or not (answer or "row" in example):
        return None
    return SamplePrompt(prompt=asked, messages=before, expected=answer)


def _last_answer(example: Example) -> tuple[list[dict[str, object]], str]:
    """The chat before the assistant's last turn (before the completion, if any), and the turn."""
    prompt, completion = example.get("prompt"), example.get("completion")
    if isinstance(prompt, list) and isinstance(completion, list):
        return prompt, completion[0]["content"] if completion else ""
    chat = whole_chat(example)
    last = max(index for index, turn in enumerate(chat) if turn["role"] == "assistant")
    return chat[:last], chat[last]["content"]


def _prompt(example: Example) -> str:
    """What is asked, as text that can be compared; the whole of a text without prompt."""
    if "text" in example:
        return example["text"]
    if "messages" in example:
        return json.dumps(_last_answer(example)[0])
    prompt = example["prompt"]
    return prompt if isinstance(prompt, str) else json.dumps(prompt)


def _content(example: Example) -> str:
    keys = ("text", "prompt", "completion", "rejected", "label", "messages")
    return json.dumps({key: example.get(key) for key in keys})


def _rows(count: int) -> str:
    return "1 row is" if count == 1 else f"{count} rows are"
