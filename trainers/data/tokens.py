"""What a tokenizer is, and what comes out of it: ids, and which of them are learnt."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import LuthierError
from ..spec import TextSpec
from ..tasks.llm_generic import GenericSpec
from ..tasks.llm_sft import SupervisedSpec
from .chats import Message
from .row_reader import Example

IGNORED = -100


class Tokenizer(Protocol):
    """What is used of a transformers tokenizer."""

    @property
    def eos_token(self) -> str | None:
        """The token that ends a text."""

    @property
    def chat_template(self) -> Any:
        """The Jinja template of chats, several by name, or None."""

    def __call__(self, text: Any, **options: Any) -> Mapping[str, Any]:
        """Turn texts into ids."""

    def apply_chat_template(self, conversation: Any, **options: Any) -> Any:
        """Turn messages into text or ids."""

    def decode(self, token_ids: Any, **options: Any) -> Any:
        """Turn ids into text."""


@dataclass(frozen=True)
class RenderSettings:
    """What of a spec decides the tokens of a row.

    Attributes:
        completion_only_loss: learn the completion only; None: whenever there is a prompt.
        assistant_only_loss: learn the assistant's turns only.
        add_eos: end plain rows with the tokenizer's end token.
    """

    completion_only_loss: bool | None = None
    assistant_only_loss: bool = False
    add_eos: bool = True

    @classmethod
    def of(cls, spec: TextSpec) -> RenderSettings:
        """The settings of a run."""
        if isinstance(spec, SupervisedSpec):
            training = spec.training
            return cls(training.completion_only_loss, training.assistant_only_loss)
        if isinstance(spec, GenericSpec):
            return cls(add_eos=spec.training.add_eos_token)
        return cls()

    def learns_prompt(self, example: Example) -> bool:
        """Whether every token of the example counts, not only those of its completion."""
        return "prompt" not in example or self.completion_only_loss is False


@dataclass(frozen=True)
class Tokens:
    """One row for the model: its token ids, and for each whether it is learnt."""

    ids: list[int]
    trained: list[bool]

    @property
    def labels(self) -> list[int]:
        """The ids, with -100 where nothing is learnt."""
        pairs = zip(self.ids, self.trained, strict=True)
        return [token if learnt else IGNORED for token, learnt in pairs]

    def cut(self, max_length: int | None) -> Tokens | None:
        """The first ``max_length`` tokens, or None when nothing to learn is left in them."""
        if max_length is not None and len(self.ids) > max_length:
            return Tokens(self.ids[:max_length], self.trained[:max_length]).cut(None)
        return self if any(self.trained) else None


def blocks(rows: Iterable[Tokens], size: int) -> Iterator[list[int]]:
    """All rows joined and cut into blocks of ``size`` tokens; the last one may be shorter."""
    held: list[int] = []
    for row in rows:
        held += row.ids
        whole = len(held) - len(held) % size
        yield from (held[start : start + size] for start in range(0, whole, size))
        held = held[whole:]
    # One token alone has no next token to learn.
    if len(held) > 1:
        yield held


def common_prefix(first: Sequence[int], second: Sequence[int]) -> int:
    """How many leading tokens both have in common."""
    length = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        length += 1
    return length


def is_chat(example: Example) -> bool:
    """Whether the example is made of messages."""
    return "messages" in example or isinstance(example.get("prompt"), list)


def whole_chat(example: Example) -> list[Message]:
    """All messages of an example that is made of messages."""
    prompt, completion = example.get("prompt"), example.get("completion")
    if isinstance(prompt, list) and isinstance(completion, list):
        return prompt + completion
    return example["messages"]


def tools_of(example: Example) -> list[dict[str, Any]] | None:
    """The tools that the chat may call."""
    if "tools" not in example:
        return None
    tools: list[dict[str, Any]] = json.loads(example["tools"])
    return tools


def need_chat_template(tokenizer: Tokenizer) -> None:
    """Raises LuthierError when the tokenizer cannot render chats."""
    if not tokenizer.chat_template:
        raise LuthierError(
            "The rows are chats, but the tokenizer has no chat template.",
            hint="Set model.chat_template to chatml, zephyr or a .jinja file.",
        )
