"""One row turned into one example."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict

from ..spec import DataSection, TextDataSection
from .cells import EmptyCellError, MistakeError, is_blank, text_cell, tools_cell, weight_cell
from .chats import Message, looks_like_chat, read_chat
from .formats import Recognition
from .functions import load_function
from .table import Row, Table
from .templates import parse_template

_ALPACA_WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further "
    "context. Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n"
)
_ALPACA = (
    "Below is an instruction that describes a task. Write a response that appropriately "
    "completes the request.\n\n### Instruction:\n{instruction}\n\n### Response:\n"
)


class Example(TypedDict, total=False):
    """One row for training: text alone, prompt with completion, or messages.

    prompt and completion are both strings or both lists of messages, and so is rejected, the
    worse answer where completion is the better one. label says whether the completion is good.
    row is what the file has, where rewards look at it. tools is JSON text. where names the row's
    place in its file, for error texts.
    """

    text: str
    prompt: str | list[Message]
    completion: str | list[Message]
    rejected: str | list[Message]
    label: bool
    row: Row
    messages: list[Message]
    tools: str
    weight: float
    where: str


class RowReader:
    """Reads the rows of one table."""

    def __init__(
        self, table: Table, section: TextDataSection, recognition: Recognition, *, as_chat: bool
    ) -> None:
        """Raises DataError when a template or function of the spec cannot be used."""
        self._section = section
        self._parts = recognition.parts
        self._format = recognition.format
        self._sources = {
            part: source_of(part, section, recognition, table) for part in ("prompt", "completion")
        }
        self._whole_chats = self._format in ("messages", "conversations")
        self.chat = as_chat and self._format != "text"
        if self._whole_chats or (
            self._format == "prompt-completion" and self._holds_messages(table.rows)
        ):
            self.chat = True

    def read(self, row: Row) -> Example:
        """The example of a row. Raises MistakeError or EmptyCellError."""
        example = self._content(row)
        tools = row.get(self._parts["tools"]) if "tools" in self._parts else None
        if tools and self.chat:
            example["tools"] = tools_cell(tools, self._parts["tools"])
        column = self._section.weight_column
        if column is not None:
            example["weight"] = weight_cell(row[column], column) if column in row else 1.0
        return example

    def _content(self, row: Row) -> Example:
        if self._whole_chats:
            column = self._parts[self._format]
            messages = read_chat(row.get(column), column)
            if messages is None:
                raise EmptyCellError(f"{column} is empty")
            return {"messages": self._with_system(messages, row)}
        if self._format == "text":
            return {"text": text_cell(row.get(self._parts["text"]), self._parts["text"])}
        if self._format == "alpaca":
            return self._alpaca(row)
        return self._pair(row)

    def _alpaca(self, row: Row) -> Example:
        names = self._parts
        instruction = text_cell(row.get(names["instruction"]), names["instruction"])
        output = text_cell(row.get(names["output"]), names["output"])
        given = row.get(names.get("input", ""))
        extra = "" if is_blank(given) else text_cell(given, names["input"])
        if not self.chat:
            template = _ALPACA_WITH_INPUT if extra else _ALPACA
            prompt = template.format(instruction=instruction, input=extra)
            return {"prompt": prompt, "completion": output}
        asked = f"{instruction}\n\n{extra}" if extra else instruction
        return self._as_messages(turn("user", asked), turn("assistant", output), row)

    def _pair(self, row: Row) -> Example:
        values = [self._sources[part](row) for part in ("prompt", "completion")]
        names = [self._parts.get(part, part) for part in ("prompt", "completion")]
        if not self.chat:
            prompt, completion = map(text_cell, values, names)
            return {"prompt": prompt, "completion": completion}
        prompt_turns = turns(values[0], names[0], "user")
        completion_turns = turns(values[1], names[1], "assistant")
        if completion_turns[0]["role"] != "assistant":
            raise MistakeError(f"{names[1]} does not begin with a turn of the assistant")
        return self._as_messages(prompt_turns, completion_turns, row)

    def _as_messages(self, prompt: list[Message], completion: list[Message], row: Row) -> Example:
        return {"prompt": self._with_system(prompt, row), "completion": completion}

    def _with_system(self, messages: list[Message], row: Row) -> list[Message]:
        """The chat with the row's or the spec's system message, unless it has its own."""
        own = row.get(self._parts["system"]) if "system" in self._parts else None
        text = self._section.system_prompt if is_blank(own) else own
        if not text or messages[0]["role"] == "system":
            return messages
        name = self._parts.get("system", "data.system_prompt")
        return turn("system", text_cell(text, name)) + messages

    def _holds_messages(self, rows: list[Row]) -> bool:
        """Whether the first row that is not empty has messages for prompt or completion."""
        for row in rows:
            try:
                values = [source(row) for source in self._sources.values()]
            except MistakeError:
                continue
            if not any(is_blank(value) for value in values):
                return any(looks_like_chat(value) for value in values)
        return False


def source_of(
    part: str, section: DataSection, recognition: Recognition, table: Table
) -> Callable[[Row], Any]:
    """Where a prompt or completion comes from: a template, a function, or a column.

    Raises:
        DataError: the section's template or function cannot be used.
    """
    template = getattr(section, f"{part}_template")
    if template:
        return parse_template(template, table.columns, f"data.{part}_template").fill
    reference = getattr(section, f"{part}_function")
    if not reference:
        column = recognition.parts.get(part, "")
        return lambda row: row.get(column)
    key = f"data.{part}_function"
    function = load_function(reference, key)

    def call(row: Row) -> Any:
        try:
            return function(dict(row))
        except Exception as error:  # whatever the user's code raises
            text = f"{key} {reference} raised {type(error).__name__}: {error}"
            raise MistakeError(text) from error

    return call


def turn(role: str, content: str) -> list[Message]:
    """A chat of one message."""
    return [{"role": role, "content": content}]


def turns(value: Any, name: str, role: str) -> list[Message]:
    """The messages of a cell; plain text is one turn of the role."""
    if not looks_like_chat(value):
        return turn(role, text_cell(value, name))
    return read_chat(value, name) or []
