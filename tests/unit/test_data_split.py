"""Setting validation rows aside: the same rows everywhere, none on both sides."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.trainers.data import Dataset, read_dataset
from luthier.trainers.data.split import set_aside
from luthier.trainers.data.table import Row, Table
from luthier.trainers.spec import TextDataSection

ROWS = st.lists(
    st.fixed_dictionaries({"prompt": st.integers(0, 30).map(str), "completion": st.text()}),
    min_size=1,
    max_size=60,
)


def table_of(rows: list[Row]) -> Table:
    return Table("rows.jsonl", ("prompt", "completion"), rows, list(range(1, len(rows) + 1)))


def contents(table: Table | None) -> Counter[str]:
    return Counter(json.dumps(row, sort_keys=True) for row in (table.rows if table else []))


@given(rows=ROWS, fraction=st.floats(0, 0.99), seed=st.integers(0, 9), random=st.randoms())
def test_the_same_rows_whatever_their_order(
    rows: list[Row], fraction: float, seed: int, random: Any
) -> None:
    shuffled = [dict(reversed(row.items())) for row in rows]
    random.shuffle(shuffled)
    here = set_aside(table_of(rows), fraction, seed)
    there = set_aside(table_of(shuffled), fraction, seed)
    assert [contents(table) for table in here] == [contents(table) for table in there]


@given(rows=ROWS, fraction=st.floats(0, 0.99), seed=st.integers(0, 9))
def test_nothing_is_lost_and_nothing_is_on_both_sides(
    rows: list[Row], fraction: float, seed: int
) -> None:
    train, validation = set_aside(table_of(rows), fraction, seed)
    assert contents(train) + contents(validation) == contents(table_of(rows))
    assert not contents(train).keys() & contents(validation).keys()
    assert len(train) > 0
    assert train.places == sorted(train.places)
    assert (validation is None) == (fraction == 0 or len(contents(table_of(rows))) < 2)


@given(count=st.integers(2, 200), fraction=st.floats(0.001, 0.99))
def test_the_share_is_as_asked_when_all_rows_differ(count: int, fraction: float) -> None:
    rows: list[Row] = [{"prompt": str(number)} for number in range(count)]
    _, validation = set_aside(table_of(rows), fraction, 42)
    assert validation is not None
    assert len(validation) == min(max(1, round(count * fraction)), count - 1)


def test_another_seed_sets_other_rows_aside() -> None:
    table = table_of([{"prompt": str(number)} for number in range(100)])
    chosen = [set_aside(table, 0.1, seed)[1] for seed in (1, 2)]
    assert contents(chosen[0]) != contents(chosen[1])


def read(path: Path, **values: Any) -> Dataset:
    return read_dataset(TextDataSection(path=str(path), **values))


@pytest.fixture
def rows_file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps({"text": str(number)}) for number in range(50)))
    return path


def test_rows_set_aside_are_known_by_their_places(rows_file: Path) -> None:
    # Written down, so that a change of the choice between versions is noticed.
    dataset = read(rows_file)
    assert dataset.validation_made
    assert dataset.validation is not None
    assert dataset.validation.places == [5, 9, 13, 20, 26]
    assert all(
        table.rows[index]["text"] == str(table.places[index] - 1)
        for table in (dataset.train, dataset.validation)
        for index in range(len(table))
    )


def test_fingerprint_follows_content_and_settings(rows_file: Path, tmp_path: Path) -> None:
    first = read(rows_file).fingerprint
    copy = tmp_path / "elsewhere.csv"
    copy.write_text("text\n" + "\n".join(str(number) for number in range(50)))
    assert read(copy).fingerprint == first
    changed = {
        "split_seed": 1,
        "validation_fraction": 0.2,
        "max_rows": 40,
        "system_prompt": "x",
        "column_mapping": {"text": "text"},
    }
    others = {read(rows_file, **{key: value}).fingerprint for key, value in changed.items()}
    copy.write_text("text\n" + "\n".join(str(number) for number in range(1, 51)))
    others.add(read(copy).fingerprint)
    assert len(others) == len(changed) + 1
    assert first not in others


def test_fingerprint_follows_the_code_of_a_function(rows_file: Path, tmp_path: Path) -> None:
    code = tmp_path / "own.py"
    values = {"prompt_function": f"{code}:ask", "completion_template": "{text}"}
    code.write_text("def ask(row): return 'a'")
    first = read(rows_file, **values).fingerprint
    code.write_text("def ask(row): return 'b'")
    assert read(rows_file, **values).fingerprint != first


def test_max_rows_takes_the_first_of_each_split(tmp_path: Path) -> None:
    for split in ("train", "test"):
        lines = "\n".join(f"{split} {number}" for number in range(9))
        (tmp_path / f"{split}.csv").write_text("text\n" + lines)
    dataset = read(tmp_path, max_rows=4)
    assert dataset.train.places == [1, 2, 3, 4]
    assert dataset.validation is not None
    assert dataset.validation.places == [1, 2, 3, 4]
