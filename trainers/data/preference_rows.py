"""Rows with prompts and answers that are compared or judged, turned into examples.

pairs       {"prompt", "completion", "rejected"}: completion is the better answer
labelled    {"prompt", "completion", "label"}
prompts     {"prompt", "completion", "row"}: completion is empty
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..spec.preference_data import ChatDataSection
from .cells import EmptyCellError, MistakeError, is_blank, text_cell, tools_cell
from .chats import Message, looks_like_chat, read_chat
from .examples import Built
from .formats import Recognition
from .row_reader import Example, source_of, turn, turns
from .table import Row, Table

_YES = ("true", "yes", "1", "1.0", "good", "desirable", "positive", "thumbs_up", "y", "t")
_NO = ("false", "no", "0", "0.0", "bad", "undesirable", "negative", "thumbs_down", "n", "f", "-1")
SAME_ANSWERS = "chosen and rejected are the same"


def build_preferences(
    table: Table,
    section: ChatDataSection,
    recognition: Recognition,
    *,
    task: str,
    as_chat: bool,
    needed: str | None = None,
) -> Built:
    """The examples of a table; mistakes in rows are gathered, not raised.

    Args:
        table: the rows of one split.
        section: what the spec says about them.
        recognition: what recognise_preferences found.
        task: llm-kto makes two labelled answers of a pair; llm-reward needs no prompt.
        as_chat: turn plain prompts with answers into a user's and an assistant's message.
        needed: a column of which the rewards need every value.

    Raises:
        DataError: a template or function of the spec cannot be used at all.
    """
    reader = PreferenceReader(table, section, recognition, task=task, as_chat=as_chat)
    built = Built(chat=reader.chat)
    for index, row in enumerate(table.rows):
        where = table.where(index)
        try:
            if needed is not None and is_blank(row.get(needed)):
                raise EmptyCellError(f"{needed} is empty")
            for example in reader.read(row):
                example["where"] = where
                built.examples.append(example)
        except EmptyCellError as error:
            built.empty.setdefault(str(error), []).append(where)
        except MistakeError as error:
            built.wrong.setdefault(str(error), []).append(where)
    return built


class PreferenceReader:
    """Reads the rows of one table."""

    def __init__(
        self,
        table: Table,
        section: ChatDataSection,
        recognition: Recognition,
        *,
        task: str,
        as_chat: bool,
    ) -> None:
        """Raises DataError when a template or function of the spec cannot be used."""
        self._section, self._task = section, task
        self._parts, self._format = recognition.parts, recognition.format
        written = bool(section.prompt_template or section.prompt_function)
        self._has_prompt = written or "prompt" in self._parts
        self._prompt = source_of("prompt", section, recognition, table)
        answers = any(
            looks_like_chat(_first(table, self._parts.get(part)))
            for part in ("prompt", "chosen", "rejected", "completion", "messages")
        )
        self.chat = answers or (as_chat and self._has_prompt)

    def read(self, row: Row) -> list[Example]:
        """The examples of a row. Raises MistakeError or EmptyCellError."""
        if self._format == "pairs":
            examples = list(self._pair(row))
        elif self._format == "labelled":
            examples = [self._labelled(row)]
        else:
            examples = [self._alone(row)]
        tools = row.get(self._parts["tools"]) if "tools" in self._parts else None
        for example in examples:
            if self.chat:
                example["prompt"] = self._with_system(list(example["prompt"]), row)
            if tools and self.chat:
                example["tools"] = tools_cell(tools, self._parts["tools"])
        return examples

    def _pair(self, row: Row) -> Iterator[Example]:
        names = [self._parts[part] for part in ("chosen", "rejected")]
        values = [row.get(name) for name in names]
        prompt: Any
        chosen: Any
        rejected: Any
        if self.chat:
            prompt, chosen, rejected = self._pair_of_chats(row, values, names)
        else:
            prompt, chosen, rejected = self._pair_of_texts(row, values, names)
        if self._task == "llm-kto":
            yield {"prompt": prompt, "completion": chosen, "label": True}
            yield {"prompt": prompt, "completion": rejected, "label": False}
        else:
            yield {"prompt": prompt, "completion": chosen, "rejected": rejected}

    def _pair_of_texts(self, row: Row, values: list[Any], names: list[str]) -> tuple[str, str, str]:
        chosen, rejected = (text_cell(v, n) for v, n in zip(values, names, strict=True))
        if chosen == rejected:
            raise EmptyCellError(SAME_ANSWERS)
        if self._has_prompt:
            prompt = text_cell(self._prompt(row), self._parts.get("prompt", "the prompt"))
        else:
            prompt = _common_beginning(chosen, rejected)
            if not prompt.strip() and self._task != "llm-reward":
                raise MistakeError(
                    f"{names[0]} and {names[1]} begin differently, so there is no prompt; name "
                    "its column with data.column_mapping"
                )
        if min(len(chosen), len(rejected)) > len(prompt) and (
            chosen.startswith(prompt) and rejected.startswith(prompt)
        ):
            chosen, rejected = chosen[len(prompt) :], rejected[len(prompt) :]
        return prompt, chosen, rejected

    def _pair_of_chats(
        self, row: Row, values: list[Any], names: list[str]
    ) -> tuple[list[Message], list[Message], list[Message]]:
        chosen, rejected = (self._answer(v, n) for v, n in zip(values, names, strict=True))
        if chosen == rejected:
            raise EmptyCellError(SAME_ANSWERS)
        whole = [answer[0]["role"] != "assistant" for answer in (chosen, rejected)]
        if all(whole):
            shared = _shared_turns(chosen, rejected)
            if not shared:
                raise MistakeError(
                    f"{names[0]} and {names[1]} do not begin with the same turns before an answer"
                )
            return chosen[:shared], chosen[shared:], rejected[shared:]
        if any(whole):
            odd = names[whole.index(True)]
            raise MistakeError(f"{odd} begins with a prompt and the other answer does not")
        if not self._has_prompt:
            raise MistakeError(
                f"{names[0]} and {names[1]} are answers without a prompt; name its column with "
                "data.column_mapping"
            )
        return self._prompt_turns(row), chosen, rejected

    def _labelled(self, row: Row) -> Example:
        label = label_cell(row.get(self._parts["label"]), self._parts["label"])
        if "messages" in self._parts:
            chat = self._whole(row)
            if chat[-1]["role"] != "assistant" or len(chat) < 2:
                raise MistakeError(f"{self._parts['messages']} does not end with an answer")
            return {"prompt": chat[:-1], "completion": chat[-1:], "label": label}
        name = self._parts["completion"]
        value = row.get(name)
        if self.chat:
            answer = self._answer(value, name)
            if answer[0]["role"] != "assistant":
                raise MistakeError(f"{name} does not begin with a turn of the assistant")
            return {"prompt": self._prompt_turns(row), "completion": answer, "label": label}
        prompt = text_cell(self._prompt(row), self._parts.get("prompt", "the prompt"))
        return {"prompt": prompt, "completion": text_cell(value, name), "label": label}

    def _alone(self, row: Row) -> Example:
        if "messages" in self._parts:
            chat = self._whole(row)
            while chat and chat[-1]["role"] == "assistant":
                chat = chat[:-1]
            if not chat:
                raise MistakeError(f"{self._parts['messages']} has no turn before the answer")
            return {"prompt": chat, "completion": [], "row": row}
        if self.chat:
            return {"prompt": self._prompt_turns(row), "completion": [], "row": row}
        prompt = text_cell(self._prompt(row), self._parts.get("prompt", "the prompt"))
        return {"prompt": prompt, "completion": "", "row": row}

    def _answer(self, value: Any, name: str) -> list[Message]:
        if is_blank(value) or value == []:
            raise EmptyCellError(f"{name} is empty")
        return turns(value, name, "assistant")

    def _prompt_turns(self, row: Row) -> list[Message]:
        name, value = self._parts.get("prompt", "the prompt"), self._prompt(row)
        if is_blank(value) or value == []:
            raise EmptyCellError(f"{name} is empty")
        found = turns(value, name, "user")
        if found[-1]["role"] == "assistant":
            raise MistakeError(f"{name} ends with a turn of the assistant, which is an answer")
        return found

    def _whole(self, row: Row) -> list[Message]:
        name = self._parts["messages"]
        chat = read_chat(row.get(name), name)
        if chat is None:
            raise EmptyCellError(f"{name} is empty")
        return chat

    def _with_system(self, messages: list[Any], row: Row) -> list[Any]:
        """The prompt with the row's or the spec's system message, unless it has its own."""
        own = row.get(self._parts["system"]) if "system" in self._parts else None
        text = self._section.system_prompt if is_blank(own) else own
        if not text or messages[0]["role"] == "system":
            return messages
        return turn("system", text_cell(text, self._parts.get("system", "data.system_prompt"))) + (
            messages
        )


def label_cell(value: Any, name: str) -> bool:
    """Whether an answer is good. Raises EmptyCellError or MistakeError."""
    if is_blank(value):
        raise EmptyCellError(f"{name} is empty")
    word = str(value).strip().lower()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise MistakeError(
        f"the label {str(value)[:40]!r} in {name} is not yes or no; write true or false"
    )


def _first(table: Table, column: str | None) -> object:
    return next((row[column] for row in table.rows if column and row.get(column)), None)


def _common_beginning(chosen: str, rejected: str) -> str:
    """What both texts begin with, up to a white space, so that no word is cut."""
    pairs = enumerate(zip(chosen, rejected, strict=False))
    length = next((at for at, (one, other) in pairs if one != other), None)
    common = chosen[: min(len(chosen), len(rejected)) if length is None else length]
    while common and not common[-1].isspace() and common[-1] not in ":>":
        common = common[:-1]
    return common


def _shared_turns(chosen: list[Message], rejected: list[Message]) -> int:
    """How many turns both begin with before each goes on with an answer; 0 when there are none."""
    most = min(len(chosen), len(rejected)) - 1
    same = next((i for i in range(most) if chosen[i] != rejected[i]), most)
    while same and {chosen[same]["role"], rejected[same]["role"]} != {"assistant"}:
        same -= 1
    return same
