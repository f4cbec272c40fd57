"""Prompts built from columns by templates, and by the user's own functions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from luthier.trainers.data import build_examples
from luthier.trainers.data.functions import load_function
from luthier.trainers.data.table import Table
from luthier.trainers.data.templates import parse_template
from luthier.trainers.errors import DataError
from luthier.trainers.spec import TextDataSection

NAME = st.text(st.characters(exclude_characters="{}", exclude_categories=["Cs"]), min_size=1)
KEY = "data.prompt_template"


@given(
    pieces=st.lists(st.tuples(st.text(), NAME, st.text(min_size=1)), min_size=1, max_size=5),
    end=st.text(),
)
def test_every_text_and_value_comes_out_unchanged(
    pieces: list[tuple[str, str, str]], end: str
) -> None:
    values = {name: value for _, name, value in pieces}
    assume(any(value.strip() for value in values.values()))

    def escaped(text: str) -> str:
        return text.replace("{", "{{").replace("}", "}}")

    template = "".join(f"{escaped(text)}{{{name}}}" for text, name, _ in pieces) + escaped(end)
    assume(not template.startswith(("f'", 'f"')))
    expected = "".join(text + values[name] for text, name, _ in pieces) + end
    assert parse_template(template, values, KEY).fill(values) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "<>"),
        (float("nan"), "<>"),
        (7, "<7>"),
        (0.5, "<0.5>"),
        ([1, "é"], '<[1, "é"]>'),
        ({"a": None}, '<{"a": null}>'),
        ("{other}", "<{other}>"),
    ],
)
def test_values_that_are_not_text(value: Any, text: str) -> None:
    row = {"a": value, "other": "x"}
    assert parse_template("<{a}>{other}", row, KEY).fill(row) == text + "x"


@pytest.mark.parametrize("empty", [None, "", "  \n", float("nan")])
def test_a_row_whose_columns_are_all_empty_has_no_prompt(empty: Any) -> None:
    assert parse_template("Q: {a}{b}", ["a", "b"], KEY).fill({"a": empty}) is None


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("{'dialogue'}", "write {dialogue} instead of {'dialogue'}"),
        ('{"dialogue"}', 'write {dialogue} instead of {"dialogue"}'),
        ("{ dialogue }", "write {dialogue} instead of { dialogue }"),
        ('f"Summarize {dialogue}"', "is written like a Python f-string; leave out the f and the"),
        ("{dialog}", "there is no column 'dialog'; did you mean 'dialogue'?"),
        ("{xyz}", "there is no column 'xyz'; the columns are dialogue, summary"),
        ("{dialogue.__class__}", "there is no column 'dialogue.__class__'; did you mean 'dialogue"),
        ("{}", "there is no column ''; the columns are dialogue, summary"),
        ("{dialogue", "has a lone { at character 1; write {{ for the character itself"),
        ("a } {dialogue}", "has a lone } at character 3; write }} for the character itself"),
        ("Summarize:", "names no column; put one in braces, such as {question}"),
        ("{{dialogue}}", "names no column; put one in braces, such as {question}"),
    ],
)
def test_a_template_that_cannot_work(template: str, sentence: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_template(template, ["dialogue", "summary"], KEY)
    assert str(caught.value).startswith(f"{KEY}: {sentence}")


ROWS = Table("a.csv", ("q", "a"), [{"q": "one", "a": "1"}, {"q": "two", "a": "2"}], [1, 2])


def section(**values: Any) -> TextDataSection:
    return TextDataSection(path="a.csv", **values)


def test_functions_write_prompt_and_completion(tmp_path: Path) -> None:
    code = tmp_path / "own.py"
    code.write_text(
        "def ask(row):\n    return row.pop('q').upper()\ndef say(row):\n    return row['a'] + '!'\n"
    )
    examples = build_examples(
        ROWS, section(prompt_function=f"{code}:ask", completion_function=f"{code}:say")
    )
    assert [(one["prompt"], one["completion"]) for one in examples] == [
        ("ONE", "1!"),
        ("TWO", "2!"),
    ]
    assert ROWS.rows[0] == {"q": "one", "a": "1"}


def test_functions_may_write_messages(tmp_path: Path) -> None:
    code = tmp_path / "own.py"
    code.write_text("def ask(row): return [{'role': 'user', 'content': row['q']}]")
    (first, _) = build_examples(
        ROWS, section(prompt_function=f"{code}:ask", completion_template="{a}")
    )
    assert first["prompt"] == [{"role": "user", "content": "one"}]
    assert first["completion"] == [{"role": "assistant", "content": "1"}]


def test_a_changed_function_is_read_again(tmp_path: Path) -> None:
    code = tmp_path / "own.py"
    answers = []
    for number in (1, 2):
        code.write_text(f"def ask(row): return '{number}'")
        os.utime(code, (number, number))
        answers.append(load_function(f"{code}:ask", "data.prompt_function")({}))
    assert answers == ["1", "2"]


def test_functions_are_looked_up_from_the_callers_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.py").write_text("def ask(row): return 'x'")
    monkeypatch.chdir(tmp_path)
    assert load_function("own.py:ask", "data.prompt_function")({}) == "x"


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (
            "def ask(row): return row['nope']",
            "a.csv rows 1, 2: data.prompt_function {code}:ask raised KeyError: 'nope'",
        ),
        (
            "def ask(row): return 1 / (row['q'] == 'one')",
            "a.csv row 1: prompt is a number, not text; write it as text, "
            "or use a template with {{prompt}}\n"
            "a.csv row 2: data.prompt_function {code}:ask raised "
            "ZeroDivisionError: division by zero",
        ),
        (
            "import nowhere_to_be_found",
            "{code}: data.prompt_function: running it raised ModuleNotFoundError: "
            "No module named 'nowhere_to_be_found'",
        ),
        ("def ask(:", "{code}: data.prompt_function: running it raised SyntaxError: invalid"),
        ("raise SystemExit(3)", "{code}: data.prompt_function: running it raised SystemExit: 3"),
        (
            "def asks(row): return ''",
            "{code}: data.prompt_function: it has no function 'ask'; did you mean 'asks'?",
        ),
        ("ask = 3", "{code}: data.prompt_function: it has no function 'ask'"),
    ],
)
def test_a_function_that_cannot_be_used(tmp_path: Path, code: str, sentence: str) -> None:
    path = tmp_path / "own.py"
    path.write_text(code)
    with pytest.raises(DataError) as caught:
        build_examples(ROWS, section(prompt_function=f"{path}:ask", completion_template="{a}"))
    assert str(caught.value).startswith(sentence.format(code=path))


def test_a_function_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_function(f"{tmp_path}/own.py:ask", "data.prompt_function")
    assert str(caught.value).startswith(
        f"{tmp_path}/own.py: data.prompt_function: there is no such file; it is looked up from /"
    )
