"""Which tokens of a chat are the assistant's."""

from __future__ import annotations

import re
from typing import Any

from .chats import Message
from .row_reader import Example
from .tokens import (
    RenderSettings,
    Tokenizer,
    Tokens,
    common_prefix,
    tools_of,
    whole_chat,
)

_GENERATION_MARK = re.compile(r"\{%-?\s*generation\s*-?%\}")


def marking_template(tokenizer: Tokenizer) -> str | None:
    """The chat template that marks the assistant's turns: the tokenizer's own, or TRL's variant.

    None when neither has marks; the turns are then found by rendering beginnings of the chat.
    """
    own = tokenizer.chat_template
    own = own.get("default", "") if isinstance(own, dict) else own
    if _GENERATION_MARK.search(own):
        return str(own)
    from trl.chat_template_utils import get_training_chat_template

    try:
        found: str | None = get_training_chat_template(tokenizer)
    except ValueError:  # TRL knows no variant of this template
        return None
    return found


def assistant_tokens(
    example: Example, tokenizer: Tokenizer, template: str | None, settings: RenderSettings
) -> Tokens:
    """The tokens of a chat of which the assistant's turns alone are learnt.

    Args:
        example: a chat.
        tokenizer: with a chat template.
        template: what marking_template returned.
        settings: whether the prompt's turns are learnt as well.

    Raises:
        ValueError: the turns cannot be told from the rest; so does whatever the template raises.
    """
    messages = whole_chat(example)
    if template is None:
        tokens = _by_beginnings(messages, example, tokenizer)
    else:
        done = tokenizer.apply_chat_template(
            messages,
            tools=tools_of(example),
            chat_template=template,
            tokenize=True,
            return_dict=True,
            return_assistant_tokens_mask=True,
        )
        tokens = Tokens(done["input_ids"], [bool(bit) for bit in done["assistant_masks"]])
    if "prompt" in example and not settings.learns_prompt(example):
        options = {"add_generation_prompt": True, "chat_template": template}
        start = common_prefix(_ids(tokenizer, example["prompt"], example, **options), tokens.ids)
        tokens = Tokens(tokens.ids, [False] * start + tokens.trained[start:])
    if not any(tokens.trained):
        raise ValueError("it marks no token as the assistant's")
    return tokens


def _by_beginnings(messages: list[Message], example: Example, tokenizer: Tokenizer) -> Tokens:
    """Render the chat up to the start and to the end of each of the assistant's turns."""
    ids = _ids(tokenizer, messages, example)
    trained = [False] * len(ids)
    for position, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = messages[:position]
        asked = _ids(tokenizer, before, example, add_generation_prompt=True) if before else []
        answered = _ids(tokenizer, messages[: position + 1], example)
        if ids[: len(answered)] != answered or answered[: len(asked)] != asked:
            raise ValueError(
                "it writes earlier turns differently once later ones follow; set "
                "training.assistant_only_loss to false or put {% generation %} marks into it"
            )
        trained[len(asked) : len(answered)] = [True] * (len(answered) - len(asked))
    return Tokens(ids, trained)


def _ids(tokenizer: Tokenizer, chat: Any, example: Example, **options: Any) -> list[int]:
    done = tokenizer.apply_chat_template(
        chat, tools=tools_of(example), tokenize=True, return_dict=True, **options
    )
    ids: list[int] = done["input_ids"]
    return ids
