"""What a row is, found by looking, and the examples made of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from luthier.trainers.data import Table, build_examples, recognise
from luthier.trainers.errors import DataError
from luthier.trainers.spec import TextDataSection

ASK = {"role": "user", "content": "hi"}
SAY = {"role": "assistant", "content": "hello"}
HUMAN = {"from": "human", "value": "hi"}
GPT = {"from": "gpt", "value": "hello"}


def table_of(*rows: dict[str, Any]) -> Table:
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    return Table("rows.jsonl", columns, list(rows), list(range(1, len(rows) + 1)), "line")


def section(**values: Any) -> TextDataSection:
    return TextDataSection(path="rows.jsonl", **values)


def example(
    row: dict[str, Any], *, task: str = "llm-sft", chat: bool = False, **values: Any
) -> Any:
    (only,) = build_examples(table_of(row), section(**values), task=task, as_chat=chat)
    where = only.pop("where")  # type: ignore[misc]
    assert where == "rows.jsonl line 1"
    return only


@pytest.mark.parametrize(
    ("row", "form", "parts"),
    [
        ({"text": "a"}, "text", {"text": "text"}),
        ({"Content": "a", "id": 3}, "text", {"text": "Content"}),
        ({"sentence": "a"}, "text", {"text": "sentence"}),
        (
            {"prompt": "a", "completion": "b", "text": "c"},
            "prompt-completion",
            {"prompt": "prompt", "completion": "completion"},
        ),
        (
            {"Question": "a", "Answer": "b", "id": 1},
            "prompt-completion",
            {"prompt": "Question", "completion": "Answer"},
        ),
        (
            {"input": "a", "output": "b"},
            "prompt-completion",
            {"prompt": "input", "completion": "output"},
        ),
        (
            {"instruction": "a", "response": "b"},
            "prompt-completion",
            {"prompt": "instruction", "completion": "response"},
        ),
        (
            {"instruction": "a", "input": "", "output": "b", "text": "c"},
            "alpaca",
            {"instruction": "instruction", "input": "input", "output": "output"},
        ),
        (
            {"instruction": "a", "context": "c", "response": "b", "category": "x"},
            "alpaca",
            {"instruction": "instruction", "input": "context", "output": "response"},
        ),
        (
            {"instruction": "a", "output": "b"},
            "alpaca",
            {"instruction": "instruction", "output": "output"},
        ),
        ({"messages": [ASK, SAY]}, "messages", {"messages": "messages"}),
        ({"chat": [ASK, SAY], "text": "x"}, "messages", {"messages": "chat"}),
        ({"conversations": [ASK, SAY]}, "messages", {"messages": "conversations"}),
        ({"messages": [HUMAN, GPT]}, "conversations", {"conversations": "messages"}),
        ({"messages": json.dumps([ASK, SAY])}, "messages", {"messages": "messages"}),
        (
            {"conversations": [HUMAN, GPT], "system": "s"},
            "conversations",
            {"conversations": "conversations", "system": "system"},
        ),
    ],
)
def test_formats_are_found_by_looking(
    row: dict[str, Any], form: str, parts: dict[str, str]
) -> None:
    found = recognise(table_of(row), section())
    assert (found.format, found.parts) == (form, parts)


def test_plain_text_training_prefers_the_text_column() -> None:
    row = {"instruction": "a", "input": "", "output": "b", "text": "whole"}
    assert example(row, task="llm-generic") == {"text": "whole"}


@pytest.mark.parametrize(
    ("mapping", "form"),
    [
        ({"prompt": "q", "completion": "a"}, "prompt-completion"),
        ({"text": "q"}, "text"),
        ({"messages": "m"}, "messages"),
        ({"conversations": "m"}, "conversations"),
        ({"instruction": "q", "output": "a"}, "alpaca"),
        ({"instruction": "q", "input": "m", "output": "a", "system": "s"}, "alpaca"),
    ],
)
def test_a_mapping_tells_the_format(mapping: dict[str, str], form: str) -> None:
    table = table_of({"q": "a", "a": "b", "m": [ASK, SAY], "s": "s"})
    found = recognise(table, section(column_mapping=mapping))
    assert (found.format, found.parts) == (form, mapping)


def test_a_mapping_of_one_part_is_completed_by_name() -> None:
    found = recognise(
        table_of({"q": "a", "completion": "b", "text": "c"}),
        section(column_mapping={"prompt": "q"}),
    )
    assert found.parts == {"prompt": "q", "completion": "completion"}


BAD: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (
        {"a": "x", "b": "y"},
        {},
        "rows.jsonl: the columns a, b fit no known format; say which is which with "
        "data.column_mapping, such as {prompt: question, completion: answer}",
    ),
    (
        {"promt": "x", "completion": "y"},
        {},
        "rows.jsonl: the columns promt, completion fit no known format; is 'promt' meant to be "
        "'prompt'? say which is which with data.column_mapping, "
        "such as {prompt: question, completion: answer}",
    ),
    (
        {"question": "x", "answer": "y"},
        {"column_mapping": {"prompt": "qestion", "completion": "answer"}},
        "data.column_mapping: there is no column 'qestion'; did you mean 'question'?",
    ),
    (
        {"question": "x", "answer": "y"},
        {"column_mapping": {"promt": "question"}},
        "data.column_mapping: there is no part 'promt'; did you mean 'prompt'?",
    ),
    (
        {"question": "x", "answer": "y"},
        {"column_mapping": {"question": "prompt"}},
        "data.column_mapping: write the part first: {prompt: question}",
    ),
    (
        {"a": "x", "b": "y"},
        {"column_mapping": {"text": "a", "prompt": "b"}},
        "data.column_mapping: the parts text, prompt belong to different formats; "
        "use {prompt, completion}, {instruction, input, output}, {messages} or {text}",
    ),
    (
        {"a": "x", "b": "y"},
        {"format": "text", "column_mapping": {"prompt": "a"}},
        "data.column_mapping: the format text has no part 'prompt'; its parts are text",
    ),
    (
        {"message": "x", "b": "y"},
        {"format": "messages"},
        "rows.jsonl: there is no column 'messages'; did you mean 'message'? "
        "(data.format messages needs it; name another with data.column_mapping)",
    ),
    (
        {"a": "x", "b": "y"},
        {"column_mapping": {"prompt": "a"}},
        "rows.jsonl: there is no column 'completion'; the columns are a, b "
        "(data.format prompt-completion needs it; name another with data.column_mapping)",
    ),
    (
        {"a": "x", "b": "y"},
        {"format": "text", "prompt_template": "{a}", "completion_template": "{b}"},
        "data.format: text does not go with a template or function; leave data.format out",
    ),
    (
        {"a": "x", "b": "y"},
        {"completion_template": "{b}"},
        "rows.jsonl: no column is known to be the prompt; set data.prompt_template",
    ),
]


@pytest.mark.parametrize(("row", "values", "sentence"), BAD)
def test_columns_that_do_not_fit(
    row: dict[str, Any], values: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(DataError) as caught:
        recognise(table_of(row), section(**values))
    assert str(caught.value) == sentence


def test_pairs_as_text_and_as_chats() -> None:
    row = {"prompt": "hi", "completion": "hello"}
    assert example(row) == row
    assert example(row, chat=True) == {"prompt": [ASK], "completion": [SAY]}
    assert example(row, chat=True, system_prompt="Be short.") == {
        "prompt": [{"role": "system", "content": "Be short."}, ASK],
        "completion": [SAY],
    }
    assert example(row, task="llm-generic", chat=True) == {"text": "hi\nhello"}
    assert example({**row, "prompt": "hi "}, task="llm-generic") == {"text": "hi hello"}


def test_pairs_of_messages_stay_messages() -> None:
    row = {"prompt": [ASK], "completion": [SAY]}
    assert example(row) == row
    assert example({name: json.dumps(value) for name, value in row.items()}) == row
    assert example({"prompt": [ASK], "completion": "hello"}) == row
    assert example({"prompt": "hi", "completion": [SAY]}) == row
    assert example(row, task="llm-generic") == {"text": "user: hi\n\nassistant: hello"}


def test_alpaca_as_text_and_as_chat() -> None:
    row = {"instruction": "Translate {input}.", "input": "Brot", "output": "bread"}
    assert example(row, chat=True) == {
        "prompt": [{"role": "user", "content": "Translate {input}.\n\nBrot"}],
        "completion": [{"role": "assistant", "content": "bread"}],
    }
    plain = example(row)
    assert plain["completion"] == "bread"
    assert plain["prompt"].endswith(
        "### Instruction:\nTranslate {input}.\n\n### Input:\nBrot\n\n### Response:\n"
    )
    without = example({**row, "input": None})
    assert "### Input" not in without["prompt"]


def test_chats_become_messages_with_role_and_content() -> None:
    expected = {"messages": [ASK, SAY]}
    assert example({"messages": [ASK, SAY]}) == expected
    assert example({"conversations": [HUMAN, GPT]}) == expected
    assert example({"messages": json.dumps([ASK, SAY])}) == expected
    parts = [{"type": "text", "text": "h"}, {"type": "text", "text": "i"}]
    assert example({"messages": [{"role": "user", "content": parts}, SAY]}) == expected
    empty_keys = {**ASK, "name": None, "tool_calls": None}
    assert example({"messages": [empty_keys, SAY]}) == expected


def test_a_chats_own_system_message_comes_before_the_rows_and_the_specs() -> None:
    own = {"role": "system", "content": "own"}
    chat = {"messages": [ASK, SAY], "system": "row"}
    assert example({**chat, "messages": [own, ASK, SAY]})["messages"][0]["content"] == "own"
    assert example(chat, system_prompt="spec")["messages"][0]["content"] == "row"
    assert example({**chat, "system": ""}, system_prompt="spec")["messages"][0] == {
        "role": "system",
        "content": "spec",
    }
    assert example({**chat, "system": None})["messages"] == [ASK, SAY]


def test_tools_and_their_calls_are_kept() -> None:
    call = {"type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    asked = {"role": "assistant", "content": None, "tool_calls": [call]}
    tools = [{"type": "function", "function": {"name": "add"}}]
    for written in (tools, json.dumps(tools)):
        made = example({"messages": [ASK, asked, SAY], "tools": written})
        assert json.loads(made["tools"]) == tools
        (read,) = made["messages"][1]["tool_calls"]
        assert read["function"]["arguments"] == {"a": 1}
        assert made["messages"][1]["content"] == ""


def test_weights_stand_beside_the_example() -> None:
    row = {"text": "a", "w": "0.5"}
    assert example(row, weight_column="w") == {"text": "a", "weight": 0.5}
    assert example({"text": "a"}, weight_column="w") == {"text": "a", "weight": 1.0}
    assert example(row, weight_column="w", task="llm-generic")["weight"] == 0.5


def messages_of(*messages: Any) -> dict[str, Any]:
    return {"messages": [ASK, SAY, *messages]}


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"messages": "hello"}, "messages is not valid JSON"),
    (
        {"messages": str([ASK, SAY])},
        "messages is Python text, not JSON; write it with json.dumps, not str",
    ),
    ({"messages": {"role": "user"}}, "messages is not a list of messages"),
    ({"messages": ["hi"]}, "messages is not a list of messages with role and content"),
    (messages_of({"content": "x"}), "a message in messages has no role"),
    (
        messages_of({"role": "narrator", "content": "x"}),
        "messages has the unknown role 'narrator'; use system, user or assistant",
    ),
    (messages_of({"role": "user", "content": " "}), "a message of the user in messages is empty"),
    (messages_of({"role": "user"}), "a message of the user in messages is empty"),
    (
        messages_of({"role": "user", "content": 7}),
        "a message in messages has content that is not text",
    ),
    (
        messages_of({"role": "user", "content": [{"type": "image", "image": "x"}]}),
        "messages has contents that are not text; this task learns text only",
    ),
    (messages_of({"role": "user", "content": "\ud800"}), "messages holds half of a character"),
    ({"messages": [ASK]}, "the chat has no turn of the assistant to learn from"),
    ({"messages": [ASK, SAY], "tools": "add"}, "tools is not valid JSON"),
    ({"messages": [ASK, SAY], "tools": ["add"]}, "tools is not a list of tool descriptions"),
    (
        {"prompt": "a", "completion": 4},
        "completion is a number, not text; write it as text, or use a template with {completion}",
    ),
    ({"prompt": "a", "completion": True}, "completion is true or false, not text"),
    ({"prompt": "a", "completion": {"x": 1}}, "completion is a mapping, not text"),
    ({"text": "half \udfff"}, "text holds half of a character (a lone surrogate)"),
    (
        {"prompt": [ASK], "completion": [ASK]},
        "completion does not begin with a turn of the assistant",
    ),
]


@pytest.mark.parametrize(("row", "sentence"), MISTAKES)
def test_a_cell_that_cannot_be_read(row: dict[str, Any], sentence: str) -> None:
    good = messages_of() if "messages" in row else {}
    rows = [good, row] if good else [row]
    with pytest.raises(DataError) as caught:
        build_examples(table_of(*rows), section())
    assert str(caught.value).startswith(f"rows.jsonl line {len(rows)}: {sentence}")


@pytest.mark.parametrize(
    ("weight", "sentence"),
    [
        ("heavy", "the weight in w is not a number"),
        (None, "the weight in w is not a number"),
        (True, "the weight in w is not a number"),
        ("nan", "the weight in w is not a number"),
        (-1, "the weight in w is negative; 0 leaves a row out"),
    ],
)
def test_a_weight_that_is_none(weight: Any, sentence: str) -> None:
    with pytest.raises(DataError) as caught:
        build_examples(table_of({"text": "a", "w": weight}), section(weight_column="w"))
    assert str(caught.value) == f"rows.jsonl line 1: {sentence}"


def test_text_among_messages_and_messages_among_text() -> None:
    plain, chat = {"prompt": "hi", "completion": "hello"}, {"prompt": [ASK], "completion": [SAY]}
    made = build_examples(table_of(chat, plain), section())
    assert made[0]["prompt"] == made[1]["prompt"] == [ASK]
    with pytest.raises(DataError, match="prompt is a list, not text"):
        build_examples(table_of(plain, chat), section())


def test_empty_rows_are_left_out() -> None:
    rows = [{"text": "a"}, {"text": ""}, {"text": None}, {"text": " \n"}, {}]
    made = build_examples(table_of(*rows), section())
    assert [one["where"] for one in made] == ["rows.jsonl line 1"]
