"""Datasets as files, folders and hub ids: what is read, and the sentence about what cannot be."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from luthier.trainers.data import read_dataset
from luthier.trainers.data.files import read_file
from luthier.trainers.data.table import Table, where_all
from luthier.trainers.errors import DataError
from luthier.trainers.spec import TextDataSection

# Every character that UTF-8 can carry, newlines, quotes and delimiters often.
CELL = st.text(
    st.one_of(
        st.sampled_from('\n\r",;\t| '), st.characters(exclude_categories=["Cs"], codec="utf-8")
    ),
    max_size=30,
)
NAME = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
JSON_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
MANY = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(path: Path, limit: int | None = None) -> Table:
    table = read_file(path, limit)
    assert isinstance(table, Table)
    return table


@MANY
@given(data=st.data(), delimiter=st.sampled_from(",;\t|"), marked=st.booleans())
def test_what_csv_writes_is_read_back(
    tmp_path: Path, data: st.DataObject, delimiter: str, marked: bool
) -> None:
    header = data.draw(st.lists(NAME, min_size=2, max_size=4, unique=True))
    cells = st.lists(CELL, min_size=len(header), max_size=len(header))
    records = data.draw(st.lists(cells, min_size=1, max_size=5))
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([header, *records])
    path = tmp_path / ("rows.tsv" if delimiter == "\t" else "rows.csv")
    path.write_bytes(("\ufeff" * marked + text.getvalue()).encode())

    table = read(path)

    assert table.columns == tuple(header)
    assert table.rows == [dict(zip(header, record, strict=True)) for record in records]
    assert table.places == list(range(1, len(records) + 1))


@MANY
@given(
    rows=st.lists(
        st.dictionaries(st.text(max_size=8), JSON_VALUE, min_size=1), min_size=1, max_size=6
    ),
    as_lines=st.booleans(),
    suffix=st.sampled_from([".json", ".jsonl"]),
)
def test_what_json_writes_is_read_back(
    tmp_path: Path, rows: list[dict[str, Any]], as_lines: bool, suffix: str
) -> None:
    assume(as_lines or suffix == ".json")
    path = tmp_path / f"rows{suffix}"
    if as_lines:
        # A .json file of one line is that object, which need not be a list of rows.
        assume(suffix == ".jsonl" or len(rows) > 1)
        path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    else:
        path.write_text(json.dumps(rows, indent=1), encoding="utf-8")

    table = read(path)

    assert table.rows == rows
    assert set(table.columns) == {name for row in rows for name in row}


def test_blank_lines_keep_the_numbering_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"t": "x"}\n\n   \n{"t": "y"}\n')
    table = read(tmp_path / "a.jsonl")
    assert [table.where(index) for index in range(2)] == ["a.jsonl line 1", "a.jsonl line 4"]


def test_cells_beyond_the_csv_modules_own_limit(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    big = "x" * 500_000
    (tmp_path / "a.csv").write_text(f"prompt,completion\n{big},y\n")
    assert read(tmp_path / "a.csv").rows == [{"prompt": big, "completion": "y"}]
    assert csv.field_size_limit() == before


def test_reading_ends_at_the_limit_before_later_mistakes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n3,4\n5\n")
    assert len(read(tmp_path / "a.csv", 2)) == 2
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n{"a": 2}\nnot json\n')
    assert len(read(tmp_path / "a.jsonl", 2)) == 2
    (tmp_path / "a.json").write_text('[{"a": 1}, {"a": 2}, 3]')
    assert len(read(tmp_path / "a.json", 2)) == 2


def test_parquet_is_read_with_its_nested_values(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [{"messages": [{"role": "user", "content": str(number)}]} for number in range(5)]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet").rows == rows
    assert read(tmp_path / "a.parquet", 3).rows == rows[:3]


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ({"data": [{"text": "x"}]}, ("text",)),
        ({"version": "1.0", "rows": [{"text": "x"}]}, ("text",)),
    ],
)
def test_json_with_one_list_inside(tmp_path: Path, content: object, columns: tuple[str]) -> None:
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert read(tmp_path / "a.json").columns == columns


def test_json_with_a_list_for_each_split(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"train": [{"text": "x"}, {"text": "y"}], "test": [{"text": "z"}]}))
    dataset = read_dataset(TextDataSection(path=str(path)))
    assert [row["text"] for row in dataset.train.rows] == ["x", "y"]
    assert dataset.validation is not None
    assert dataset.validation.where(0) == "a.json test row 1"
    assert not dataset.validation_made


def test_folder_with_a_file_for_each_split(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"text": "x"}\n')
    (tmp_path / "dev.csv").write_text("text\nz\n")
    (tmp_path / "notes.txt").write_text("not a split")
    (tmp_path / "train.json").mkdir()
    dataset = read_dataset(TextDataSection(path=str(tmp_path)))
    assert dataset.validation is not None
    assert dataset.validation.name == "dev.csv"

    (tmp_path / "validation.csv").write_text("text\nw\n")
    first = read_dataset(TextDataSection(path=str(tmp_path)))
    assert first.validation is not None
    assert first.validation.name == "validation.csv"
    named = read_dataset(TextDataSection(path=str(tmp_path), validation_split="dev"))
    assert named.validation is not None
    assert named.validation.name == "dev.csv"


def test_rows_of_weight_zero_are_left_out_and_places_stay(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,w\nx,1\ny,0\nz,0.5\nq,0.0\n")
    section = TextDataSection(
        path=str(tmp_path / "a.csv"), weight_column="w", validation_fraction=0
    )
    table = read_dataset(section).train
    assert [row["text"] for row in table.rows] == ["x", "z"]
    assert table.where(1) == "a.csv row 3"


def test_rows_are_named_up_to_five() -> None:
    table = Table("train.csv", ("a",), [{}] * 17, list(range(1, 18)))
    places = [table.where(index) for index in range(17)]
    assert where_all(places[:1]) == "train.csv row 1"
    assert where_all(places[:3]) == "train.csv rows 1, 2, 3"
    assert where_all(places) == "train.csv rows 1, 2, 3, 4, 5 and 12 more"


BAD_FILES: list[tuple[str, bytes, str]] = [
    ("a.csv", b"", "{path}: is empty"),
    ("a.csv", b"\n\n", "{path}: is empty"),
    ("a.csv", b"prompt,completion\n", "{path}: has a header but no rows"),
    (
        "a.csv",
        b"a,b\n1,2\n3\n",
        "a.csv row 2: has 1 cell, the header has 2; fill it",
    ),
    (
        "a.csv",
        b"a,b\n1,2\n\n3,4,5\n",
        "a.csv row 2: has 3 cells, the header has 2; "
        "put quotes around text with delimiters or line breaks",
    ),
    (
        "a.csv",
        b'a,b\n1,"2\n3,4\n5,6\n',
        "a.csv line 2: row 1 has a quote that is not closed, or text after one "
        '(unexpected end of data); write a quote inside a quoted cell as ""',
    ),
    (
        "a.csv",
        b"a,a\n1,2\n",
        "{path}: the column a stands twice in the header; rename one",
    ),
    (
        "a.csv",
        b"a,,b\n1,2,3\n",
        "{path}: column 2 has no name; give every column one in the first row",
    ),
    (
        "a.csv",
        b",a,b\n0,1,2\n",
        "{path}: column 1 has no name; give every column one in the first row, "
        "or leave out the row numbers of pandas by to_csv(index=False)",
    ),
    (
        "a.csv",
        b"a,b\n1,2\ncaf\xe9,4\n",
        "a.csv line 3: is not UTF-8 text (invalid continuation byte); save it as UTF-8",
    ),
    ("a.csv", "a,b\n1,2\n".encode("utf-16"), "{path}: is UTF-16 text; save it as UTF-8"),
    ("a.jsonl", "{}".encode("utf-16"), "a.jsonl line 1: is UTF-16 text; save it as UTF-8"),
    ("a.jsonl", b"\n \n", "{path}: is empty"),
    (
        "a.jsonl",
        b'{"a": 1}\n{"a": 2\n',
        "a.jsonl line 2: is not valid JSON: Expecting ',' delimiter (column 8)",
    ),
    (
        "a.jsonl",
        b"{'a': 1}\n",
        "a.jsonl line 1: is not valid JSON: Expecting property name enclosed in double quotes "
        "(column 2)",
    ),
    ("a.jsonl", b'{"a": 1}\n[1]\n', "a.jsonl line 2: is a list, not an object"),
    ("a.jsonl", b'{"a": 1}\nnull\n', "a.jsonl line 2: is null, not an object"),
    (
        "a.jsonl",
        b'[{"a": 1},\n{"a": 2}]\n',
        "a.jsonl line 1: begins a JSON list; name the file .json",
    ),
    (
        "a.jsonl",
        b'[{"a": 1}, {"a": 2}]\n',
        "a.jsonl line 1: is a list, not an object; name the file .json",
    ),
    (
        "a.jsonl",
        b'{"a": "x"}\n{"a": "caf\xe9"}\n',
        "a.jsonl line 2: is not UTF-8 text (invalid continuation byte); save it as UTF-8",
    ),
    (
        "a.json",
        b'[{"a": 1},\n {"a" 2}]',
        "a.json line 2: is not valid JSON: Expecting ':' delimiter (column 7)",
    ),
    (
        "a.json",
        b'[{"a": "x"},\n{"a": "caf\xe9"}]',
        "a.json line 2: is not UTF-8 text (invalid continuation byte); save it as UTF-8",
    ),
    ("a.json", b"[]", "a.json: is empty"),
    ("a.json", b'[{"a": 1}, "b"]', "a.json row 2: is text, not an object"),
    ("a.json", b'{"data": []}', "a.json data: is empty"),
    (
        "a.json",
        b'{"name": "x", "text": {"0": "a"}}',
        "{path}: holds no list of rows (its keys are name, text); "
        'write [{{"column": value, ...}}, ...]',
    ),
    (
        "a.json",
        b'{"prompt": ["x"], "completion": ["y"]}',
        "{path}: holds no list of rows (its keys are prompt, completion); "
        'write [{{"column": value, ...}}, ...]',
    ),
    ("a.json", b"7", "{path}: is a number, not a list of rows"),
    ("a.json", b"{}", "{path}: is empty"),
    ("a.json", b"[" * 100_000, "{path}: is nested too deeply"),
    (
        "a.txt",
        b"hello",
        "{path}: has the unknown extension '.txt'; "
        "write the rows as .csv, .tsv, .jsonl, .json, .parquet, .arrow, .feather, .sqlite, "
        ".sqlite3, .db",
    ),
    (
        "a",
        b"hello",
        "{path}: has the unknown extension '(none)'; "
        "write the rows as .csv, .tsv, .jsonl, .json, .parquet, .arrow, .feather, .sqlite, "
        ".sqlite3, .db",
    ),
]


@pytest.mark.parametrize(("name", "content", "sentence"), BAD_FILES)
def test_a_bad_file_gets_one_sentence(
    tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_dataset(TextDataSection(path=str(path)))
    assert str(caught.value) == sentence.format(path=path)


def test_broken_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "a.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(DataError, match=r"a\.parquet: is not a readable parquet file \("):
        read_dataset(TextDataSection(path=str(tmp_path / "a.parquet")))


def test_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"needs pyarrow, which is not installed; run: pip"):
        read_dataset(TextDataSection(path=str(tmp_path / "a.parquet")))


BAD_PLACES: list[tuple[dict[str, str], dict[str, Any], str]] = [
    ({}, {"path": "{root}/no.csv"}, "{root}/no.csv: there is no such file or folder"),
    ({}, {"path": "{root}/empty"}, "{root}/empty: has no csv, tsv, jsonl, json or parquet file"),
    (
        {"rows.csv": "a\n1\n", "more.jsonl": '{"a": 1}'},
        {"path": "{root}"},
        "{root}: has no split 'train', which data.train_split names; the splits are more, rows",
    ),
    (
        {"train.csv": "a\n1\n", "train.jsonl": '{"a": 1}'},
        {"path": "{root}"},
        "{root}: has train.csv, train.jsonl for the split 'train'; leave one of them there",
    ),
    (
        {"train.csv": "a\n1\n", "test.csv": "a\n1\n"},
        {"path": "{root}", "validation_split": "val"},
        "{root}: has no split 'val', which data.validation_split names; the splits are test, train",
    ),
    (
        {"a.json": '{"train": [{"t": 1}], "test": [{"t": 2}]}'},
        {"path": "{root}/a.json", "train_split": "all"},
        "{root}/a.json: has no split 'all', which data.train_split names; "
        "the splits are train, test",
    ),
    (
        {"a.csv": "a\n1\n"},
        {"path": "{root}/a.csv", "validation_split": "test"},
        "a.csv: is one table without splits, so data.validation_split cannot be 'test'; "
        "name a folder with test.csv or leave data.validation_split out",
    ),
    (
        {"a.csv": "t,w\nx,0\ny,0\n"},
        {"path": "{root}/a.csv", "weight_column": "w"},
        "a.csv: every row has weight 0 in the column 'w'",
    ),
]


@pytest.mark.parametrize(("files", "values", "sentence"), BAD_PLACES)
def test_a_bad_place_gets_one_sentence(
    tmp_path: Path, files: dict[str, str], values: dict[str, Any], sentence: str
) -> None:
    (tmp_path / "empty").mkdir()
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    path = values["path"].format(root=tmp_path)
    with pytest.raises(DataError) as caught:
        read_dataset(TextDataSection(**{**values, "path": path}))
    assert str(caught.value).startswith(sentence.format(root=tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not hasattr(__import__("os"), "geteuid"), reason="needs POSIX permissions")
def test_unreadable_file(tmp_path: Path) -> None:
    import os

    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    path = tmp_path / "a.csv"
    path.write_text("a\n1\n")
    path.chmod(0)
    with pytest.raises(DataError, match="cannot be read: Permission denied"):
        read_dataset(TextDataSection(path=str(path)))
