"""Tables: every kind of model, stops at any moment, and data that can be learnt."""

from __future__ import annotations

import json
import random
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

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

from .cards import run_card
from .flowers import CLASSIFICATION, REGRESSION, rows, settings, write
from .forking import Forked

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
        assert re.fullmatch(words, run_card(run.model).strip())


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
        "training__num_trials": 5,
        "launch__threads": 2,
    }
    whole, _ = go(CLASSIFICATION, **changes)
    run = RunFolder(tmp_path / "cut")
    run.path.mkdir()
    run.spec.write_bytes(whole.spec.read_bytes())
    attempt = run.attempt(1)
    process = Forked(run, 1)
    while process.poll() is None:
        if sum(isinstance(e, MetricsEvent) for e in read_events(attempt.events)) >= 2:
            break
        time.sleep(0.005)
    if kill:
        process.send_signal(signal.SIGKILL)
    else:
        attempt.stop_request.write_text('{"now": false}')
    assert process.wait(60) == (-9 if kill else 0)
    made = len(trials_of(run))
    assert 2 <= made < 5
    assert launch.main([str(run.path), "2"]) == 0
    steps = [event.step for event in of_kind(read_events(run.attempt(2).events), MetricsEvent)]
    assert steps == list(range(made + 1, 6))
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


def test_columns_that_teach_nothing_are_told(go: Go) -> None:
    table = [{**row, "same": 1, "void": ""} for row in rows()]
    _, events = go(CLASSIFICATION, table, data__column_mapping={"label": "kind"})
    told = " ".join(event.message for event in of_kind(events, WarningEvent))
    assert "same is the same in every row" in told
    assert "void is empty in every row" in told
    assert "name is not learnt from: it is different in nearly every row" in told


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
