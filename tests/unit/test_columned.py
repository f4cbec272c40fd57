"""Rows with columns: read, split and checked; each mistake gets one sentence with its rows."""

from __future__ import annotations

import contextlib
import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.trainers.data.cells import MistakeError
from luthier.trainers.data.columned import ColumnedFindings, read_columned
from luthier.trainers.data.records import Cells, parsed
from luthier.trainers.data.split import set_aside
from luthier.trainers.data.table import Table
from luthier.trainers.errors import DataError, SpecError
from luthier.trainers.spec.file import build_spec

_GOOD: dict[str, list[dict[str, Any]]] = {
    "text-classification": [
        {"text": f"text {n}", "label": "good" if n % 2 else "bad"} for n in range(20)
    ],
    "text-regression": [{"text": f"text {n}", "target": n / 2} for n in range(20)],
    "token-classification": [
        {"tokens": ["Anna", "sings", str(n)], "tags": ["B-PER", "O", "O"]} for n in range(20)
    ],
    "extractive-question-answering": [
        {
            "question": f"where is {n}?",
            "context": f"{n} is in Oslo.",
            "answers": {"text": ["Oslo"], "answer_start": [len(f"{n} is in ")]},
        }
        for n in range(20)
    ],
    "seq2seq": [{"text": f"say {n}", "target": f"said {n}"} for n in range(20)],
}


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _look(task: str, path: Path, **data: Any) -> ColumnedFindings:
    values = {"task": task, "model": {"name_or_path": "none"}, "data": {"path": str(path), **data}}
    return read_columned(build_spec(values))


def _problems(task: str, path: Path, **data: Any) -> list[str]:
    try:
        return [str(problem) for problem in _look(task, path, **data).problems]
    except DataError as error:
        return [str(problem) for problem in error.problems]


def _with(task: str, row: int, **cells: Any) -> list[dict[str, Any]]:
    rows = [dict(each) for each in _GOOD[task]]
    rows[row] |= cells
    return rows


_CLASS, _NUMBER, _TOKENS = "text-classification", "text-regression", "token-classification"
_ANSWER, _PAIRS = "extractive-question-answering", "seq2seq"
_QUESTION = {"question": "where?", "context": "It is in Oslo."}


@pytest.mark.parametrize(
    ("task", "rows", "sentence"),
    [
        (_CLASS, [{"txt": "a", "label": "b"}] * 3, "no column is known to be the text"),
        (_CLASS, [{"text": "a", "stars": 1}] * 3, "no column is known to be the label"),
        (_CLASS, [{"text": str(n), "label": "a"} for n in range(9)], "every row has the label 'a'"),
        (_CLASS, _with(_CLASS, 3, text=["a"]), "line 4: text is a list, not text"),
        (_CLASS, _with(_CLASS, 3, text=True), "line 4: text is true or false, not text"),
        (_CLASS, _with(_CLASS, 3, label={"a": 1}), "line 4: label is a mapping, not one label"),
        (_CLASS, _with(_CLASS, 3, label=["a", "b"]), "one label where other rows have a list"),
        (_CLASS, _with(_CLASS, 3, text="\ud800"), "line 4: text holds half of a character"),
        (
            _CLASS,
            [
                {**row, "label": None if n < 5 else row["label"]}
                for n, row in enumerate(_GOOD[_CLASS])
            ],
            "label is empty in 5 of",
        ),
        (_NUMBER, _with(_NUMBER, 4, target="five"), "line 5: target is 'five', not a number"),
        (_NUMBER, _with(_NUMBER, 4, target=True), "line 5: target is True, not a number"),
        (_NUMBER, _with(_NUMBER, 4, target="1e999"), "line 5: target is '1e999', not a number"),
        (_NUMBER, _with(_NUMBER, 4, target=[1, 2]), "another number of values in target"),
        (_NUMBER, [{"text": str(n), "target": 3} for n in range(9)], "target is the same in every"),
        (_TOKENS, _with(_TOKENS, 2, tags=["O"]), "line 3: tokens and tags have different lengths"),
        (_TOKENS, _with(_TOKENS, 2, tokens="Anna sings x"), "line 3: tokens is text, not a list"),
        (_TOKENS, _with(_TOKENS, 2, tokens=["a", "", "b"]), "line 3: tokens has an empty word"),
        (_TOKENS, _with(_TOKENS, 2, tokens=["a", 1, "b"]), "line 3: tokens has a number in it"),
        (_TOKENS, _with(_TOKENS, 2, tags="[1, 2"), "line 3: tags is not a list or mapping in JSON"),
        (
            _TOKENS,
            [{"tokens": ["a", str(n)], "tags": ["O", "O"]} for n in range(9)],
            "every token has the tag 'O'",
        ),
        (
            _ANSWER,
            _with(_ANSWER, 1, answers={"text": ["Rome"], "answer_start": [8]}),
            "line 2: the answer in answers does not stand in the context",
        ),
        (
            _ANSWER,
            _with(_ANSWER, 1, answers={"text": ["Oslo"], "answer_start": [2]}),
            "line 2: the answer in answers does not stand where answer_start says",
        ),
        (
            _ANSWER,
            _with(_ANSWER, 1, answers={"text": ["Oslo"], "answer_start": ["8"]}),
            "line 2: answers has the start '8', not a whole number",
        ),
        (
            _ANSWER,
            _with(_ANSWER, 1, answers={"text": ["Oslo", "in"], "answer_start": [8]}),
            "line 2: answers has 2 texts but 1 starts",
        ),
        (_ANSWER, _with(_ANSWER, 1, answers=[1]), "line 2: answers is a list, not a mapping"),
        (_ANSWER, _with(_ANSWER, 1, answers="Rome"), "does not stand in the context"),
        (
            _ANSWER,
            [{**_QUESTION, "context": f"{n}", "answers": {"text": []}} for n in range(9)],
            "no training row has an answer",
        ),
        (_PAIRS, _with(_PAIRS, 1, target=["a"]), "line 2: target is a list, not text"),
        (_PAIRS, [{"text": "a", "goal": "b"}] * 3, "no column is known to be the target"),
        (_PAIRS, [{"text": "", "target": "b"}] * 3, "text is empty in"),
    ],
)
def test_wrong_rows_get_one_sentence(
    tmp_path: Path, task: str, rows: list[dict[str, Any]], sentence: str
) -> None:
    found = _problems(task, _write(tmp_path / "train.jsonl", rows))
    assert found
    assert all("\n" not in text for text in found)
    assert any(sentence in text for text in found), found


