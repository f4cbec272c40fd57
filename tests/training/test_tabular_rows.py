"""Tables of every kind of file, and one sentence for each mistake."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.feather
import pytest

from luthier.trainers.data.columned import read_columned
from luthier.trainers.spec.file import build_spec

from .flowers import CLASSIFICATION, REGRESSION, rows, settings, write


def test_files_of_other_kinds(tmp_path: Path) -> None:
    table = rows(20)
    typed = pyarrow.Table.from_pylist([{**row, "width": row["width"] or None} for row in table])
    pyarrow.feather.write_feather(typed, tmp_path / "a.arrow")
    with sqlite3.connect(tmp_path / "b.db") as database:
        database.execute("CREATE TABLE flowers (name, width, soil, kind, red, height)")
        database.executemany(
            "INSERT INTO flowers VALUES (:name, :width, :soil, :kind, :red, :height)", table
        )
    database.close()
    for name in ("a.arrow", "b.db"):
        found = read_columned(build_spec(settings(CLASSIFICATION, tmp_path / name)))
        assert found.problems == []
        assert len(found.records("train")) + len(found.records("validation")) == 20


WRONG = [
    ({}, [{"a": 1, "b": "x"}], "no column is known to be the label"),
    ({"label": "kindd"}, rows(12), "there is no column 'kindd'"),
    ({"label": "kind", "id": "name, soil"}, rows(12), "id takes one column, not 2"),
    ({"label": "kind"}, [{**row, "kind": "tall"} for row in rows(12)], "every row has kind 'tall'"),
    ({"label": "kind"}, [*rows(12), {**rows(1)[0], "kind": "blue"}], "is a class of one row"),
    ({"label": "kind"}, [{"kind": row["kind"]} for row in rows(12)], "no column to learn from"),
    ({"label": "kind"}, rows(2), "cannot be cut into 3 folds"),
    ({"label": "kind"}, [{**row, "kind": ""} for row in rows(12)], "kind is empty in 12 of 12"),
]  # fmt: skip


@pytest.mark.parametrize(("mapping", "table", "sentence"), WRONG, ids=[each[2] for each in WRONG])
def test_wrong_tables_get_one_sentence(
    tmp_path: Path, mapping: dict[str, str], table: list[dict[str, Any]], sentence: str
) -> None:
    spec = settings(CLASSIFICATION, write(tmp_path, table))
    spec["data"] |= {"column_mapping": mapping, "validation_fraction": 0}
    problems = [str(problem) for problem in read_columned(build_spec(spec)).problems]
    assert any(sentence in problem for problem in problems), problems


def test_a_target_that_is_no_number_is_told_with_its_row(tmp_path: Path) -> None:
    table = rows(30)
    table[6]["height"] = "high"
    found = read_columned(build_spec(settings(REGRESSION, write(tmp_path, table))))
    (problem,) = found.problems
    assert str(problem) == "data.csv row 7: height is 'high', not a number"


IMPOSSIBLE = [
    ({"model__ensemble": "stacking"}, "stacking needs two or more model.estimators"),
    ({"model__estimators": ["knn"], "training__class_weight": "balanced"}, "knn takes no weights"),
    ({"model__estimators": ["knn"], "data__weight_column": "width"}, "knn takes no weights"),
    ({"data__categorical_columns": ["soil"], "data__numerical_columns": ["soil"]}, "too"),
    ({"training__folds": 1}, "greater than or equal to 2"),
    ({"model__estimators": ["catboost"]}, "catboost"),
]


@pytest.mark.parametrize(("changes", "sentence"), IMPOSSIBLE)
def test_settings_that_cannot_work(changes: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    from luthier.trainers.errors import SpecError

    with pytest.raises(SpecError) as caught:
        build_spec(settings(CLASSIFICATION, tmp_path / "data.csv", **changes))
    assert sentence in str(caught.value)


# -- real data ---------------------------------------------------------------------------------
