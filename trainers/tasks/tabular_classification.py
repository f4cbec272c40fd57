"""tabular-classification: classes from the columns of a table."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..registry import Column, Inputs, Loading, Task
from ..spec import Section, parameter
from ..spec.tabular_sections import USAGE, SearchSection, TabularSpec

Estimator = Literal[
    "lightgbm", "xgboost", "random_forest", "extra_trees", "gradient_boosting", "adaboost",
    "decision_tree", "logistic_regression", "ridge", "svm", "knn", "naive_bayes",
]  # fmt: skip


class ClassifierSection(Section):
    """Which kinds of model are tried."""

    estimators: list[Estimator] = parameter(
        ["lightgbm", "xgboost", "random_forest", "logistic_regression"],
        "Kinds of model among which the search looks.",
        level="beginner",
        min_length=1,
    )
    ensemble: Literal["none", "stacking"] = parameter(
        "none", "stacking lets the best of each kind answer together.", level="beginner"
    )


class ClassificationSearch(SearchSection):
    """How the best settings are searched; every trial is cross-validated."""

    metric: Literal["log_loss", "accuracy", "f1_macro", "roc_auc"] = parameter(
        "log_loss", "What best means.", level="beginner", group="search"
    )
    class_weight: Literal["none", "balanced"] = parameter(
        "none", "balanced lets rare classes count as much as frequent ones.", group="search"
    )


class TabularClassificationSpec(TabularSpec):
    """A run that learns classes."""

    task: Literal["tabular-classification"] = parameter(
        "tabular-classification", "What is trained.", level="beginner"
    )
    model: ClassifierSection = parameter(ClassifierSection(), "Which kinds of model are tried.")
    training: ClassificationSearch = parameter(ClassificationSearch(), "How the best is searched.")

    @property
    def estimators(self) -> tuple[str, ...]:
        return tuple(self.model.estimators)

    @property
    def stacking(self) -> bool:
        return self.model.ensemble == "stacking"

    @property
    def search(self) -> ClassificationSearch:
        return self.training

    @property
    def balanced(self) -> bool:
        return self.training.class_weight == "balanced"


TASK = Task(
    id="tabular-classification",
    family="tabular",
    title="Table classification",
    sentence="Tell from the columns of a table which class a row belongs to.",
    columns=(
        Column("label", "class; several columns for several questions", "benign", several=True,
               names=("target", "targets", "class", "labels", "y", "target_columns")),
        Column("features", "numbers and words; silent: every other column", 5.1, required=False,
               several=True),
        Column("id", "name of the row, not looked at", 17, required=False, names=("id_column",)),
    ),
    spec=TabularClassificationSpec,
    metrics=("eval_log_loss", "eval_accuracy", "eval_f1", "eval_precision", "eval_recall",
             "eval_auc"),
    default_model="",
    sample=Path(__file__).parent.parent / "samples" / "tabular-classification",
    train="luthier.trainers.tabular.training:train",
    rules="luthier.trainers.tabular.rows:TabularRules",
    loading=Loading("", "", None, "sklearn", "tabular-classification"),
    usage=USAGE,
    predict="luthier.trainers.tabular.predicting:TabularPredictor",
    inputs=Inputs((), kind="row"),
    sample_settings={"training.num_trials": 6, "training.folds": 3},
    aliases=("tabular:classification",),
    notes=(
        "Several label columns are learnt at once (multi-label).",
        "In a SQLite file every table is a split.",
    ),
)  # fmt: skip
