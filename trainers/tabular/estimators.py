"""The kinds of model: how each is made, and within what its settings are searched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import lightgbm
import xgboost
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from sklearn import ensemble, linear_model, naive_bayes, neighbors, svm, tree

Space = dict[str, BaseDistribution]


@dataclass(frozen=True)
class Estimator:
    """One kind of model.

    Attributes:
        make: builds it, called with the settings, ``fixed`` ones included.
        space: what is searched, by setting.
        defaults: the library's own values of those settings, which are the first trial.
        fixed: settings that are always the same.
        seeded: whether it takes ``random_state``.
        threaded: whether it has threads of its own, by ``n_jobs``.
    """

    make: Callable[..., Any]
    space: Space
    defaults: dict[str, Any]
    fixed: dict[str, Any] = field(default_factory=dict)
    seeded: bool = True
    threaded: bool = False

    def build(self, settings: dict[str, Any], *, seed: int, threads: int) -> Any:
        """An untrained model with these settings."""
        extra: dict[str, Any] = dict(self.fixed)
        if self.seeded:
            extra["random_state"] = seed
        if self.threaded:
            extra["n_jobs"] = threads
        return self.make(**extra, **settings)


def _boosted_trees() -> tuple[Space, dict[str, Any]]:
    """LightGBM's names; its defaults."""
    space: Space = {
        "n_estimators": IntDistribution(50, 1000, log=True),
        "learning_rate": FloatDistribution(0.01, 0.3, log=True),
        "num_leaves": IntDistribution(4, 256, log=True),
        "min_child_samples": IntDistribution(2, 100, log=True),
        "subsample": FloatDistribution(0.5, 1.0),
        "colsample_bytree": FloatDistribution(0.4, 1.0),
        "reg_lambda": FloatDistribution(1e-3, 10.0, log=True),
    }
    defaults = {
        "n_estimators": 100, "learning_rate": 0.1, "num_leaves": 31, "min_child_samples": 20,
        "subsample": 1.0, "colsample_bytree": 1.0, "reg_lambda": 1e-3,
    }  # fmt: skip
    return space, defaults


def _lightgbm(make: Callable[..., Any]) -> Estimator:
    space, defaults = _boosted_trees()
    fixed = {"verbose": -1, "subsample_freq": 1, "deterministic": True, "force_row_wise": True}
    return Estimator(make, space, defaults, fixed, threaded=True)


def _xgboost(make: Callable[..., Any]) -> Estimator:
    space: Space = {
        "n_estimators": IntDistribution(50, 1000, log=True),
        "learning_rate": FloatDistribution(0.01, 0.3, log=True),
        "max_depth": IntDistribution(2, 10),
        "min_child_weight": FloatDistribution(0.5, 20.0, log=True),
        "subsample": FloatDistribution(0.5, 1.0),
        "colsample_bytree": FloatDistribution(0.4, 1.0),
        "reg_lambda": FloatDistribution(1e-3, 10.0, log=True),
    }
    defaults = {
        "n_estimators": 100, "learning_rate": 0.3, "max_depth": 6, "min_child_weight": 1.0,
        "subsample": 1.0, "colsample_bytree": 1.0, "reg_lambda": 1.0,
    }  # fmt: skip
    return Estimator(make, space, defaults, {"verbosity": 0, "tree_method": "hist"}, threaded=True)


def _forest(make: Callable[..., Any], share: float | str) -> Estimator:
    space: Space = {
        "n_estimators": IntDistribution(50, 500, log=True),
        "max_depth": CategoricalDistribution([None, 4, 8, 16, 32]),
        "min_samples_leaf": IntDistribution(1, 20, log=True),
        "max_features": CategoricalDistribution(["sqrt", "log2", 0.5, 1.0]),
    }
    defaults = {
        "n_estimators": 100, "max_depth": None, "min_samples_leaf": 1, "max_features": share,
    }  # fmt: skip
    return Estimator(make, space, defaults)


def _gradient_boosting(make: Callable[..., Any]) -> Estimator:
    space: Space = {
        "max_iter": IntDistribution(50, 500, log=True),
        "learning_rate": FloatDistribution(0.01, 0.3, log=True),
        "max_leaf_nodes": IntDistribution(4, 128, log=True),
        "min_samples_leaf": IntDistribution(2, 100, log=True),
        "l2_regularization": FloatDistribution(0.0, 10.0),
    }
    defaults = {
        "max_iter": 100, "learning_rate": 0.1, "max_leaf_nodes": 31, "min_samples_leaf": 20,
        "l2_regularization": 0.0,
    }  # fmt: skip
    return Estimator(make, space, defaults)


