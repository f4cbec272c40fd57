"""Values that no library likes: endless numbers, halves of characters, names that are no names."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from luthier.trainers.data.files import read_file
from luthier.trainers.data.inspect import inspect_dataset
from luthier.trainers.data.rules import number_order
from luthier.trainers.errors import DataError
from luthier.trainers.spec.file import build_spec

_DIGITS = "9" * 5000
_HUGE = 10**400


def _report(task: str, folder: Path, text: str, **data: Any) -> Any:
    path = folder / "rows.jsonl"
    path.write_text(text, encoding="utf-8")
    settings: dict[str, Any] = {"task": task, "data": {"path": str(path), **data}}
    if not task.startswith("tabular"):
        settings["model"] = {"name_or_path": "none"}
    report = inspect_dataset(build_spec(settings))
    # Whoever asked gets it as JSON.
    report.model_dump_json()
    return report


def _lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def _said(report: Any) -> list[str]:
    return [str(problem) for problem in report.problems]


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.jsonl", f'{{"n": {_DIGITS}}}\n'), ("a.json", f'[{{"n": {_DIGITS}}}]')],
)
def test_numbers_of_thousands_of_digits_in_a_file(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=f"{name} line 1: .*a number has thousands of digits"):
        read_file(tmp_path / name)


@pytest.mark.parametrize(
    ("task", "row", "data", "sentence"),
    [
        ("text-classification", {"text": "a", "label": f"[{_DIGITS}]"}, {}, "not a list or map"),
        ("text-regression", {"text": "a", "target": _HUGE}, {}, "target is 1000"),
        (
            "text-regression",
            {"text": "a", "target": 1, "w": _HUGE},
            {"weight_column": "w"},
            "the weight in w is not a number",
        ),
        ("llm-sft", {"messages": f"[{_DIGITS}]"}, {}, "not valid JSON"),
        ("image-classification", {"image": "x" * 5000, "label": "a"}, {}, "is no such file"),
        ("image-classification", {"image": "~nobody-here/a.png", "label": "a"}, {}, "is no such"),
        ("tabular-regression", {"x": _HUGE, "target": 1}, {}, "x is too large a number"),
        ("tabular-regression", {"x": 1e300, "target": 1}, {}, "x is too large a number"),
        ("tabular-regression", {"x": "1e300", "target": 1}, {}, "x is too large a number"),
        ("tabular-regression", {"x": "\ud83d", "target": 1}, {}, "x holds half of a character"),
    ],
)
def test_cells_get_one_sentence(
    tmp_path: Path, task: str, row: dict[str, Any], data: dict[str, Any], sentence: str
) -> None:
    found = _said(_report(task, tmp_path, _lines(row), **data))
    assert [text for text in found if sentence in text], found
    assert all("\n" not in text and len(text) < 300 for text in found)


def test_a_box_beyond_all_numbers(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    row = {"image": "a.png", "objects": {"bbox": [[0, 0, _HUGE, 2]], "category": ["a"]}}
    (found,) = _said(_report("image-object-detection", tmp_path, _lines(row)))
    assert "box 1 in objects is not four numbers" in found


def test_half_a_character_in_a_column_that_nobody_needs(tmp_path: Path) -> None:
    rows = [{"text": f"row {n}", "label": n % 2, "\ud83d": "\ud83d"} for n in range(4)]
    report = _report("text-classification", tmp_path, _lines(*rows))
    assert _said(report) == []
    assert [column.name for column in report.columns] == ["text", "label", "?"]


def test_classes_called_nan_have_one_order() -> None:
    names = ["10", "nan", "9", "1"]
    assert number_order(names) == number_order(names[::-1]) == ["1", "10", "9", "nan"]
    assert number_order(["10", "9", "-inf"]) == ["-inf", "9", "10"]


def test_a_column_of_numbers_but_for_one_cell(tmp_path: Path) -> None:
    rows = [{"x": "NA" if n == 4 else n * 1.5, "y": n % 7, "target": n} for n in range(20)]
    report = _report("tabular-regression", tmp_path, _lines(*rows), validation_fraction=0)
    (said,) = [str(w) for w in report.warnings if "x is a number in every other row" in str(w)]
    assert "rows.jsonl line 5" in said
    assert "'NA'" in said


def test_offsets_that_point_outside_an_arrow_file(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    feather = pytest.importorskip("pyarrow.feather")
    words = pyarrow.table({"text": ["first", "second", "third"]})
    feather.write_feather(words, tmp_path / "a.feather", compression="uncompressed")
    whole = (tmp_path / "a.feather").read_bytes()
    offsets = struct.pack("<4i", 0, 5, 11, 16)
    assert whole.count(offsets) == 1
    wrong = whole.replace(offsets, struct.pack("<4i", 0, 5, 2**31 - 9, 2**31 - 1))
    (tmp_path / "a.feather").write_bytes(wrong)
    with pytest.raises(DataError, match="is not a readable arrow file") as caught:
        read_file(tmp_path / "a.feather")
    assert "\n" not in str(caught.value)
