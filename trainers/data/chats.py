"""Chats as they stand in datasets, turned into lists of messages with role and content."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from .cells import MistakeError, is_blank, is_null, load_json, parse_json, whole_characters

Message = dict[str, Any]

_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
}
_KEPT = ("name", "tool_calls", "tool_call_id", "reasoning_content", "thinking")


def read_chat(value: Any, name: str) -> list[Message] | None:
    """The messages of a cell: OpenAI's role and content, or ShareGPT's from and value.

    Args:
        value: a list of mappings, or JSON text of one.
        name: the column, for error texts.

    Returns:
        The messages, or None when the cell is empty.

    Raises:
        MistakeError: it is something else.
    """
    if is_blank(value) or value == []:
        return None
    messages = parse_json(value, name) if isinstance(value, str) else value
    if not isinstance(messages, list):
        raise MistakeError(f"{name} is not a list of messages")
    return [_message(message, name) for message in messages]


def looks_like_chat(value: Any) -> bool:
    """Whether a cell holds messages, as a list or as JSON text of one."""
    if isinstance(value, str) and value.lstrip().startswith("[") and "{" in value[:20]:
        try:
            value = load_json(value)
        except (json.JSONDecodeError, RecursionError):
            return False
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        return False
    return bool({"role", "from"} & value[0].keys())


def uses_from_and_value(value: Any) -> bool:
    """Whether a cell that looks like a chat is written the ShareGPT way."""
    messages = load_json(value) if isinstance(value, str) else value
    return "from" in messages[0]


def odd_order(messages: list[Message]) -> str | None:
    """What is unusual about the order of turns, or None. Some chat templates refuse it."""
    roles = [message["role"] for message in messages]
    if "system" in roles[1:]:
        return "a system message is not the first"
    turns = [role for role in roles if role != "system"]
    if turns and turns[0] != "user":
        return f"the first turn is the {turns[0]}'s, not the user's"
    if any(one == other != "tool" for one, other in pairwise(turns)):
        return "the same role speaks twice in a row"
    return None


def _message(message: Any, name: str) -> Message:
    if not isinstance(message, dict):
        raise MistakeError(f"{name} is not a list of messages with role and content")
    speaker = message.get("role", message.get("from"))
    if speaker is None:
        raise MistakeError(f"a message in {name} has no role")
    role = _ROLES.get(str(speaker).lower())
    if role is None:
        raise MistakeError(
            f"{name} has the unknown role {str(speaker)[:40]!r}; use system, user or assistant"
        )
    read: Message = {"role": role}
    content = message.get("content", message.get("value"))
    calls = message.get("tool_calls")
    text = _content(content, name)
    if not text.strip() and not calls:
        raise MistakeError(f"a message of the {role} in {name} is empty")
    read["content"] = text
    for key in _KEPT:
        if message.get(key):
            read[key] = message[key]
    if calls:
        read["tool_calls"] = [_call(call) for call in calls]
    return read


def _content(content: Any, name: str) -> str:
    if is_null(content):
        return ""
    if isinstance(content, str):
        return whole_characters(content, name)
    if isinstance(content, list):
        kinds = {part.get("type") if isinstance(part, dict) else None for part in content}
        if kinds <= {"text"}:
            return "".join(str(part.get("text", "")) for part in content)
        raise MistakeError(f"{name} has contents that are not text; this task learns text only")
    raise MistakeError(f"a message in {name} has content that is not text")


def _call(call: Any) -> Any:
    """A tool call with its arguments as a mapping, which is what chat templates expect."""
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("arguments"), str):
        return call
    try:
        arguments = load_json(function["arguments"])
    except (json.JSONDecodeError, RecursionError):
        return call
    return {**call, "function": {**function, "arguments": arguments}}
