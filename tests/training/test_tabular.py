"""Tables: every kind of model, stops at any moment, wrong rows, and data that can be learnt."""

from __future__ import annotations

import csv
import json
import random
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.feather
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from luthier.trainers.data.columned import read_columned
from luthier.trainers.events import (
    ErrorEvent,
    Event,
    MetricsEvent,
    ReportEvent,
    WarningEvent,
    read_events,
)
from luthier.trainers.registry import find_task
from luthier.trainers.run_folder import RunFolder
from luthier.trainers.spec.file import build_spec

CLASSIFICATION, REGRESSION = "tabular-classification", "tabular-regression"


def rows(count: int = 120, seed: int = 1) -> list[dict[str, Any]]:
    """Flowers whose kind and height follow from their columns; some cells are empty."""
    chance = random.Random(seed)
    found = []
    for number in range(count):
        width, soil = chance.uniform(0, 10), chance.choice(["clay", "sand", "peat"])
        tall = 3 * width + {"clay": 0, "sand": 10, "peat": 20}[soil]
        found.append(
            {
                "name": f"flower {number}",
                "width": "" if number % 17 == 3 else round(width, 3),
                "soil": "" if number % 19 == 5 else soil,
                "kind": "tall" if tall > 25 else "small",
                "red": "yes" if width > 5 else "no",
                "height": round(tall, 2),
            }
        )
    return found


def write(folder: Path, table: list[dict[str, Any]], name: str = "data.csv") -> Path:
    path = folder / name
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    return path


def settings(task: str, data: Path, **changes: Any) -> dict[str, Any]:
    label = "kind" if task == CLASSIFICATION else "height"
    ignored = [name for name in ("kind", "red", "height") if name != label]
    spec: dict[str, Any] = {
        "task": task,
        "data": {
            "path": str(data),
            "column_mapping": {"label": label, "id": "name"},
            "ignored_columns": ignored,
            "validation_fraction": 0.25,
        },
        "model": {"estimators": ["decision_tree"]},
        "training": {"num_trials": 1, "folds": 3, "importance_repeats": 1},
        "launch": {"devices": "cpu", "offline": True, "threads": 1},
    }
    for key, value in changes.items():
        section, _, name = key.partition("__")
        spec[section][name] = value
    return spec


Go = Callable[..., tuple[RunFolder, list[Event]]]


@pytest.fixture
def go(tmp_path: Path) -> Go:
    """Runs the first attempt of a run in this process; it must succeed."""
    from luthier.trainers import launch

    def run_it(task: str, table: list[dict[str, Any]] | None = None, **changes: Any) -> Any:
        data = write(tmp_path, table or rows())
        run = RunFolder(tmp_path / f"run-{len(list(tmp_path.glob('run-*')))}")
        run.path.mkdir()
        run.spec.write_text(yaml.safe_dump(settings(task, data, **changes)), encoding="utf-8")
        code = launch.main([str(run.path), "1"])
        events = read_events(run.attempt(1).events)
        assert code == 0, [event for event in events if isinstance(event, ErrorEvent)]
        return run, events

    return run_it


def figures(run: RunFolder) -> dict[str, float]:
    found: dict[str, float] = json.loads((run.artifacts / "metrics.json").read_text())
    return found