@pytest.mark.parametrize(
    ("task", "changed", "sentence"),
    [
        (_CLASS, {"label": "new"}, "line 1: has the label 'new', which no training row has"),
        (_TOKENS, {"tags": ["B-LOC", "O", "O"]}, "line 1: has the tag 'B-LOC', which no training"),
        (_NUMBER, {"target": [1, 2]}, "another number of values"),
    ],
)
def test_validation_rows_must_fit_the_training_rows(
    tmp_path: Path, task: str, changed: dict[str, Any], sentence: str
) -> None:
    _write(tmp_path / "train.jsonl", _GOOD[task])
    _write(tmp_path / "valid.jsonl", [_with(task, 0, **changed)[0]])
    assert any(sentence in text for text in _problems(task, tmp_path))


@pytest.mark.parametrize(
    ("mapping", "sentence"),
    [
        ({"txt": "text"}, "there is no part 'txt'; did you mean 'text'?"),
        ({"text": "body"}, "there is no column 'body'"),
        ({"text": "text,label"}, "text takes one column, not 2"),
    ],
)
def test_a_wrong_mapping_is_named(tmp_path: Path, mapping: dict[str, str], sentence: str) -> None:
    path = _write(tmp_path / "train.jsonl", _GOOD[_CLASS])
    found = _problems(_CLASS, path, column_mapping=mapping)
    assert any(text.startswith("data.column_mapping: ") for text in found)
    assert any(sentence in text for text in found), found


def test_weights_are_checked(tmp_path: Path) -> None:
    rows = [{**row, "weight": -1 if n == 2 else 1} for n, row in enumerate(_GOOD[_CLASS])]
    path = _write(tmp_path / "train.jsonl", rows)
    assert any("line 3" in text for text in _problems(_CLASS, path, weight_column="weight"))
    assert any("'wait'" in text for text in _problems(_CLASS, path, weight_column="wait"))


def test_odd_rows_are_warned_about(tmp_path: Path) -> None:
    rows = [*_GOOD[_CLASS], _GOOD[_CLASS][0], {"text": "alone", "label": "rare"}]
    found = _look(_CLASS, _write(tmp_path / "train.jsonl", rows), validation_fraction=0)
    said = [str(warning) for warning in found.warnings]
    assert not found.problems
    assert any("is the only row with the label 'rare'" in text for text in said)
    assert any("the same as an earlier row" in text for text in said)
    inside = [{**row, "tags": ["O", "I-PER", "O"]} for row in _GOOD[_TOKENS][:4]]
    found = _look(_TOKENS, _write(tmp_path / "train.jsonl", [*_GOOD[_TOKENS], *inside]))
    assert any("begins with an I- tag" in str(warning) for warning in found.warnings)


