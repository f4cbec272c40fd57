"""Rows as people are shown them: stretches of text, each learnt or not."""

from __future__ import annotations

import json

from .chats import Message
from .report import Segment
from .row_reader import Example
from .tokens import RenderSettings, Tokenizer, Tokens, is_chat, whole_chat


def token_segments(tokens: Tokens, tokenizer: Tokenizer) -> list[Segment]:
    """The decoded tokens in stretches that are learnt or not."""
    segments: list[Segment] = []
    start, before = 0, ""
    for end in range(1, len(tokens.ids) + 1):
        if end < len(tokens.ids) and tokens.trained[end] == tokens.trained[start]:
            continue
        # Decoding from the beginning keeps the spaces that tokens lose when decoded alone.
        text = str(tokenizer.decode(tokens.ids[:end], clean_up_tokenization_spaces=False))
        segments.append(Segment(text=text[len(before) :], trained=tokens.trained[start]))
        start, before = end, text
    return segments


def text_segments(example: Example, settings: RenderSettings) -> list[Segment]:
    """The same without a tokenizer: the bare text, chats with the role before each turn."""
    if "text" in example:
        return [Segment(text=example["text"], trained=True)]
    learns_prompt = settings.learns_prompt(example)
    prompt = example.get("prompt", [])
    if not is_chat(example):
        return [
            Segment(text=str(prompt), trained=learns_prompt),
            Segment(text=str(example["completion"]), trained=True),
        ]
    return [
        Segment(
            text=f"{message['role']}: {_said(message)}\n",
            trained=(learns_prompt or position >= len(prompt))
            and (not settings.assistant_only_loss or message["role"] == "assistant"),
        )
        for position, message in enumerate(whole_chat(example))
    ]


def _said(message: Message) -> str:
    return message["content"] or json.dumps(message.get("tool_calls"), ensure_ascii=False)
