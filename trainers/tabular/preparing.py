"""From columns of numbers and words to what every kind of model takes."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from ..spec.tabular_sections import SearchSection
from .features import Features

_SCALERS = {
    "standard": StandardScaler,
    "minmax": MinMaxScaler,
    "maxabs": MaxAbsScaler,
    "robust": RobustScaler,
}
_MOST_CATEGORIES = 100
_MISSING = "(missing)"


def pipeline(model: Any, features: Features, search: SearchSection) -> Pipeline:
    """The model behind the columns' preparation; both are learnt together, fold by fold."""
    parts = []
    if features.numbers:
        parts.append(("numbers", _numbers(search), features.numbers))
    if features.words:
        parts.append(("words", _words(search), features.words))
    return Pipeline([("columns", ColumnTransformer(parts)), ("model", model)])


def _numbers(search: SearchSection) -> Pipeline:
    imputer = SimpleImputer(
        strategy=search.numerical_imputer,
        fill_value=0.0 if search.numerical_imputer == "constant" else None,
        keep_empty_features=True,
    )
    steps: list[tuple[str, BaseEstimator]] = [("missing", imputer)]
    if search.numeric_scaler != "none":
        steps.append(("scale", _SCALERS[search.numeric_scaler]()))
    return Pipeline(steps)


def _words(search: SearchSection) -> Pipeline:
    imputer = SimpleImputer(
        strategy=search.categorical_imputer, fill_value=_MISSING, keep_empty_features=True
    )
    return Pipeline([("missing", imputer), ("encode", _encoder(search))])


def _encoder(search: SearchSection) -> BaseEstimator:
    if search.categorical_encoder == "one_hot":
        return OneHotEncoder(
            handle_unknown="infrequent_if_exist",
            min_frequency=search.rare_categories,
            max_categories=_MOST_CATEGORIES,
            sparse_output=False,
        )
    if search.categorical_encoder == "ordinal":
        return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return TargetEncoder(random_state=search.seed)