def _adaboost(make: Callable[..., Any]) -> Estimator:
    space: Space = {
        "n_estimators": IntDistribution(20, 300, log=True),
        "learning_rate": FloatDistribution(0.05, 2.0, log=True),
    }
    return Estimator(make, space, {"n_estimators": 50, "learning_rate": 1.0})


def _tree(make: Callable[..., Any]) -> Estimator:
    space: Space = {
        "max_depth": CategoricalDistribution([None, 3, 5, 8, 12, 20]),
        "min_samples_leaf": IntDistribution(1, 50, log=True),
    }
    return Estimator(make, space, {"max_depth": None, "min_samples_leaf": 1})


def _nearest(make: Callable[..., Any]) -> Estimator:
    space: Space = {
        "n_neighbors": IntDistribution(1, 50, log=True),
        "weights": CategoricalDistribution(["uniform", "distance"]),
        "p": CategoricalDistribution([1, 2]),
    }
    defaults = {"n_neighbors": 5, "weights": "uniform", "p": 2}
    return Estimator(make, space, defaults, seeded=False)


def _vectors(make: Callable[..., Any], fixed: dict[str, Any], *, seeded: bool) -> Estimator:
    space: Space = {
        "C": FloatDistribution(1e-2, 1e3, log=True),
        "kernel": CategoricalDistribution(["rbf", "linear"]),
        "gamma": CategoricalDistribution(["scale", "auto"]),
    }
    defaults = {"C": 1.0, "kernel": "rbf", "gamma": "scale"}
    return Estimator(make, space, defaults, fixed, seeded=seeded)


def _linear(
    make: Callable[..., Any], name: str, default: float, *, seeded: bool = True, **fixed: Any
) -> Estimator:
    space: Space = {name: FloatDistribution(1e-4, 1e3, log=True)}
    return Estimator(make, space, {name: default}, fixed, seeded=seeded)


CLASSIFIERS: dict[str, Estimator] = {
    "lightgbm": _lightgbm(lightgbm.LGBMClassifier),
    "xgboost": _xgboost(xgboost.XGBClassifier),
    "random_forest": _forest(ensemble.RandomForestClassifier, "sqrt"),
    "extra_trees": _forest(ensemble.ExtraTreesClassifier, "sqrt"),
    "gradient_boosting": _gradient_boosting(ensemble.HistGradientBoostingClassifier),
    "adaboost": _adaboost(ensemble.AdaBoostClassifier),
    "decision_tree": _tree(tree.DecisionTreeClassifier),
    "logistic_regression": _linear(linear_model.LogisticRegression, "C", 1.0, max_iter=2000),
    "ridge": _linear(linear_model.RidgeClassifier, "alpha", 1.0),
    "svm": _vectors(svm.SVC, {}, seeded=True),
    "knn": _nearest(neighbors.KNeighborsClassifier),
    "naive_bayes": Estimator(
        naive_bayes.GaussianNB,
        {"var_smoothing": FloatDistribution(1e-12, 1e-2, log=True)},
        {"var_smoothing": 1e-9},
        seeded=False,
    ),
}
REGRESSORS: dict[str, Estimator] = {
    "lightgbm": _lightgbm(lightgbm.LGBMRegressor),
    "xgboost": _xgboost(xgboost.XGBRegressor),
    "random_forest": _forest(ensemble.RandomForestRegressor, 1.0),
    "extra_trees": _forest(ensemble.ExtraTreesRegressor, 1.0),
    "gradient_boosting": _gradient_boosting(ensemble.HistGradientBoostingRegressor),
    "adaboost": _adaboost(ensemble.AdaBoostRegressor),
    "decision_tree": _tree(tree.DecisionTreeRegressor),
    "linear_regression": Estimator(linear_model.LinearRegression, {}, {}, seeded=False),
    "ridge": _linear(linear_model.Ridge, "alpha", 1.0),
    "lasso": _linear(linear_model.Lasso, "alpha", 1.0, max_iter=5000),
    "svm": _vectors(svm.SVR, {}, seeded=False),
    "knn": _nearest(neighbors.KNeighborsRegressor),
}