class TestAutoTrain:
    """The layouts that AutoTrain documents."""

    def test_its_column_keys_and_names(self, tmp_path: Path) -> None:
        path = _write(tmp_path / "train.jsonl", [{"q": "a", "y": "b"}, {"q": "c", "y": "d"}])
        mapping = {"text_column": "q", "target_column": "y"}
        found = _look(_CLASS, path, column_mapping=mapping)
        assert found.parts == {"text": "q", "label": "y"}
        assert not found.problems

    @pytest.mark.parametrize(
        ("alias", "task"),
        [
            ("text_classification", _CLASS),
            ("text_single_column_regression", _NUMBER),
            ("token_classification", _TOKENS),
            ("ext_qa", _ANSWER),
            ("extractive-qa", _ANSWER),
            ("llm:sft", "llm-sft"),
        ],
    )
    def test_its_task_ids(self, alias: str, task: str) -> None:
        values = {"task": alias, "model": {"name_or_path": "m"}, "data": {"path": "d"}}
        assert build_spec(values).task == task

    def test_a_folder_of_train_and_valid_csv(self, tmp_path: Path) -> None:
        for name in ("train", "valid"):
            with (tmp_path / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(["tokens", "tags"])
                writer.writerow([["Anna", "sings"], ["B-PER", "O"]])
                writer.writerow([["O'Hara", "sits"], ["B-PER", "O"]])
        found = _look(_TOKENS, tmp_path)
        # Lists stand in the cells as Python writes them.
        assert [each.values["tokens"] for each in found.records("validation")] == [
            ["Anna", "sings"],
            ["O'Hara", "sits"],
        ]

    def test_answers_of_squad_as_python_text(self, tmp_path: Path) -> None:
        rows = [
            {
                **_QUESTION,
                "text": "It is in Oslo.",
                "answers": "{'text': ['Oslo'], 'answer_start': [9]}",
            },
            {**_QUESTION, "text": "nowhere", "answers": "{'text': [''], 'answer_start': [-1]}"},
        ]
        for row in rows:
            del row["context"]
        found = _look(_ANSWER, _write(tmp_path / "a.jsonl", rows), validation_fraction=0)
        assert not found.problems
        assert [r.values["answers"] for r in found.records("train")] == [[(9, "Oslo")], []]


class TestClasses:
    """What counts as a class."""

    def test_lists_and_several_columns_give_any_number_of_labels(self, tmp_path: Path) -> None:
        rows = [{"text": str(n), "labels": ["a", "b"][: n % 3]} for n in range(1, 12)]
        rows = [row for row in rows if row["labels"]]
        found = _look(_CLASS, _write(tmp_path / "a.jsonl", rows), validation_fraction=0)
        assert found.records("train")[0].values["several"] is True
        marks = [{"text": str(n), "x": n % 2, "y": 1 - n % 2, "z": 1} for n in range(9)]
        path = _write(tmp_path / "b.jsonl", marks)
        found = _look(_CLASS, path, column_mapping={"label": "x, y,z"}, validation_fraction=0)
        assert not found.problems
        assert found.records("train")[1].values["label"] == ["x", "z"]

    def test_a_made_split_never_takes_the_last_of_a_class(self, tmp_path: Path) -> None:
        rows = [{"tokens": ["a", str(n)], "tags": ["O", f"B-{n}"]} for n in range(9)]
        rows += [{"tokens": ["b", str(n)], "tags": ["O", "B-0"]} for n in range(9)]
        found = _look(_TOKENS, _write(tmp_path / "a.jsonl", rows), validation_fraction=0.5)
        assert not found.problems
        assert found.classes["validation"].keys() <= found.classes["train"].keys()
        assert sum(split.rows for split in found.splits.values()) == len(rows)

    def test_a_made_split_keeps_the_shares(self, tmp_path: Path) -> None:
        rows = [{"text": str(n), "label": "rare" if n < 20 else "common"} for n in range(200)]
        found = _look(_CLASS, _write(tmp_path / "a.jsonl", rows))
        assert found.classes["validation"] == {"rare": 2, "common": 18}

    @given(
        labels=st.lists(st.sampled_from("abc"), min_size=2, max_size=60),
        fraction=st.floats(0.01, 0.9),
        seed=st.integers(0, 9),
    )
    def test_a_split_loses_no_row(self, labels: list[str], fraction: float, seed: int) -> None:
        rows = [{"text": str(n // 2), "label": label} for n, label in enumerate(labels)]
        table = Table("t", ("text", "label"), rows, list(range(len(rows))))
        train, validation = set_aside(table, fraction, seed, "label")
        kept = train.places + (validation.places if validation else [])
        assert sorted(kept) == table.places
        assert train.rows
        if validation:
            assert not {json.dumps(r) for r in train.rows} & {
                json.dumps(r) for r in validation.rows
            }


class TestCells:
    """Single cells."""

    @given(st.text())
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        with contextlib.suppress(MistakeError):
            parsed(text, "cell")

    def test_files_start_from_the_table(self, tmp_path: Path) -> None:
        (tmp_path / "a.png").touch()
        cells = Cells({"image": "a.png"}, {"image": "image"}, tmp_path)
        assert cells.file("image") == tmp_path / "a.png"
        gone = Cells({"image": "b.png"}, {"image": "image"}, tmp_path)
        with pytest.raises(Exception, match=r"names 'b\.png', and there is no such file"):
            gone.file("image")


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"model": {"chat_template": "chatml"}}, "model.chat_template"),
        ({"training": {"doc_stride": 300}}, "training.doc_stride"),
        ({"peft": {"method": "prompt-tuning"}}, "peft.method"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, Any], key: str) -> None:
    values = {"task": _ANSWER, "model": {"name_or_path": "m"}, "data": {"path": "d"}}
    for section, settings in changes.items():
        values[section] = {**values.get(section, {}), **settings}  # type: ignore[dict-item]
    with pytest.raises(SpecError, match=key):
        build_spec(values)
