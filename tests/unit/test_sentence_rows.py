"""Rows and settings of the sentence transformer tasks; each mistake gets one sentence."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from luthier.trainers.data.columned import ColumnedFindings, read_columned
from luthier.trainers.errors import DataError, SpecError
from luthier.trainers.registry import find_task
from luthier.trainers.spec.file import build_spec

_PAIR, _QA, _TRIPLET = "st-pair", "st-qa", "st-triplet"
_SCORE, _CLASS = "st-pair-score", "st-pair-class"
_GOOD: dict[str, list[dict[str, Any]]] = {
    _PAIR: [{"sentence1": f"one {n}", "sentence2": f"two {n}"} for n in range(20)],
    _QA: [{"question": f"why {n}?", "answer": f"because {n}"} for n in range(20)],
    _TRIPLET: [{"anchor": f"a {n}", "positive": f"b {n}", "negative": f"c {n}"} for n in range(20)],
    _SCORE: [
        {"sentence1": f"one {n}", "sentence2": f"two {n}", "score": n / 20} for n in range(20)
    ],
    _CLASS: [
        {"sentence1": f"one {n}", "sentence2": f"two {n}", "label": ["no", "yes"][n % 2]}
        for n in range(20)
    ],
}


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _values(task: str, path: Path, **sections: Any) -> dict[str, Any]:
    return {"task": task, "model": {"name_or_path": "m"}, "data": {"path": str(path)}, **sections}


def _look(task: str, path: Path, **sections: Any) -> ColumnedFindings:
    return read_columned(build_spec(_values(task, path, **sections)))


def _problems(task: str, path: Path, **sections: Any) -> list[str]:
    try:
        return [str(problem) for problem in _look(task, path, **sections).problems]
    except DataError as error:
        return [str(problem) for problem in error.problems]


def _with(task: str, **cells: Any) -> list[dict[str, Any]]:
    """Good rows, of which the fourth has other cells."""
    rows = [dict(row) for row in _GOOD[task]]
    rows[3] |= cells
    return rows


def _all(task: str, **cells: Any) -> list[dict[str, Any]]:
    return [{**row, **cells} for row in _GOOD[task]]


@pytest.mark.parametrize("task", _GOOD)
def test_good_rows_are_read(tmp_path: Path, task: str) -> None:
    found = _look(task, _write(tmp_path / "train.jsonl", _GOOD[task]))
    assert not found.problems
    assert len(found.records("train")) + len(found.records("validation")) == 20
    roles = [column.role for column in find_task(task).columns]
    assert list(found.records("train")[0].values)[: len(roles)] == roles


@pytest.mark.parametrize(
    ("task", "rows", "sentence"),
    [
        (_PAIR, _with(_PAIR, sentence1=["a"]), "line 4: sentence1 is a list, not text"),
        (_PAIR, _with(_PAIR, sentence2={"a": 1}), "line 4: sentence2 is a mapping, not text"),
        (_PAIR, _with(_PAIR, sentence2=True), "line 4: sentence2 is true or false, not text"),
        (_PAIR, _with(_PAIR, sentence1="\ud800"), "line 4: sentence1 holds half of a character"),
        (
            _PAIR,
            _with(_PAIR, sentence1="same", sentence2=" same "),
            "line 4: sentence1 and sentence2 are the same text",
        ),
        (_PAIR, _all(_PAIR, sentence2=None), "sentence2 is empty in"),
        (_PAIR, [{"sentence1": "a", "other": "b"}] * 3, "no column is known to be the sentence2"),
        (_PAIR, _GOOD[_PAIR][:1], "one training row has no others to be told from"),
        (_QA, _with(_QA, question=[]), "line 4: question is a list, not text"),
        (_QA, _with(_QA, answer=["a", "b"]), "line 4: answer is a list, not text"),
        (_QA, _with(_QA, answer="why 3?"), "line 4: question and answer are the same text"),
        (_QA, _all(_QA, question=" "), "question is empty in"),
        (_TRIPLET, _with(_TRIPLET, negative=["a"]), "line 4: negative is a list, not text"),
        (
            _TRIPLET,
            _with(_TRIPLET, negative="b 3"),
            "line 4: positive and negative are the same text",
        ),
        (_TRIPLET, _all(_TRIPLET, anchor=""), "anchor is empty in"),
        (_TRIPLET, _GOOD[_TRIPLET][:1], "one training row has no others"),
        (_SCORE, _with(_SCORE, score="high"), "line 4: score is 'high', not a number"),
        (_SCORE, _with(_SCORE, score=True), "line 4: score is True, not a number"),
        (_SCORE, _with(_SCORE, score=float("inf")), "line 4: score is inf, not a number"),
        (_SCORE, _all(_SCORE, score=1), "every training row has the same score"),
        (_SCORE, _all(_SCORE, score=None), "score is empty in"),
        (_CLASS, _with(_CLASS, label=["yes"]), "line 4: label is a list; every pair has one"),
        (_CLASS, _with(_CLASS, label={"a": 1}), "line 4: label is a mapping, not one label"),
        (_CLASS, _with(_CLASS, sentence1=[1]), "line 4: sentence1 is a list, not text"),
        (_CLASS, _all(_CLASS, label="yes"), "every row has the label 'yes'"),
    ],
)
def test_wrong_rows_get_one_sentence(
    tmp_path: Path, task: str, rows: list[dict[str, Any]], sentence: str
) -> None:
    found = _problems(task, _write(tmp_path / "train.jsonl", rows))
    assert found
    assert all("\n" not in text for text in found)
    assert any(sentence in text for text in found), found


def test_scores_have_a_range_where_the_loss_has(tmp_path: Path) -> None:
    path = _write(tmp_path / "train.jsonl", _with(_SCORE, score=4.5))
    assert not _problems(_SCORE, path)
    (found,) = _problems(_SCORE, path, training={"loss": "cosine-similarity"})
    assert "line 4: has a score beyond -1 to 1" in found


def test_a_class_that_is_only_measured_is_a_problem(tmp_path: Path) -> None:
    _write(tmp_path / "train.jsonl", _GOOD[_CLASS])
    _write(tmp_path / "valid.jsonl", [{**_GOOD[_CLASS][0], "label": "maybe"}])
    (found,) = _problems(_CLASS, tmp_path)
    assert "line 1: has the label 'maybe', which no training row has" in found


@pytest.mark.parametrize(
    ("task", "settings", "key"),
    [
        (_PAIR, {"matryoshka_dims": [64, 64]}, "training.matryoshka_dims"),
        (_PAIR, {"matryoshka_dims": [0]}, "training.matryoshka_dims"),
        (_PAIR, {"loss": "triplet"}, "training.loss"),
        (_PAIR, {"label_smoothing_factor": 0.1}, "training.label_smoothing_factor"),
        (_PAIR, {"neftune_noise_alpha": 5}, "training.neftune_noise_alpha"),
        (_QA, {"train_sampling_strategy": "sequential"}, "training.train_sampling_strategy"),
        (_QA, {"hard_negatives": -1}, "training.hard_negatives"),
        (_TRIPLET, {"margin": 0}, "training.margin"),
        (_SCORE, {"scale": 0}, "training.scale"),
        (_CLASS, {"matryoshka_dims": [64]}, "training.matryoshka_dims"),
        (_CLASS, {"similar_class": "yes"}, "training.similar_class"),
        (_CLASS, {"loss": "contrastive", "class_weights": "balanced"}, "training.class_weights"),
    ],
)
def test_settings_that_cannot_work_are_refused(
    task: str, settings: dict[str, Any], key: str
) -> None:
    with pytest.raises(SpecError, match=key):
        build_spec(_values(task, Path("d"), training=settings))


class TestAutoTrain:
    """The layouts and names of AutoTrain."""

    @pytest.mark.parametrize(
        ("alias", "task"),
        [
            ("st:pair", _PAIR),
            ("sentence-transformers:pair", _PAIR),
            ("st:pair_class", _CLASS),
            ("st:pair_score", _SCORE),
            ("st:triplet", _TRIPLET),
            ("st:qa", _QA),
        ],
    )
    def test_its_task_ids(self, alias: str, task: str) -> None:
        assert build_spec(_values(alias, Path("d"))).task == task

    @pytest.mark.parametrize("task", _GOOD)
    def test_its_column_keys(self, tmp_path: Path, task: str) -> None:
        roles = [column.role for column in find_task(task).columns]
        keys = ["sentence1_column", "sentence2_column", "sentence3_column"][: len(roles)]
        if task in (_SCORE, _CLASS):
            keys[2] = "target_column"
        names = [f"column {number}" for number in range(len(roles))]
        rows = [dict(zip(names, row.values(), strict=True)) for row in _GOOD[task]]
        path = _write(tmp_path / "train.jsonl", rows)
        data = {"path": str(path), "column_mapping": dict(zip(keys, names, strict=True))}
        found = _look(task, path, data=data)
        assert found.parts == dict(zip(roles, names, strict=True))
        assert not found.problems

    @pytest.mark.parametrize("task", _GOOD)
    def test_its_column_names_in_a_folder_of_csv(self, tmp_path: Path, task: str) -> None:
        count = len(find_task(task).columns)
        names = ["sentence1", "sentence2", "sentence3"][:count]
        if task in (_SCORE, _CLASS):
            names[2] = "target"
        for split in ("train", "valid"):
            with (tmp_path / f"{split}.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(names)
                writer.writerows(list(row.values()) for row in _GOOD[task])
        found = _look(task, tmp_path)
        assert not found.problems
        assert len(found.records("validation")) == 20
