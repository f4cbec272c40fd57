"""What the "Try it" screen asks the agent for what its fields hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from luthier.trainers.errors import LuthierError
from luthier.trainers.registry import Inputs
from luthier.tui.trying import request_for

_ALONE = Inputs(("image",), kind="image")
_ASKED = Inputs(("image", "question"), kind="image")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two pictures by name, and a table, where the terminal stands."""
    for name in ("b.png", "a.jpg", ".hidden.png", "notes.txt", "rows.csv"):
        (tmp_path / "set" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "set" / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "set"


def _rows(inputs: Inputs, **values: str) -> Any:
    return request_for(inputs, values).rows


def test_a_picture_is_named_from_the_root(folder: Path) -> None:
    assert _rows(_ALONE, image=" set/b.png ") == [{"image": str(folder / "b.png")}]


def test_a_folder_is_each_of_its_pictures(folder: Path) -> None:
    found = [str(folder / "a.jpg"), str(folder / "b.png")]
    assert _rows(_ALONE, image="set") == [{"image": path} for path in found]
    asked = _rows(_ASKED, image="set", question="Which?")
    assert asked == [{"image": path, "question": "Which?"} for path in found]


def test_a_list_is_several_rows_or_the_pictures_of_one(folder: Path) -> None:
    found = [str(folder / "a.jpg"), str(folder / "b.png")]
    text = json.dumps(["set/a.jpg", "set/b.png"])
    assert _rows(_ALONE, image=text) == [{"image": path} for path in found]
    assert _rows(_ASKED, image=text, question="?") == [{"image": found, "question": "?"}]


def test_a_table_is_read_by_the_worker(folder: Path) -> None:
    request = request_for(_ALONE, {"image": "set/rows.csv"})
    assert (request.input, request.rows) == (str(folder / "rows.csv"), None)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "Write the image first"),
        ({"image": "set/empty"}, "has no pictures in it"),
        ({"image": "[1,"}, "not valid JSON"),
        ({"image": "[]"}, "has no pictures in it"),
    ],
)
def test_what_names_no_picture(folder: Path, values: dict[str, str], sentence: str) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(LuthierError, match=sentence):
        request_for(_ALONE, values)
