"""From conversations to prompt tokens, and how an answer's end is recognised."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from ..errors import LuthierError
from .protocol import Conversation

_MARK = "luthierturn"


@dataclass(frozen=True)
class Format:
    """How one voice's conversations look.

    With a chat template that is what the template says. Without one, the texts of the messages
    follow each other with nothing in between, which is how plain prompts and their completions
    are trained; the user's own text brings whatever separates it.

    Attributes:
        tokenizer: the tokenizer that the voice was trained with.
        end_tokens: tokens that end an answer.
        end_texts: texts that end an answer, where its end is not a token of its own.
        system_prompt: put before every chat that has no system message, as in training.
    """

    tokenizer: Any
    end_tokens: frozenset[int]
    end_texts: tuple[str, ...]
    system_prompt: str = ""

    @property
    def pad_token(self) -> int:
        """What fills up shorter rows of a batch; never looked at."""
        pad = self.tokenizer.pad_token_id
        return int(pad) if pad is not None else min(self.end_tokens, default=0)

    def prompt(self, messages: Conversation) -> list[int]:
        """The tokens that the answer follows.

        A conversation that ends with an assistant's message is gone on with inside it.

        Raises:
            LuthierError: the template refuses the conversation, or nothing is left of it.
        """
        if self.tokenizer.chat_template:
            tokens = self._templated(messages)
        else:
            tokens = self.tokenizer("".join(message["content"] for message in messages)).input_ids
        if not tokens:
            raise LuthierError("The prompt is empty; write something.")
        return list(tokens)

    def decode(self, tokens: list[int]) -> str:
        """The text of tokens, without the special ones."""
        text: str = self.tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text

    def _templated(self, messages: Conversation) -> list[int]:
        if self.system_prompt and messages[0]["role"] != "system":
            messages = [{"role": "system", "content": self.system_prompt}, *messages]
        inside = messages[-1]["role"] == "assistant"
        try:
            text = self.tokenizer.apply_chat_template(
                messages,
                tokenize=False,
                add_generation_prompt=not inside,
                continue_final_message=inside,
            )
        except (TemplateError, ValueError) as error:
            raise LuthierError(
                f"The model's chat template refuses this conversation: {_sentence(error)}"
            ) from error
        tokens: list[int] = self.tokenizer(text, add_special_tokens=False).input_ids
        return tokens


def make_format(tokenizer: Any, model_ends: Iterable[int], system_prompt: str = "") -> Format:
    """The format of a voice.

    Args:
        tokenizer: with its chat template, if it has one.
        model_ends: the end tokens that the model's own configuration names.
        system_prompt: that of its training.
    """
    ends = {*model_ends}
    if tokenizer.eos_token_id is not None:
        ends.add(int(tokenizer.eos_token_id))
    turn_end = _turn_end(tokenizer) if tokenizer.chat_template else ""
    if not turn_end:
        return Format(tokenizer, frozenset(ends), (), system_prompt)
    first, *_ = tokenizer(turn_end, add_special_tokens=False).input_ids
    if first in tokenizer.all_special_ids or first in tokenizer.added_tokens_decoder:
        return Format(tokenizer, frozenset({*ends, first}), (), system_prompt)
    return Format(tokenizer, frozenset(ends), (turn_end,), system_prompt)


def _turn_end(tokenizer: Any) -> str:
    """What the template writes after an assistant's message; empty when it is only space."""
    turns = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": _MARK}]
    try:
        text: str = tokenizer.apply_chat_template(turns, tokenize=False)
    except (TemplateError, ValueError):
        # A template that takes no such chat ends its answers with the model's own end token.
        return ""
    _, _, rest = text.partition(_MARK)
    return rest.strip()


def _sentence(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if text.endswith(".") else f"{text}."
