"""tabular-regression: numbers from the columns of a table."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..registry import Column, Inputs, Loading, Task
from ..spec import Section, parameter
from ..spec.tabular_sections import USAGE, SearchSection, TabularSpec

Estimator = Literal[
    "lightgbm", "xgboost", "random_forest", "extra_trees", "gradient_boosting", "adaboost",
    "decision_tree", "linear_regression", "ridge", "lasso", "svm", "knn",
]  # fmt: skip


class RegressorSection(Section):
    """Which kinds of model are tried."""

    estimators: list[Estimator] = parameter(
        ["lightgbm", "xgboost", "random_forest", "ridge"],
        "Kinds of model among which the search looks.",
        level="beginner",
        min_length=1,
    )
    ensemble: Literal["none", "stacking"] = parameter(
        "none", "stacking lets the best of each kind answer together.", level="beginner"
    )


class RegressionSearch(SearchSection):
    """How the best settings are searched; every trial is cross-validated."""

    metric: Literal["rmse", "mae", "r2"] = parameter(
        "rmse", "What best means.", level="beginner", group="search"
    )


class TabularRegressionSpec(TabularSpec):
    """A run that learns numbers."""

    task: Literal["tabular-regression"] = parameter(
        "tabular-regression", "What is trained.", level="beginner"
    )
    model: RegressorSection = parameter(RegressorSection(), "Which kinds of model are tried.")
    training: RegressionSearch = parameter(RegressionSearch(), "How the best is searched.")

    @property
    def estimators(self) -> tuple[str, ...]:
        return tuple(self.model.estimators)

    @property
    def stacking(self) -> bool:
        return self.model.ensemble == "stacking"

    @property
    def search(self) -> RegressionSearch:
        return self.training


TASK = Task(
    id="tabular-regression",
    family="tabular",
    title="Table regression",
    sentence="Estimate a number from the columns of a table.",
    columns=(
        Column("label", "number; several columns for several numbers", 152.0, several=True,
               names=("target", "targets", "value", "y", "target_columns")),
        Column("features", "numbers and words; silent: every other column", 5.1, required=False,
               several=True),
        Column("id", "name of the row, not looked at", 17, required=False, names=("id_column",)),
    ),
    spec=TabularRegressionSpec,
    metrics=("eval_rmse", "eval_mae", "eval_r2", "eval_mse"),
    default_model="",
    sample=Path(__file__).parent.parent / "samples" / "tabular-regression",
    train="luthier.trainers.tabular.training:train",
    rules="luthier.trainers.tabular.rows:TabularRules",
    loading=Loading("", "", None, "sklearn", "tabular-regression"),
    usage=USAGE,
    predict="luthier.trainers.tabular.predicting:TabularPredictor",
    inputs=Inputs((), kind="row"),
    sample_settings={"training.num_trials": 6, "training.folds": 3},
    aliases=("tabular:regression",),
    notes=("Several label columns are learnt at once.", "In a SQLite file every table is a split."),
)  # fmt: skip
