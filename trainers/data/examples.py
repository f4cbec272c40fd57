"""Rows turned into what TRL takes.

    text                {"text"}
    prompt-completion   {"prompt", "completion"}, both text or both messages
    alpaca              the same; the input follows the instruction
    messages            {"messages"}; so do ShareGPT's conversations

llm-generic trains on plain text, so there every format becomes {"text"}: prompt and completion
are joined (with a line break where neither brings white space), chats are written as
``role: content`` paragraphs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..errors import DataError, Problem
from ..spec import TextDataSection
from .cells import EmptyCellError, MistakeError
from .formats import Recognition, recognise
from .row_reader import Example, RowReader
from .table import Table, where_all

__all__ = ["Built", "Example", "build", "build_examples"]


@dataclass
class Built:
    """The examples of a table, with the rows that gave none.

    Attributes:
        examples: in the order of the rows.
        chat: the rows are chats (also where llm-generic has flattened them).
        empty: what is empty, and the places of those rows.
        wrong: what is wrong, and the places of those rows.
    """

    examples: list[Example] = field(default_factory=list)
    chat: bool = False
    empty: dict[str, list[str]] = field(default_factory=dict)
    wrong: dict[str, list[str]] = field(default_factory=dict)

    def problems(self) -> list[Problem]:
        """One problem for each kind of mistake."""
        return [Problem(text, where_all(places)) for text, places in self.wrong.items()]


def build_examples(
    table: Table, section: TextDataSection, *, task: str = "llm-sft", as_chat: bool = False
) -> list[Example]:
    """Turn rows into examples; empty rows are left out (preflight has counted them).

    Args:
        table: the rows of one split.
        section: what the spec says about them.
        task: llm-generic flattens every format to ``{"text"}``.
        as_chat: turn plain prompts with completions into a user's and an assistant's message;
            right whenever the tokenizer has a chat template.

    Raises:
        DataError: rows that cannot be read that way, each kind of mistake with its rows.
    """
    recognition = recognise(table, section, task=task)
    built = build(table, section, recognition, task=task, as_chat=as_chat)
    if built.wrong:
        raise DataError(built.problems())
    return built.examples


def build(
    table: Table, section: TextDataSection, recognition: Recognition, *, task: str, as_chat: bool
) -> Built:
    """Like build_examples, but mistakes in rows are gathered instead of raised.

    Raises:
        DataError: a template or function of the spec cannot be used at all.
    """
    flatten = task == "llm-generic"
    reader = RowReader(table, section, recognition, as_chat=as_chat and not flatten)
    built = Built(chat=reader.chat)
    for index, row in enumerate(table.rows):
        where = table.where(index)
        try:
            example = reader.read(row)
            if flatten:
                example = _flat(example)
            else:
                _check_learnable(example)
            example["where"] = where
            built.examples.append(example)
        except EmptyCellError as error:
            built.empty.setdefault(str(error), []).append(where)
        except MistakeError as error:
            built.wrong.setdefault(str(error), []).append(where)
    return built


def _check_learnable(example: Example) -> None:
    roles = {message["role"] for message in example.get("messages", ())}
    if roles and "assistant" not in roles:
        raise MistakeError("the chat has no turn of the assistant to learn from")


def _flat(example: Example) -> Example:
    """The example as plain text."""
    if "text" in example:
        return example
    if "messages" in example:
        text = _paragraphs(example["messages"])
    else:
        prompt, completion = example["prompt"], example["completion"]
        if isinstance(prompt, str) and isinstance(completion, str):
            touching = not prompt[-1].isspace() and not completion[0].isspace()
            text = prompt + "\n" * touching + completion
        else:
            text = _paragraphs([*prompt, *completion])
    flat: Example = {"text": text}
    if "weight" in example:
        flat["weight"] = example["weight"]
    return flat


def _paragraphs(messages: list[Any]) -> str:
    return "\n\n".join(f"{message['role']}: {message['content']}" for message in messages)
