"""Rows of pictures with words: read, checked, and what predictions are made from."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from luthier.trainers.data.columned import ColumnedFindings, read_columned
from luthier.trainers.errors import DataError, LuthierError, SpecError
from luthier.trainers.predicting.inputs import read_inputs
from luthier.trainers.registry import find_task
from luthier.trainers.spec.file import build_spec

_CAPTION, _QUESTION = "vlm-captioning", "vlm-vqa"
_ROWS = 20


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures that differ, and files that are none."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(_ROWS):
        Image.new("RGB", (8, 8), (number * 10, 0, 0)).save(folder / f"{number}.png")
    (folder / "text.png").write_text("no picture", encoding="utf-8")
    (folder / "empty.png").touch()
    whole = folder / "whole.bmp"
    Image.new("RGB", (64, 64), "blue").save(whole)
    (folder / "cut.bmp").write_bytes(whole.read_bytes()[:200])
    whole.unlink()
    return folder


def _captions() -> list[dict[str, Any]]:
    return [{"image": f"{n}.png", "caption": f"shade {n}"} for n in range(_ROWS)]


def _questions() -> list[dict[str, Any]]:
    return [
        {"image": f"{n}.png", "question": f"Which shade, {n}?", "answer": str(n)}
        for n in range(_ROWS)
    ]


def _chats() -> list[dict[str, Any]]:
    return [
        {
            "image": f"{n}.png",
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image"}, {"type": "text", "text": "Shade?"}],
                },
                {"role": "assistant", "content": f"shade {n}"},
            ],
        }
        for n in range(_ROWS)
    ]


def _turns(*turns: tuple[str, Any]) -> list[dict[str, Any]]:
    return [{"role": role, "content": content} for role, content in turns]


def _with(rows: list[dict[str, Any]], row: int, **cells: Any) -> list[dict[str, Any]]:
    rows[row] |= cells
    return rows


def _write(folder: Path, rows: list[dict[str, Any]], name: str = "train.jsonl") -> Path:
    path = folder / name
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


_IMAGE = {"type": "image"}


@pytest.mark.parametrize(
    ("task", "rows", "sentence"),
    [
        (_CAPTION, [{"img": "0.png", "words": "a"}] * 3, "no column is known to be the caption"),
        (_CAPTION, [{"view": "0.png", "caption": "a"}] * 3, "no column is known to be the image"),
        (_CAPTION, _with(_captions(), 3, image="gone.png"), "line 4: image names 'gone.png', and"),
        (_CAPTION, _with(_captions(), 3, image="text.png"), "line 4: image cannot be used: "),
        (_CAPTION, _with(_captions(), 3, image="empty.png"), "empty.png is an empty file"),
        (_CAPTION, _with(_captions(), 3, image="cut.bmp"), "cut.bmp is cut short"),
        (_CAPTION, _with(_captions(), 3, image=7), "line 4: image is a number, not the name of"),
        (_CAPTION, _with(_captions(), 3, image=["1.png", 7]), "line 4: image is a number, not"),
        (_CAPTION, _with(_captions(), 3, image=[]), "line 4: image is an empty list; a row needs"),
        (
            _CAPTION,
            _with(_captions(), 3, image="https://example.org/a.png"),
            "line 4: image is a web address",
        ),
        (_CAPTION, _with(_captions(), 3, caption=["a"]), "line 4: caption is a list, not text"),
        (_CAPTION, _with(_captions(), 3, caption="\ud800"), "caption holds half of a character"),
        (
            _CAPTION,
            [{**row, "caption": "" if n < 5 else "a"} for n, row in enumerate(_captions())],
            "caption is empty in 5 of",
        ),
        (_QUESTION, _captions(), "no column is known to be the question"),
        (
            _QUESTION,
            [{"image": row["image"], "question": "Shade?"} for row in _questions()],
            "no column is known to be the answer; say which one is by data.column_mapping",
        ),
        (_QUESTION, _with(_questions(), 3, answer={"a": 1}), "line 4: answer is a mapping, not te"),
        (_QUESTION, _with(_questions(), 3, image="gone.png"), "line 4: image names 'gone.png'"),
        (_QUESTION, _with(_chats(), 3, messages=7), "line 4: messages is a number, not a list"),
        (_QUESTION, _with(_chats(), 3, messages=["hello"]), "line 4: messages holds text, not mes"),
        (
            _QUESTION,
            _with(_chats(), 3, messages=_turns(("user", "a"), ("robot", "b"))),
            "line 4: a message in messages has the role 'robot', not system, user or assistant",
        ),
        (
            _QUESTION,
            _with(_chats(), 3, messages=_turns(("assistant", "b"), ("user", "a"))),
            "line 4: messages does not end with a message of the assistant",
        ),
        (
            _QUESTION,
            _with(_chats(), 3, messages=_turns(("system", "a"), ("assistant", "b"))),
            "line 4: messages has no message of the user",
        ),
        (
            _QUESTION,
            _with(_chats(), 3, messages=_turns(("user", "a"), ("assistant", " "))),
            "line 4: the last message in messages has no text",
        ),
        (
            _QUESTION,
            _with(_chats(), 3, messages=_turns(("user", 5), ("assistant", "b"))),
            "line 4: a message in messages has a number as its content",
        ),
        (
            _QUESTION,
            _with(_chats(), 3, messages=_turns(("user", [{"type": "film"}]), ("assistant", "b"))),
            "line 4: a part of a message in messages is neither",
        ),
        (
            _QUESTION,
            _with(_chats(), 3, messages=_turns(("user", [_IMAGE, _IMAGE]), ("assistant", "b"))),
            "line 4: messages has places for 2 pictures, but the row has 1 picture",
        ),
        (
            _QUESTION,
            _with(_chats(), 3, messages=_turns(("user", "a"), ("assistant", [_IMAGE]))),
            "line 4: the answer in messages holds a picture; models write text alone",
        ),
    ],
)
def test_wrong_rows_get_one_sentence(
    pictures: Path, task: str, rows: list[dict[str, Any]], sentence: str
) -> None:
    found = _problems(task, _write(pictures, rows))
    assert len(found) == 1, found
    assert sentence in found[0]
    assert "train.jsonl" in found[0]


def test_a_chat_is_read_as_its_question_and_answer(pictures: Path) -> None:
    path = _write(pictures, _chats())
    (record, *_) = _look(_QUESTION, path, validation_fraction=0).records("train")
    assert record.values["question"] == "Shade?"
    assert record.values["answer"] == "shade 0"
    assert [turn["role"] for turn in record.values["turns"]] == ["user"]


def test_pictures_stand_before_the_first_question_where_nothing_is_said(pictures: Path) -> None:
    turns = _turns(("system", "Be brief."), ("user", "Which?"), ("assistant", "this"))
    rows = [{"images": [f"{n}.png", "0.png"], "messages": turns} for n in range(1, 9)]
    path = _write(pictures, rows)
    (record, *_) = _look(_QUESTION, path, validation_fraction=0).records("train")
    kinds = [[part["type"] for part in turn["content"]] for turn in record.values["turns"]]
    assert kinds == [["text"], ["image", "image", "text"]]
    found = [Path(picture.name).name for picture in record.values["pictures"]]
    assert found == ["1.png", "0.png"]


@pytest.mark.parametrize(
    ("task", "columns", "mapping"),
    [
        # AutoTrain's own names, and a mapping under its keys.
        (_CAPTION, ("image", "text"), {}),
        (_QUESTION, ("image", "prompt", "text"), {}),
        (
            _QUESTION,
            ("picture of it", "asked", "said"),
            {
                "image_column": "picture of it",
                "prompt_text_column": "asked",
                "text_column": "said",
            },
        ),
        (_CAPTION, ("pic", "said"), {"image_column": "pic", "text_column": "said"}),
    ],
)
def test_autotrains_columns_are_found(
    pictures: Path, task: str, columns: tuple[str, ...], mapping: dict[str, str]
) -> None:
    path = pictures / "train.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for number in range(_ROWS):
            cells = [f"{number}.png", f"asked {number}", f"said {number}"]
            writer.writerow([cells[0], *cells[-(len(columns) - 1) :]])
    found = _look(task, path, column_mapping=mapping)
    assert found.problems == []
    assert found.records("train")[0].values["answer"].startswith("said")


def test_autotrains_folder_and_ids_are_understood(tmp_path: Path) -> None:
    for split in ("train", "validation"):
        folder = tmp_path / split
        folder.mkdir()
        rows = []
        for number in range(4):
            shade = number * 20 + (10 if split == "train" else 0)
            Image.new("RGB", (8, 8), (0, shade, 0)).save(folder / f"{number}.png")
            rows.append({"file_name": f"{number}.png", "prompt": "Shade?", "text": str(shade)})
        _write(folder, rows, "metadata.jsonl")
    found = _look("vlm:vqa", tmp_path)
    assert found.problems == []
    assert {name: len(built.records) for name, built in found.built.items()} == {
        "train": 4,
        "validation": 4,
    }
    assert find_task("vlm:captioning").id == _CAPTION


def test_pictures_in_a_parquet_file(tmp_path: Path, pictures: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pytest.importorskip("pyarrow").Table.from_pylist(
        [
            {"image": {"bytes": (pictures / f"{n}.png").read_bytes(), "path": f"{n}.png"}}
            | {"caption": f"shade {n}"}
            for n in range(6)
        ]
    )
    parquet.write_table(table, tmp_path / "train.parquet")
    found = _look(_CAPTION, tmp_path / "train.parquet")
    assert found.problems == []
    assert found.records("train")[0].values["pictures"][0].size == (8, 8)
    json.dumps(found.report().model_dump(mode="json"))


@pytest.mark.parametrize(
    ("section", "values", "sentence"),
    [
        ("peft", {"parts": []}, "peft.parts"),
        ("peft", {"parts": ["language", "language"]}, "peft.parts: names a part twice"),
        ("peft", {"parts": ["ears"]}, "peft.parts"),
        ("model", {"chat_template": "chatml"}, "model.chat_template: chatml knows no pictures"),
        ("model", {"use_cache": True}, "model.use_cache: vlm-vqa does not train on generated"),
        ("model", {"load_in_4bit": True}, "a quantised model cannot be trained whole"),
        ("data", {"instruction": ""}, "data.instruction"),
    ],
)
def test_settings_that_cannot_work(section: str, values: dict[str, Any], sentence: str) -> None:
    task = _CAPTION if section == "data" else _QUESTION
    spec: dict[str, Any] = {
        "task": task,
        "model": {"name_or_path": "none"},
        "data": {"path": "rows.jsonl"},
    }
    spec[section] = {**spec.get(section, {}), **values}
    if "load_in_4bit" in values:
        spec["peft"] = {"method": "none"}
    with pytest.raises(SpecError) as caught:
        build_spec(spec)
    assert sentence in str(caught.value)


class TestInputs:
    """What a question is made from: a picture and a text together."""

    def test_a_json_object_has_both(self) -> None:
        source = json.dumps({"image": "a.png", "question": "What?"})
        (given,) = read_inputs(find_task(_QUESTION), source, {})
        assert given.values == {"image": "a.png", "question": "What?"}

    def test_pictures_of_a_table_lie_beside_it(self, pictures: Path) -> None:
        path = _write(pictures, [{"image": ["0.png", "1.png"], "question": "Which?"}], "ask.jsonl")
        (given,) = read_inputs(find_task(_QUESTION), str(path), {})
        assert given.values["image"] == [str(pictures / "0.png"), str(pictures / "1.png")]
        assert given.values["question"] == "Which?"

    @pytest.mark.parametrize("name", ["0.png", "."])
    def test_a_picture_or_folder_alone_is_no_question(self, pictures: Path, name: str) -> None:
        with pytest.raises(LuthierError, match=r'write {"image": \.\.\., "question": \.\.\.}'):
            read_inputs(find_task(_QUESTION), str(pictures / name), {})

    def test_a_folder_gives_captions(self, pictures: Path) -> None:
        given = read_inputs(find_task(_CAPTION), str(pictures), {})
        assert str(pictures / "0.png") in [each.values["image"] for each in given]

    def test_pictures_are_named_from_here(
        self, pictures: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(pictures)
        inputs = find_task(_QUESTION).inputs
        assert inputs is not None
        row = {"image": "0.png", "question": "1.png"}
        assert inputs.from_here(row) == {**row, "image": str(pictures / "0.png")}
        several = inputs.from_here({"image": ["0.png", "gone.png", 3]})
        assert several == {"image": [str(pictures / "0.png"), "gone.png", 3]}
        assert inputs.from_here({"image": "", "question": "?"}) == {"image": "", "question": "?"}

    def test_what_is_missing_is_named(self) -> None:
        with pytest.raises(LuthierError, match="Row 1 has no question"):
            read_inputs(find_task(_QUESTION), '{"image": "a.png"}', {})
