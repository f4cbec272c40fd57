"""A conversation as a file: Markdown for people, JSONL for programs and for training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from luthier.trainers.errors import LuthierError

from .conversation import Conversation


def write_transcript(conversation: Conversation, path: Path, name_of: Callable[[str], str]) -> None:
    """Write the conversation in the form that the file's ending names.

    Args:
        name_of: how a voice is called in the file.

    Raises:
        LuthierError: the ending is not .md or .jsonl, or the file cannot be written.
    """
    writers = {".md": _markdown, ".jsonl": _jsonl}
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise LuthierError(f"{path}: a transcript ends in .md or .jsonl.")
    try:
        path.write_text(writer(conversation, name_of), encoding="utf-8")
    except OSError as error:
        raise LuthierError(f"{path}: {error.strerror}.") from error


def _markdown(conversation: Conversation, name_of: Callable[[str], str]) -> str:
    parts = ["# Conversation\n"]
    if conversation.system:
        parts.append(f"**System**\n\n{conversation.system}\n")
    for turn in conversation.turns:
        parts.append(f"**You**\n\n{turn.prompt}\n")
        parts += [f"**{name_of(voice)}**\n\n{text}\n" for voice, text in turn.answers.items()]
        if turn.expected is not None:
            parts.append(f"**Expected**\n\n{turn.expected}\n")
    return "\n".join(parts)


def _jsonl(conversation: Conversation, name_of: Callable[[str], str]) -> str:
    """One line for every voice, in the form that llm-sft reads."""
    lines = []
    for voice in conversation.voices():
        messages = [each.model_dump() for each in conversation.messages(voice, whole=True)]
        row = {"messages": messages, "voice": name_of(voice)}
        lines.append(json.dumps(row, ensure_ascii=False))
    return "".join(f"{line}\n" for line in lines)