def of_kind(events: list[Event], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


CHOICES = [
    (task, name)
    for task in (CLASSIFICATION, REGRESSION)
    for name in find_task(task).spec.model_json_schema()["$defs"][
        "ClassifierSection" if task == CLASSIFICATION else "RegressorSection"
    ]["properties"]["estimators"]["items"]["enum"]
]


@pytest.mark.parametrize(("task", "estimator"), CHOICES)
def test_every_kind_of_model_learns(go: Go, task: str, estimator: str) -> None:
    run, events = go(task, model__estimators=[estimator], training__num_trials=2)
    found = figures(run)
    if task == CLASSIFICATION:
        assert found["eval_accuracy"] > 0.7
    else:
        assert found["eval_r2"] > 0.5
    shown = {report.name for report in of_kind(events, ReportEvent)}
    assert {"trials", "importance", "worst"} <= shown
    assert {"confusion_matrix", "per_class", "calibration"} <= shown or "residuals" in shown


def test_the_columns_that_matter_are_named(go: Go) -> None:
    table = [{**row, "noise": random.Random(n).random()} for n, row in enumerate(rows())]
    _, events = go(REGRESSION, table, training__importance_repeats=3)
    (report,) = [each for each in of_kind(events, ReportEvent) if each.name == "importance"]
    assert {row[0] for row in report.rows[:2]} == {"width", "soil"}
    assert report.rows[2][0] == "noise"


@pytest.mark.parametrize("encoder", ["one_hot", "ordinal", "target"])
@pytest.mark.parametrize("imputer", ["most_frequent", "constant"])
def test_columns_are_prepared_as_asked(go: Go, encoder: str, imputer: str) -> None:
    run, _ = go(
        CLASSIFICATION,
        model__estimators=["lightgbm"],
        training__categorical_encoder=encoder,
        training__categorical_imputer=imputer,
        training__numerical_imputer="constant" if imputer == "constant" else "mean",
        training__numeric_scaler="robust",
    )
    assert figures(run)["eval_accuracy"] > 0.7


@pytest.mark.parametrize("estimator", ["xgboost", "ridge", "lightgbm"])
def test_several_questions_are_answered_each_by_its_own(go: Go, estimator: str) -> None:
    run, events = go(
        CLASSIFICATION,
        model__estimators=[estimator],
        data__column_mapping={"label": "kind, red", "id": "name"},
        data__ignored_columns=["height"],
    )
    found = figures(run)
    # The mistake to avoid: one model for both answers.
    assert found["eval_accuracy_kind"] > 0.7
    assert found["eval_accuracy_red"] > 0.8
    assert "confusion_matrix_red" in {report.name for report in of_kind(events, ReportEvent)}


def test_several_numbers_and_stacking(go: Go) -> None:
    table = [{**row, "twice": 2 * row["height"]} for row in rows()]
    run, _ = go(
        REGRESSION,
        table,
        model__estimators=["ridge", "decision_tree"],
        model__ensemble="stacking",
        training__num_trials=2,
        data__column_mapping={"label": "height, twice", "id": "name"},
        data__ignored_columns=["kind", "red"],
    )
    found = figures(run)
    assert min(found["eval_r2_height"], found["eval_r2_twice"]) > 0.5
    about = json.loads((run.model / "config.json").read_text())
    assert about["estimator"] == "stacking"


def test_weights_and_balance_count(go: Go) -> None:
    rare = [row for n, row in enumerate(rows(400)) if row["kind"] == "small" or n % 12 == 0]
    for n, row in enumerate(rare):
        row["width"] = random.Random(n).uniform(0, 10)
        row["soil"] = "clay"
    plain, _ = go(CLASSIFICATION, rare, model__estimators=["logistic_regression"])
    even, _ = go(
        CLASSIFICATION,
        rare,
        model__estimators=["logistic_regression"],
        training__class_weight="balanced",
    )
    # With columns that say nothing everybody is taken for the frequent class, unless balanced.
    assert figures(plain)["eval_recall_macro"] == pytest.approx(0.5, abs=0.01)
    assert figures(even)["eval_f1_macro"] != figures(plain)["eval_f1_macro"]


def test_the_result_is_loaded_by_its_card_alone(go: Go) -> None:
    for task, words in ((CLASSIFICATION, r"kind (tall|small)"), (REGRESSION, r"height \d+\.\d+")):
        run, _ = go(task, model__estimators=["xgboost"])
        card = (run.model / "README.md").read_text(encoding="utf-8")
        (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
        told = subprocess.run(
            [sys.executable, "-c", code], cwd=run.model, capture_output=True, text=True, check=True
        )
        assert re.fullmatch(words, told.stdout.strip())


def test_predictions(go: Go) -> None:
    from luthier.trainers.errors import LuthierError
    from luthier.trainers.tabular.predicting import TabularPredictor

    run, _ = go(CLASSIFICATION, model__estimators=["random_forest"])
    predictor = TabularPredictor(run, "cpu")
    cells: list[dict[str, Any]] = [{"width": 9.9, "soil": "peat"}, {"width": 0.1, "soil": None}]
    found = predictor.predict(cells)
    assert found[0]["label"] == "tall"
    assert sum(found[1]["scores"].values()) == pytest.approx(1)
    with pytest.raises(LuthierError, match="no column 'soil'"):
        predictor.predict([{"width": 1, "sole": "clay"}])


# -- stopping and going on ---------------------------------------------------------------------


def trials_of(run: RunFolder) -> list[dict[str, Any]]:
    lines = (run.checkpoints / "trials.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


@pytest.mark.parametrize("kill", [True, False])
def test_interrupted_equals_uninterrupted(go: Go, tmp_path: Path, kill: bool) -> None:
    from luthier.trainers import launch

    changes: dict[str, Any] = {
        "model__estimators": ["extra_trees", "logistic_regression"],
        "training__num_trials": 7,
        "launch__threads": 2,
    }
    whole, _ = go(CLASSIFICATION, **changes)
    run = RunFolder(tmp_path / "cut")
    run.path.mkdir()
    run.spec.write_bytes(whole.spec.read_bytes())
    attempt = run.attempt(1)
    attempt.path.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "luthier.trainers.launch", str(run.path), "1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None:
        if sum(isinstance(e, MetricsEvent) for e in read_events(attempt.events)) >= 2:
            break
    if kill:
        process.kill()
    else:
        attempt.stop_request.write_text('{"now": false}')
    assert process.wait(60) == (-9 if kill else 0)
    made = len(trials_of(run))
    assert 2 <= made < 7
    assert launch.main([str(run.path), "2"]) == 0
    steps = [event.step for event in of_kind(read_events(run.attempt(2).events), MetricsEvent)]
    assert steps == list(range(made + 1, 8))
    assert trials_of(run) == trials_of(whole)
    assert figures(run) == figures(whole)


@given(cut=st.integers(0, 400))
def test_a_torn_line_costs_one_trial(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    from luthier.trainers.tabular.trials import Trial, TrialLog

    path = tmp_path_factory.mktemp("log") / "trials.jsonl"
    log = TrialLog(path)
    for number in (1, 2, 3):
        log.add(
            Trial(number=number, estimator="ridge", settings={"alpha": 0.1}, scores=[1.5],
                  state="complete", seconds=0.1)
        )  # fmt: skip
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - cut])
    again = TrialLog(path)
    kept = len(again.trials)
    assert again.trials == log.trials[:kept]
    assert kept >= max(0, whole[: len(whole) - cut].count(b"\n"))
    again.add(log.trials[0])
    assert len(TrialLog(path).trials) == kept + 1


def test_no_trial_begins_after_the_time_is_over(go: Go) -> None:
    run, _ = go(CLASSIFICATION, training__num_trials=50, training__time_limit=0.001)
    assert len(trials_of(run)) == 1


# -- data --------------------------------------------------------------------------------------


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


def test_columns_that_teach_nothing_are_told(go: Go) -> None:
    table = [{**row, "same": 1, "void": ""} for row in rows()]
    _, events = go(CLASSIFICATION, table, data__column_mapping={"label": "kind"})
    told = " ".join(event.message for event in of_kind(events, WarningEvent))
    assert "same is the same in every row" in told
    assert "void is empty in every row" in told
    assert "name is not learnt from: it is different in nearly every row" in told


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


@pytest.mark.slow
def test_breast_cancer_and_diabetes_are_learnt(go: Go) -> None:
    from sklearn.datasets import load_breast_cancer, load_diabetes

    cancer = load_breast_cancer(as_frame=True).frame.to_dict("records")
    run, _ = go(
        CLASSIFICATION,
        cancer,
        data__column_mapping={},
        data__ignored_columns=[],
        model__estimators=["lightgbm", "logistic_regression"],
        training__num_trials=8,
        training__folds=5,
    )
    assert figures(run)["eval_accuracy"] >= 0.94
    diabetes = load_diabetes(as_frame=True, scaled=False).frame.to_dict("records")
    run, _ = go(
        REGRESSION,
        diabetes,
        data__column_mapping={},
        data__ignored_columns=[],
        model__estimators=["ridge", "random_forest"],
        training__num_trials=8,
        training__folds=5,
    )
    assert figures(run)["eval_r2"] >= 0.4
